"""Whether an engine computes what the trainer does: both measure the same probes, and the figures are compared.

Contract: the check fails where weights, adapter or arithmetic are not the same; what is rounding depends on the number
format. The trainer's side is what training kept beside the adapter, else the model is loaded for it with transformers.
It does not know how an engine measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from sokrates import models
from sokrates.errors import SokratesError
from sokrates.traces import probes
from sokrates.traces.probes import PROBE_FILE, Probes

ROUNDING = {"float32": 1e-3, "bfloat16": 0.05}
"""The largest mean difference of log-probabilities that is rounding, by number format; any one token may differ by
`PEAK` times as much."""
PEAK = {"float32": 1.0, "bfloat16": 20.0}


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two measurements are apart, over all tokens, in log-probability."""

    mean: float
    largest: float


def difference(reference: Probes, measured: Sequence[Sequence[float]]) -> Difference:
    """The difference between the trainer's figures and an engine's, one sequence of log-probabilities a probe."""
    gaps = [
        abs(expected - found)
        for probe, row in zip(reference.probes, measured, strict=True)
        for expected, found in zip(probe.log_probs, row, strict=True)
    ]
    return Difference(sum(gaps) / len(gaps), max(gaps))


def check(reference: Probes, measured: Sequence[Sequence[float]], dtype: str, name: str) -> Difference:
    """The difference, where it is no more than rounding in the coarser of the two number formats.

    `dtype`: the engine's; `name`: the model's, for the message. Errors: SokratesError with the figures, else.
    """
    coarser = "bfloat16" if "bfloat16" in (dtype, reference.dtype) else "float32"
    found = difference(reference, measured)
    mean, largest = ROUNDING[coarser], ROUNDING[coarser] * PEAK[coarser]
    if not (found.mean <= mean and found.largest <= largest):  # a difference that is no number fails too
        raise SokratesError(
            f"{name}: the engine does not compute what the trainer does: log-probabilities differ by {found.mean:.2g} "
            f"on average and {found.largest:.2g} at most; expected at most {mean:g} and {largest:g} in {coarser}. "
            f"Check that the weights are those that were trained; if they were changed since, remove {PROBE_FILE} "
            "beside them"
        )
    return found


def reference(name: str, device: str, dtype: str) -> Probes:
    """The probes as transformers finds them with this model on this device.

    Errors: as `models.load_model`; SokratesError where the device has no room for it.
    """
    import torch

    try:
        return probes.measure(models.load_model(name, device=device, dtype=dtype), models.load_tokenizer(name))
    except torch.OutOfMemoryError as error:
        raise SokratesError(
            f"{name}: {device} has no room for the model, by which an engine is checked: {error}"
        ) from None


def reference_ahead(name: str, device: str, dtype: str) -> Callable[[], Probes]:
    """The trainer's side for a model that an engine is about to load; call what is returned before it takes the memory.

    What training kept is used where it is there. On CUDA another process computes it meanwhile: this one stays without
    a CUDA context, and the memory is free again for certain.
    """
    paths = models.resolve(name)
    kept = probes.read(paths.adapter) if paths.adapter else None
    if kept:
        return lambda: kept
    if device == "cpu":
        return lambda: reference(name, device, dtype)
    return in_another_process(name, device, dtype)


def in_another_process(name: str, device: str, dtype: str) -> Callable[[], Probes]:
    """`reference`, begun in another process; call what is returned to wait for it and for the process to end."""
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    future = pool.submit(reference, name, device, dtype)

    def finished() -> Probes:
        with pool:
            return future.result()

    return finished
