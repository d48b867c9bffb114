"""Charts: every figure where it belongs, for few stages and for many, and in words."""

from __future__ import annotations

import re

import pytest

from sokrates.metrics import Interval
from sokrates.report.charts import CROWDED, Curve, Mark, _ticks_over, bar, histogram, loss_chart, lowest, rate_chart

LOW, HIGH = Mark("base", Interval(0.5, 0.45, 0.55)), Mark("iter1", Interval(0.9, 0.85, 0.95))
ALONE = Mark("rft", Interval(0.7, 0.6, 0.8), joined=False)


def numbers(chart: str, pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, chart)]


def test_higher_rates_stand_higher_and_baselines_stand_alone():
    chart = rate_chart("accuracy", [LOW, HIGH, ALONE], 0.4, Interval(0.5, 0.5, 0.5))
    base, iter1, rft = numbers(chart, r'cy="([\d.]+)"')
    assert iter1 < rft < base
    [reference] = numbers(chart, r'y1="([\d.]+)"[^>]*class="reference"')
    assert reference == base
    assert chart.count("<polyline") == 1 and len(re.search(r'<polyline points="([^"]*)"', chart)[1].split()) == 2
    assert "accuracy in percent by stage: base 50.0 [45.0, 55.0]; iter1 90.0 [85.0, 95.0]; rft 70.0" in chart


def test_a_reference_below_the_axis_is_left_out():
    assert "reference" not in rate_chart("a", [HIGH], 0.8, Interval(0.4, 0.4, 0.4))


def test_many_stages_keep_their_names_and_leave_their_figures_to_the_table():
    chart = rate_chart("accuracy", [Mark(f"s{i}", LOW.rate) for i in range(CROWDED + 1)], 0.0)
    assert chart.count("rotate(") == CROWDED + 1 and 'class="value"' not in chart
    assert 'class="value"' in rate_chart("accuracy", [LOW], 0.0)


@pytest.mark.parametrize(
    ("rates", "bottom"), [([], 0.0), ([LOW.rate, HIGH.rate], 0.4), ([Interval(0.2, 0.0, 0.3)], 0.0)]
)
def test_axes_begin_a_whole_tenth_below_all_rates(rates, bottom):
    assert lowest(rates) == bottom


@pytest.mark.parametrize(
    ("low", "high"), [(0.016, 0.038), (0.0, 0.0), (2.0, 2.0), (0.6931, 0.6932), (1e-9, 3e4), (-1, 5)]
)
def test_ticks_are_few_and_hold_the_values_between_them(low, high):
    ticks = _ticks_over(low, high)
    assert ticks[0] <= low + 1e-9 and ticks[-1] >= high - 1e-9 and 2 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))


def test_losses_fall_from_left_to_right_and_what_is_no_number_is_left_out():
    chart = loss_chart("sft", [Curve("loss", [(1, 2.0), (5, float("nan")), (10, 1.0)])])
    [first, last] = re.search(r'<polyline points="([^"]*)"', chart)[1].split()
    assert float(first.split(",")[1]) < float(last.split(",")[1]) and "10 steps" in chart


def test_a_histogram_counts_every_value():
    chart = histogram("gaps", [0.5, 0.5, 0.75, 1.5])
    assert chart.count("<rect") == 3 and "4 from 0.50 to 1.50" in chart
    assert histogram("gaps", [1.0, 1.0]).count("<rect") == 1


def test_a_bar_is_as_long_as_its_share():
    assert 'width="25.0"' in bar(0.25) and 'width="100.0"' in bar(7)
