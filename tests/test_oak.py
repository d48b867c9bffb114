"""The loop, whole: a few problems through every stage with the embedded model, and again from where it stopped."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from sokrates import gpu, jsonl, oak, run, timings
from sokrates.asking import Askers
from sokrates.config import BaselineName, Config, load
from sokrates.errors import SokratesError
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.report.folder import read_run
from sokrates.run import Run, _evaluation_problems
from sokrates.training.preferences import Pair
from tests.locked import locked
from tests.nvml import Card, Nvml
from tests.training.test_tracking import curves

SMALL = [
    "data.hops_max=3",
    "data.train_problems=6",
    "data.eval_problems=4",
    "data.loop_problems=6",
    "trace_generation.samples_per_problem=4",
    "trace_generation.temperature=1.5",
    "trace_generation.top_p=1.0",
    "sft.num_epochs=1",
    "sft.packing=false",
    "sft.lora.r=4",
    "sft.heldout_fraction=0.2",
    "dpo.learning_rate=1e-4",
    "oak_loop.num_iterations=1",
    "oak_loop.baselines=[sft+, rft]",
    "oak_loop.votes=2",
]


def config(folder: Path, *more: str) -> Config:
    return load(None, [*SMALL, f"oak_loop.output={folder}", *more])


def new_run(folder: Path, *more: str) -> Run:
    settings = config(folder, *more)
    return Run(settings, Askers(settings, rank=4))


def modified(folder: Path) -> dict[str, int]:
    kept = ("adapter_model.safetensors", "traces.jsonl")
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.name in kept and path.is_file()}


def rows(folder: Path) -> list[dict]:
    return json.loads((folder / "results.json").read_text())


def finished_parts(folder: Path) -> list[str]:
    """The parts of a run folder in the order in which they were finished."""
    whole = [path for name in ("summary.json", "training.json") for path in folder.rglob(name) if path.parent != folder]
    ordered = sorted(whole, key=lambda path: path.stat().st_mtime_ns)
    return ["data", *(path.parent.relative_to(folder).as_posix() for path in ordered)]


def counts(folder: Path, part: str) -> int:
    """The problems to train on, the traces, examples or pairs of a part that is whole."""
    if part == "data":
        return len(list(jsonl.read(folder / "data/train.jsonl", Problem)))
    if (folder / part / "training.json").is_file():
        training = json.loads((folder / part / "training.json").read_text())
        return training.get("pairs", training.get("examples"))
    return json.loads((folder / part / "summary.json").read_text())["total_traces"]


def states(folder: Path, *more: str) -> dict[str, str]:
    return {planned.part: str(planned.state) for planned in oak.plan(config(folder, *more)).stages}


def test_the_whole_loop_and_going_on(tmp_path):
    folder = tmp_path / "run"
    planned = oak.plan(config(folder)).stages
    assert not folder.exists()
    oak.run(config(folder))
    parts = finished_parts(folder)
    assert [stage.part for stage in planned] == parts
    for stage in planned:
        done = counts(folder, stage.part)
        assert done == stage.count if "up to" not in stage.what else 0 < done <= stage.count, stage
    afterwards = oak.plan(config(folder)).stages
    assert [(stage.part, stage.state, stage.count) for stage in afterwards if "examples" not in stage.what] == [
        (part, "done", counts(folder, part)) for part in parts if not part.startswith(("sft", "rft"))
    ]
    changed = states(folder, "dpo.beta=0.2")
    assert changed["sft"] == changed["iter1/traces"] == "done"
    assert changed["iter1/adapter"] == changed["evaluation/iter1"] == changed["sft+"] == "stale"
    assert [row["stage"] for row in rows(folder)] == ["base", "sft", "iter1", "sft+", "rft"]
    for row in rows(folder):
        assert row["n"] == 4
        assert {"accuracy", "step_validity", "trace_validity", "entailed_rate", "published_rate"} <= row.keys()
        assert {"value", "low", "high"} <= row["accuracy"].keys()
    assert {row["stage"] for row in json.loads((folder / "references.json").read_text())} == {
        "always UNKNOWN",
        "random guess",
    }
    for name in (
        "config.yaml",
        "differences.json",
        "timings.json",
        "iter1/pairs.jsonl",
        "iter1/traces/summary.json",
        "report.html",
    ):
        assert (folder / name).is_file(), name
    splits = {name: list(jsonl.read(folder / "data" / f"{name}.jsonl", Problem)) for name in ("train", "eval", "iter1")}
    hashes = [problem.content_hash for problems in splits.values() for problem in problems]
    assert len(hashes) == len(set(hashes)) == 16
    losses = json.loads((folder / "iter1/adapter/training.json").read_text())
    assert losses["loss_at_start"] == pytest.approx(0.6931, abs=1e-3)

    spent = timings.read(folder)
    assert list(spent) == ["data", "evaluate", "sft", "generate", "dpo"]
    measured = curves(folder)
    assert [step for step, _ in measured["evaluation/accuracy"]] == [0, 1, 2]  # without the baselines

    before, results = modified(folder), rows(folder)
    (folder / "summary.json").unlink()
    for path in (folder / "evaluation" / "iter1").iterdir():
        path.unlink()
    assert [part for part, state in states(folder).items() if state != "done"] == ["evaluation/iter1"]
    oak.run(config(folder))
    after = modified(folder)
    again = {path for path in before if before[path] != after[path]}
    assert again == {str(folder / "evaluation" / "iter1" / "traces.jsonl")}
    assert rows(folder) == results and curves(folder) == measured
    assert all(timings.read(folder)[name].seconds >= part.seconds for name, part in spent.items())


def test_further_sets_of_problems(tmp_path, capsys):
    folder, file = tmp_path / "run", tmp_path / "others.jsonl"
    problems = list(generate(3, GeneratorSettings(1, 2), seed=5, prefix="other"))
    long = msgspec.structs.replace(problems[0], problem_id="long", premises=problems[0].premises * 60)
    jsonl.write(file, [*problems, long])
    others = (f"evaluation.transfer_files=[{file}]", "oak_loop.num_iterations=0", "oak_loop.baselines=[]")
    results = oak.run(config(folder, *others))
    assert "others: 1 of 4 problems do not fit the model's window" in capsys.readouterr().err
    assert [row.stage for row in results.transfer["others"].rows] == ["base", "sft"]
    assert [row.problems for row in results.transfer["others"].rows] == [3, 3]
    assert [row.problems for row in results.rows] == [4, 4]
    written = read_run(folder)
    assert written.transfer["others"].rows == results.transfer["others"].rows != written.rows
    assert {item.name for item in written.stages} == {"base", "sft"}
    assert "Stages on others" in (folder / "report.html").read_text()
    assert (folder / "transfer" / "others" / "report.html").is_file()
    assert oak.run(config(folder, *others)) == results


def test_further_sets_make_nothing_again_and_a_finished_run_goes_on_with_them(tmp_path):
    folder, file = tmp_path / "run", tmp_path / "others.jsonl"
    jsonl.write(file, list(generate(2, GeneratorSettings(1, 2), seed=5, prefix="other")))
    short = ("oak_loop.num_iterations=0", "oak_loop.baselines=[]")
    first = oak.run(config(folder, *short))
    before = modified(folder)
    second = oak.run(config(folder, *short, f"evaluation.transfer_files=[{file}]"))
    assert before.items() <= modified(folder).items()
    assert (second.rows, list(second.transfer)) == (first.rows, ["others"])


@pytest.mark.slow
def test_every_baseline_and_that_adding_them_makes_nothing_again(tmp_path):
    folder = tmp_path / "run"
    corrected = "preference_pairs.compared=correction"
    oak.run(config(folder, "oak_loop.baselines=[]", corrected))
    before = modified(folder)
    every = (f"oak_loop.baselines=[{', '.join(get_args(BaselineName))}]", corrected)
    planned = oak.plan(config(folder, *every)).stages
    assert {stage.part for stage in planned if stage.state == "done"} == set(finished_parts(folder))
    oak.run(config(folder, *every))
    assert [stage.part for stage in planned] == finished_parts(folder)
    assert set(states(folder, *every).values()) == {"done"}
    own, whole = (list(jsonl.read(folder / part / "iter1" / "pairs.jsonl", Pair)) for part in ("", "whole"))
    assert own and all(pair.chosen_sample == pair.rejected_sample for pair in own)
    assert whole and all(pair.chosen_sample != pair.rejected_sample and pair.chosen_until is None for pair in whole)
    assert [row["stage"] for row in rows(folder)] == ["base", "sft", "iter1", *get_args(BaselineName)]
    after = modified(folder)
    assert before.items() <= after.items()


def test_a_run_folder_of_another_configuration(tmp_path):
    folder = tmp_path / "run"
    asked: list[list[str]] = []

    def refuse(changes, parts):
        asked.append([*changes, *(part.relative_to(folder).as_posix() for part in parts)])
        return False

    with new_run(folder, "dpo.beta=0.2").begun(refuse):
        pass
    with new_run(folder, "trace_generation.max_batch=7").begun(refuse):  # nothing there could be stale
        pass
    for part in ("data", "sft", "iter1/traces", "iter1/adapter", "evaluation/sft", "evaluation/iter1"):
        (folder / part).mkdir(parents=True)
    (folder / "summary.json").write_text("{}")
    with (
        pytest.raises(SokratesError, match=r"dpo.beta was 0.1, is 0.2.* again: evaluation/iter1, iter1/adapter"),
        new_run(folder, "dpo.beta=0.2").begun(refuse),
    ):
        pass
    assert asked == [["dpo.beta was 0.1, is 0.2", "evaluation/iter1", "iter1/adapter"]]
    assert (folder / "iter1/adapter").is_dir() and (folder / "summary.json").is_file()
    with new_run(folder, "dpo.beta=0.2").begun(lambda changes, parts: True):
        assert {path.name for path in folder.rglob("*") if path.is_dir()} == {
            "data",
            "sft",
            "iter1",
            "traces",
            "evaluation",
        }
    assert not (folder / "summary.json").exists()
    with new_run(folder, "dpo.beta=0.2").begun(refuse):
        pass


def test_a_run_folder_is_for_one_process(tmp_path):
    with locked(tmp_path / "run"), pytest.raises(SokratesError, match="run: another process is at work in it"):
        oak.run(config(tmp_path / "run"))
    with new_run(tmp_path / "run").begun(oak.keep):
        pass


@pytest.mark.parametrize(
    ("override", "message"),
    [("trace_generation.samples_per_problem=1", "expected 2 or more"), ("trace_generation.temperature=0", "no pairs")],
)
def test_sampling_that_can_make_no_pairs_is_refused(tmp_path, override, message):
    with pytest.raises(SokratesError, match=message):
        oak.run(config(tmp_path / "run", override))


def test_a_loop_whose_traces_make_no_pairs_ends_with_its_tables(tmp_path):
    folder = tmp_path / "run"
    oak.run(config(folder, "dpo.max_length=16", "oak_loop.baselines=[]"))  # every trace is longer and left out
    assert [row["stage"] for row in rows(folder)] == ["base", "sft"]
    assert "base → sft" in (folder / "results.md").read_text()


def test_problems_of_a_file_are_split_without_overlap(tmp_path):
    problems = _evaluation_problems(config(tmp_path).data)
    jsonl.write(tmp_path / "train.jsonl", problems)
    file = tmp_path / "train.jsonl"
    more = [f"data.train_file={file}", f"data.eval_file={file}", "data.eval_problems=2", "data.loop_problems=4"]
    run = new_run(tmp_path / "run", *more)
    splits = run.splits()
    held = {problem.content_hash for problem in splits.evaluation}
    assert len(held) == 2
    assert not held & {problem.content_hash for problem in [*splits.train, *splits.iterations[0]]}


def test_problems_of_a_further_set_are_not_trained_on(tmp_path):
    problems = list(generate(6, GeneratorSettings(1, 2), seed=5, prefix="other"))
    file, more = tmp_path / "train.jsonl", tmp_path / "others.jsonl"
    jsonl.write(file, problems)
    jsonl.write(more, problems[:2])
    settings = [f"data.train_file={file}", "data.eval_problems=1"]
    further = f"evaluation.transfer_files=[{more}]"
    splits = new_run(tmp_path / "run", *settings, further).splits()
    assert splits.train == splits.iterations[0] == problems[2:]

    assert new_run(tmp_path / "other", *settings).splits().train == problems
    with pytest.raises(SokratesError, match="others: 2 of its problems are trained on in this run, such as other-5-0;"):
        new_run(tmp_path / "other", *settings, further).splits()


def test_the_engine_keeps_room_for_the_largest_adapter(tmp_path):
    stacked = config(tmp_path, "dpo.adapter_mode=stack", "dpo.lora.r=3", "oak_loop.num_iterations=5")
    assert oak._largest_rank(stacked) == 4 + 5 * 3
    assert oak._largest_rank(config(tmp_path)) == 4


def test_the_cost_of_a_part_is_added_up_over_runs_also_where_it_ends_by_an_error(tmp_path, monkeypatch):
    card = Card("GPU-1", 90, 60.0)
    monkeypatch.setattr(run, "Meter", lambda: gpu.Meter(60.0, lambda: gpu.visible(Nvml(card), {})))
    first = new_run(tmp_path)
    with first.begun(oak.keep), pytest.raises(ValueError), first.timed("generate"):
        raise ValueError
    card.utilisation, card.gib = 70, 40.0
    second = new_run(tmp_path)
    with second.begun(oak.keep):
        assert second.timings == first.timings
        second.timings["generate"] = msgspec.structs.replace(
            first.timings["generate"], seconds=0.1, gpu_utilisation=0.9
        )
        with second.timed("generate"):
            time.sleep(0.1)
    part = timings.read(tmp_path)["generate"]
    assert part.seconds == pytest.approx(0.2, abs=0.08) and part.gpu_utilisation == pytest.approx(0.8, abs=0.05)
    assert part.peak_gpu_memory_gib == 60.0 and part.peak_process_memory_gib is None
