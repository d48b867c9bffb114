"""The errors a user can cause and mend. The command line prints their message and exits with 2."""

from __future__ import annotations


class SokratesError(Exception):
    """Something the user gave cannot be used; the message says what, where, and what was expected."""


class BadRecord(SokratesError):
    """One record of a file is unusable: named by file, line (from 1) and, where it is known, problem id."""

    def __init__(self, message: str, *, path: str, line: int, problem_id: str | None = None) -> None:
        self.message, self.path, self.line, self.problem_id = message, path, line, problem_id
        where = f"{path}:{line}" + (f" ({_shown(problem_id)})" if problem_id else "")
        super().__init__(f"{where}: {message}")


def _shown(name: str) -> str:
    """An id as it may stand in a message: on one line, short, and without characters that a terminal obeys."""
    short = name if len(name) <= 80 else f"{name[:79]}…"
    return short if short.isprintable() else repr(short)
