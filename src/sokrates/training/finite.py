"""A loss or a gradient that is no finite number ends a training, with the step and the ids of what was in the batch.

Contract: it is noticed before the weights move, in every process alike, so that no process waits for one that is gone
and no checkpoint holds the damage. Examples are known by their token ids: rows carry no names through TRL's
preparation, and what went through the model is what counts. It does not know which loss it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch

from sokrates.errors import SokratesError

MOST_NAMED = 20


class Named(Protocol):
    """An example or a pair: its id, and the token sequences that the model reads for it."""

    @property
    def id(self) -> str: ...
    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]: ...


def documents(inputs: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """The token sequences of a batch: rows without their padding, or packed rows cut where the positions start again.

    `input_ids`: (rows, tokens); `attention_mask` or else `position_ids`, where there is one, in the same shape.
    """
    ids = inputs["input_ids"]
    if (mask := inputs.get("attention_mask")) is not None:
        return [tuple(row[kept.bool()].tolist()) for row, kept in zip(ids, mask, strict=True)]
    if (positions := inputs.get("position_ids")) is None:
        return [tuple(row) for row in ids.tolist()]
    starts = (positions.flatten() == 0).nonzero().flatten().tolist()
    flat = ids.flatten().tolist()
    return [tuple(flat[start:end]) for start, end in zip(starts, [*starts[1:], len(flat)], strict=True)]


def names(batches: Iterable[Mapping[str, Any]], known: Iterable[Named]) -> list[str]:
    """The ids of the examples that batches hold, in the order of `known`. Of several with the same text: all."""
    seen = {document for batch in batches for document in documents(batch)}
    return [example.id for example in known if not seen.isdisjoint(example.sequences)]


def check(
    value: torch.Tensor, what: str, where: str, batches: Sequence[Mapping[str, Any]], known: Sequence[Named]
) -> None:
    """Errors: SokratesError in every process where `value` (a scalar) of one of them is not finite.

    `what` and `where` say what the value is and when it was seen; `batches` are those of this process behind it.
    """
    from accelerate.utils import gather, gather_object

    value = value.detach().float().reshape(1)
    values = gather(value)
    if bool(values.isfinite().all()):
        return
    mine = names(batches, known) if not bool(value.isfinite().all()) else []
    found = list(dict.fromkeys(gather_object(mine)))
    shown = ", ".join(found[:MOST_NAMED]) + (f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else "")
    bad = next(number for number in values.tolist() if not math.isfinite(number))
    raise SokratesError(
        f"{where}: the {what} is {bad}, expected a finite number; in its batch: {shown}. Nothing was published; "
        "look at these, or lower the learning rate, and start again"
    )
