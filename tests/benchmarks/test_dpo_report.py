"""What the DPO benchmark says of its figures, and the arithmetic of its work."""

from __future__ import annotations

from typing import Any

import click
import pytest

from benchmarks.dpo import MACHINE, all_jobs, choose
from benchmarks.dpo_report import EXACT, summarise, table
from benchmarks.dpo_ways import WAYS
from benchmarks.dpo_work import Passes, operations
from benchmarks.roofline import Architecture
from sokrates import jsonl
from sokrates.training.data import PairIds

MODEL = Architecture(layers=1, hidden=4, heads=1, kv_heads=1, head_dim=4, intermediate=8, vocabulary=10)


def written(folder, **changes: Any) -> dict[str, Any]:
    common = {"shape": "8b", "device": "cuda", "dtype": "bfloat16", "machine": {"cpu": "a CPU"}}
    jobs: dict[str, dict[str, Any]] = {MACHINE: {"kind": "machine", "operations": 1e6, "bytes": 1.0}}
    for way, total in (("plain-merge", 20.0), ("ours", 12.0)):
        jobs[f"load-{way}-cuda"] = {
            "kind": "load", "way": way, "place": "cuda", "seconds": {"load": 12.0}, "total_seconds": total,
        }  # fmt: skip
    for way, peak in (("plain-merge", 19.5), ("plain-copy", 34.0), ("ours", 19.0)):
        jobs[f"memory-{way}"] = {"kind": "memory", "way": way, "peak_memory_gib": peak}
    for way, seconds, losses in (
        ("plain-ordered", 18.0, [0.6931, 0.65]), ("plain-trl", 20.0, [0.6931, 0.66]), ("ours", 10.0, [0.6931, 0.655]),
    ):  # fmt: skip
        jobs[f"train-{way}"] = {
            "kind": "train", "way": way, "epoch_seconds": seconds, "pairs_per_second": 100 / seconds,
            "operations": 4e6, "cache_seconds": 0.0, "peak_memory_gib": 20.0, "losses": losses, "device_memory_gib": 21,
        }  # fmt: skip
    for name, figures in jobs.items():
        jsonl.write_json(folder / f"{name}.json", {"row": name, **common, **figures, **changes.get(name, {})})
    return summarise(folder, all_jobs("cuda"))


def by_way(rows):
    return {row["way"]: row for row in rows}


def test_ratios_are_to_the_plain_ways_of_the_same_run(tmp_path):
    summary = written(tmp_path)
    assert by_way(summary["loading"])["ours"]["sooner_than_merge"] == pytest.approx(0.4)
    ours = by_way(summary["memory"])["ours"]
    assert (ours["of_copy"], ours["of_merged"]) == (pytest.approx(0.559), pytest.approx(0.974))
    ours = by_way(summary["training"])["ours"]
    assert ours["times_plain_trl"] == 2.0 and ours["share_of_matrix_product"] == pytest.approx(0.4)
    assert ours["largest_loss_difference"] == pytest.approx(0.005)
    assert "largest_loss_difference" not in by_way(summary["training"])["plain-trl"]


def test_losses_that_are_off_are_called_off(tmp_path):
    assert "5.0e-03 ok" in table(written(tmp_path))
    assert "5.0e-02 OFF" in table(written(tmp_path, **{"train-ours": {"losses": [0.6931, 0.70]}}))


def test_a_job_that_failed_is_shown_and_none_needs_be_there(tmp_path):
    (tmp_path / "empty").mkdir()
    assert table(summarise(tmp_path / "empty", all_jobs("cpu")))
    summary = written(tmp_path)
    jsonl.write_json(tmp_path / "train-ours.json", {"row": "train-ours", "error": "out of memory\nthe last line"})
    summary = summarise(tmp_path, all_jobs("cuda"))
    assert "ours" not in by_way(summary["training"]) and "train-ours: the last line" in table(summary)


def test_jobs_are_chosen_by_name_or_part_after_the_machine_s():
    assert choose("memory-ours,load", "cpu") == [
        MACHINE, "load-plain-merge-cpu", "load-ours-cpu", "load-stack-cpu", "memory-ours",
    ]  # fmt: skip
    assert choose("", "cpu") == []
    with pytest.raises(click.UsageError, match="train-nothing"):
        choose("train-nothing", "cpu")
    named = {job.partition("-")[2] for job in all_jobs("cpu") if not job.startswith(("load", "machine"))}
    assert named == set(WAYS) and {way.name for way in WAYS.values() if way.exact} == {*EXACT, "plain-ordered"}


def test_operations_by_hand():
    pair = PairIds("one", (1, 2, 3), (4, 5), (6,))
    frozen, adapter = MODEL.layer_parameters, MODEL.adapter_parameters(2)
    attended = MODEL.attention_operations * ((1 + 2 + 3 + 4 + 5) + (1 + 2 + 3 + 4))
    forward = 2 * (frozen + adapter) * 9 + 2 * 40 * 3 + attended
    backward = 2 * frozen * 9 + 4 * adapter * 9 + 2 * 40 * 3 + 2 * attended
    assert operations(MODEL, [pair], Passes(shared=False, forward=1), rank=2) == 2 * forward + backward
    shared = operations(MODEL, [pair], Passes(shared=True, forward=1), rank=2)
    less = 3 * (2 * frozen * 3 + MODEL.attention_operations * 6) + 2 * 2 * adapter * 3 + 4 * adapter * 3
    assert 2 * forward + backward - shared == less + MODEL.attention_operations * 6
