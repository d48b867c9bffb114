"""Gold traces that look around: of the same answer, valid whole, with steps that the proof does not need.

Contract: as `traces.wandering`, verified; a trace that would become too long stays as it was.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from sokrates.errors import SokratesError
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.trace import Trace
from sokrates.traces.wandering import wandering_outline
from sokrates.verification.verify import verify


def look_around(golden: Iterable[Trace], share: float, seed: int, *, max_steps: int = 24) -> Iterator[Trace]:
    """The gold traces in their order, about a `share` of them (0 to 1) rewritten.

    Errors: SokratesError naming the problem whose rewritten trace does not verify: an error of this program.
    """
    rng = random.Random(f"look around/{seed}")
    for trace in golden:
        yield _rewritten(trace, rng, max_steps) if rng.random() < share else trace


def _rewritten(gold: Trace, rng: random.Random, max_steps: int) -> Trace:
    problem = gold.problem()
    outline = wandering_outline(problem, gold_outline(problem, max_steps=max_steps), rng)
    if len(outline.inferences) + 1 > max_steps:
        return gold
    trace = verify(build_trace(problem, write_outline(problem, outline)))
    if not trace.all_steps_valid:
        raise SokratesError(f"{problem.problem_id}: its rewritten trace does not verify ({trace.invalid_reason})")
    return trace
