"""What is read of a run folder, whole, unfinished, or no run at all."""

from __future__ import annotations

import json
import shutil

import pytest

from sokrates.errors import SokratesError
from sokrates.report.folder import read_run, stage_named, stages_of


def test_a_run_is_read_whole(run_folder):
    run = read_run(run_folder)
    assert [stage.name for stage in run.stages] == ["base", "sft", "iter1", "iter2", "iter1 samples"]
    assert [stage.name for stage in run.evaluated] == ["base", "sft", "iter1", "iter2"]
    assert [row.stage for row in run.rows] == ["base", "sft", "iter1", "iter2"]
    assert list(run.trainings) == ["sft", "iter1"] and run.trainings["iter1"].history[0].loss == 0.6931
    assert [of.name for of in run.pairs] == ["iter1"]
    assert len(run.pairs[0].gaps) == run.pairs[0].summary.pairs.pairs > 0 and min(run.pairs[0].gaps) >= 0.1
    assert run.baselines == {"rft"} and len(run.digest) == 16 and "oak_loop" in run.config
    assert run.timestamps == ["2026-11-25T06:31:35+00:00", "2026-11-25T06:37:01+00:00"]
    assert {found.after for found in run.differences} == {"iter2"} and run.timings["dpo"].seconds == 105.0


def test_an_unfinished_run_is_read_as_far_as_it_is(run_folder, tmp_path):
    shutil.copytree(run_folder / "evaluation" / "base", tmp_path / "run" / "evaluation" / "base")
    run = read_run(tmp_path / "run")
    assert [stage.name for stage in run.stages] == ["base"] and not run.rows and not run.pairs and not run.digest


def test_stages_stand_in_the_order_in_which_they_were_run(run_folder, tmp_path):
    source = run_folder / "evaluation" / "base" / "traces.jsonl"
    for name in ("evaluation/iter10", "evaluation/iter9", "iter10/traces", "iter9/traces", "rft/iter2/traces"):
        (tmp_path / name).mkdir(parents=True)
        shutil.copy(source, tmp_path / name / "traces.jsonl")
    names = [stage.name for stage in read_run(tmp_path).stages]
    assert names == ["iter9", "iter10", "iter9 samples", "iter10 samples", "rft/iter2 samples"]


def test_a_folder_of_traces_is_one_stage_by_its_own_name(run_folder):
    assert [stage.name for stage in stages_of(run_folder / "evaluation" / "sft")] == ["sft"]


def test_the_row_of_an_evaluation_goes_by_its_folder(run_folder, tmp_path):
    folder = shutil.copytree(run_folder / "evaluation" / "sft", tmp_path / "unseen")
    shutil.copy(run_folder / "results.json", folder)
    (folder / "results.json").write_text(json.dumps([json.loads((folder / "results.json").read_text())[1]]))
    run = read_run(folder)
    assert [row.stage for row in run.rows] == [stage.name for stage in run.stages] == ["unseen"]


def test_what_a_longer_run_left_behind_is_no_stage(run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "run")
    shutil.copytree(run_folder / "evaluation" / "iter2", tmp_path / "run" / "evaluation" / "iter3")
    assert [stage.name for stage in read_run(tmp_path / "run").evaluated] == ["base", "sft", "iter1", "iter2"]


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(SokratesError, match="nowhere: no such folder; expected what `sokrates loop`"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(SokratesError, match=r"no traces.jsonl in it; expected a run folder"):
        read_run(tmp_path)


def test_a_broken_file_of_the_run_is_named(run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / "results.json").write_text('[{"stage": 1}]')
    with pytest.raises(SokratesError, match=r"results.json: .*stage"):
        read_run(tmp_path / "run")


def test_a_stage_is_found_by_name_or_is_the_last_that_was_measured(run_folder):
    assert stage_named(run_folder, None).name == "iter2"
    assert stage_named(run_folder, "iter1 samples").path == run_folder / "iter1" / "traces" / "traces.jsonl"
    with pytest.raises(SokratesError, match=r"no stage 'x'; expected one of base, sft, iter1, iter2, iter1 samples"):
        stage_named(run_folder, "x")
