"""A data set proves itself: labels, gold traces, what stays unsolved, and going on after a kill."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.logic.answer import Answer
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.trace import Trace
from sokrates.verification import validate
from sokrates.verification.validate import COUNTED, STATUSES, validate_file


def problem(name: str, *premises: str, label: Answer | None = Answer.TRUE, source="hand", **fields):
    return Problem(problem_id=name, premises=premises, conclusion="Max is red.", label=label, source=source, **fields)


HAND = [
    problem("right", "Max is red."),
    problem("wrong", "Max is red.", label=Answer.FALSE),
    problem("closed world", "Max is blue.", label=Answer.FALSE, source="proofwriter"),
    problem(
        "by chaining",
        "Max is blue.",
        "If Max is red, then Max is not blue.",
        label=Answer.UNKNOWN,
        source="proofwriter",
    ),
    problem("inconsistent", "Max is red.", "Max is not red."),
    problem("undecided", "Max is blue.", premises_fol=("Blue(max)",)),
    problem("unlabelled", "Max is blue.", label=None),
]
MADE = list(generate(30, GeneratorSettings(1, 3), seed=4))
FILES = ("gold.jsonl", "unsolved.jsonl", "labels.jsonl")


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "problems.jsonl"

    def run(problems, output, **settings):
        jsonl.write(path, problems)
        return validate_file(iter(problems), path, tmp_path / output, max_steps=24, **settings)

    return run


def without_time(summary: dict) -> dict:
    return {key: value for key, value in summary.items() if key != "elapsed_seconds"}


def test_a_generated_set_proves_itself(run, tmp_path):
    seen = []
    summary = run(MADE, "out", on_problem=lambda: seen.append(1))
    expected = {**dict.fromkeys(COUNTED, 0), **dict.fromkeys(("total", "labels_agree", "gold_found", "gold_valid"), 30)}
    assert without_time(summary) == {**expected, "by_source": {"sokrates-generator": expected}, "set_aside": 0}
    traces = list(jsonl.read(tmp_path / "out" / "gold.jsonl", Trace))
    assert [trace.problem_id for trace in traces] == [made.problem_id for made in MADE]
    assert all(trace.all_steps_valid and trace.correct and trace.certificate for trace in traces)
    assert len(seen) == 30
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, "summary.json", "stage.json", "config.yaml"}


def test_every_problem_is_counted_once_by_its_label(run, tmp_path):
    summary = run([*HAND, *MADE[:4]], "out")
    assert sum(summary[status] for status in STATUSES) == summary["total"] == 11
    assert [summary["by_source"]["hand"][status] for status in STATUSES] == [1, 1, 1, 1, 1]
    assert [summary["by_source"]["proofwriter"][status] for status in STATUSES] == [1, 1, 0, 0, 0]
    assert summary["labels_differ_classically"] == 2
    labels = {
        (entry["problem_id"], entry["status"]): entry["reason"]
        for entry in jsonl.read(tmp_path / "out" / "labels.jsonl", dict)
    }
    assert set(labels) == {
        ("wrong", "labels_differ"),
        ("closed world", "labels_differ"),
        ("closed world", "labels_differ_classically"),
        ("by chaining", "labels_differ_classically"),
        ("inconsistent", "inconsistent"),
        ("undecided", "undecided"),
    }
    assert "its label is FALSE, but by its premises the conclusion is TRUE" in labels["wrong", "labels_differ"]
    unsolved = {entry["problem_id"]: entry["reason"] for entry in jsonl.read(tmp_path / "out" / "unsolved.jsonl", dict)}
    assert unsolved["inconsistent"] == "its premises contradict each other"
    assert unsolved["undecided"] == "its conclusion has no formula"
    assert set(unsolved) == {"inconsistent", "undecided", "wrong", "closed world", "by chaining"}
    assert summary["gold_found"] == summary["gold_valid"] == 11 - len(unsolved)


def test_a_gold_trace_that_is_too_long_is_unsolved(tmp_path):
    jsonl.write(tmp_path / "p.jsonl", MADE)
    summary = validate_file(iter(MADE), tmp_path / "p.jsonl", tmp_path / "out", max_steps=2)
    reasons = [entry["reason"] for entry in jsonl.read(tmp_path / "out" / "unsolved.jsonl", dict)]
    assert 0 < len(reasons) == 30 - summary["gold_found"]
    assert all("the limit is 2" in reason for reason in reasons)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.77, 1.0])
def test_a_killed_validation_goes_on_and_ends_the_same(run, tmp_path, share):
    problems = [*MADE, *HAND]
    whole = run(problems, "whole")
    journal = b"".join(map(jsonl.encode, validate.validated(problems, max_steps=24)))
    killed = tmp_path / "killed"
    killed.mkdir()
    (killed / "stage.json").write_bytes((tmp_path / "whole" / "stage.json").read_bytes())
    (killed / "journal.jsonl.partial").write_bytes(journal[: int(len(journal) * share)])
    (killed / "gold.jsonl.partial").write_bytes(b"{half")
    assert without_time(run(problems, "killed")) == without_time(whole)
    for name in FILES:
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(killed.glob("*.partial"))


def test_a_finished_validation_is_not_done_again(run):
    first = run(MADE, "out")
    assert run(MADE, "out", on_problem=lambda: pytest.fail("done again")) == first
    with pytest.raises(SokratesError, match=r"begun with other settings \(validate was"):
        run(MADE[:3], "out")


def test_a_gold_trace_that_does_not_verify_is_an_error_with_its_id(run, monkeypatch):
    monkeypatch.setattr(validate, "gold_completion", lambda problem, *, max_steps: "Final Answer: TRUE")
    message = f"{MADE[0].problem_id}: its gold trace does not verify (it does not conclude)"
    with pytest.raises(SokratesError, match=re.escape(message)):
        run(MADE[:3], "out")


def test_workers_find_the_same(run, tmp_path, monkeypatch):
    problems = [*MADE, *HAND]
    here = run(problems, "here")
    monkeypatch.setattr(validate, "needs_z3", lambda statement: True)
    assert without_time(run(problems, "there", workers=2)) == without_time(here)
    for name in FILES:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_the_journal_holds_what_it_was_given():
    (done,) = validate.validated([MADE[0]], max_steps=24)
    assert msgspec.json.decode(json.dumps(json.loads(jsonl.encode(done))), type=validate.Validated) == done
