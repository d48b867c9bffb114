"""Stored verdicts checked again: what was edited, what another kernel said, what was never verified."""

from __future__ import annotations

import msgspec
import pytest

from sokrates import jsonl
from sokrates.errors import BadRecord
from sokrates.traces.trace import Trace
from sokrates.verification.certificate import certificate
from sokrates.verification.recheck import Counts, Found, recheck
from sokrates.verification.verify import verify
from tests.verification.test_files import some_traces


@pytest.fixture
def traces() -> list[Trace]:
    return [verify(trace) for trace in some_traces(20)]


@pytest.fixture
def checked(tmp_path):
    def check(records, workers=1) -> tuple[Counts, list[Found]]:
        jsonl.write(tmp_path / "t.jsonl", records)
        counts = Counts()
        found = [found for _, found in recheck(tmp_path / "t.jsonl", counts, workers=workers) if found]
        return counts, found

    return check


def test_what_was_verified_is_confirmed(traces, checked):
    counts, found = checked(traces)
    assert not found and counts.confirmed
    assert counts == Counts(total=20, kernel=traces[0].kernel)


def test_an_edited_verdict_differs_and_breaks_the_certificate(traces, checked):
    traces[6].steps[1].solver_valid, traces[6].steps[1].reason = False, "claim_differs"
    traces[8].label = None
    counts, found = checked(traces)
    assert (counts.differ, counts.verdicts_differ, counts.tampered, counts.confirmed) == (2, 2, 2, False)
    assert [(one.line, one.problem_id, one.tampered) for one in found] == [
        (7, traces[6].problem_id, True),
        (9, traces[8].problem_id, True),
    ]
    lines = found[0].lines("t.jsonl")
    assert lines == [
        f"t.jsonl:7 ({traces[6].problem_id} sample 0): step 1: stored invalid: claim_differs, now valid",
        f"t.jsonl:7 ({traces[6].problem_id} sample 0): its certificate does not fit its content: "
        "edited since it was verified",
    ]


def test_a_wrong_verdict_with_a_fitting_certificate_differs(traces, checked):
    step = traces[4].steps[0]
    step.thought = "so Sam is a banana."
    traces[4].certificate = certificate(traces[4])
    counts, (found,) = checked(traces)
    assert (counts.differ, counts.tampered) == (1, 0)
    assert found.differences[0].step == 0
    assert str(found.differences[0]).startswith("step 0: stored valid, now invalid: claim_")
    assert str(found.differences[-1]).startswith("the trace: stored valid, ")
    assert "now invalid (a step is invalid), " in str(found.differences[-1])


def test_what_was_never_verified_is_counted_and_not_confirmed(checked):
    counts, found = checked(some_traces(4))
    assert not found and not counts.confirmed
    assert (counts.total, counts.never_verified, counts.differ, counts.without_certificate) == (4, 4, 0, 0)


def test_verdicts_of_another_kernel_may_stand(traces, checked):
    for trace in traces[:3]:
        trace.kernel = "0.0.9+other"
        trace.certificate = certificate(trace)
    traces[5].kernel = traces[5].certificate = ""
    counts, found = checked(traces)
    assert not found and counts.confirmed
    assert (counts.other_kernel, counts.without_certificate) == (3, 1)


def test_workers_find_the_same(traces, checked, monkeypatch):
    traces[6].correct = not traces[6].correct
    here = checked(traces)
    monkeypatch.setattr("sokrates.verification.recheck.needs_z3", lambda trace: True)
    assert checked(traces, workers=2) == here
    assert here[0].differ == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [(b"{", r"t\.jsonl:3: not a line"), (b'{"problem_id": "x"}', r"t\.jsonl:3 \(x\): not a Trace")],
)
def test_broken_input_is_named(traces, tmp_path, line, expected):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(map(jsonl.encode, traces[:2])) + line + b"\n" + jsonl.encode(traces[2]))
    with pytest.raises(BadRecord, match=expected):
        list(recheck(path, Counts()))


def test_a_premise_that_is_no_sentence_is_named(traces, tmp_path):
    changed = msgspec.structs.replace(traces[0], premises=("Max may be red.",))
    jsonl.write(tmp_path / "t.jsonl", [changed])
    with pytest.raises(BadRecord, match=r"t\.jsonl:1 .* premise 0"):
        list(recheck(tmp_path / "t.jsonl", Counts()))
