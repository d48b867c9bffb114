"""How the processes of one training keep together: they join before files are touched, and wait for each other.

Contract: every process calls these functions alike; in a single process they do nothing. Where one process fails the
launcher ends the others. It does not know what is written between two meetings, nor how gradients are averaged.
"""

from __future__ import annotations

from sokrates import ranks


def join(device: str) -> None:
    """Connect the processes, for models on a kind of device (`cpu`, `cuda`): gloo between CPUs, NCCL between GPUs."""
    if ranks.count() > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def meet() -> None:
    """Wait until all processes are here."""
    if ranks.count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def part() -> None:
    """Disconnect, after the last common work: a process that ends connected may wait for the others, or complain."""
    if ranks.count() > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()


def sums(values: list[float]) -> list[float]:
    """Each of the numbers, added up over the processes."""
    return [sum(column) for column in zip(*_all(values), strict=True)]


def most(value: float) -> float:
    """The greatest of the processes' numbers."""
    return max(row[0] for row in _all([value]))


def _all(values: list[float]) -> list[list[float]]:
    if ranks.count() == 1:
        return [values]
    from accelerate.utils import gather_object

    gathered: list[list[float]] = gather_object([values])
    return gathered
