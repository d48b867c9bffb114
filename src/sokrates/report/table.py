"""Rows and differences as tables: for the terminal (rich) and for a README (Markdown).

Contract: rates in percent, each with its 95% interval; a figure that is exact has none. Two lines a cell keep the
terminal tables within 100 columns. It knows how to show `metrics`, not how they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from sokrates.metrics import Difference, Interval, Row

NOTHING = "–"
RATES: dict[str, Callable[[Row], Interval | None]] = {
    "accuracy": lambda row: row.accuracy,
    "step validity": lambda row: row.step_validity,
    "action validity": lambda row: row.action_validity,
    "trace validity": lambda row: row.trace_validity,
    "proof rate": lambda row: row.proof_rate,
    "entailed claims": lambda row: row.entailed_rate,
    "published rule": lambda row: row.published_rate,
}
Line = dict[str, Difference]
"""The differences of one line of the table, by metric."""


def results_table(rows: Sequence[Row]) -> Table:
    """One line a stage."""
    rates = _shown(rows)
    table = _table("stage", "n", *rates, "mean steps")
    for row in rows:
        cells = [_stacked(*_percent(rate(row))) for rate in rates.values()]
        table.add_row(Text(row.stage), str(row.n), *cells, f"{row.mean_steps:.1f}")
    return table


def results_markdown(rows: Sequence[Row]) -> str:
    """The same table in Markdown, ending in a newline."""
    rates = _shown(rows)
    lines = []
    for row in rows:
        cells = [percent(rate(row)) for rate in rates.values()]
        lines.append([row.stage, str(row.n), *cells, f"{row.mean_steps:.1f}"])
    return markdown(["stage", "n", *rates, "mean steps"], lines)


def differences_table(differences: Sequence[Difference]) -> Table:
    """One line for two stages and a subset of the problems, in percentage points; bold where the interval omits 0."""
    metrics, lines = _by_line(differences)
    table = _table("stages", "problems", "n", *_names(metrics))
    for (stages, subset), line in lines.items():
        cells = [_stacked(*_points(line.get(metric)), bold=_is_clear(line.get(metric))) for metric in metrics]
        table.add_row(Text(stages), subset, _size(line), *cells)
    return table


def differences_markdown(differences: Sequence[Difference]) -> str:
    """The same table in Markdown, ending in a newline."""
    metrics, lines = _by_line(differences)
    body = [
        [stages, subset, _size(line), *(points(line.get(metric)) for metric in metrics)]
        for (stages, subset), line in lines.items()
    ]
    return markdown(["stages", "problems", "n", *_names(metrics)], body)


def _shown(rows: Sequence[Row]) -> dict[str, Callable[[Row], Interval | None]]:
    """The rates that any row has."""
    return {name: rate for name, rate in RATES.items() if any(rate(row) is not None for row in rows)}


def _by_line(differences: Sequence[Difference]) -> tuple[list[str], dict[tuple[str, str], Line]]:
    """The metrics in order of appearance, and the lines by (stages, subset)."""
    lines: dict[tuple[str, str], Line] = {}
    for difference in differences:
        stages = f"{difference.before} → {difference.after}"
        lines.setdefault((stages, difference.subset), {})[difference.metric] = difference
    return list(dict.fromkeys(difference.metric for difference in differences)), lines


def _names(metrics: Iterable[str]) -> list[str]:
    return [metric.replace("_", " ") for metric in metrics]


def _size(line: Line) -> str:
    return str(next(iter(line.values())).problems)


def _is_clear(difference: Difference | None) -> bool:
    return difference is not None and (difference.low > 0 or difference.high < 0)


def _percent(interval: Interval | None) -> tuple[str, str]:
    """A rate and its interval in percent; the interval is "" for an exact figure."""
    if interval is None:
        return NOTHING, ""
    value, low, high = (f"{100 * share:.1f}" for share in (interval.value, interval.low, interval.high))
    return value, "" if interval.low == interval.high else f"[{low}, {high}]".replace("100.0", "100")


def _points(difference: Interval | None) -> tuple[str, str]:
    """A difference and its interval in percentage points."""
    if difference is None:
        return NOTHING, ""
    value, low, high = (f"{100 * share:+.1f}" for share in (difference.value, difference.low, difference.high))
    return value, f"[{low}, {high}]"


def percent(interval: Interval | None) -> str:
    """A rate and its interval in percent, on one line."""
    return _inline(*_percent(interval))


def points(difference: Interval | None) -> str:
    """A difference and its interval in percentage points, on one line."""
    return _inline(*_points(difference))


def _inline(value: str, interval: str) -> str:
    return f"{value} {interval}".rstrip()


def _stacked(value: str, interval: str, *, bold: bool = False) -> Text:
    figure = Text().append(value, style="bold" if bold else None)
    return figure.append(f"\n{interval}", style="dim") if interval else figure


def _table(*columns: str) -> Table:
    """A table of names in the first column and figures in the others, headed by at most two short lines."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
    for index, name in enumerate(columns):
        table.add_column(name.replace(" ", "\n"), justify="right" if index else "left", vertical="top")
    return table


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of names in the first column and figures in the others."""
    alignment = ["---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, alignment, *lines))
