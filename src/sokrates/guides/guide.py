"""What a guide is: it follows each sample's text and says which tokens may come next."""

from __future__ import annotations

from typing import Protocol

from sokrates.guides.automaton import Mask
from sokrates.problems import Problem


class Follower(Protocol):
    """Follows one sample's completion."""

    def feed(self, token_id: int) -> None:
        """Take the next token."""
        ...

    def mask(self) -> Mask | None:
        """Which tokens may come next; None for any. Never such that none may."""
        ...


class Guide(Protocol):
    """Made once for a tokenizer; remembers what samples of the same problem share."""

    def follow(self, problem: Problem | None, stream: int) -> Follower:
        """A follower for a sample of a problem, with its random stream.

        Errors: SokratesError where the guide needs the problem and there is none, or it cannot be read.
        """
        ...
