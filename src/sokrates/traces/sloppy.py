"""Plausible traces that are not proofs: what the embedded model is pretrained on beside gold ones.

Contract: a sloppy trace keeps the form, the subject and mostly the right answer of its gold trace, and breaks steps in
the ways that language models do: leaps over a line, a wrong line number, a claim that was not derived, a wrong rule.
Nothing here is ever used as gold.
"""

from __future__ import annotations

import random

from sokrates.logic.answer import ANSWERS
from sokrates.problems import Problem
from sokrates.traces.gold import Inference, Outline

_KINDS = ("leap", "line", "claim", "rule")
_KIND_WEIGHTS = (4, 2, 2, 1)
_WRONG_ANSWER_RATE = 0.1


def sloppy_outline(problem: Problem, outline: Outline, rng: random.Random, *, rate: float) -> Outline:
    """The outline with each inference broken with probability `rate`."""
    premises = len(problem.premises)
    moved = list(range(premises))
    """The line that now stands for each line of the gold trace; a leapt line is stood for by the fact under it."""
    kept: list[Inference] = []
    claims = [inference.claim for inference in outline.inferences]
    for inference in outline.inferences:
        broken = rng.random() < rate
        kind = rng.choices(_KINDS, _KIND_WEIGHTS)[0] if broken else ""
        fact, rule = (moved[line] for line in inference.args)
        if kind == "leap" and inference is not outline.inferences[-1]:
            moved.append(fact)
            continue
        moved.append(premises + len(kept))
        kept.append(_broken(inference, kind, (fact, rule), premises + len(kept), claims, rng))
    answer, goal = outline.answer, None if outline.goal_line is None else moved[outline.goal_line]
    if rng.random() < _WRONG_ANSWER_RATE:
        answer = rng.choice(ANSWERS)
        goal = None if answer == "UNKNOWN" else premises + len(kept) - 1 if goal is None else goal
    return Outline(answer, tuple(kept), goal)


def _broken(
    inference: Inference, kind: str, args: tuple[int, int], lines: int, claims: list[str], rng: random.Random
) -> Inference:
    fact, rule = args
    match kind:
        case "line":
            args = (rng.randrange(lines), rule) if rng.random() < 0.5 else (fact, rng.randrange(lines))
            return Inference(inference.rule, args, inference.claim)
        case "claim":
            return Inference(inference.rule, args, rng.choice(claims))
        case "rule":
            other = "MODUS_PONENS" if inference.rule == "MODUS_TOLLENS" else "MODUS_TOLLENS"
            return Inference(other, args, inference.claim)
    return Inference(inference.rule, args, inference.claim)
