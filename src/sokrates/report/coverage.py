"""The coverage of a data set by its labels and gold traces, as a table for the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_COLUMNS = {"problems": "total", "agree": "labels_agree", "differ": "labels_differ"}
_WHERE_THERE_ARE_ANY = {
    "undecided": "undecided",
    "inconsistent": "inconsistent",
    "unlabelled": "unlabelled",
    "not classically": "labels_differ_classically",
}
_GOLD = {"gold traces": "gold_found", "valid": "gold_valid"}


def coverage_table(summary: dict[str, Any]) -> Table:
    """One line a source and one for all; `summary` as `sokrates validate` writes it."""
    rare = {title: key for title, key in _WHERE_THERE_ARE_ANY.items() if summary[key]}
    columns = _COLUMNS | rare | _GOLD
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("source", min_width=20)
    for title in (*columns, "coverage"):
        table.add_column(title, justify="right")
    rows: list[tuple[str, dict[str, int]]] = [(name or "(none)", of) for name, of in summary["by_source"].items()]
    for name, counts in [*rows, ("all", summary)] if len(rows) != 1 else rows:
        share = f"{counts['gold_valid'] / counts['total']:.1%}" if counts["total"] else "–"
        table.add_row(Text(name), *(str(counts[key]) for key in columns.values()), share)
    return table
