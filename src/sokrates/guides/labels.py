"""Where an action begins in a text that is being written, as `traces.text.parse` will see it.

Contract: a place in a text is what of its end can still become a label: the longest end of it that begins one, small
letters, blanks squeezed. A place depends on the text alone, not on the pieces in which it came; there are some dozens.
Blanks behind the label of a thought or an answer belong to it, so that no action can begin there: parsing sees none.
"""

from __future__ import annotations

BEGINNING = "\n"
"""The place where a completion begins."""
ACTIONS = frozenset({"\naction:", "\naction :", " action:", " action :"})
"""The places at the end of an action's label, at the beginning of a line or inside one."""

_LABELS = ("\nthought", "\nfinal answer", "\naction", " action")
_BEGUN = {f"{label}{blank}:"[:length] for label in _LABELS for blank in ("", " ") for length in range(len(label) + 3)}
_TAKE_BLANKS = _BEGUN & {"\n", " ", *(f"{label}{end}" for label in _LABELS for end in (" ", ":", " :"))}
"""Places where more blanks change nothing."""


def further(place: str, character: str) -> str:
    """The place after one more character."""
    if character == "\t":  # a blank, but not the one inside "Final Answer"
        character = " "
        place = "" if place == "\nfinal" else place
    elif character.isascii():
        character = character.lower()
    if character == " " and place in _TAKE_BLANKS:
        return place
    place += character
    while place not in _BEGUN:
        place = place[1:]
    return place
