"""Following one completion, token by token.

Contract: `mask` says what may come next, given all that was fed. Tokens may be fed that no mask allowed (a caller put
another step in place of one): the text is then followed as free writing up to its next action. The cost of a token in a
thought is a look-up.
"""

from __future__ import annotations

from collections.abc import Callable

from sokrates.guides.automaton import Free, Mask, Node
from sokrates.guides.labels import ACTIONS, BEGINNING, further
from sokrates.guides.vocabulary import Vocabulary

Opening = Callable[[list[int]], Node | None]
"""From the completion's tokens, the last of which completes an action's label, to what may stand behind the label; None
where no action may follow any more."""
Moves = dict[tuple[Free, int], Free | None]
"""Where a token leads in free text; None where it completes an action's label."""


class Follower:
    """Follows one sample; `moves` may be shared by all of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, opening: Opening, moves: Moves) -> None:
        self._vocabulary = vocabulary
        self._opening = opening
        self._moves = moves
        self._token_ids: list[int] = []
        self._at: Free | Node = Free(BEGINNING)
        self._said = ""
        """Of the action that is being written, from its colon on."""

    def feed(self, token_id: int) -> None:
        """Take the next token of the completion."""
        self._token_ids.append(token_id)
        if isinstance(self._at, Free):
            key = (self._at, token_id)
            if key not in self._moves:
                self._moves[key] = _moved(self._at, self._vocabulary.decoder.piece(token_id))
            moved = self._moves[key]
            if moved is not None:
                self._at = moved
                return
        for character in self._vocabulary.decoder.piece(token_id):
            self._read(character)

    def mask(self) -> Mask | None:
        """What may come next; None for anything."""
        at = self._at
        return self._vocabulary.in_thought(at) if isinstance(at, Free) else self._vocabulary.in_action(at)

    def _read(self, character: str) -> None:
        if isinstance(self._at, Free):
            place = further(self._at.place, character)
            self._at = Free(place, self._at.concluded)
            self._said = ""
            if place in ACTIONS and not self._at.concluded:
                self._at = self._opening(self._token_ids) or Free(place, concluded=True)
            return
        self._said += character
        node = self._at.next.get(character)
        if node is None:
            self._at = Free("")
            for written in self._said:
                self._read(written)
        else:
            self._at = node.free or node


def _moved(free: Free, text: str) -> Free | None:
    place = free.place
    for character in text:
        place = further(place, character)
        if place in ACTIONS and not free.concluded:
            return None
    return Free(place, free.concluded)
