"""The table of a plan and what stands below it."""

from __future__ import annotations

import pytest

from sokrates.report.planned import Planned, State, notes, planned_table


def test_the_table_names_each_figure_once_and_what_is_left():
    stages = [
        Planned("data", "data", 1, "1", State.TO_DO),
        Planned("evaluate base", "x", 1, "1", State.DONE, 60.0, ("fast",)),
        Planned("sft", "y", 1, "1", State.STALE, 90.0, ("slow", "fast")),
    ]
    *bases, left = notes(stages)
    assert bases == ["a: fast", "b: slow"] and left.startswith("left in all: about 1.5 minutes without data; a rough")
    columns = [list(column.cells) for column in planned_table(stages).columns]
    assert columns[3] == ["no figure", "–", "1.5"] and columns[4] == ["", "a", "b a"]
    assert notes(stages[1:2]) == ["all of it is done"]


@pytest.mark.parametrize(("seconds", "shown"), [(2, "<0.1"), (90, "1.5"), (599, "10.0"), (754, "13"), (7530, "130")])
def test_minutes_have_two_digits(seconds, shown):
    table = planned_table([Planned("sft", "sft", 1, "1", State.TO_DO, seconds, ("a",))])
    assert list(table.columns[3].cells) == [shown]


def test_what_is_left_where_it_is_next_to_nothing():
    (left,) = notes([Planned("sft", "sft", 1, "1", State.TO_DO, 2.0)])
    assert left.startswith("left in all: less than 0.1 minutes;")


def test_without_any_figure_nothing_is_added_up():
    assert notes([Planned("sft", "sft", 1, "1", State.TO_DO)]) == []
