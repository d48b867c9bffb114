"""What a run would do, as a table: one line a stage, how long it may take, and on which figures that rests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.table import Table
from rich.text import Text

NO_FIGURE = "no figure"


class State(StrEnum):
    """What the run folder holds of a stage."""

    DONE = "done"
    GOES_ON = "goes on"
    TO_DO = "to do"
    STALE = "stale"
    """Made by other settings: `--redo` removes it and makes it again."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One stage as it would be done."""

    name: str
    part: str
    """Its folder in the run folder."""
    count: int
    """Traces, examples or pairs: at most so many, of which a stage that goes on may have some."""
    what: str
    state: State
    seconds: float | None = None
    """None where it is done, and where no figure fits."""
    bases: tuple[str, ...] = ()


def planned_table(stages: Sequence[Planned]) -> Table:
    """One line a stage. "by" names the lines of `notes`."""
    marks = _marks(stages)
    table = Table(title="The plan", title_justify="left")
    for name in ("stage", "what", "state", "minutes", "by"):
        table.add_column(name, justify="right" if name == "minutes" else "left")
    for planned in stages:
        by = " ".join(marks[basis] for basis in planned.bases)
        table.add_row(Text(planned.name), Text(planned.what), planned.state.value, _minutes(planned), by)
    return table


def notes(stages: Sequence[Planned]) -> list[str]:
    """The figures behind the estimates, and what is left in all."""
    left = [planned for planned in stages if planned.state is not State.DONE]
    if not left:
        return ["all of it is done"]
    lines = [f"{mark}: {basis}" for basis, mark in _marks(stages).items()]
    unknown = [planned.name for planned in left if planned.seconds is None]
    if len(unknown) < len(left):
        named = ", ".join(unknown) if len(unknown) < 4 else f"{len(unknown)} stages"
        minutes = f"about {_rounded(sum(planned.seconds or 0 for planned in left))}".replace("about <", "less than ")
        lines.append(
            f"left in all: {minutes} minutes{f' without {named}' if unknown else ''}; "
            "a rough estimate, for texts, batches and this machine differ from what was measured"
        )
    return lines


def _marks(stages: Sequence[Planned]) -> dict[str, str]:
    """A letter for each figure, in the order of their use."""
    bases = list(dict.fromkeys(basis for planned in stages for basis in planned.bases))
    return {basis: chr(ord("a") + index) for index, basis in enumerate(bases)}


def _minutes(planned: Planned) -> str:
    if planned.state is State.DONE:
        return "–"
    return NO_FIGURE if planned.seconds is None else _rounded(planned.seconds)


def _rounded(seconds: float) -> str:
    """Minutes to two digits: more would pretend to be known."""
    minutes = seconds / 60
    if minutes < 0.1:
        return "<0.1"
    return f"{minutes:.1f}" if minutes < 10 else f"{float(f'{minutes:.2g}'):.0f}"
