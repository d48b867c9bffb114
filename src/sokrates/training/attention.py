"""Causal attention over rows that hold several documents laid end to end, with neither padding nor a mask.

Contract: a model given `segments` attends as with `sdpa`, and where the forward gets boundaries (`cu_seq_lens_q`,
`cu_seq_lens_k`, `max_length_q`, `max_length_k`, the names of transformers and TRL) each segment's queries see that
segment's keys alone, aligned at their ends. `key_index` says which of the row's tokens are the keys, so that segments
may share a prefix. Flash attention does it where it is installed and fits, checked on first use; PyTorch's attention,
one segment at a time, does it everywhere else, and exactly. It does not know what the documents are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import torch
from peft import PeftModel
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from sokrates.errors import SokratesError

NAME = "segments"
HALF = (torch.bfloat16, torch.float16)
TOLERANCE = 2e-2
"""How far a kernel in half precision may be from the reference, as a share of the largest number."""


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """What attends in a model."""

    implementation: str
    """By transformers' name; `segments` is the one of this module."""
    kernel: str
    version: str
    flash: bool
    reason: str = ""
    """Why it is not flash attention, where it is not."""

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"attention: {self.implementation}, by {self.kernel} {self.version}{why}"


@dataclass(frozen=True, slots=True)
class Segments:
    """Where segments begin and, last, where the row ends: int32 (segments + 1,) over the queries and over the keys."""

    queries: torch.Tensor
    keys: torch.Tensor
    longest_query: int
    longest_key: int


Kernel = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Segments, float, float], torch.Tensor]
"""From queries (tokens, heads, size), keys and values (key tokens, key heads, size), segments, scale and dropout to
(tokens, heads, size)."""


@dataclass(frozen=True, slots=True)
class Flash:
    """A flash attention kernel for ragged rows."""

    name: str
    version: str
    kernel: Kernel


def choose(model: PreTrainedModel | PeftModel, *, require_flash: bool = False) -> Attention:
    """Let `model` attend by segments with the best kernel for it, or as it did where its layers need more than that.

    Errors: SokratesError where `require_flash` asks for a flash kernel and none is in use, and where the chosen kernel
    disagrees with the reference.
    """
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    own = _needs_its_own(base)
    chosen = _own(base, own) if own else _segments(base)
    if require_flash and not chosen.flash:
        raise SokratesError(f"flash attention is required and not in use: {chosen.reason}")
    return chosen


def attends_by_segments(model: PreTrainedModel | PeftModel) -> bool:
    """Whether `choose` gave the model the attention of this module."""
    return bool(model.config._attn_implementation == NAME)


def segmented_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    cu_seq_lens_k: torch.Tensor | None = None,
    max_length_q: int | None = None,
    max_length_k: int | None = None,
    key_index: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention output of shape (batch, positions, heads, head size), and no weights.

    `query`: (batch, heads, positions, head size); `key` and `value`: (batch, key heads, length, head size). With
    boundaries the batch is one row; `key_index`: int64 (key tokens,), the row's tokens that the key boundaries count.
    Errors: SokratesError for boundaries with several rows or with a mask, and for several documents without them.
    """
    if cu_seq_lens_q is None:
        if attention_mask is None:
            _check_one_document(options.get("position_ids"))
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **options)
    if cu_seq_lens_k is None or max_length_q is None or max_length_k is None:
        raise SokratesError("attention by segments expects all four boundaries: those of queries and of keys")
    if attention_mask is not None or query.shape[0] != 1:
        raise SokratesError(
            f"attention by segments expects one row without padding or mask, not {query.shape[0]} rows"
            f"{' with a mask' if attention_mask is not None else ''}"
        )
    queries, keys, values = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    if queries.dtype == torch.float32 and torch.is_autocast_enabled(query.device.type):
        low = torch.get_autocast_dtype(query.device.type)  # PyTorch's own attention is cast like this too
        queries, keys, values = queries.to(low), keys.to(low), values.to(low)
    if key_index is not None:
        keys, values = keys.index_select(0, key_index), values.index_select(0, key_index)
    segments = Segments(cu_seq_lens_q, cu_seq_lens_k, int(max_length_q), int(max_length_k))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    unfit = _unfit(query.device, queries.dtype, query.shape[-1], dropout)
    flash = None if unfit else installed()
    kernel = flash.kernel if flash else sdpa_by_segment
    return kernel(queries, keys, values, segments, scale, dropout)[None], None


def segments_mask(
    *, q_length: int, kv_length: int, attention_mask: torch.Tensor | None = None, **options: Any
) -> torch.Tensor | None:
    """No mask for whole rows without padding: boundaries, or causality alone, say who sees whom."""
    if attention_mask is None and q_length == kv_length:
        return None
    return sdpa_mask(q_length=q_length, kv_length=kv_length, attention_mask=attention_mask, **options)


def sdpa_by_segment(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, segments: Segments, scale: float, dropout: float
) -> torch.Tensor:
    """PyTorch's attention on each segment in turn: the reference, for every device and number format."""
    outputs = []
    for (start, end), (first, last) in zip(
        pairwise(segments.queries.tolist()), pairwise(segments.keys.tolist()), strict=True
    ):
        queries, keys = end - start, last - first
        mask = None
        if queries != keys:  # PyTorch's causal flag aligns the beginnings
            mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril(keys - queries)
        part = query[start:end], key[first:last], value[first:last]
        heads_first = [tensor.transpose(0, 1)[None] for tensor in part]
        output = scaled_dot_product_attention(
            heads_first[0],
            heads_first[1],
            heads_first[2],
            attn_mask=mask,
            is_causal=mask is None,
            dropout_p=dropout,
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        outputs.append(output[0].transpose(0, 1))
    return torch.cat(outputs)


@cache
def installed() -> Flash | None:
    """The flash kernel of this environment: the package `flash_attn`, else the one inside PyTorch."""
    try:
        import flash_attn

        return Flash("flash_attn", flash_attn.__version__, _package_kernel(flash_attn.flash_attn_varlen_func))
    except ImportError:
        pass
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return Flash("torch varlen_attn", str(torch.__version__), torch_kernel(varlen_attn))


def _package_kernel(function: Callable[..., torch.Tensor]) -> Kernel:
    def kernel(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, segments: Segments, scale: float, dropout: float
    ) -> torch.Tensor:
        return function(
            query,
            key,
            value,
            cu_seqlens_q=segments.queries,
            cu_seqlens_k=segments.keys,
            max_seqlen_q=segments.longest_query,
            max_seqlen_k=segments.longest_key,
            dropout_p=dropout,
            softmax_scale=scale,
            causal=True,
        )

    return kernel


def torch_kernel(function: Callable[..., torch.Tensor]) -> Kernel:
    """PyTorch's function with causality, scale and grouped heads told as its release wants: by `is_causal` first, by
    a window since; the scale and the grouped heads have had names of their own since later still."""
    known = inspect.signature(function).parameters
    options: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    if "enable_gqa" in known:
        options["enable_gqa"] = True

    def kernel(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, segments: Segments, scale: float, dropout: float
    ) -> torch.Tensor:
        if "scale" in known:
            extra = {**options, "scale": scale}
        else:
            query, extra = query * (scale * query.shape[-1] ** 0.5), options
        return function(
            query.contiguous(),
            key.contiguous(),
            value.contiguous(),
            segments.queries,
            segments.keys,
            segments.longest_query,
            segments.longest_key,
            **extra,
        )

    return kernel


def check(kernel: Kernel, device: torch.device, dtype: torch.dtype, heads: tuple[int, int], size: int) -> None:
    """Try `kernel` on ragged segments with longer keys than queries, forward and backward, against the reference.

    `heads`: of queries and of keys. Errors: SokratesError where outputs or gradients differ by more than `TOLERANCE`.
    """
    random = torch.Generator().manual_seed(0)
    lengths, key_lengths = (1, 5, 130), (4, 5, 200)
    segments = Segments(_starts(lengths, device), _starts(key_lengths, device), max(lengths), max(key_lengths))

    def numbers(tokens: int, count: int) -> torch.Tensor:
        return torch.randn(tokens, count, size, generator=random).to(device, dtype)

    inputs = [numbers(sum(lengths), heads[0]), numbers(sum(key_lengths), heads[1]), numbers(sum(key_lengths), heads[1])]
    weight = numbers(sum(lengths), heads[0])
    ours = _with_gradients(kernel, inputs, weight, segments)
    reference = _with_gradients(sdpa_by_segment, [tensor.float() for tensor in inputs], weight.float(), segments)
    for what, got, expected in zip(("output", "query", "key", "value"), ours, reference, strict=True):
        error = ((got.float() - expected).abs().max() / expected.abs().max()).item()
        if not error < TOLERANCE:
            raise SokratesError(
                f"the attention kernel disagrees with PyTorch's attention: the {what}"
                f"{'' if what == 'output' else ' gradient'} differs by {error:.1e} of its largest number; "
                f"expected less than {TOLERANCE}"
            )


def _with_gradients(
    kernel: Kernel, inputs: list[torch.Tensor], weight: torch.Tensor, segments: Segments
) -> list[torch.Tensor]:
    query, key, value = (tensor.detach().requires_grad_() for tensor in inputs)
    with torch.enable_grad(), torch.autocast(weight.device.type, enabled=False):
        output = kernel(query, key, value, segments, weight.shape[-1] ** -0.5, 0.0)
        return [output.detach(), *torch.autograd.grad((output * weight).sum(), (query, key, value))]


def _starts(lengths: tuple[int, ...], device: torch.device) -> torch.Tensor:
    return torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(device)


def _segments(base: PreTrainedModel) -> Attention:
    AttentionInterface.register(NAME, segmented_attention)
    AttentionMaskInterface.register(NAME, segments_mask)
    base.set_attn_implementation(NAME)
    config = base.config.get_text_config()
    heads, key_heads = config.num_attention_heads, getattr(config, "num_key_value_heads", config.num_attention_heads)
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    reason = _unfit(base.device, base.dtype, size, getattr(config, "attention_dropout", 0.0))
    flash = installed()
    if flash is None or reason:
        reason = reason or "neither the package flash_attn nor a PyTorch with torch.nn.attention.varlen is installed"
        return Attention(
            implementation=NAME, kernel="torch sdpa", version=str(torch.__version__), flash=False, reason=reason
        )
    check(flash.kernel, base.device, base.dtype, (heads, key_heads), size)
    return Attention(implementation=NAME, kernel=flash.name, version=flash.version, flash=True)


def _own(base: PreTrainedModel, reason: str) -> Attention:
    name = base.config._attn_implementation or "eager"
    return Attention(
        implementation=name,
        kernel=f"transformers {name}",
        version=str(torch.__version__),
        flash="flash" in name,
        reason="" if "flash" in name else reason,
    )


def _needs_its_own(base: PreTrainedModel) -> str:
    """Why a model's attention is not that of this module: what its layers do beside causal attention, or nothing."""
    config = base.config.get_text_config()
    if not (getattr(base, "_supports_attention_backend", False) and getattr(base, "_supports_flash_attn", False)):
        return "the model's code takes no other attention"
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        return f"the model has layers of other kinds: {', '.join(sorted(kinds))}"
    if getattr(config, "sliding_window", None) is not None:
        return f"the model attends to a sliding window of {config.sliding_window} tokens"
    if getattr(config, "attn_logit_softcapping", None) is not None:
        return "the model caps its attention scores"
    return ""


def _unfit(device: torch.device, dtype: torch.dtype, size: int, dropout: float) -> str:
    """Why flash attention cannot serve: device, number format, head size or dropout; empty where it can."""
    if device.type != "cuda":
        return f"flash attention runs on CUDA devices, and the model is on {device.type}"
    if dtype not in HALF:
        return f"flash attention takes bfloat16 or float16, and the model is {str(dtype).removeprefix('torch.')}"
    if _capability(device) < (8, 0):
        return "flash attention needs a GPU of compute capability 8.0 or newer, and this one has " + ".".join(
            map(str, _capability(device))
        )
    if size > 256 or size % 8:
        return f"flash attention takes heads of at most 256 numbers in multiples of 8, and the model's have {size}"
    return f"the model drops out {dropout:.0%} of its attention" if dropout else ""


@cache
def _capability(device: torch.device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device)


def _check_one_document(position_ids: torch.Tensor | None) -> None:
    if position_ids is not None and position_ids.shape[-1] > 1 and bool((position_ids.diff(dim=-1) != 1).any()):
        raise SokratesError(
            "the positions start again within a row, which holds several documents then; expected their boundaries "
            "(cu_seq_lens_q, cu_seq_lens_k, max_length_q, max_length_k)"
        )
