"""Completions as text: what is rendered is parsed back, and anything else is parsed without an exception."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.rules import CONCLUDE, RULES
from sokrates.traces.text import end_of_step, parse, parse_action, render, render_action

thoughts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40).map(str.strip)
actions = st.tuples(st.sampled_from([*RULES, CONCLUDE, "RULE"]), st.lists(st.integers(0, 10**9 - 1), max_size=4))


@settings(max_examples=300)
@given(st.lists(st.tuples(thoughts, actions), max_size=8), st.sampled_from(ANSWERS))
def test_what_is_rendered_is_parsed_back(steps, answer):
    lines = [(f"({thought})", render_action(*action)) for thought, action in steps]
    parsed = parse(render(lines, answer))
    assert [(step.thought, step.action) for step in parsed.steps] == lines
    assert [(step.option_type, list(step.option_args)) for step in parsed.steps] == [action for _, action in steps]
    assert [step.step_idx for step in parsed.steps] == list(range(len(steps)))
    assert parsed.final_answer is answer


@settings(max_examples=500)
@given(st.lists(st.tuples(thoughts, actions), min_size=1, max_size=8), st.sampled_from(ANSWERS), st.data())
def test_where_a_step_ends(steps, answer, data):
    text = render(steps, answer)
    number = data.draw(st.integers(1, len(steps)))
    assert parse(text[: end_of_step(text, number)]).steps == parse(text).steps[:number]
    assert text[end_of_step(text, len(steps)) :].strip() == f"Final Answer: {answer.value}"
    assert end_of_step(text, len(steps) + 1) == len(text)


@given(st.text(max_size=200), st.integers(1, 5))
def test_where_a_step_of_any_text_ends(text, number):
    assert len(parse(text[: end_of_step(text, number)]).steps) == min(number, len(parse(text).steps))


def test_there_is_no_step_before_the_first():
    with pytest.raises(ValueError, match="step 0; expected 1 or more"):
        end_of_step("Action: a", 0)


@given(st.text(max_size=200))
def test_any_text_is_parsed(text):
    for completion in (
        text,
        f"Thought: {text}\nAction: {text}\nFinal Answer: {text}",
        f'Action: <Option type="{text}" args="[{text}]" />',
    ):
        for step in parse(completion).steps:
            assert all(number >= 0 for number in step.option_args)


@settings(max_examples=500)
@given(
    st.lists(
        st.sampled_from(
            [
                "Thought",
                "Action",
                "Final Answer",
                ":",
                " ",
                "\n",
                "<Option",
                ' type="RULE"',
                ' args="[',
                "0",
                ",",
                "-",
                "]",
                '"',
                " />",
                "TRUE",
            ]
        ),
        max_size=40,
    )
)
def test_any_jumble_of_the_format_is_parsed(pieces):
    parse("".join(pieces))


@pytest.mark.parametrize(
    ("action", "read"),
    [
        ('<Option type="MODUS_PONENS" args="[0, 3]" />', ("MODUS_PONENS", (0, 3))),
        ('<Option type="MODUS_PONENS" args="[0,3]"/>', ("MODUS_PONENS", (0, 3))),
        ("<Option type='MODUS_PONENS' args='[0, 3]'>", ("MODUS_PONENS", (0, 3))),
        ('  < option  type = "modus_ponens"  args = "[ 0 , 3 ]" /> ', ("MODUS_PONENS", (0, 3))),
        ('<Option type="CONCLUDE" args="[]" />', ("CONCLUDE", ())),
        ('<Option type="RULE" args="[1, 2]" />', ("RULE", (1, 2))),
        ('<Option type="CONCLUDE" args="[999999999]" />', ("CONCLUDE", (999999999,))),
        # Not exactly one option.
        ("", ("", ())),
        ("MODUS_PONENS [0, 3]", ("", ())),
        ('<Option type="MODUS PONENS" args="[0]" />', ("", ())),
        ('<Option type="CONCLUDE" args="[0]" /> and more', ("", ())),
        ('<Option type="CONCLUDE" args="[0]" /><Option type="CONCLUDE" args="[1]" />', ("", ())),
        ('<Option type="CONCLUDE" args="0" />', ("", ())),
        ('<Option type="CONCLUDE" args="[0" />', ("", ())),
        ('<Option type="AND_ELIM" args="[-1]" />', ("", ())),
        ('<Option type="AND_ELIM" args="[1.0]" />', ("", ())),
        ('<Option type="AND_ELIM" args="[1,,2]" />', ("", ())),
        ('<Option type="AND_ELIM" args="[1 2]" />', ("", ())),
        ('<Option type="AND_ELIM" args="[,]" />', ("", ())),
        (f'<Option type="AND_ELIM" args="[{10**30}]" />', ("", ())),
        (f'<Option type="AND_ELIM" args="[{"9" * 100_000}]" />', ("", ())),
    ],
)
def test_actions(action, read):
    assert parse_action(action) == read


def test_what_models_write():
    text = """ First, let us think.
  THOUGHT :  Max is red.
Action:<Option type="AND_ELIM" args="[0]" />

Thought: one line Action: <Option type="AND_ELIM" args="[1]" />
Action: <Option type="AND_ELIM" args="[2]" />
Thought: broken
Action: I take the first.
Thought: cut off"""
    parsed = parse(text)
    assert [(step.thought, step.option_type, step.option_args) for step in parsed.steps] == [
        ("First, let us think.\nMax is red.", "AND_ELIM", (0,)),
        ("one line", "AND_ELIM", (1,)),
        ("", "AND_ELIM", (2,)),
        ("broken", "", ()),
    ]
    assert parsed.final_answer is None and parsed.unread_answer is None
    assert parsed.rest == "cut off"


def test_no_text_vanishes():
    text = """Before.
Thought: one

Thought:
Thought: two
  lines
Action: <Option type="AND_ELIM" args="[0]" />
Thought: three
Final Answer: **TRUE**
Four.
Action: <Option type="CONCLUDE" args="[0]" />
Final Answer: true.

Thought: five
Thought: six"""
    parsed = parse(text)
    assert [step.thought for step in parsed.steps] == ["Before.\none\ntwo\n  lines", "three\nFour."]
    assert parsed.final_answer is Answer.TRUE
    assert parsed.rest == "five\nsix"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("", ""),
        ("Hm.\nThe end.", "Hm.\nThe end."),
        ('Action: <Option type="CONCLUDE" args="[0]" />\nFinal Answer: TRUE\n```\n', ""),
        ('Action: <Option type="CONCLUDE" args="[0]" />\nFinal Answer: TRUE\nor not', "or not"),
        ("Final Answer:\n\nTRUE\n\nThought:", ""),
    ],
)
def test_what_no_action_follows_is_the_rest(text, rest):
    assert parse(text).rest == rest


def test_a_completion_may_go_on_where_the_prompt_ended():
    parsed = parse(' Max is red.\nAction: <Option type="CONCLUDE" args="[0]" />\nFinal Answer: TRUE')
    assert [(step.thought, step.option_type) for step in parsed.steps] == [("Max is red.", "CONCLUDE")]


@pytest.mark.parametrize(
    ("text", "answer", "unread"),
    [
        ("Final Answer: TRUE", Answer.TRUE, None),
        ("final answer: **False**.", Answer.FALSE, None),
        ("Final Answer: [`_\"('TRUE')\"_`]", Answer.TRUE, None),
        ("x\n  Final Answer :\n Unknown", Answer.UNKNOWN, None),
        ("Final Answer: TRUE\nFinal Answer: true.\n", Answer.TRUE, None),
        ("Final Answer: FALSE\nFinal Answer: TRUE", None, "FALSE; TRUE"),
        ("Final Answer: TRUE\nFinal Answer: perhaps", None, "TRUE; perhaps"),
        ("Final Answer: perhaps\nFinal Answer: TRUE", None, "perhaps; TRUE"),
        ("Final Answer: TRUE or FALSE", None, "TRUE or FALSE"),
        ("Final Answer: TRUE is wrong, it is FALSE.", None, "TRUE is wrong, it is FALSE"),
        ("Final Answer: not TRUE", None, "not TRUE"),
        ("Final Answer: TRUTH", None, "TRUTH"),
        ("Final Answer: TRUE?", None, "TRUE?"),
        ("Final Answer:", None, ""),
        ("the Final Answer: TRUE", None, None),
        ("", None, None),
    ],
)
def test_the_stated_answer(text, answer, unread):
    parsed = parse(text)
    assert parsed.final_answer is answer
    assert parsed.unread_answer == unread


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        " " * 1_000_000 + "x",
        "\n" * 1_000_000 + "x",
        "Thought: " * 100_000,
        " Action" * 150_000,
        "Action: <Option type=" * 40_000,
        'Action: <Option type="RULE" args="[' + "0, " * 300_000,
        "Final Answer:" + " " * 1_000_000 + "x",
        "Final Answer: *_" * 60_000,
        "Final Answer: perhaps\n" * 40_000,
        "Thought: a\n" * 90_000,
        "\n \t" * 300_000,
        (" " * 999 + "\n") * 1_000,
    ],
)
def test_a_megabyte_takes_no_time(text):
    started = time.monotonic()
    parse(text)
    assert time.monotonic() - started < 3
