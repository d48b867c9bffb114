"""The coverage table: a line a source, and only the columns that say something."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from sokrates.report.coverage import coverage_table
from sokrates.verification.validate import COUNTED


def shown(summary: dict) -> list[list[str]]:
    console = Console(file=StringIO(), width=100)
    console.print(coverage_table(summary))
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip("─ ")]


def counts(**given: int) -> dict:
    return {**dict.fromkeys(COUNTED, 0), **given}


def test_a_line_a_source_and_one_for_all():
    one = counts(total=8, labels_agree=7, undecided=1, gold_found=6, gold_valid=6)
    other = counts(total=2, labels_differ=2)
    whole = counts(total=10, labels_agree=7, labels_differ=2, undecided=1, gold_found=6, gold_valid=6)
    assert shown({**whole, "by_source": {"": other, "[red]folio": one}}) == [
        "source problems agree differ undecided gold traces valid coverage".split(),
        "(none) 2 0 2 0 0 0 0.0%".split(),
        "[red]folio 8 7 0 1 6 6 75.0%".split(),
        "all 10 7 2 1 6 6 60.0%".split(),
    ]


def test_one_source_is_all():
    one = counts(total=1, labels_agree=1, gold_found=1, gold_valid=1)
    assert len(shown({**one, "by_source": {"folio": one}})) == 2
