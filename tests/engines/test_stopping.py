from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sokrates.engines.stopping import End, Stopper

STEP = 'Thought: Tom is a cat (line 1), so Tom is a mammal.\nAction: <Option type="MODUS_PONENS" args="[1, 0]" />\n'
CONCLUSION = 'Thought: Line 4 says it, so the answer is TRUE.\nAction: <Option type="CONCLUDE" args="[0]" />\n'


def ends(text: str, max_steps: int = 24) -> tuple[str, str] | None:
    """What is kept of a text, and why it ended; None where it goes on."""
    end = Stopper(max_steps).feed(text)
    return end and (text[: end.position], end.reason)


@pytest.mark.parametrize("answer", ["TRUE", "FALSE", "UNKNOWN", "true", "**Unknown"])
def test_ends_right_after_the_final_answer(answer):
    said = STEP + CONCLUSION + f"\nFinal Answer: {answer}"
    assert ends(said) == (said, "stop")
    assert ends(said + ".\nThought: more") == (said, "stop")


@pytest.mark.parametrize(
    "text",
    [
        STEP,
        "Final Answer: ",
        "Final Answer: MAYBE",
        "Thought: the Final Answer: TRUE is near",
        "Thought: I conclude. CONCLUDE\nThought: and so on",
        "TRUE FALSE UNKNOWN\n",
    ],
)
def test_goes_on(text):
    assert ends(text) is None


@pytest.mark.parametrize("again", ["Thought:", "Action:", "  thought :"])
def test_a_step_after_conclude_is_cut_off(again):
    assert ends(STEP + CONCLUSION + "\n" + again) == (STEP + CONCLUSION + "\n", "stop")


def test_one_line_may_follow_conclude():
    assert ends(STEP + CONCLUSION + "\n") is None
    assert ends(STEP + CONCLUSION + "\nThat") is None
    assert ends(STEP + CONCLUSION + "\nThat is all.\nBye") == (STEP + CONCLUSION + "\nThat is all.", "stop")


def test_ends_at_the_last_step_allowed():
    assert ends(STEP * 2, max_steps=3) is None
    assert ends(STEP * 3 + "Thought: more", max_steps=3) == ((STEP * 3).rstrip("\n"), "max_steps")


def test_the_last_step_allowed_may_conclude():
    said = STEP * 2 + CONCLUSION + "\nFinal Answer: TRUE"
    assert ends(said + "\n", max_steps=3) == (said, "stop")


LINES = ["\n", "Thought:", " Tom", " Action:", "Action:", " CONCLUDE", "Final Answer", ":", " TRUE", " ", "ü"]


@given(st.lists(st.sampled_from(LINES), max_size=40), st.integers(1, 4), st.randoms())
def test_pieces_end_where_the_whole_text_ends(parts, max_steps, random):
    text = "".join(parts)
    stopper, end, fed = Stopper(max_steps), None, 0
    while end is None and fed < len(text):
        size = random.randint(1, 8)
        end = stopper.feed(text[fed : fed + size])
        fed += size
    assert end == Stopper(max_steps).feed(text)
    assert end is None or (isinstance(end, End) and end.position <= fed)
