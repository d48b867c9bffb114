"""A tokenizer's tokens by their texts: which of them may come next.

Contract: a token is allowed where its whole text keeps to what may be written, wherever it begins and ends: it may run
from a thought into an action as far as all actions are alike (`automaton.SHARED`), and out of an action into free text.
Tokens without a text are never part of an action; those of the model that the tokenizer does not know are not either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from sokrates.errors import SokratesError
from sokrates.guides.automaton import SHARED, Free, Mask, Node
from sokrates.guides.labels import ACTIONS, further
from sokrates.traces.decoding import Decoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BEHIND = "\U0010ffff"
"""A text with this at its end stands behind all that begin with it."""
_FEW = 3
"""So many tokens are followed one by one."""


class Vocabulary:
    """The tokens of one tokenizer; `ends` are those that end a text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ends: Collection[int]) -> None:
        self.decoder = Decoder(tokenizer)
        self._ends = tuple(sorted(ends))
        pieces = sorted((piece, token) for token in range(len(tokenizer)) if (piece := self.decoder.piece(token)))
        self._texts = [piece for piece, _ in pieces]
        self._tokens = [token for _, token in pieces]
        self._complete_labels = [(text, token) for text, token in pieces if ":" in text]
        self._free: dict[Free, Mask | None] = {}

    def check_spells(self, characters: str) -> None:
        """Errors: SokratesError where a character is no token of its own, so that a mask could leave nothing."""
        known = {text for text in self._texts if len(text) == 1}
        if missing := sorted({*characters} - known):
            raise SokratesError(
                f"the tokenizer has no token for {missing[0]!r} alone, which an action needs; use --guide none"
            )

    def in_thought(self, free: Free) -> Mask | None:
        """What may not come next in free text; None where everything may."""
        if free not in self._free:
            forbidden = tuple(token for text, token in self._complete_labels if not harmless(free, text))
            self._free[free] = Mask(forbidden, allow=False) if forbidden else None
        return self._free[free]

    def in_action(self, node: Node) -> Mask:
        """What may come next in an action; computed once for a node."""
        if node.mask is None:
            followed = self._followed(node, "", 0, len(self._texts))
            node.mask = Mask((*followed, *(self._ends if node.ends else ())), allow=True)
        return node.mask

    def _followed(self, node: Node, said: str, low: int, high: int) -> Iterator[int]:
        """Of the tokens from `low` to `high`, which all begin with what was said on the way to `node`, the allowed."""
        if node.free or high - low <= _FEW:
            for index in range(low, high):
                if _keeps_to(node, self._texts[index][len(said) :]):
                    yield self._tokens[index]
            return
        while low < high and self._texts[low] == said:
            yield self._tokens[low]
            low += 1
        for character, after in node.next.items():
            longer = said + character
            begin = bisect_left(self._texts, longer, low, high)
            end = bisect_left(self._texts, longer + _BEHIND, begin, high)
            if begin < end:
                yield from self._followed(after, longer, begin, end)


def _keeps_to(node: Node, text: str) -> bool:
    for index, character in enumerate(text):
        if node.free:
            return harmless(node.free, text[index:])
        if character not in node.next:
            return False
        node = node.next[character]
    return True


def harmless(free: Free, text: str) -> bool:
    """Whether a text in free writing completes no label of an action, or runs on as every action begins."""
    place = free.place
    for index, character in enumerate(text):
        place = further(place, character)
        if place in ACTIONS:
            return not free.concluded and SHARED.startswith(text[index + 1 :])
    return True
