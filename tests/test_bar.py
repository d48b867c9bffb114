"""The line of a piece of work as a terminal really shows it, wide and narrow."""

from __future__ import annotations

import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from sokrates import bar, gpu
from tests.nvml import Card, Nvml

FACTS = ["right 63%", "proved 41%", "12,345 tokens/s"]


@pytest.fixture
def screen(monkeypatch):
    """Lets bars be drawn on a terminal of some columns; returns what was drawn there, line by line."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def on(width, *, terminal=True):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=width, legacy_windows=False)
        monkeypatch.setattr(bar, "terminal", lambda: console)
        return lambda: [line for line in re.split(r"[\r\n]+", plain(console.file.getvalue())) if line.strip()]

    return on


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def with_gpu(monkeypatch):
    found = gpu.visible(Nvml(Card("GPU-1", 98, 71.2)), {})
    monkeypatch.setattr(bar, "Meter", lambda: gpu.Meter(0.01, lambda: found))


TOLD = "iter1: generate  123/4000  5:00 left  right 63%  proved 41%  12,345 tokens/s  GPU 98%  71.2 GiB  4.1 traces/s"


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (140, TOLD.replace("generate", "generate  [━╸╺]{29}")),
        (120, TOLD.replace("generate", "generate  [━╸╺]{23}").removesuffix("  4.1 traces/s")),
        (100, TOLD.removesuffix("  4.1 traces/s")),
        (80, TOLD.partition("  GPU")[0]),
        (60, TOLD.partition("  12,345")[0]),
        (40, TOLD.partition("  right")[0]),
        (24, "iter1: gene…  123/4000"),
        (10, "iter…"),
    ],
)
def test_what_a_terminal_shows(screen, monkeypatch, width, told):
    with_gpu(monkeypatch)
    monkeypatch.setattr(bar, "_time", lambda task: "5:00 left")
    monkeypatch.setattr(bar.Rate, "now", lambda rate: 4.1)
    drawn = screen(width)
    with bar.shown("iter1: generate", 4000, "traces", lambda: FACTS, metered=True) as line:
        line.advance(123)
        time.sleep(0.3)
    assert any(re.fullmatch(told, text.rstrip()) for text in drawn()), drawn()
    assert all(cell_len(text) <= width for text in drawn())


@given(
    st.text("abc: é", max_size=30),
    st.lists(st.sampled_from([*FACTS, "GPU 98%", "71.2 GiB"]), max_size=8),
    st.integers(1, 200),
)
def test_facts_are_left_off_whole_and_from_the_end(label, facts, width):
    name, kept, room = bar.fitted(label, facts, width)
    assert kept == facts[: len(kept)] and room >= 0
    assert cell_len("  ".join([name, *kept])) + room == width
    assert kept == facts or room < 2 + cell_len(facts[len(kept)])


def test_without_a_total_the_time_gone_by_is_told_and_no_bar_drawn(screen):
    drawn = screen(80)
    with bar.shown("verify", None, "traces") as line:
        line.advance()
        time.sleep(0.2)
    assert any(re.fullmatch(r"verify  1  0:00 so far  \d+\.\d traces/s", text.rstrip()) for text in drawn()), drawn()


def test_what_was_done_before_is_no_speed(screen):
    screen(80)
    with bar.shown("sft", None, "steps") as line:
        line.begin(90, 100)
        line.advance()
        assert line.rate.total == 1
        task = line._drawn.tasks[0]
        assert (task.completed, task.total) == (91, 100)


@pytest.mark.parametrize("hidden", ["no terminal", "TQDM_DISABLE", "another process"])
def test_nothing_is_drawn_nor_measured(screen, monkeypatch, hidden):
    monkeypatch.setattr(bar, "Meter", lambda: pytest.fail("measured for no one"))
    drawn = screen(80, terminal=hidden != "no terminal")
    if hidden == "TQDM_DISABLE":
        monkeypatch.setenv("TQDM_DISABLE", "1")
    if hidden == "another process":
        monkeypatch.setattr(bar.ranks, "is_main", lambda: False)
    with bar.shown("sft", 10, "steps", metered=True) as line:
        line.advance()
    assert drawn() == [] and line.rate.total == 1


def test_a_rate_is_of_the_last_half_minute_and_over_all():
    now = 0.0
    rate = bar.Rate(lambda: now)
    now = 10.0
    rate.add(600)
    assert rate.now() == rate.overall() == 60
    now = 100.0
    rate.add(30)
    assert (rate.now(), rate.overall()) == (1.0, 6.3)
    now = 200.0
    assert rate.now() == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (754, "12:34"), (3600 * 26 + 61, "26:01:01")]
)
def test_time(seconds, text):
    assert bar._clock(seconds) == text
