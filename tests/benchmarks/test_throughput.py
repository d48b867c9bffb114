"""The package's figures are those of the committed results."""

from __future__ import annotations

from benchmarks.throughput import RESULTS, gather
from sokrates.throughput import figures


def test_the_package_says_what_the_results_say():
    assert list(figures()) == gather(), "make it again: python -m benchmarks.throughput"


def test_each_figure_names_a_committed_result():
    assert {figure.source for figure in figures()} <= {path.name for path in RESULTS.iterdir()}
