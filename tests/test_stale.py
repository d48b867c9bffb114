"""Which parts of a run folder a changed setting makes stale."""

from __future__ import annotations

import pytest

from sokrates.stale import stale

PARTS = (
    *("data/train.jsonl", "data/gold.jsonl", "sft", "sft+", "rft", "label", "actions"),
    *("iter1/traces", "iter1/adapter", "iter2/traces", "iter2/adapter"),
    *("evaluation/base", "evaluation/sft", "evaluation/iter2", "evaluation/vote", "evaluation/example"),
    *("evaluation/sft+", "evaluation/label", "evaluation/guided"),
    *("transfer/others/evaluation/base", "transfer/others/evaluation/sft", "transfer/others/evaluation/guided"),
)
DATA = {"data/train.jsonl", "data/gold.jsonl"}
FURTHER = {part for part in PARTS if part.startswith("transfer")}
COMPARED = {"evaluation/sft+", "evaluation/label", "evaluation/guided", "transfer/others/evaluation/guided"}
"""Measured where the loop has ended."""
LATER = {"iter1/adapter", "iter2/traces", "iter2/adapter", "evaluation/iter2", "sft+", "rft", "label"} | COMPARED
TUNED = LATER | {"sft", "actions", "iter1/traces", "evaluation/sft", "evaluation/vote"}
TUNED |= {"transfer/others/evaluation/sft"}


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ("model", {*PARTS} - DATA),
        ("data.seed", {*PARTS}),
        ("sft.lora.r", TUNED),
        ("trace_generation.seed", {*PARTS} - DATA - {"sft", "actions"}),
        ("trace_generation.max_steps", {*PARTS} - {"data/train.jsonl"}),
        ("preference_pairs.min_gap", LATER),
        ("preference_pairs.compared", LATER - {"label", "evaluation/label"}),
        ("preference_pairs.unknown", LATER - {"label", "evaluation/label"}),
        ("preference_pairs.signal", LATER - {"label", "evaluation/label"}),
        ("dpo.beta", LATER),
        ("evaluation.temperature", {part for part in PARTS if "evaluation/" in part}),
        ("evaluation.bootstrap_samples", set()),
        ("evaluation.seed", FURTHER),
        ("evaluation.transfer_problems", FURTHER),
        ("evaluation.transfer_files", set()),
        ("oak_loop.num_iterations", {"sft+", "rft"} | COMPARED),
        ("oak_loop.baselines", set()),
        ("oak_loop.votes", {"evaluation/vote"}),
    ],
)
def test_what_depends_on_a_setting(tmp_path, changed, parts):
    for part in PARTS:
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "results.json").write_text("[]")
    assert {path.relative_to(tmp_path).as_posix() for path in stale(tmp_path, [changed])} == parts


def test_a_folder_that_is_not_there_has_nothing_stale(tmp_path):
    assert stale(tmp_path / "run", ["model"]) == []
