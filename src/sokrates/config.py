"""The settings of every stage: one validated model a section, a YAML file as base, dotted overrides on top.

Contract: the defaults of the classes are the vetted setting, a file says only what differs. What `load` returns has
been checked whole: types (nothing is converted but whole numbers to decimals), ranges, and the rules that tie fields
together. It does not know the machine (`device: auto` stays so), nor whether a file or model that it names exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sokrates.errors import SokratesError

DType = Literal["auto", "float32", "bfloat16"]
EngineName = Literal["auto", "transformers", "vllm", "ray"]
GuideName = Literal["none", "grammar", "solver", "random"]
BaselineName = Literal["sft+", "rft", "whole", "label", "published", "actions", "example", "vote", "guided"]
Signal = Literal["verified", "label", "published"]
Compared = Literal["whole", "first_error", "correction"]
Unknown = Literal["searched", "any"]
DEVICE = r"^(auto|cpu|mps|cuda(:\d+)?)$"
LARGEST_SEED = 2**32 - 1  # NumPy refuses a larger one

DPO_LOSSES = (
    "sigmoid",
    "hinge",
    "ipo",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "sigmoid_norm",
)
"""The losses that the supported TRL knows, but for exo_pair: it needs label smoothing, which DPO here has not."""


class Section(BaseModel):
    """What all sections share: unknown keys refused, values never converted, immutable once made."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class PromptConfig(Section):
    """How a problem is put to the model; the same in training, generation and evaluation."""

    instructions: bool = Field(default=True, description="Begin the prompt with the task and the names of the rules.")
    example: bool = Field(default=False, description="Show one worked example before the problem.")
    chat: bool = Field(default=False, description="Wrap the prompt in the tokenizer's chat template.")


class ModelConfig(Section):
    """Which language model to load, and how: what `Config.language_model` gathers from two sections."""

    model: str = Field(
        default="embedded", min_length=1, description="embedded, a hub name, a model folder, or an adapter folder."
    )
    device: str = Field(default="auto", pattern=DEVICE, description="auto, cpu, mps, cuda or cuda:N.")
    dtype: DType = Field(default="auto", description="Number format of the weights.")


class HardwareConfig(Section):
    """The machine: where tensors live and how many processors to use."""

    device: str = Field(default="auto", pattern=DEVICE, description="auto, cpu, mps, cuda or cuda:N.")
    dtype: DType = Field(default="auto", description="Number format of the weights; auto suits the device.")
    num_threads: int = Field(default=0, ge=0, description="Threads of one tensor operation; 0 leaves it to torch.")
    require_flash: bool = Field(
        default=False, description="Refuse to train where attention is not a flash attention kernel."
    )


class DataConfig(Section):
    """The problems of a loop: generated, or read from the two files where they are named."""

    train_file: str | None = Field(default=None, min_length=1, description="Problems to train on, instead of new ones.")
    eval_file: str | None = Field(
        default=None, min_length=1, description="Problems to evaluate on, instead of new ones."
    )
    hops_min: int = Field(default=1, ge=1, le=10, description="Fewest rule applications in a generated proof.")
    hops_max: int = Field(default=5, ge=1, le=10, description="Most rule applications in a generated proof.")
    train_problems: int = Field(default=2000, ge=1, description="Problems whose gold traces SFT learns.")
    eval_problems: int = Field(default=200, ge=1, description="Problems of the evaluation split, never trained on.")
    loop_problems: int = Field(default=1500, ge=1, description="Problems sampled in each iteration.")
    entities: int = Field(default=1, ge=1, le=9, description="Named individuals in a generated problem.")
    distractors: float = Field(
        default=1.0, ge=0, le=3, description="Rules that no proof needs: 1 is light, 2 about as many as PrOntoQA has."
    )
    second_facts: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of generated problems that say a second fact of their subject, which no proof needs, as "
        "PrOntoQA's do.",
    )
    wander: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the gold traces that look around: with valid steps that the proof does not need.",
    )
    label_mix: list[float] = Field(
        default=[1.0, 1.0, 1.0],
        min_length=3,
        max_length=3,
        description="Weights of the labels TRUE, FALSE and UNKNOWN among generated problems.",
    )
    seed: int = Field(default=42, ge=0, le=LARGEST_SEED, description="Seed of the generated problems and the splits.")

    @field_validator("label_mix")
    @classmethod
    def _weights(cls, weights: list[float]) -> list[float]:
        if min(weights) < 0 or sum(weights) <= 0:
            raise ValueError("should be weights of 0 or more, not all 0")
        return weights

    @model_validator(mode="after")
    def _ordered(self) -> DataConfig:
        if self.hops_min > self.hops_max:
            raise ValueError(f"hops_min ({self.hops_min}) should not exceed hops_max ({self.hops_max})")
        return self


class GenerationConfig(Section):
    """Sampling traces from a model."""

    num_problems: int = Field(default=0, ge=0, description="Problems to take from the file; 0 takes all.")
    samples_per_problem: int = Field(default=2, ge=1, description="Traces sampled for each problem.")
    max_steps: int = Field(default=24, ge=1, description="Steps after which a trace is cut.")
    temperature: float = Field(default=0.7, ge=0, le=10, description="Sampling temperature; 0 is greedy.")
    top_p: float = Field(default=0.95, gt=0, le=1, description="Share of probability that sampling keeps (nucleus).")
    max_thought_tokens: int = Field(
        default=100, ge=1, description="Tokens of a thought; with the action's and max_steps it bounds a completion."
    )
    max_action_tokens: int = Field(default=40, ge=1, description="Tokens of one action.")
    batch_tokens: int = Field(default=65536, ge=1, description="Largest batch in tokens, padding included.")
    max_batch: int = Field(
        default=0, ge=0, description="Largest batch in traces; 0 suits the engine: 64 in transformers, 512 in vLLM."
    )
    engine: EngineName = Field(
        default="auto", description="What generates the text; auto is vllm where it and a CUDA device are there."
    )
    stepwise: bool = Field(
        default=False, description="Generate step by step, each within its own token limits (transformers only)."
    )
    guide: GuideName = Field(
        default="none",
        description="What an action may be: grammar any well-formed option, solver one that is valid in the proof so "
        "far, random one of those by lot (the control).",
    )
    tensor_parallel_size: int = Field(default=1, ge=1, description="GPUs that share one copy of the model (vLLM).")
    gpu_memory: float = Field(default=0.9, gt=0, le=1, description="Share of the GPU's memory that vLLM takes.")
    max_lora_rank: int = Field(
        default=0, ge=0, le=512, description="Largest adapter rank that vLLM has room for; 0 takes the given adapter's."
    )
    replicas: int = Field(default=1, ge=1, description="Copies of the engine that Ray runs side by side.")
    address: str | None = Field(
        default=None, min_length=1, description="Ray cluster to use; none starts Ray on this machine."
    )
    solver_type: Literal["auto", "prontoqa", "folio"] = Field(
        default="auto", description="What problems must be: prontoqa English, folio formulas, auto either."
    )
    seed: int = Field(default=42, ge=0, le=LARGEST_SEED, description="Seed of sampling.")

    @model_validator(mode="after")
    def _one_step_fits(self) -> GenerationConfig:
        step = self.max_thought_tokens + self.max_action_tokens
        if self.batch_tokens < step:
            raise ValueError(
                f"batch_tokens ({self.batch_tokens}) should hold one step: "
                f"max_thought_tokens + max_action_tokens is {step}"
            )
        return self


class LoraConfig(Section):
    """The low-rank adapter that SFT makes and DPO trains on."""

    r: int = Field(default=64, ge=1, le=4096, description="Rank of the adapter.")
    alpha: int = Field(default=128, ge=1, description="Scale of the adapter: it adds alpha / r times its product.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of the adapter's input dropped in training.")
    target_modules: str | list[str] = Field(
        default="all-linear", min_length=1, description="Layers that get an adapter: all-linear, or a list of names."
    )


class SFTConfig(Section):
    """Supervised fine-tuning on gold traces."""

    num_epochs: int = Field(default=3, ge=1, description="Most passes over the traces; early stopping may end sooner.")
    max_steps: int = Field(default=0, ge=0, description="Exactly this many optimizer steps; 0 counts by epochs.")
    batch_size: int = Field(default=4, ge=1, description="Rows of a batch on one device; packed where packing is on.")
    gradient_accumulation_steps: int = Field(default=8, ge=1, description="Batches before one optimizer step.")
    batch_tokens: int = Field(
        default=32768, ge=0, description="On a GPU, batches of one optimizer step are joined up to so many tokens."
    )
    learning_rate: float = Field(default=2e-5, gt=0, le=1, description="Peak learning rate.")
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1, description="Share of the steps in which the rate rises.")
    max_length: int = Field(default=2048, ge=16, description="Tokens of a row.")
    packing: bool = Field(default=True, description="Fill each row with several traces that do not see each other.")
    heldout_fraction: float = Field(default=0.1, ge=0, lt=1, description="Share of the traces kept to measure loss.")
    evals_per_epoch: int = Field(default=1, ge=1, description="Measurements of the held-out loss in one epoch.")
    early_stopping_patience: int = Field(
        default=1, ge=0, description="Measurements without a lower held-out loss before training stops; 0 never stops."
    )
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="Weight decay of AdamW.")
    lora: LoraConfig = Field(default=LoraConfig(), description="The adapter.")
    logging_steps: int = Field(default=10, ge=1, description="Optimizer steps between two log lines.")
    save_steps: int = Field(
        default=100, ge=1, description="Optimizer steps between two checkpoints; the end of an epoch has one anyway."
    )
    seed: int = Field(default=42, ge=0, le=LARGEST_SEED, description="Seed of the adapter and the order of traces.")

    @model_validator(mode="after")
    def _something_to_stop_on(self) -> SFTConfig:
        if self.early_stopping_patience and not self.heldout_fraction:
            raise ValueError("early_stopping_patience needs held-out traces: heldout_fraction should be above 0")
        return self


class PairsConfig(Section):
    """Preference pairs from verified traces: the score of a trace, and which two make a pair."""

    validity_weight: float = Field(default=1.0, ge=0, description="Score for the share of valid steps.")
    correct_bonus: float = Field(default=1.0, ge=0, description="Score for the right answer.")
    all_valid_bonus: float = Field(default=0.5, ge=0, description="Score for a trace that is valid as a whole.")
    min_gap: float = Field(default=0.1, ge=0, description="Least difference of score between chosen and rejected.")
    max_pairs_per_problem: int = Field(default=2, ge=1, description="Most pairs from one problem.")
    compared: Compared = Field(
        default="whole",
        description="What a rejected trace is compared with: whole, another sample; first_error, as many steps of one "
        "as it has until its first error; correction, the step with which a proof goes on where it went wrong.",
    )
    unknown: Unknown = Field(
        default="searched",
        description="What a valid UNKNOWN needs to be chosen: searched, that it derived every fact about its subject, "
        "where these can be listed; any, nothing more, so that one that gives up at once is as good.",
    )
    signal: Signal = Field(
        default="verified",
        description="What makes a trace better: verified steps; for ablations the answer alone, or steps by the weak "
        "published rule.",
    )

    @model_validator(mode="after")
    def _reachable(self) -> PairsConfig:
        best = self.validity_weight + self.correct_bonus + self.all_valid_bonus
        if self.min_gap > best:
            raise ValueError(f"min_gap ({self.min_gap}) should be at most the best score, {best}, or no pair is left")
        if self.compared == "correction" and self.signal != "verified":
            raise ValueError(f"compared should not be correction under the signal {self.signal}: errors are corrected")
        return self


class DPOConfig(Section):
    """Direct preference optimisation of the adapter."""

    num_epochs: int = Field(default=1, ge=1, description="Passes over the pairs.")
    batch_size: int = Field(default=8, ge=1, description="Pairs of a batch on one device.")
    gradient_accumulation_steps: int = Field(default=2, ge=1, description="Batches before one optimizer step.")
    batch_tokens: int = Field(
        default=32768, ge=0, description="On a GPU, batches of one optimizer step are joined up to so many tokens."
    )
    learning_rate: float = Field(default=5e-7, gt=0, le=1, description="Peak learning rate.")
    beta: float = Field(default=0.1, gt=0, description="How strongly the reference model holds the trained one.")
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1, description="Share of the steps in which the rate rises.")
    max_length: int = Field(default=1024, ge=16, description="Tokens of prompt and completion together.")
    loss_type: list[str] = Field(default=["sigmoid"], min_length=1, description="Losses that are added up.")
    loss_weights: list[float] | None = Field(default=None, description="Weight of each loss; none means 1 each.")
    adapter_mode: Literal["continue", "stack"] = Field(
        default="continue",
        description="Train on from the given adapter, or stack a new one on it, both made one where it is saved.",
    )
    lora: LoraConfig = Field(default=LoraConfig(r=16, alpha=32), description="The new adapter of the mode stack.")
    share_prompts: bool = Field(
        default=True, description="Compute a prompt once for both its completions, where the model allows it."
    )
    logging_steps: int = Field(default=10, ge=1, description="Optimizer steps between two log lines.")
    save_steps: int = Field(
        default=100, ge=1, description="Optimizer steps between two checkpoints; the end of an epoch has one anyway."
    )
    seed: int = Field(default=42, ge=0, le=LARGEST_SEED, description="Seed of the new adapter and the order of pairs.")

    @field_validator("loss_type")
    @classmethod
    def _known_losses(cls, losses: list[str]) -> list[str]:
        for loss in losses:
            if loss not in DPO_LOSSES:
                raise ValueError(
                    f"should be among {', '.join(DPO_LOSSES)}; nearest to {loss!r}: {_nearest(loss, DPO_LOSSES)}"
                )
        return losses

    @field_validator("lora")
    @classmethod
    def _no_dropout(cls, lora: LoraConfig) -> LoraConfig:
        if lora.dropout:
            raise ValueError("should have dropout 0: DPO compares log-probabilities, which dropout would blur")
        return lora

    @model_validator(mode="after")
    def _one_weight_each(self) -> DPOConfig:
        if self.loss_weights is not None and len(self.loss_weights) != len(self.loss_type):
            raise ValueError(
                f"loss_weights should have one weight for each of the {len(self.loss_type)} in loss_type, "
                f"not {len(self.loss_weights)}"
            )
        return self


class EvaluationConfig(Section):
    """Measuring a model on problems it has not seen."""

    problems: int = Field(default=0, ge=0, description="Problems to take from the file; 0 takes all.")
    temperature: float = Field(default=0.0, ge=0, le=10, description="Sampling temperature; 0 is greedy.")
    transfer_files: list[str] = Field(
        default=[], description="Further sets of problems, each a file, on which a loop evaluates every stage too."
    )
    transfer_problems: int = Field(default=0, ge=0, description="Problems to take from each of these; 0 takes all.")
    bootstrap_samples: int = Field(default=2000, ge=100, description="Resamples behind the interval of a difference.")
    seed: int = Field(
        default=42, ge=0, le=LARGEST_SEED, description="Seed of the bootstrap and of which problems are taken."
    )

    @field_validator("transfer_files")
    @classmethod
    def _named_apart(cls, files: list[str]) -> list[str]:
        names = [Path(file).stem for file in files]
        if len(set(names)) < len(names):
            raise ValueError("should be files of different names, for a set is known by its file's name")
        return files


class LoopConfig(Section):
    """The loop: SFT, then generate, verify, pair, train and evaluate, again and again."""

    output: str = Field(default="outputs/oak", min_length=1, description="Run folder; a killed loop goes on there.")
    num_iterations: int = Field(default=2, ge=0, description="Rounds after SFT.")
    baselines: list[BaselineName] = Field(
        default=[],
        description="Extra rows: sft+ (as many more steps on gold traces), rft (SFT on the verified samples), whole, "
        "label and published (pairs of whole samples: by verdict, by the answer alone, by the weak published rule), "
        "actions (SFT without thoughts), example (the base model shown a worked example), vote (SFT, samples vote on "
        "the answer), guided (the last adapter under the solver guide).",
    )
    votes: int = Field(default=8, ge=2, description="Samples that vote on each answer in the baseline vote.")

    @field_validator("baselines")
    @classmethod
    def _once(cls, baselines: list[str]) -> list[str]:
        if len(set(baselines)) < len(baselines):
            raise ValueError("should name each baseline once")
        return baselines


class TrackingConfig(Section):
    """Where training's curves go while it runs."""

    trackers: list[Literal["tensorboard", "wandb", "trackio"]] = Field(
        default=["tensorboard"], description="tensorboard (files in the output folder's runs), wandb, trackio; or none."
    )


class PretrainConfig(Section):
    """Training the small embedded model from nothing, on generated problems."""

    layers: int = Field(default=5, ge=1, description="Transformer layers.")
    hidden: int = Field(default=288, ge=8, description="Width of the residual stream.")
    heads: int = Field(default=9, ge=1, description="Attention heads.")
    kv_heads: int = Field(default=3, ge=1, description="Key and value heads, shared by groups of attention heads.")
    intermediate: int = Field(default=768, ge=8, description="Width inside the feed-forward layers.")
    vocab_size: int = Field(default=1024, ge=512, description="Most entries of the tokenizer, all bytes among them.")
    hops_min: int = Field(default=1, ge=1, le=10, description="Fewest rule applications in a proof.")
    hops_max: int = Field(default=5, ge=1, le=10, description="Most rule applications in a proof.")
    second_facts: float = Field(
        default=0.0, ge=0, le=1, description="Share of the problems with a second fact of their subject."
    )
    noise: float = Field(default=0.3, ge=0, le=1, description="Share of the traces that are made unsound on purpose.")
    noise_per_step: float = Field(default=0.3, ge=0, le=1, description="Share of the steps broken in such a trace.")
    wander: float = Field(
        default=0.0, ge=0, le=1, description="Share of the traces that take steps which the proof does not need."
    )
    repeats: int = Field(default=4, ge=1, description="Times that each document is read.")
    steps: int = Field(default=100_000, ge=1, description="Optimizer steps.")
    seconds: float = Field(default=525, gt=0, description="Time limit; training ends at the sooner of the two.")
    batch_tokens: int = Field(default=32768, ge=1024, description="Tokens of a batch, padding included.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Peak learning rate.")
    num_workers: int = Field(default=12, ge=0, description="Processes that make problems; one alone starves a GPU.")
    logging_steps: int = Field(default=100, ge=1, description="Optimizer steps between two log lines.")
    seed: int = Field(default=42, ge=0, le=LARGEST_SEED, description="Seed of the weights and the problems.")

    @model_validator(mode="after")
    def _fits_together(self) -> PretrainConfig:
        if self.hops_min > self.hops_max:
            raise ValueError(f"hops_min ({self.hops_min}) should not exceed hops_max ({self.hops_max})")
        if self.hidden % (2 * self.heads):  # rotary embedding turns pairs of each head's dimensions
            raise ValueError(f"hidden ({self.hidden}) should be a multiple of twice heads ({self.heads})")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads ({self.heads}) should be a multiple of kv_heads ({self.kv_heads})")
        return self


class Config(Section):
    """All settings of a run."""

    model: str = Field(
        default="embedded", min_length=1, description="embedded, a hub name, a model folder, or an adapter folder."
    )
    prompt: PromptConfig = Field(default=PromptConfig(), description="The prompt.")
    data: DataConfig = Field(default=DataConfig(), description="The problems.")
    trace_generation: GenerationConfig = Field(default=GenerationConfig(), description="Sampling traces.")
    preference_pairs: PairsConfig = Field(default=PairsConfig(), description="Preference pairs.")
    sft: SFTConfig = Field(default=SFTConfig(), description="Supervised fine-tuning.")
    dpo: DPOConfig = Field(default=DPOConfig(), description="Preference optimisation.")
    oak_loop: LoopConfig = Field(default=LoopConfig(), description="The loop.")
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="Evaluation.")
    hardware: HardwareConfig = Field(default=HardwareConfig(), description="The machine.")
    tracking: TrackingConfig = Field(default=TrackingConfig(), description="Training's curves.")
    pretrain: PretrainConfig = Field(default=PretrainConfig(), description="Training the embedded model.")

    @model_validator(mode="after")
    def _nothing_twice(self) -> Config:
        if "whole" in self.oak_loop.baselines and self.preference_pairs.compared == "whole":
            raise ValueError(
                "oak_loop.baselines should not name whole where preference_pairs.compared is whole: that is the loop "
                "itself"
            )
        return self

    @property
    def language_model(self) -> ModelConfig:
        """The model to load, on the configured hardware."""
        return ModelConfig(model=self.model, device=self.hardware.device, dtype=self.hardware.dtype)


def load(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """The defaults, with the YAML file at `path` over them, and dotted overrides (`dpo.beta=0.2`) over both.

    Errors: SokratesError that names the file or the override, the dotted key, and what was expected there.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    tree = OmegaConf.create() if path is None else _read(Path(path))
    for override in overrides:
        tree = _merge(tree, override)
    try:
        values = OmegaConf.to_container(tree, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise SokratesError(f"{_source(path, overrides)}: {error.full_key}: {_first_line(error)}") from None
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise SokratesError(_explain(error, path, overrides)) from None


def dump(config: Config) -> str:
    """The whole configuration as YAML, which `load` reads back to an equal one."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(_escape(config.model_dump())))


def settings() -> set[str]:
    """The dotted keys that hold a value; sections are left out."""
    keys = set(_keys(Config))
    return keys - {key.rpartition(".")[0] for key in keys}


def _read(path: Path) -> Any:
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    expected = "expected a YAML file of sections, such as `dpo:` with `beta: 0.1` indented below it"
    if not path.is_file():
        raise SokratesError(f"{path}: no such file; {expected}")
    try:
        tree = OmegaConf.create(path.read_text(encoding="utf-8"))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, RecursionError) as error:
        raise SokratesError(f"{path}: not readable as YAML: {_first_line(error)}; {expected}") from None
    except OSError as error:
        raise SokratesError(f"{path}: {error.strerror or error}; {expected}") from None
    if not isinstance(tree, DictConfig):
        raise SokratesError(f"{path}: {expected}")
    return tree


def _merge(tree: Any, override: str) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if "=" not in override or not all(_key(override).split(".")):
        raise SokratesError(f"override {override!r}: expected KEY=VALUE with a dotted key, such as dpo.beta=0.2")
    try:
        return OmegaConf.merge(tree, OmegaConf.from_dotlist([override]))
    except (YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise SokratesError(f"override {override!r}: the value is not YAML: {_first_line(error)}") from None
    except TypeError:  # how OmegaConf says that a list stands where the key goes deeper
        raise SokratesError(
            f"override {override!r}: expected a whole list, such as [1, 2], in place of one item"
        ) from None


def _key(override: str) -> str:
    return override.partition("=")[0]


def _first_line(error: Exception) -> str:
    """What went wrong and where, without the parser's drawing of it."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"{what} (line {mark.line + 1}, column {mark.column + 1})" if mark else what


def _source(path: str | Path | None, overrides: Sequence[str] = ()) -> str:
    source = "configuration" if path is None else str(path)
    return f"{source} with {' '.join(overrides)}" if overrides else source


def _explain(error: ValidationError, path: str | Path | None, overrides: Sequence[str]) -> str:
    """One line for each key that is wrong: who set it, its dotted path, its value, what was expected."""
    lines: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        unknown = problem["type"] in ("extra_forbidden", "invalid_key")
        key = ".".join(map(str, problem["loc"])) if unknown else _known_part(problem["loc"])
        if key in lines:  # the other branch of a union, or another item of a list
            if _expectation(problem) not in lines[key]:
                lines[key] += f", or {_expectation(problem)}"
            continue
        lines[key] = f"{_setter(key, path, overrides)}: "
        if unknown:
            lines[key] += f"unknown key {key}; the nearest known key is {_nearest_key(key)}"
        elif problem["type"] == "value_error" and isinstance(problem["input"], dict):
            # A rule between fields names their values itself, and one between sections has no key.
            lines[key] += f"{key}: {_expectation(problem)}" if key else _expectation(problem)
        else:
            lines[key] += f"{key} = {problem['input']!r}: {_expectation(problem)}"
    return "\n".join(lines.values())


def _setter(key: str, path: str | Path | None, overrides: Sequence[str]) -> str:
    """Who gave a key its value: the last override of it, else the file together with the overrides below the key."""
    exact = [override for override in overrides if _key(override) == key]
    below = [override for override in overrides if _key(override).startswith(f"{key}.")]
    return f"override {exact[-1]!r}" if exact else _source(path, below)


def _expectation(problem: Any) -> str:
    if problem["type"] == "model_type":
        return "should be a section with keys of its own"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return re.sub(r"^(Input|String|List) ", "", problem["msg"]).replace(" after validation", "")


def _known_part(location: tuple[int | str, ...]) -> str:
    """The dotted key of an error; pydantic's own additions, branches of a union and list positions, are left off."""
    known = set(_keys(Config))
    parts: list[str] = []
    for part in map(str, location):
        if ".".join([*parts, part]) not in known:
            break
        parts.append(part)
    return ".".join(parts)


def _keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    """All dotted keys, sections included, in the order of definition."""
    for name, field in section.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _keys(field.annotation, f"{prefix}{name}.")


def _nearest_key(key: str) -> str:
    """The known key that was most likely meant: a near name in the same section, that name elsewhere, the nearest."""
    section, _, name = key.rpartition(".")
    known = [other.rpartition(".") for other in _keys(Config)]
    siblings = [other for parent, _, other in known if parent == section]
    elsewhere = [parent for parent, _, other in known if other == name]
    if elsewhere and not get_close_matches(name, siblings):
        return ".".join(filter(None, (elsewhere[0], name)))
    return ".".join(filter(None, (section, _nearest(name, siblings))))


def _nearest(word: str, words: Sequence[str]) -> str:
    return get_close_matches(word, words, n=1, cutoff=0.0)[0]


def _escape(value: Any) -> Any:
    """The value with `${` written so that reading it back does not take it for an interpolation."""
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", value)
    return value
