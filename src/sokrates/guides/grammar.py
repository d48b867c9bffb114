"""The grammar guide: an action can only be a well-formed option, whatever is proved."""

from __future__ import annotations

from sokrates.guides.automaton import grammar
from sokrates.guides.following import Follower, Moves
from sokrates.guides.vocabulary import Vocabulary
from sokrates.problems import Problem


class GrammarGuide:
    """A guide that needs nothing but a vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._root = grammar()
        self._moves: Moves = {}

    def follow(self, problem: Problem | None, stream: int) -> Follower:
        return Follower(self._vocabulary, lambda _: self._root, self._moves)
