"""The plan of a loop: what it counts, what it finds in a run folder, and that it changes nothing there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sokrates import jsonl, oak, stage
from sokrates.cli import main
from sokrates.config import load
from sokrates.errors import SokratesError
from sokrates.pace import Pace
from sokrates.plan import Unseen
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.report.planned import Planned, State
from sokrates.run import settings_of

SMALL = ["data.train_problems=40", "data.eval_problems=20", "data.loop_problems=20", "hardware.device=cpu"]


def config(folder: Path, *more: str):
    return load(None, [*SMALL, f"oak_loop.output={folder}", *more])


def planned(folder: Path, *more: str) -> dict[str, Planned]:
    return {stage.name: stage for stage in oak.plan(config(folder, *more)).stages}


def test_the_stages_in_their_order_with_counts_and_bounds(tmp_path):
    stages = planned(
        tmp_path / "run",
        "trace_generation.samples_per_problem=4",
        "dpo.num_epochs=2",
        "oak_loop.votes=3",
        "oak_loop.baselines=[rft, label, vote]",
        "dpo.batch_size=5",
        "dpo.gradient_accumulation_steps=1",
    )
    assert {name: stage.what for name, stage in stages.items()} == {
        "data": "40 problems to train on, 20 to evaluate on; up to 20 to sample in each iteration",
        "evaluate base": "20 traces",
        "sft": "up to 36 examples, up to 3 epochs",
        "evaluate sft": "20 traces",
        "iter1: generate": "up to 80 traces",
        "iter1: dpo": "up to 40 pairs, 2 epochs",
        "evaluate iter1": "20 traces",
        "iter2: generate": "up to 80 traces",
        "iter2: dpo": "up to 40 pairs, 2 epochs",
        "evaluate iter2": "20 traces",
        "rft/iter1: sft": "up to 80 examples, up to 16 steps",
        "rft/iter2: generate": "up to 80 traces",
        "rft/iter2: sft": "up to 80 examples, up to 16 steps",
        "evaluate rft": "20 traces",
        "label/iter1: dpo": "up to 40 pairs, 2 epochs",
        "label/iter2: generate": "up to 80 traces",
        "label/iter2: dpo": "up to 40 pairs, 2 epochs",
        "evaluate label": "20 traces",
        "evaluate vote": "60 traces",
    }
    assert {stage.state for stage in stages.values()} == {State.TO_DO}
    one_epoch = Pace(config(tmp_path / "run")).dpo(40)
    assert one_epoch is not None and stages["iter1: dpo"].seconds == pytest.approx(2 * one_epoch.seconds)


def test_further_sets_are_evaluated_after_the_run_s_own(tmp_path):
    jsonl.write(tmp_path / "others.jsonl", list(generate(5, GeneratorSettings(), seed=1)))
    more = (f"evaluation.transfer_files=[{tmp_path / 'others.jsonl'}]", "oak_loop.num_iterations=0")
    stages = planned(tmp_path / "run", *more)
    assert [*stages] == [
        "data",
        "evaluate base",
        "evaluate base on others",
        "sft",
        "evaluate sft",
        "evaluate sft on others",
    ]
    assert stages["evaluate sft on others"].what == "up to 5 traces"
    assert stages["evaluate sft on others"].part == "transfer/others/evaluation/sft"
    assert planned(tmp_path / "run", *more, "evaluation.transfer_problems=2")["evaluate base on others"].count == 2


def test_what_a_run_folder_holds_of_each_stage(tmp_path):
    folder, one = tmp_path / "run", "oak_loop.num_iterations=1"
    settings = config(folder, one)
    stage.begin_anew(folder, settings_of(settings), settings)
    jsonl.write(folder / "data/train.jsonl", [{}] * 38)
    jsonl.write(folder / "evaluation/base/summary.json", [{}])
    jsonl.write(folder / "journal.jsonl", [{}] * 5)
    (folder / "evaluation/sft").mkdir()
    (folder / "journal.jsonl").rename(folder / "evaluation/sft/journal.jsonl.partial")
    (folder / "sft/.training/checkpoint-3").mkdir(parents=True)
    jsonl.write(folder / "iter1/pairs.jsonl", [{}] * 7)
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    stages = planned(folder, one)
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
    assert stages["data"].state is State.GOES_ON and stages["data"].what.startswith("38 problems to train on")
    assert stages["evaluate base"].state is State.DONE and stages["evaluate base"].seconds is None
    assert stages["evaluate sft"].state is State.GOES_ON and "5 of them there" in stages["evaluate sft"].what
    assert stages["sft"].state is State.GOES_ON
    assert stages["iter1: dpo"].state is State.TO_DO and stages["iter1: dpo"].what == "7 pairs"
    full, left = (stages[name].seconds for name in ("evaluate iter1", "evaluate sft"))
    assert left == pytest.approx(full * 15 / 20)
    (folder / "rft").mkdir()
    stages = planned(folder, one, "sft.learning_rate=1e-4", "oak_loop.baselines=[rft]")
    assert stages["rft/iter1: sft"].state is State.STALE
    assert stages["sft"].state is stages["evaluate sft"].state is State.STALE
    assert stages["iter1: dpo"].what == "up to 20 pairs"
    assert stages["evaluate base"].state is State.DONE


def test_of_the_problems_only_the_gold_traces_hang_on_the_limit_of_steps(tmp_path):
    folder = tmp_path / "run"
    settings = config(folder)
    stage.begin_anew(folder, settings_of(settings), settings)
    jsonl.write(folder / "data/train.jsonl", [{}] * 38)
    jsonl.write(folder / "data/gold.jsonl", [{}] * 20)
    assert planned(folder)["sft"].what.startswith("18 examples")
    stages = planned(folder, "trace_generation.max_steps=12")
    assert stages["data"].state is State.STALE and stages["data"].what.startswith("38 problems to train on")
    assert stages["sft"].what.startswith("up to 34 examples")
    stages = planned(folder, "data.seed=7")
    assert stages["data"].state is State.STALE and stages["data"].what.startswith("40 problems to train on")


def test_an_iteration_without_pairs_ends_the_plan_as_it_ends_the_loop(tmp_path):
    folder = tmp_path / "run"
    settings = config(folder)
    stage.begin_anew(folder, settings_of(settings), settings)
    jsonl.write(folder / "iter1/pairs.jsonl", [])
    assert list(planned(folder))[-1] == "iter1: dpo"


def test_problems_of_files_are_counted(tmp_path):
    jsonl.write(tmp_path / "train.jsonl", [{}] * 12)
    files = [f"data.train_file={tmp_path / 'train.jsonl'}", f"data.eval_file={tmp_path / 'eval.jsonl'}"]
    with pytest.raises(SokratesError, match=r"eval\.jsonl: no such file"):
        planned(tmp_path / "run", *files)
    jsonl.write(tmp_path / "eval.jsonl", [{}] * 5)
    what = planned(tmp_path / "run", *files)["data"].what
    assert what == "up to 12 problems to train on, 5 to evaluate on; up to 12 to sample in each iteration"


def test_what_the_loop_refuses_the_plan_refuses(tmp_path):
    with pytest.raises(SokratesError, match="no pairs"):
        planned(tmp_path, "trace_generation.temperature=0")
    with pytest.raises(SokratesError, match="no such folder"):
        planned(tmp_path, "model=./nowhere")


def test_where_no_figure_fits_it_says_so(tmp_path):
    plan = oak.plan(config(tmp_path, "model=someone/not-here"))
    assert {stage.seconds for stage in plan.stages} == {None}
    assert plan.remarks() == ["no figures: how large someone/not-here is, is not known, for it is not on this disk"]
    on_mps = planned(tmp_path, "hardware.device=mps")
    assert {stage.seconds for stage in on_mps.values()} == {None}


def test_a_plan_has_nothing_to_look_into():
    assert len(Unseen(3, exact=True)) == 3 and not Unseen(0, exact=True)
    with pytest.raises(TypeError, match="picked"):
        list(Unseen(3, exact=True))


def test_a_dry_run_keeps_standard_output_for_the_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["demo", "--dry-run", "--output", "run", "oak_loop.num_iterations=1"])
    assert result.exit_code == 0
    Path("piped.yaml").write_text(result.stdout)
    assert load("piped.yaml").oak_loop.num_iterations == 1
    assert "evaluate iter1" in result.stderr and "4.7M on 2 CPU cores (dpo-embedded-cpu.json)" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["piped.yaml"]


def test_a_dry_run_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from click.testing import CliRunner; from sokrates.cli import main; "
        "code = CliRunner().invoke(main, ['demo', '--dry-run']).exit_code; "
        "print(code, {'torch', 'trl', 'z3'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "0 set()"


def test_a_tracker_that_is_missing_is_told_before_anything_is_done(tmp_path):
    with pytest.raises(SokratesError, match="tracking with wandb: the package is not installed"):
        oak.plan(config(tmp_path / "run", "tracking.trackers=[wandb]"))
    with pytest.raises(SokratesError, match="tracking with wandb"):
        oak.run(config(tmp_path / "run", "tracking.trackers=[wandb]"))
    assert not (tmp_path / "run").exists()
