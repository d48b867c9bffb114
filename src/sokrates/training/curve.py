"""The loop's own curve beside training's: what each stage's evaluation found, in the trackers of `tracking`.

Contract: the names are `evaluation/` and a rate: accuracy, proof_rate, trace_validity and step_validity; step 0 is the
base model, 1 SFT, and from 2 on the iterations. TensorBoard gets each point when it is there, into `runs` of the run
folder, and forgets what it had from there on: a loop that goes on leaves one curve. The other trackers get the whole
curve at the end, as a run of the folder's name. It does not know what is evaluated, nor that there are baselines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sokrates.disk import Writing

Point = Mapping[str, float]

TENSORBOARD = "tensorboard"


def add_point(trackers: Sequence[str], output: Path, points: Sequence[Point]) -> None:
    """Add the last of the points, each a stage's rates by their names, to TensorBoard's curve, where that is wanted."""
    if TENSORBOARD not in trackers:
        return
    from torch.utils.tensorboard import SummaryWriter

    from sokrates.training.tracking import FOLDER

    step = len(points) - 1
    with Writing(output), SummaryWriter(str(output / FOLDER), purge_step=step) as writer:
        for name, value in _named(points[-1]).items():
            writer.add_scalar(name, value, step)


def send(trackers: Sequence[str], output: Path, points: Sequence[Point]) -> None:
    """Give the whole curve to the trackers that are not TensorBoard."""
    others = [name for name in trackers if name != TENSORBOARD]
    if not others:
        return
    from accelerate import PartialState

    from sokrates.training.tracking import make_tracker

    PartialState()  # accelerate's trackers ask it whether this is the main process
    for name in others:
        run = make_tracker(name, output)
        run.start()
        for step, point in enumerate(points):
            run.log(_named(point), step=step)
        run.finish()


def _named(point: Point) -> dict[str, float]:
    return {f"evaluation/{name}": value for name, value in point.items()}
