from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sokrates.guides.labels import ACTIONS, BEGINNING, further
from sokrates.traces.text import parse

PIECES = st.sampled_from(
    ["Action", "action", "ACTION", "Act", "ion", "Thought", "Final", "Answer", ":", " :", " ", "\t", "\n", "x", "ı"]
)


def actions(text: str) -> int:
    """How many labels of actions a text completes; behind each stands what parsing wants to see."""
    place, found, written = BEGINNING, 0, ""
    for character in text:
        place = further(place, character)
        written += character
        if place in ACTIONS:
            found, place, written = found + 1, "", f"{written} <\nThought:"
            place = "\nthought:"
    assert len(parse(written).steps) == found, repr(written)
    return found


@given(st.lists(PIECES, max_size=14).map("".join))
def test_an_action_begins_where_parsing_finds_one(text):
    actions(text)


def test_labels():
    assert actions("Action:") == actions("a\n \t action\t :") == actions("so x. Action:") == 1
    assert actions("Final Action:") == actions("Action Action:") == 1
    assert actions("Thought: Action:") == actions("reaction:") == actions("Act ion:") == actions("Action\n:") == 0
    assert actions("Final Answer:\t Action:") == 0
    assert actions("Final\tAnswer: Action:") == 1
