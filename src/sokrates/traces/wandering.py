"""Proofs that take any step they can until the conclusion is decided: valid whole, and longer than they need to be.

Contract: over PrOntoQA's theories every step is one that the shortest chains of facts have, in an order drawn by lot;
elsewhere the outline stays as it was. A model that has read such proofs goes on looking where it has started wrong;
they are never gold.
"""

from __future__ import annotations

import random

from sokrates.logic.formulas import constants, same
from sokrates.logic.prover import Derivation, derive_all
from sokrates.problems import Problem
from sokrates.problems.reading import read_problem
from sokrates.traces.gold import Inference, Outline, said


def wandering_outline(problem: Problem, outline: Outline, rng: random.Random) -> Outline:
    """Another proof of what the gold `outline` concludes, with steps that it does not need."""
    read = read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol)
    theory, goal = read.theory, read.theory.goal(outline.answer)
    about = constants(theory.conclusion) if theory.conclusion else frozenset()
    if len(about) != 1 or not theory.closure.complete:
        return outline
    found = derive_all(theory, next(iter(about)))
    last = next((place for place, step in enumerate(found) if goal is not None and same(step.formula, goal)), None)
    if goal is not None and last is None:
        return outline
    premises = len(theory.premises)
    lines: dict[int, int] = {}
    """The new line of each step taken, by the line that it has in `found`."""
    inferences = []
    while ready := _ready(found, premises, lines):
        place = rng.choice(ready)
        step = found[place]
        args = tuple(lines.get(line, line) for line in step.args)
        inferences.append(Inference(step.rule, args, said(step.formula, read)))
        lines[premises + place] = premises + len(lines)
        if place == last:
            return Outline(outline.answer, tuple(inferences), lines[premises + place])
    return Outline(outline.answer, tuple(inferences), None)


def _ready(found: list[Derivation], premises: int, lines: dict[int, int]) -> list[int]:
    """The steps not taken yet whose lines are all there."""
    return [
        place
        for place, step in enumerate(found)
        if premises + place not in lines and all(line < premises or line in lines for line in step.args)
    ]
