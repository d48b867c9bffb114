"""What the loop's benchmark says of its figures."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from benchmarks.loop_report import compare, parts, plot, table
from benchmarks.loop_ways import WAYS


def stage(name: str, kind: str, seconds: float, start: float, peak: float = 1.0) -> dict[str, Any]:
    times = {"seconds": seconds, "start_seconds": start, "processor_seconds": 2 * seconds}
    return {"name": name, "kind": kind, "peak_memory_gib": peak, **times}


WORK: dict[str, Any] = {
    "problems": {"train": 16, "evaluation": 4, "iter1": 16},
    "gold_traces": 16,
    "evaluations": {"base": 4},
    "sft": {"examples": 16, "tokens": 900, "epochs": 3.0, "rows": 1, "steps": 3},
    "sampled_traces": {"iter1": 64},
    "pairs": {"iter1": 20},
    "dpo": {"iter1": {"pairs": 20, "tokens": 800, "epochs": 1.0, "steps": 3}},
    "last": {"stage": "iter1", "n": 4, "trace_validity": {"value": 0.75, "low": 0.3, "high": 0.95}},
}


def way(name: str, stages: list[dict[str, Any]], starts: tuple[int, int] = (1, 1), **more: Any) -> dict[str, Any]:
    dpo = {"batch_size": 8, "gradient_accumulation_steps": 1, "num_epochs": 1}
    machine = {"cpu": "a CPU", "gpu": None}
    figures = {"way": name, "title": WAYS[name].title, "processes_and_engines": starts, "stages": stages, "dpo": dpo}
    return figures | {"machine": machine, "work": copy.deepcopy(WORK)} | more


LOOP = [stage("evaluate base", "evaluate", 50, 40, 120.0), stage("sft", "sft", 10, 2), stage("report", "report", 5, 0)]
SHELL = [
    stage("evaluate base", "evaluate", 41, 30, 118.0),
    stage("sft", "sft", 39, 15, 3.0),
    stage("evaluate sft", "evaluate", 20, 20, 7.0),
]
OURS = [stage("evaluate base", "evaluate", 60, 50, 118.0), stage("sft", "sft", 25, 15, 3.0)]
FRESH = [*LOOP[:2], stage("report", "report", 15, 10)]
SAME = {"evaluate base": 1.0, "evaluate iter1": 0.5}


def found(*ways, texts=None):
    return compare(ways, {name: SAME for name in texts or ()})


def test_a_way_s_time_is_parted_whole():
    assert parts({"stages": LOOP}) == {
        "start": 42, "data": 0, "sft": 8, "generate": 0, "dpo": 0, "evaluate": 10, "report": 5,
    }  # fmt: skip


def test_what_is_saved_is_of_the_shell_s_time_and_adds_up():
    summary = found(way("loop", LOOP), way("shell", SHELL))
    rows = {row["way"]: row for row in summary["ways"]}
    assert (rows["loop"]["saved"], rows["shell"]["saved"]) == (pytest.approx(0.35), 0)
    assert (rows["loop"]["processor_seconds"], rows["loop"]["saved_of_processor"]) == (130, pytest.approx(0.35))
    shares = {entry["part"]: entry["share"] for entry in summary["by_part"]}
    assert shares == {"start": 0.23, "data": 0, "sft": 0.16, "generate": 0, "dpo": 0, "evaluate": 0.01, "report": -0.05}
    assert sum(shares.values()) == pytest.approx(rows["loop"]["saved"])
    assert "in all 35.0% (wanted: 30%; the plan hopes for 50%): 65.0 s for 100.0" in table(summary)


def test_each_switch_has_its_share_and_those_of_ways_that_are_not_there_go_together():
    ways = [way("loop", LOOP), way("shell", SHELL), way("shell-ours", OURS), way("loop-fresh", FRESH)]
    switched = {entry["to"]: (entry["from"], entry["saved_seconds"]) for entry in found(*ways)["by_switch"]}
    assert switched == {"shell-ours": ("shell", 15), "loop-fresh": ("shell-ours", 10), "loop": ("loop-fresh", 10)}
    assert [entry["saved_processor_seconds"] for entry in found(*ways)["by_switch"]] == [30, 20, 20]
    last = found(*ways[:2])["by_switch"]
    assert [(entry["from"], entry["to"], entry["share"]) for entry in last] == [("shell", "loop", 0.35)]
    assert last[0]["share_of_processor"] == 0.35
    assert "training" in last[0]["switched"] and last[0]["switched"].endswith("one engine for all stages")
    without = found(*ways[1:3])["by_switch"]
    assert [(entry["from"], entry["to"]) for entry in without] == [("shell", "shell-ours")]


def test_an_engine_that_does_not_stay_is_no_switch():
    ways = [way("loop", LOOP, (1, 6)), way("shell", SHELL, (12, 6)), way("shell-ours", OURS, (12, 6))]
    assert found(*ways)["by_switch"][-1]["switched"] == "one process for all stages"


def test_work_that_is_not_the_same_is_said():
    assert found(way("loop", LOOP), way("shell", SHELL))["unlike"] == []
    other = way("shell", SHELL)
    other["work"]["sft"]["steps"] = 4
    other["work"]["pairs"]["iter1"] = 25
    summary = found(way("loop", LOOP), other)
    assert summary["unlike"] == [
        "sft steps: loop 3, shell 4",
        "shell, iter1: 3 DPO steps on 20 pairs, not 4",
    ]
    assert "not the same work: sft steps: loop 3, shell 4" in table(summary)
    idle = way("shell", SHELL)
    idle["work"]["dpo"]["iter1"]["steps"] = 1
    assert found(way("loop", LOOP), idle)["unlike"] == ["shell, iter1: 1 DPO steps on 20 pairs, not 3"]
    sampled = way("shell", SHELL)
    sampled["work"]["pairs"]["iter1"] = sampled["work"]["dpo"]["iter1"]["pairs"] = 19  # by texts that differ
    assert found(way("loop", LOOP), sampled)["unlike"] == []


def test_the_most_memory_of_a_kind_is_that_of_its_largest_stage():
    (row,) = found(way("shell", SHELL))["ways"]
    assert row["peak_memory_gib"] == {"evaluate": 118.0, "sft": 3.0}


def test_the_machine_s_noise_is_how_far_equal_stages_are_apart():
    summary = found(way("loop", LOOP), way("shell", SHELL), texts=["shell"])
    assert summary["repeats"] == {"evaluate base": pytest.approx(0.1)}
    assert "evaluate base 100%, evaluate iter1 50%" in table(summary)


def test_a_way_that_was_cut_off_is_shown_with_what_it_had_done(tmp_path):
    cut = way("shell", SHELL[:1], error="a traceback\nout of time")
    del cut["work"]
    summary = found(way("loop", LOOP), cut)
    text = table(summary)
    assert "shell (not finished)" in text and "shell failed: out of time" in text
    assert summary["by_part"] == summary["by_switch"] == [] and "saved" not in summary["ways"][0]
    plot(summary | {"iterations": 1}, tmp_path / "loop.png")
    assert (tmp_path / "loop.png").stat().st_size > 10_000


def test_nothing_measured_is_no_table_of_errors():
    assert "seconds" in table(found())
