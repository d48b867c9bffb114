"""A terminal of a given width, for what is drawn on it."""

from __future__ import annotations

import io

from rich.console import Console

from sokrates import bar


def screen(monkeypatch, width: int) -> io.StringIO:
    """What bars draw from here on, as on a terminal of so many columns."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, legacy_windows=False)
    monkeypatch.setattr(bar, "terminal", lambda: console)
    return written
