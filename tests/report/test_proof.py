"""The line that proves an answer, from which the page marks what a proof does not need."""

from __future__ import annotations

import pytest

from sokrates.logic.answer import Answer
from sokrates.problems import Problem
from sokrates.report.proof import goal_line
from sokrates.traces.building import build_trace
from sokrates.traces.text import render, render_action
from sokrates.traces.trace import Trace
from sokrates.verification.verify import verify

PREMISES = ("Tom is a cat.", "Every cat is a mammal.", "Mammals are not cold.", "Cats are small.")


def verified(conclusion: str, label: Answer, *steps: tuple[str, str, list[int]]) -> Trace:
    problem = Problem(problem_id="p", premises=PREMISES, conclusion=conclusion, label=label)
    written = [(thought, render_action(option, args)) for thought, option, args in steps]
    return verify(build_trace(problem, render(written, label)))


MAMMAL = ("So Tom is a mammal.", "MODUS_PONENS", [0, 1])
SMALL = ("So Tom is small.", "MODUS_PONENS", [0, 3])


@pytest.mark.parametrize(
    ("conclusion", "label", "line"), [("Tom is cold.", "FALSE", 6), ("Tom is not cold.", "TRUE", 6)]
)
def test_the_first_line_that_says_it_is_the_goal(conclusion, label, line):
    answer = Answer(label)
    not_cold = ("So Tom is not cold.", "MODUS_PONENS", [4, 2])
    again = ("So Tom is not cold.", "MODUS_PONENS", [4, 2])
    end = (f"The answer is {label}.", "CONCLUDE", [0 if label == "TRUE" else 1])
    trace = verified(conclusion, answer, MAMMAL, SMALL, not_cold, again, end)
    assert trace.all_steps_valid, trace.invalid_reason
    assert goal_line(trace) == line


def test_a_premise_may_be_the_goal():
    trace = verified("Tom is a cat.", Answer.TRUE, MAMMAL, ("The answer is TRUE.", "CONCLUDE", [0]))
    assert goal_line(trace) == 0


def test_an_assumption_proves_nothing():
    assumed = ("Assume that Tom is not cold.", "ASSUME", [])
    end = ("The answer is TRUE.", "CONCLUDE", [0])
    assert goal_line(verified("Tom is not cold.", Answer.TRUE, assumed, end)) is None
    mammal = ("So Tom is a mammal.", "MODUS_PONENS", [0, 1])
    proved = ("So Tom is not cold.", "MODUS_PONENS", [5, 2])
    trace = verified("Tom is not cold.", Answer.TRUE, assumed, mammal, proved, end)
    assert trace.all_steps_valid and trace.steps[0].solver_valid and goal_line(trace) == 6


def test_unknown_and_what_is_not_proved_have_no_goal():
    small = verified("Tom is happy.", Answer.UNKNOWN, SMALL, ("The answer is UNKNOWN.", "CONCLUDE", [2]))
    assert small.all_steps_valid and goal_line(small) is None
    assert goal_line(verified("Tom is cold.", Answer.FALSE, MAMMAL, ("It is FALSE.", "CONCLUDE", [1]))) is None
    assert goal_line(verified("Tom is cold.", Answer.FALSE, MAMMAL)) is None
