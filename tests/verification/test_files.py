"""Verification of whole files: their summary, bad records, and going on after a kill."""

from __future__ import annotations

import json
import os
import random
import shutil

import msgspec
import pytest

from sokrates import jsonl
from sokrates.errors import BadRecord, SokratesError
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.sloppy import sloppy_outline
from sokrates.traces.trace import Trace
from sokrates.verification.files import verify_file
from sokrates.verification.pool import Pool
from tests.shared_data import files, needs
from tests.verification.judges import in_workers

MEGABYTE = 1 << 20
PUBLISHED = "sokrates-published-traces/*.jsonl"


def some_traces(count: int = 40) -> list[Trace]:
    """Two samples a problem: a gold one and a sloppy one."""
    rng = random.Random(1)
    traces = []
    for problem in generate(count // 2, GeneratorSettings(), seed=1):
        outline = gold_outline(problem)
        for sample, said in enumerate((outline, sloppy_outline(problem, outline, rng, rate=0.6))):
            trace = build_trace(problem, write_outline(problem, said))
            trace.sample = sample
            traces.append(trace)
    return traces


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in" / "traces.jsonl"
    jsonl.write(path, some_traces())
    return path


def constant(summary: dict) -> dict:
    """A summary without what time decides."""
    return {
        key: value for key, value in summary.items() if key not in ("timestamp", "elapsed_seconds", "traces_per_second")
    }


def test_the_summary_counts_what_the_traces_say(source, tmp_path):
    seen = []
    summary = verify_file(source, tmp_path / "out", on_trace=seen.append)
    traces = list(jsonl.read(tmp_path / "out" / "traces.jsonl", Trace))
    steps = [step for trace in traces for step in trace.steps]
    inferences = [step for step in steps if step.option_type != "CONCLUDE"]
    assert len(traces) == len(seen) == summary["total_traces"] == 40
    assert seen == sorted(seen) and seen[-1] == 1
    assert 20 <= summary["valid_traces"] == sum(trace.all_steps_valid for trace in traces) < 40
    assert summary["correct_traces"] == sum(trace.correct for trace in traces)
    assert summary["accuracy"] == pytest.approx(summary["correct_traces"] / 40, abs=1e-6)
    assert summary["trace_validity"] == pytest.approx(summary["valid_traces"] / 40, abs=1e-6)
    assert summary["total_steps"] == len(steps)
    assert summary["valid_steps"] == sum(step.solver_valid for step in steps) < len(steps)
    assert summary["step_validity"] == pytest.approx(summary["valid_steps"] / len(steps), abs=1e-6)
    assert summary["inference_steps"] == len(inferences)
    assert summary["entailed_rate"] == pytest.approx(
        sum(step.entailed is True for step in inferences) / len(inferences), abs=1e-6
    )
    assert summary["published_rate"] == pytest.approx(
        sum(step.published_valid for step in steps) / len(steps), abs=1e-6
    )
    assert sum(summary["reasons"].values()) == len(steps) - summary["valid_steps"]
    assert jsonl.read_json(tmp_path / "out" / "summary.json") == summary
    assert {"timestamp", "elapsed_seconds", "traces_per_second", "config"} < set(summary)


def test_an_empty_file_has_a_summary_of_nothing(tmp_path):
    (tmp_path / "traces.jsonl").write_bytes(b"")
    summary = verify_file(tmp_path / "traces.jsonl", tmp_path / "out")
    assert summary["total_traces"] == summary["accuracy"] == summary["step_validity"] == 0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.501, 0.93, 1.0])
def test_a_killed_verification_goes_on_and_ends_the_same(source, tmp_path, share):
    """Killed in the middle of a line, wherever that is."""
    whole = verify_file(source, tmp_path / "whole")
    finished = (tmp_path / "whole" / "traces.jsonl").read_bytes()
    killed = tmp_path / "killed"
    killed.mkdir()
    (killed / "stage.json").write_bytes((tmp_path / "whole" / "stage.json").read_bytes())
    (killed / "traces.jsonl.partial").write_bytes(finished[: int(len(finished) * share)])
    again = verify_file(source, killed)
    assert (killed / "traces.jsonl").read_bytes() == finished
    assert constant(again) == constant(whole)
    assert {path.name for path in killed.iterdir()} <= {"config.yaml", "stage.json", "summary.json", "traces.jsonl"}


def test_what_was_finished_is_not_verified_again(source, tmp_path):
    def never(line, *, fast_only):
        pytest.fail("verified again")

    verify_file(source, tmp_path / "out")
    os.replace(tmp_path / "out" / "traces.jsonl", tmp_path / "out" / "traces.jsonl.partial")
    assert verify_file(source, tmp_path / "out", judge=never)["total_traces"] == 40


def test_a_half_written_file_of_nothing_begun_here_is_neither_used_nor_removed(source, tmp_path):
    killed = tmp_path / "killed"
    killed.mkdir()
    shutil.copy(source, killed / "traces.jsonl.partial")
    for path in (source, killed / "traces.jsonl.partial"):
        with pytest.raises(SokratesError, match=r"traces\.jsonl\.partial: half-written by nothing that was begun here"):
            verify_file(path, killed)
    assert (killed / "traces.jsonl.partial").read_bytes() == source.read_bytes()


def test_a_folder_with_the_work_of_another_input_is_refused(source, tmp_path):
    verify_file(source, tmp_path / "out")
    before = (tmp_path / "out" / "traces.jsonl").read_bytes()
    other = tmp_path / "other.jsonl"
    other.write_bytes(source.read_bytes().partition(b"\n")[0] + b"\n")
    with pytest.raises(SokratesError, match=r"begun with other settings \(verify was"):
        verify_file(other, tmp_path / "out")
    assert (tmp_path / "out" / "traces.jsonl").read_bytes() == before


def test_verified_traces_verify_to_themselves(source, tmp_path):
    verify_file(source, tmp_path / "one")
    verify_file(tmp_path / "one" / "traces.jsonl", tmp_path / "two")
    assert (tmp_path / "one" / "traces.jsonl").read_bytes() == (tmp_path / "two" / "traces.jsonl").read_bytes()


def test_the_input_is_never_overwritten(source):
    before = source.read_bytes()
    with pytest.raises(SokratesError, match="would overwrite the input"):
        verify_file(source, source.parent)
    with pytest.raises(SokratesError, match="would overwrite the input"):
        verify_file(source, source.parent / ".." / "in")
    assert source.read_bytes() == before


def spoil(source, position: int, line: bytes) -> None:
    lines = source.read_bytes().splitlines(keepends=True)
    source.write_bytes(b"".join([*lines[:position], line + b"\n", *lines[position:]]))


def bad_traces() -> dict[str, tuple[bytes, str]]:
    good = json.loads(msgspec.json.encode(some_traces(2)[0]))
    duplicate = {**good, "completion": "something else"}
    return {
        "truncated": (json.dumps({**good, "problem_id": "bad"}).encode()[:200], r"\(bad\): not a line of JSON"),
        "premise": (
            json.dumps({**good, "problem_id": "bad", "premises": ["Max may be red."]}).encode(),
            r"\(bad\): premise 0: 'Max may be red' is not a sentence of the grammar",
        ),
        "label": (
            json.dumps({**good, "problem_id": "bad", "label": "MAYBE"}).encode(),
            r"\(bad\): .*'MAYBE'",
        ),
        "no steps": (
            json.dumps({key: value for key, value in {**good, "problem_id": "bad"}.items() if key != "steps"}).encode(),
            r"\(bad\): .*missing required field `steps`",
        ),
        "args": (
            json.dumps({**good, "problem_id": "bad", "steps": [{**good["steps"][0], "option_args": ["one"]}]}).encode(),
            r"\(bad\): .*Expected `int`, got `str`",
        ),
        "duplicate": (
            json.dumps(duplicate).encode(),
            "duplicate trace: sample 0 of this problem",
        ),
    }


@pytest.mark.parametrize("kind", bad_traces())
def test_a_bad_trace_is_named_or_set_aside(source, tmp_path, kind):
    whole = verify_file(source, tmp_path / "whole")
    line, expected = bad_traces()[kind]
    spoil(source, 6, line)
    with pytest.raises(BadRecord, match=expected) as error:
        verify_file(source, tmp_path / "out")
    assert str(error.value).startswith(f"{source}:7 (")
    assert not (tmp_path / "out" / "summary.json").exists()
    summary = verify_file(source, tmp_path / "out", set_aside=jsonl.SetAside(tmp_path / "aside.jsonl"))
    assert summary["set_aside"] == 1
    assert len(list(jsonl.read(tmp_path / "aside.jsonl", dict))) == 1
    assert constant(summary) == {**constant(whole), "set_aside": 1}
    assert (tmp_path / "out" / "traces.jsonl").read_bytes() == (tmp_path / "whole" / "traces.jsonl").read_bytes()


def test_blank_lines_carriage_returns_and_a_missing_last_newline_are_nothing_special(source, tmp_path):
    verify_file(source, tmp_path / "whole")
    lines = source.read_bytes().splitlines()
    source.write_bytes(b"\n \n" + b"\r\n\r\n".join(lines))
    assert verify_file(source, tmp_path / "out")["total_traces"] == 40
    assert (tmp_path / "out" / "traces.jsonl").read_bytes() == (tmp_path / "whole" / "traces.jsonl").read_bytes()


def test_a_long_or_dangerous_id_is_shown_safely(source, tmp_path):
    for name, shown in (
        ("x" * MEGABYTE, rf"\({'x' * 79}…\): "),
        ("o\x1b[31m\u202ed\nd", r"\('o\\x1b\[31m\\u202ed\\nd'\): "),
    ):
        source.write_bytes(json.dumps({"problem_id": name}).encode())
        with pytest.raises(BadRecord, match=shown):
            verify_file(source, tmp_path / name[:1])


def test_another_kernel_does_not_go_on_with_verdicts_of_this_one(source, tmp_path, monkeypatch):
    verify_file(source, tmp_path / "out")
    monkeypatch.setattr("sokrates.verification.files.kernel", lambda: "9.9+other")
    with pytest.raises(SokratesError, match=r"kernel was .*, is 9\.9\+other"):
        verify_file(source, tmp_path / "out")


def with_bad_records(source) -> None:
    """Five bad lines in the file, two of them duplicates, at its ends and in its middle."""
    lines = source.read_bytes().splitlines(keepends=True)
    strange = bad_traces()["premise"][0] + b"\n"
    source.write_bytes(b"".join([b"nothing\n", *lines[:10], lines[3], strange, *lines[10:], lines[20], b"{"]))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.501, 0.93, 1.0])
@pytest.mark.parametrize("left_aside", [0, 1, 2, 5])
def test_a_killed_verification_sets_the_same_records_aside(source, tmp_path, share, left_aside):
    """However many of them had reached the disk, in whole or in part, when it was killed."""
    with_bad_records(source)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    summary = verify_file(source, whole, set_aside=jsonl.SetAside(whole / "aside.jsonl"))
    finished, aside = (whole / "traces.jsonl").read_bytes(), (whole / "aside.jsonl").read_bytes()
    assert summary["set_aside"] == 5 and summary["total_traces"] == 40
    killed.mkdir()
    (killed / "stage.json").write_bytes((whole / "stage.json").read_bytes())
    (killed / "traces.jsonl.partial").write_bytes(finished[: int(len(finished) * share)])
    (killed / "aside.jsonl.partial").write_bytes(b"".join(aside.splitlines(keepends=True)[:left_aside])[:-3])
    again = verify_file(source, killed, set_aside=jsonl.SetAside(killed / "aside.jsonl"))
    assert constant(again) == constant(summary)
    assert (killed / "traces.jsonl").read_bytes() == finished
    assert (killed / "aside.jsonl").read_bytes() == aside
    assert not list(killed.glob("*.partial"))


def test_going_on_without_skip_bad_names_the_bad_record(source, tmp_path):
    with_bad_records(source)
    out = tmp_path / "out"
    verify_file(source, out, set_aside=jsonl.SetAside(out / "aside.jsonl"))
    os.replace(out / "traces.jsonl", out / "traces.jsonl.partial")
    (out / "summary.json").unlink()
    with pytest.raises(BadRecord, match=r"traces\.jsonl:1: not a line of JSON"):
        verify_file(source, out)


def test_traces_of_another_run_in_the_partial_file_are_not_kept(source, tmp_path):
    verify_file(source, tmp_path / "out")
    finished = (tmp_path / "out" / "traces.jsonl").read_bytes()
    lines = finished.splitlines(keepends=True)
    (tmp_path / "out" / "traces.jsonl").unlink()
    (tmp_path / "out" / "summary.json").unlink()
    (tmp_path / "out" / "traces.jsonl.partial").write_bytes(b"".join([*lines[:5], *lines[9:12], *lines[5:9]]))
    assert verify_file(source, tmp_path / "out")["total_traces"] == 40
    assert (tmp_path / "out" / "traces.jsonl").read_bytes() == finished


def test_workers_give_the_same_and_a_record_that_ends_one_is_named(source, tmp_path, monkeypatch):
    whole = verify_file(source, tmp_path / "whole")
    spoil(source, 6, json.dumps({**json.loads(source.read_bytes().splitlines()[0]), "problem_id": "bad"}).encode())
    monkeypatch.setattr(Pool.__init__, "__defaults__", (1, 16))
    with pytest.raises(BadRecord, match=r":7 \(bad\): verifying it ended the worker process"):
        verify_file(source, tmp_path / "out", workers=2, judge=in_workers)
    aside = jsonl.SetAside(tmp_path / "aside.jsonl")
    summary = verify_file(source, tmp_path / "out", workers=2, judge=in_workers, set_aside=aside)
    assert constant(summary) == {**constant(whole), "set_aside": 1}
    assert [(entry["line"], entry["problem_id"]) for entry in aside.errors] == [(7, "bad")]
    assert (tmp_path / "out" / "traces.jsonl").read_bytes() == (tmp_path / "whole" / "traces.jsonl").read_bytes()


@needs(PUBLISHED)
@pytest.mark.parametrize("path", files(PUBLISHED), ids=lambda path: path.stem)
def test_the_published_traces_are_judged(path, tmp_path):
    summary = verify_file(path, tmp_path)
    assert summary["total_traces"] == 10
    assert summary["valid_traces"] == 0
    assert summary["step_validity"] < 0.03
    assert summary["entailed_rate"] > 0.9 and summary["published_rate"] > 0.95


@needs("sokrates-published-traces/*iter3*")
def test_the_published_rule_is_rebuilt_step_by_step(tmp_path):
    (path,) = files("sokrates-published-traces/*iter3*")
    verify_file(path, tmp_path)
    stored = [step.solver_valid for trace in jsonl.read(path, Trace) for step in trace.steps]
    rebuilt = [step.published_valid for trace in jsonl.read(tmp_path / "traces.jsonl", Trace) for step in trace.steps]
    assert len(stored) == 364
    assert rebuilt == stored
