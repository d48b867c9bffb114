"""What the page is given of the traces: all of them, found again by number, in the same bytes each time."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter

import msgspec
import pytest

from sokrates import jsonl
from sokrates.errors import BadRecord
from sokrates.logic.answer import ANSWERS
from sokrates.report import explorer
from sokrates.report.explorer import CORRECT, UNDECIDED, VALID, Columns, index, pieces, slim, survey
from sokrates.report.folder import Stage, read_run
from sokrates.traces.trace import Trace


def unpacked(data: bytes):
    return json.loads(gzip.decompress(base64.b64decode(data)))


@pytest.fixture
def stages(run_folder):
    return read_run(run_folder).stages


def traces(stage: Stage) -> list[Trace]:
    return list(jsonl.read(stage.path, Trace))


def test_every_trace_is_found_again_where_the_index_says(stages, monkeypatch):
    monkeypatch.setattr(explorer, "PIECE", 1 << 14)
    found, columns = survey(stages), Columns()
    held = [unpacked(piece) for piece in pieces(found, columns)]
    assert len(held) > 3 and sum(map(len, held)) == len(columns.problem_id) == 60
    assert len(columns.stage) == 4 * 40 + 3 * 20
    written = {(s, t.problem_id, t.sample): t for s, stage in enumerate(stages) for t in traces(stage)}
    problems = [(piece, problem) for piece, of in enumerate(held) for problem in of]
    for number, (piece, problem) in enumerate(problems):
        assert columns.piece[number] == piece and columns.problem_id[number] == problem["id"]
        for offset, shown in enumerate(problem["traces"]):
            place = columns.first[number] + offset
            trace = written.pop((columns.stage[place], problem["id"], columns.sample[place]))
            assert shown["stage"] == columns.stage[place] and shown["sample"] == columns.sample[place]
            assert problem["premises"] == list(trace.premises)
            assert [step["thought"] for step in shown["steps"]] == [step.thought for step in trace.steps]
            assert [step.get("valid") for step in shown["steps"]] == [step.solver_valid for step in trace.steps]
            assert bool(columns.flags[place] & VALID) == trace.all_steps_valid
            assert bool(columns.flags[place] & CORRECT) == trace.correct and not columns.flags[place] & UNDECIDED
            assert ANSWERS[columns.answer[place]] == trace.final_answer
            assert ANSWERS[columns.label[number]] == trace.label and columns.hops[number] == trace.hops
            given = {explorer.REASONS[bit] for bit in range(32) if columns.reasons[place] >> bit & 1}
            assert given == {step.reason for step in trace.steps} - {None}
    assert not written


def test_the_index_names_what_its_numbers_stand_for(stages):
    found, columns = survey(stages), Columns()
    list(pieces(found, columns))
    whole = unpacked(index(found, columns))
    assert [stage["name"] for stage in whole["stages"]] == ["base", "sft", "iter1", "iter2", "iter1 samples"]
    assert [stage["sampled"] for stage in whole["stages"]] == [False] * 4 + [True]
    assert whole["answers"] == ["TRUE", "FALSE", "UNKNOWN"] and len(whole["reasons"]) < 31
    assert whole["columns"]["stage"] == columns.stage


def test_the_same_files_give_the_same_bytes(stages):
    found = survey(stages)
    assert list(pieces(found, Columns())) == list(pieces(survey(stages), Columns()))


def test_reasons_are_counted_by_stage(stages):
    found = survey(stages)
    for stage in stages:
        steps = [step for trace in traces(stage) for step in trace.steps]
        assert found.reasons[stage.name] == Counter(step.reason for step in steps if step.reason)
        assert found.steps[stage.name] == len(steps)
    assert found.verified and found.labelled and found.models == {"made"}


def test_one_id_for_two_problems_stays_two_problems(stages, tmp_path):
    [one, other] = traces(stages[0])[:2]
    other.problem_id = one.problem_id
    jsonl.write(tmp_path / "a.jsonl", [one])
    jsonl.write(tmp_path / "b.jsonl", [other])
    columns = Columns()
    found = survey([Stage("a", tmp_path / "a.jsonl"), Stage("b", tmp_path / "b.jsonl")])
    [held] = [unpacked(piece) for piece in pieces(found, columns)]
    assert [problem["conclusion"] for problem in held] == [one.conclusion, other.conclusion]
    assert columns.problem_id == [one.problem_id] * 2 and columns.first == [0, 1]


def test_a_line_that_is_no_trace_is_named(stages, tmp_path):
    path = tmp_path / "traces.jsonl"
    path.write_bytes(stages[0].path.read_bytes().splitlines(keepends=True)[0] + b'\n{"problem_id": "bad"}\n')
    with pytest.raises(BadRecord, match=r"traces.jsonl:3 \(bad\): not a Trace: .*premises"):
        survey([Stage("x", path)])


def test_traces_that_another_program_judged_are_shown(tmp_path):
    trace = Trace(
        problem_id="p", premises=("Gibberish, quite.",), conclusion="More.", label=None, final_answer="TRUE",  # type: ignore[arg-type]
        correct=False, num_steps=1, completion="nothing", steps=msgspec.convert(
            [{"step_idx": 0, "thought": "", "action": "", "option_type": "CONCLUDE", "option_args": [0],
              "solver_valid": True}], list[explorer.Step]),
    )  # fmt: skip
    jsonl.write(tmp_path / "traces.jsonl", [trace])
    found, columns = survey([Stage("x", tmp_path / "traces.jsonl")]), Columns()
    [[problem]] = [unpacked(piece) for piece in pieces(found, columns)]
    assert problem["traces"][0]["goal"] is None and columns.flags == [UNDECIDED]
    assert columns.label == [-1] and columns.hops == [-1] and not found.verified and not found.labelled


def test_slim_traces_count_the_same(stages):
    from sokrates.metrics import stage_row

    assert stage_row("x", slim(stages[0])) == stage_row("x", traces(stages[0]))
