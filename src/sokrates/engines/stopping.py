"""Where a completion ends, decided on its text while it is being written.

Contract: a completion ends
- right after the answer of a `Final Answer: TRUE|FALSE|UNKNOWN` line;
- after CONCLUDE, at the end of the next line that is not empty, or before that line where it begins another step;
- after the action numbered `max_steps`, unless that one is CONCLUDE.
Text fed in pieces ends where the same text fed at once does; the end may lie before the last piece. Only the line being
written is kept and looked at. It does not know tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_ANSWER = re.compile(r"[ \t]*Final Answer[ \t]*:[ \t*_\"']*(TRUE|FALSE|UNKNOWN)", re.IGNORECASE)
_STEP = re.compile(r"[ \t]*(Thought|Action)[ \t]*:", re.IGNORECASE)
_ACTION = re.compile(r"(?:^|[ \t])Action[ \t]*:", re.IGNORECASE)
_CONCLUDE = re.compile(r"Action[ \t]*:.*\bCONCLUDE\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class End:
    """Where the text ends, in characters from its beginning, and why."""

    position: int
    reason: Literal["stop", "max_steps"]


class Stopper:
    """Follows one completion's text."""

    def __init__(self, max_steps: int) -> None:
        self._max_steps = max_steps
        self._line = ""
        self._line_start = 0
        self.actions = 0
        """The action lines that have ended."""
        self._concluded = False

    def feed(self, piece: str) -> End | None:
        """Take the next piece of text; where the completion ends, if it does now."""
        *ended, rest = piece.split("\n")
        for part in ended:
            self._line += part
            end = self._written() or self._line_ended()
            if end:
                return end
            self._line_start += len(self._line) + 1
            self._line = ""
        self._line += rest
        return self._written()

    def _written(self) -> End | None:
        """The end that shows before the line is complete."""
        answer = _ANSWER.match(self._line)
        if answer:
            return End(self._line_start + answer.end(), "stop")
        if self._concluded and _STEP.match(self._line):
            return End(self._line_start, "stop")
        return None

    def _line_ended(self) -> End | None:
        """The end that the line's last character brings."""
        line_end = self._line_start + len(self._line)
        if self._concluded:
            return End(line_end, "stop") if self._line.strip() else None
        self._concluded = bool(_CONCLUDE.search(self._line))
        self.actions += is_action(self._line)
        if self.actions >= self._max_steps and not self._concluded:
            return End(line_end, "max_steps")
        return None


def is_action(line: str) -> bool:
    """Whether a line is, or ends with, an action."""
    return bool(_ACTION.search(line))
