"""The least time in which a machine could generate, from what must be computed and what must be moved.

Contract: pure arithmetic. Prefill is two operations a parameter and token, over the tokens that are left to compute
once what prompts share is computed once, plus attention; each prompt's last position also passes the output matrix. A
decoding step takes the larger of its arithmetic and its bytes: all weights once, and the key-value cache of the rows at
work. The rates are those that a large matrix product and a large copy reach on the same machine. What a real engine
also does (norms, sampling, scheduling, arithmetic and memory traffic one after the other) is not in it, so nothing
reaches 100%.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder-only transformer with grouped-query attention and a gated feed-forward layer (Qwen3, Llama)."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of one layer's matrices: q, k, v, o, gate, up, down."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return (
            (self.hidden, queries),
            (self.hidden, keys),
            (self.hidden, keys),
            (queries, self.hidden),
            (self.hidden, self.intermediate),
            (self.hidden, self.intermediate),
            (self.intermediate, self.hidden),
        )

    @property
    def layer_parameters(self) -> int:
        """Parameters of the matrices that every token passes."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.matrices)

    @property
    def output_parameters(self) -> int:
        """Parameters of the matrix from the last hidden state to the vocabulary."""
        return self.hidden * self.vocabulary

    def adapter_parameters(self, rank: int) -> int:
        """Parameters of a LoRA adapter on all linear layers."""
        return self.layers * sum(rank * (inputs + outputs) for inputs, outputs in self.matrices)

    @property
    def attention_operations(self) -> int:
        """Operations of one token's attention to one position, over all layers: scores and weighted sum."""
        return 4 * self.layers * self.heads * self.head_dim

    @property
    def cached_numbers(self) -> int:
        """Numbers that the key-value cache holds of one token."""
        return 2 * self.layers * self.kv_heads * self.head_dim


@dataclass(frozen=True, slots=True)
class Work:
    """What is generated: `prompts` of `prompt` tokens each, whose first `shared` are the same in all; `samples` each,
    `output` tokens long."""

    prompts: int
    prompt: float
    shared: int
    samples: int
    output: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What the machine reaches: operations a second of a matrix product, bytes a second of a copy, read and written."""

    operations: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Floor:
    """Least seconds of the two parts."""

    prefill: float
    decode: float

    @property
    def seconds(self) -> float:
        return self.prefill + self.decode


def floor(model: Architecture, work: Work, rates: Rates, *, batch: int, rank: int = 0, width: int = 2) -> Floor:
    """The least time for the work, decoding at most `batch` rows at a time; `rank` of an adapter (0: none), `width`
    bytes a number."""
    return Floor(_prefill(model, work, rates, rank, width), _decode(model, work, rates, batch, rank, width))


def _prefill(model: Architecture, work: Work, rates: Rates, rank: int, width: int) -> float:
    parameters = model.layer_parameters + model.adapter_parameters(rank)
    tokens = work.shared + work.prompts * (work.prompt - work.shared)
    positions = _below(work.shared) + work.prompts * (_below(work.prompt) - _below(work.shared))
    operations = (
        2 * parameters * tokens + 2 * model.output_parameters * work.prompts + model.attention_operations * positions
    )
    moved = width * (parameters + model.output_parameters + tokens * model.cached_numbers)
    return max(operations / rates.operations, moved / rates.bytes)


def _below(length: float) -> float:
    """Positions that the tokens of a text attend to, each to itself and what stands before it."""
    return length * (length + 1) / 2


def _decode(model: Architecture, work: Work, rates: Rates, batch: int, rank: int, width: int) -> float:
    """Every step but the first token's, which prefill gives; full batches one after another."""
    parameters = model.layer_parameters + model.adapter_parameters(rank) + model.output_parameters
    rows = work.prompts * work.samples
    active = min(batch, rows)
    seconds = 0.0
    for written in range(1, round(work.output)):
        context = work.prompt + written
        operations = active * (2 * parameters + model.attention_operations * context)
        moved = width * (parameters + active * (context + 1) * model.cached_numbers)
        seconds += max(operations / rates.operations, moved / rates.bytes)
    return seconds * rows / active
