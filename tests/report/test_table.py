"""The tables: what stands in them, and that they fit the terminals they are made for."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from sokrates.metrics import Difference, Interval, Row
from sokrates.report.table import differences_markdown, differences_table, results_markdown, results_table

RATE = Interval(0.435, 0.36819, 0.50425)
PERFECT = Interval(1.0, 0.98116, 1.0)


def row(
    stage: str, *, rate: Interval = RATE, proofs: Interval | None = PERFECT, entailed: Interval | None = RATE
) -> Row:
    return Row(
        stage=stage,
        n=2000,
        problems=2000,
        accuracy=rate,
        step_validity=rate,
        inference_step_validity=rate,
        trace_validity=rate,
        entailed_rate=entailed,
        published_rate=rate,
        mean_steps=4.64,
        mean_steps_interval=None,
        parse_failures=rate,
        claims_missing=None,
        undecided_claims=0,
        misquotes=0,
        unused_steps=0,
        repeated_steps=0,
        proof_rate=proofs,
    )


def printed(table: Table, width: int) -> str:
    out = io.StringIO()
    Console(width=width, file=out, force_terminal=False).print(table)
    return out.getvalue()


ROWS = [row("base"), row("sft"), row("iter1"), row("sft+"), row("always UNKNOWN", rate=Interval(0.285, 0.285, 0.285))]


@pytest.mark.parametrize("width", [100, 120])
def test_every_figure_stands_whole_at_these_widths(width):
    text = printed(results_table(ROWS), width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("[36.8, 50.4]") == 4 * 5 + 1  # four stages and five rates, and the last row's entailed claims
    assert text.count("[98.1, 100]") == 5 and "100.0" in text
    assert text.count("43.5") == 21 and text.count("28.5") == 4 and "…" not in text
    assert text.count("4.6") == 5


def test_in_a_narrow_terminal_cells_wrap_and_nothing_is_lost():
    text = printed(results_table(ROWS[:1]), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("[36.8,") == 5 and text.count("50.4]") == 5


def test_a_rate_that_no_row_has_is_left_out():
    parts = [row("TRUE", proofs=None), row("1 hop", proofs=None, entailed=None)]
    text = printed(results_table(parts), 100)
    assert "proof rate" not in text and "–" in text
    assert "proof rate" not in results_markdown(parts)


def test_stage_names_are_not_markup():
    assert "[red]x" in printed(results_table([row("[red]x")]), 120)


def test_markdown_has_one_line_a_stage():
    lines = results_markdown(ROWS).splitlines()
    assert lines[0].startswith("| stage | n | accuracy | step validity | trace validity | proof rate |")
    assert lines[1].count("---:") == 8
    assert lines[2] == (
        "| base | 2000 | 43.5 [36.8, 50.4] | 43.5 [36.8, 50.4] | 43.5 [36.8, 50.4] | 100.0 [98.1, 100] "
        "| 43.5 [36.8, 50.4] | 43.5 [36.8, 50.4] | 4.6 |"
    )
    assert "| always UNKNOWN | 2000 | 28.5 | 28.5 |" in lines[-1]
    assert {line.count("|") for line in lines} == {10}


def difference(metric: str, subset: str, value: float, low: float, high: float) -> Difference:
    return Difference(value, low, high, 143, before="sft", after="iter2", metric=metric, subset=subset)


DIFFERENCES = [
    difference("step_validity", "all", 0.308, 0.247, 0.37),
    difference("trace_validity", "all", 0.345, 0.265, 0.425),
    difference("trace_validity", "TRUE/FALSE", -0.014, -0.07, 0.049),
]


def test_differences_stand_in_points_with_their_sign():
    text = printed(differences_table(DIFFERENCES), 100)
    assert text.count("sft → iter2") == 2 and text.count("143") == 2
    for figure in ("+30.8", "[+24.7, +37.0]", "+34.5", "-1.4", "[-7.0, +4.9]", "–"):
        assert figure in text
    assert "| sft → iter2 | TRUE/FALSE | 143 | – | -1.4 [-7.0, +4.9] |" in differences_markdown(DIFFERENCES)


def test_only_differences_that_leave_out_zero_are_bold():
    out = io.StringIO()
    Console(width=100, file=out, force_terminal=True, color_system="standard").print(differences_table(DIFFERENCES))
    assert "\x1b[1m+34.5" in out.getvalue() and "\x1b[1m-1.4" not in out.getvalue()


def test_tables_of_nothing_print():
    assert "stage" in printed(results_table([]), 100)
    assert "stages" in printed(differences_table([]), 100)
