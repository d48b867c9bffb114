"""Which line of a trace proves its answer: where the graph of a proof ends.

Contract: it asks the kernel, and gives no verdict of its own. What the line rests on follows from the lines cited.
"""

from __future__ import annotations

from sokrates.logic.answer import Answer
from sokrates.logic.formulas import canonical
from sokrates.logic.proof import Proof
from sokrates.logic.rules import CONCLUDE
from sokrates.problems.reading import read_problem
from sokrates.traces.claims import take
from sokrates.traces.trace import Trace


def goal_line(trace: Trace) -> int | None:
    """The first line that says the conclusion (for FALSE its opposite) and rests on no assumption.

    None where CONCLUDE is not valid, and for UNKNOWN, which rests on no line. Errors: as `read_problem`, for a trace
    whose verdicts were not given by this program.
    """
    concluded = next((step for step in trace.steps if step.option_type == CONCLUDE), None)
    answer = trace.final_answer
    if concluded is None or concluded.solver_valid is not True or answer in (None, Answer.UNKNOWN):
        return None
    problem = read_problem(trace.premises, trace.conclusion, trace.premises_fol, trace.conclusion_fol)
    goal = problem.theory.goal(answer)
    if goal is None:
        return None
    proof = Proof(problem.theory)
    for step in trace.steps[: trace.steps.index(concluded)]:
        take(proof, step, problem.language)
    wanted = canonical(goal)
    return next((n for n, key in enumerate(proof.keys) if key == wanted and not proof.rests[n]), None)
