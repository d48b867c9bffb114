"""Language models by name: where their files are, their tokenizer, and the model itself, with its adapter if any.

Contract: a name is `embedded`, a folder with a model, a folder with a LoRA adapter, or a hub name. Weights are read
from safetensors only and code that comes with a model is never run. Models are returned in eval mode; without
`trainable` no weight asks for a gradient. It does not know what a model is asked nor how it is trained.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sokrates import jsonl, ranks
from sokrates.errors import SokratesError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "embedded"
ADAPTER = "default"
"""The name that a loaded adapter gets: under it TRL finds the adapter it trains on from."""

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """Where a model's files are: `base` and `adapter` to load from, `base_name` to write down as the base's name."""

    base: str
    adapter: str | None
    base_name: str


class Style(Protocol):
    """Something that is kept beside weights and read by `load(folder, default)`."""

    def load(self, folder: Any, default: Any = None) -> Any: ...


S = TypeVar("S", bound=Style)


def resolve(name: str) -> ModelPaths:
    """The files behind a model's name.

    Errors: SokratesError for a folder that holds neither a model nor an adapter, lacks its weights or has them in
    another format than safetensors, and for an adapter whose base is missing.
    """
    folder = Path(name)
    if name == EMBEDDED or not (folder / "adapter_config.json").is_file():
        base, base_name = _base(name)
        return ModelPaths(base, None, base_name)
    settings = jsonl.read_json(folder / "adapter_config.json")
    if not isinstance(settings, dict) or settings.get("peft_type") != "LORA":
        raise SokratesError(f'{folder / "adapter_config.json"}: not a LoRA adapter; expected "peft_type": "LORA"')
    _check_weights(folder, "adapter_model.safetensors", "an adapter")
    wanted = settings.get("base_model_name_or_path")
    if not isinstance(wanted, str) or not wanted:
        raise SokratesError(f"{folder / 'adapter_config.json'}: names no base model in base_model_name_or_path")
    if wanted != EMBEDDED and (Path(wanted) / "adapter_config.json").is_file():
        raise SokratesError(f"{folder}: its base {wanted} is an adapter itself; expected a model")
    try:
        base, base_name = _base(wanted)
    except SokratesError as error:
        raise SokratesError(f"{folder}: its base model cannot be used: {error}") from None
    return ModelPaths(base, str(folder), base_name)


def style(paths: ModelPaths, default: S) -> S:
    """What is kept beside the adapter, else beside its base, else the default: how the model wants to be asked."""
    beside_base = default.load(paths.base, default)
    return beside_base if paths.adapter is None else default.load(paths.adapter, beside_base)


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model (for an adapter its base's); a missing padding token falls back to end of text.

    Errors: as `resolve`; SokratesError where there is no tokenizer or it has no end-of-text token.
    """
    from transformers import AutoTokenizer

    paths = resolve(name)
    with _loading(paths.base, "a tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(paths.base, padding_side="left")
    if tokenizer.eos_token_id is None:
        raise SokratesError(f"{paths.base}: its tokenizer has no end-of-text token; expected eos_token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(
    name: str, *, device: str = "auto", dtype: str = "auto", trainable: bool = False
) -> PreTrainedModel | PeftModel:
    """The model, with its adapter under the name `default`, in eval mode.

    `device`: auto (a CUDA device if there is one), cpu, mps, cuda or cuda:N; of several processes each takes the CUDA
    device of its own number. `dtype`: float32, bfloat16, or auto, which
    is bfloat16 on CUDA and float32 elsewhere. `trainable` lets the adapter, or all of a bare model, ask for gradients.
    Errors: as `resolve`; SokratesError for weights that cannot be read and a device that is not there.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from sokrates.upload import upload

    paths = resolve(name)
    place = _device(device)
    with _loading(paths.base, "a causal language model"):
        model = AutoModelForCausalLM.from_pretrained(paths.base, dtype=_dtype(dtype, place), use_safetensors=True)
    if place.type == "cuda":
        upload(model, place)
    if paths.adapter is not None:
        model.requires_grad_(False)
        with _loading(paths.adapter, f"an adapter of {paths.base_name}"):
            # Trained in float32 for small updates not to be lost; generation is faster in the base's own format.
            # Without low_cpu_mem_usage PEFT draws random weights first, which takes longer than reading the real ones.
            model = PeftModel.from_pretrained(
                model, paths.adapter, ADAPTER, is_trainable=trainable, autocast_adapter_dtype=trainable,
                low_cpu_mem_usage=True, torch_device=str(place),
            )  # fmt: skip
        _check_whole(model, paths.adapter)
    if not trainable:
        model.requires_grad_(False)
    return model.to(place).eval()


def load_config(name: str) -> Any:
    """The transformers config of a model, for an adapter its base's, without the weights. Errors: as `load_model`."""
    from transformers import AutoConfig

    paths = resolve(name)
    with _loading(paths.base, "a causal language model"):
        return AutoConfig.from_pretrained(paths.base)


def window(model: Any) -> int:
    """How many tokens a model (or a model's config) can attend to, prompt and completion together."""
    config = getattr(model, "config", model)
    size: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
    if size is None:
        raise SokratesError(f"a {config.model_type} model does not say its window; expected max_position_embeddings")
    return size


def parameters(name: str) -> int | None:
    """How many parameters a model has, for an adapter its base: by the headers of its safetensors, or of a hub model by
    the configuration in the cache. None where neither is on this disk or the configuration is of no known kind; nothing
    is loaded and the network is not asked. Errors: as `resolve`."""
    base = resolve(name).base
    if Path(base).is_dir():
        return sum(_stored(path) for path in Path(base).glob("*.safetensors"))
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(base, "config.json")
    return _by_shape(jsonl.read_json(cached)) if isinstance(cached, str) else None


def _stored(path: Path) -> int:
    """The numbers that a safetensors file holds, by its header. Errors: SokratesError where it has none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise SokratesError(f"{path}: not a safetensors file: {error}") from None


def _by_shape(config: dict[str, Any]) -> int | None:
    """The parameters of a dense decoder's matrices (Qwen, Llama) by its configuration."""
    if any("expert" in key for key in config):
        return None
    try:
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        head = config.get("head_dim") or hidden // heads
        attention = 2 * hidden * head * (heads + config.get("num_key_value_heads", heads))
        layer = attention + 3 * hidden * config["intermediate_size"]
        ends = hidden * config["vocab_size"] * (1 if config.get("tie_word_embeddings") else 2)
        return int(config["num_hidden_layers"] * layer + ends)
    except (KeyError, TypeError):
        return None


def _base(name: str) -> tuple[str, str]:
    """(what to load from, what to write down) for a name that is not an adapter folder."""
    folder = Path(str(resources.files("sokrates") / EMBEDDED)) if name == EMBEDDED else Path(name)
    if not folder.is_dir():
        if name == EMBEDDED or not _HUB_NAME.fullmatch(name):
            raise SokratesError(f"{folder}: no such folder; expected a folder with a model or an adapter")
        return name, name
    if not (folder / "config.json").is_file():
        raise SokratesError(f"{folder}: expected config.json (a model) or adapter_config.json (an adapter) in it")
    _check_weights(folder, "*.safetensors", "a model")
    return str(folder), name if name == EMBEDDED else str(folder.resolve())


def _check_weights(folder: Path, pattern: str, kind: str) -> None:
    if next(folder.glob(pattern), None):
        return
    pickled = sorted(path.name for suffix in _PICKLED for path in folder.glob(suffix))
    if pickled:
        raise SokratesError(
            f"{folder}: has its weights as {', '.join(pickled)}, which can run code when it is read; "
            f"only safetensors are accepted: expected {pattern}"
        )
    raise SokratesError(f"{folder}: {kind} without weights; expected {pattern}")


def _check_whole(model: PeftModel, adapter: str) -> None:
    """Errors: SokratesError where the adapter's file lacks weights that its configuration speaks of."""
    missing = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if missing:
        raise SokratesError(
            f"{adapter}: lacks {len(missing)} of the weights that adapter_config.json speaks of, such as {missing[0]}"
        )


@contextmanager
def _loading(source: str, kind: str) -> Iterator[None]:
    """What the libraries raise for unusable files, as the user's error."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise SokratesError(f"{source}: cannot be loaded as {kind}: {str(error).strip()}") from error


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if ranks.count() > 1 and name.startswith("cuda"):
        if name != "cuda":
            raise SokratesError(
                f"device {name} in {ranks.count()} processes: each needs its own; expected auto or cuda"
            )
        name = f"cuda:{ranks.local_rank()}"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SokratesError(f"device {name}: this machine has {torch.cuda.device_count()} CUDA devices")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SokratesError("device mps: this machine has none")
    return device


def _dtype(name: str, device: torch.device) -> torch.dtype:
    import torch

    if name == "auto":
        name = "bfloat16" if device.type == "cuda" else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
