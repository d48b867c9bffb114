"""What is said while work goes on: a line in a terminal, and one line of news at the end anywhere."""

from __future__ import annotations

import io
import re
import time
from types import SimpleNamespace

import pytest

from sokrates.console import progress, trace_progress
from tests import screens


@pytest.fixture
def screen(monkeypatch):
    return screens.screen(monkeypatch, 80)


def trace(correct, valid, tokens):
    return SimpleNamespace(correct=correct, proved=bool(valid), completion_tokens=tokens)


def count(seconds=0.0):
    with trace_progress("iter1: generate", 4) as on_trace:
        for given in (trace(True, True, 100), trace(True, False, 300), trace(False, None, 50)):
            on_trace(given)
        time.sleep(seconds)


def test_traces_in_a_terminal(screen, capsys):
    count(0.3)
    assert re.search(r"iter1: generate  3/4  \d:\d\d left  right 67%  proved 33%  [\d,]+ tokens/s", screen.getvalue())
    assert capsys.readouterr().err.startswith("iter1: generate: 3 traces in ")


def test_without_a_terminal_a_stage_is_one_line(capsys):
    count()
    assert re.fullmatch(
        r"iter1: generate: 3 traces in \d\.\d s \([\d.]+ traces/s\), right 67%, proved 33%, [\d,]+ tokens/s\n",
        capsys.readouterr().err,
    )


def test_a_stage_that_was_done_says_so(capsys):
    with trace_progress("evaluate base", 20):
        pass
    assert capsys.readouterr().err == "evaluate base: nothing was left to do\n"


def test_a_note_stands_beside_the_bar_and_not_in_the_news(screen, capsys):
    with progress("verify", None, "traces") as advance:
        advance(note="34% of the file")
        time.sleep(0.3)
    assert re.search(r"verify  1  0:00 so far  34% of the file  [\d.]+ traces/s", screen.getvalue())
    assert re.fullmatch(r"verify: 1 traces in 0\.\d s \([\d.]+ traces/s\)\n", capsys.readouterr().err)


def test_what_is_printed_into_a_file_does_not_go_to_the_terminal(screen, monkeypatch):
    printed = io.StringIO()
    monkeypatch.setattr("sys.stdout", printed)
    with progress("recheck", None, "traces") as advance:
        advance()
        print("a difference")
    assert printed.getvalue() == "a difference\n" and "a difference" not in screen.getvalue()
