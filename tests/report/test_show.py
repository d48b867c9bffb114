"""One trace in the terminal: found or its neighbours named, every verdict with its reason, and nothing that acts."""

from __future__ import annotations

import pytest

from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.report.show import find_trace, print_trace
from sokrates.traces.trace import Trace


def traces(run_folder, stage: str = "base") -> list[Trace]:
    return list(jsonl.read(run_folder / "evaluation" / stage / "traces.jsonl", Trace))


def test_a_trace_is_found_in_a_file_a_folder_or_a_stage_of_a_run(run_folder):
    wanted = traces(run_folder)[7]
    folder = run_folder / "evaluation" / "base"
    for source, stage in ((folder / "traces.jsonl", None), (folder, None), (run_folder, "base")):
        assert find_trace(source, stage, wanted.problem_id, None) == wanted
    assert find_trace(run_folder, None, wanted.problem_id, None) == traces(run_folder, "iter2")[7]
    assert find_trace(run_folder, "iter1 samples", "train-3", 2).sample == 2


def test_what_is_not_found_is_named_with_what_is_near(run_folder):
    with pytest.raises(SokratesError, match=r"no trace of a problem 'eval-7x'; the nearest: eval-7"):
        find_trace(run_folder, "base", "eval-7x", None)
    with pytest.raises(SokratesError, match="expected one of its 40 ids"):
        find_trace(run_folder, "base", "§§§", None)
    with pytest.raises(SokratesError, match="train-3: no sample 9; expected one of 0, 1, 2"):
        find_trace(run_folder, "iter1 samples", "train-3", 9)
    with pytest.raises(SokratesError, match="a file has no stages"):
        find_trace(run_folder / "evaluation" / "base" / "traces.jsonl", "base", "eval-0", None)
    with pytest.raises(SokratesError, match="no such file"):
        find_trace(run_folder / "nowhere.jsonl", None, "eval-0", None)


def test_every_line_and_every_reason_is_printed_plainly_into_a_pipe(run_folder, capsys):
    trace = next(trace for trace in traces(run_folder) if not trace.all_steps_valid and len(trace.steps) > 3)
    print_trace(trace)
    text = capsys.readouterr().out
    assert "\x1b" not in text and not [line for line in text.splitlines() if line != line.rstrip()]
    for number, premise in enumerate(trace.premises):
        assert f"[{number}] {premise}\n" in text
    for number, step in enumerate(trace.steps, start=len(trace.premises)):
        mark = "valid" if step.solver_valid else "INVALID"
        assert f"[{number}] {mark:7} {step.thought}\n" in text
        assert step.message is None or step.message in text
    assert f"Answer {trace.final_answer}" in text and f"INVALID: {trace.invalid_reason}" in text


def test_what_an_unknown_did_not_look_at_is_told(run_folder, capsys):
    trace = traces(run_folder)[0]
    trace.unexplored = 3
    print_trace(trace)
    assert ", 3 facts not looked at" in capsys.readouterr().out


def test_a_trace_that_was_not_verified_says_so(run_folder, capsys):
    trace = traces(run_folder)[0]
    trace.all_steps_valid = None
    print_trace(trace)
    assert "not verified" in capsys.readouterr().out


def test_text_that_a_terminal_would_obey_is_not_passed_on(run_folder, capsys):
    trace = traces(run_folder)[0]
    trace.steps[0].thought = "\x1b[2Jgone [red]not markup[/red]"
    print_trace(trace)
    text = capsys.readouterr().out
    assert "\x1b" not in text and "�[2Jgone [red]not markup[/red]" in text
