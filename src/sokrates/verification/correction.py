"""A trace put right: its own steps before the first bad one, and a proof that goes on from there.

Contract: what is given verifies as valid whole, or there is none. It goes on by the shortest proof from the lines that
the trace has; of an UNKNOWN about one subject by the nearest fact that it has not said, and where all are said by its
conclusion. There is none while an assumption is open, for its lines hold under it alone, and none after a step that
states no claim.
"""

from __future__ import annotations

import msgspec

from sokrates.logic.language import FORMULAS
from sokrates.logic.proof import Proof
from sokrates.problems import Problem
from sokrates.problems.reading import ReadProblem, UnreadableSentence, read_problem
from sokrates.traces.building import build_trace
from sokrates.traces.claims import take
from sokrates.traces.gold import NoGoldTrace, gold_completion, said
from sokrates.traces.text import end_of_step
from sokrates.traces.trace import Trace
from sokrates.verification.verify import verify

_LONGEST = 1000
"""Steps of the rest: as many as it takes."""


def corrected(trace: Trace, steps: int) -> Trace | None:
    """The first `steps` steps of a verified trace, all of them valid, and a rest; None where that makes no proof."""
    problem = trace.problem()
    read = read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol)
    begun = trace.completion[: end_of_step(trace.completion, steps)] if steps else ""
    try:
        rest = gold_completion(_gone_so_far(problem, trace, steps, read), max_steps=_LONGEST)
    except (NoGoldTrace, UnreadableSentence):
        return None
    made = verify(build_trace(problem, begun + rest))
    made.sample = trace.sample
    return made if made.all_steps_valid else None


def _gone_so_far(problem: Problem, trace: Trace, steps: int, read: ReadProblem) -> Problem:
    """The problem with the lines of the trace's first steps among its premises, so under the same numbers."""
    proof = Proof(read.theory)
    for step in trace.steps[:steps]:
        take(proof, step, read.language)
    lines = []
    for formula in proof.lines[len(problem.premises) :]:
        if formula is None:
            raise NoGoldTrace("one of its steps is not valid")
        lines.append(said(formula, read))
    if read.language is FORMULAS:
        formulas = (*problem.premises_fol, *lines)
        return msgspec.structs.replace(problem, premises=(*problem.premises, *lines), premises_fol=formulas)
    premises = (*problem.premises, *(f"{line}." for line in lines))
    return msgspec.structs.replace(problem, premises=premises, premises_fol=())
