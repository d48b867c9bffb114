"""Which parts of a run folder a changed setting makes stale."""

from __future__ import annotations

import pytest

from sokrates.stale import stale

PARTS = (
    *("data", "sft", "sft+", "rft", "label", "actions"),
    *("iter1/traces", "iter1/adapter", "iter2/traces", "iter2/adapter"),
    *("evaluation/base", "evaluation/sft", "evaluation/iter2", "evaluation/vote", "evaluation/example"),
    *("transfer/folio/evaluation/base", "transfer/folio/evaluation/iter2"),
)
LATER = {
    *("iter1/adapter", "iter2/traces", "iter2/adapter", "evaluation/iter2", "sft+", "rft", "label"),
    "transfer/folio/evaluation/iter2",
}
TUNED = LATER | {"sft", "actions", "iter1/traces", "evaluation/sft", "evaluation/vote"}


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ("model", {*PARTS} - {"data"}),
        ("data.seed", {*PARTS}),
        ("sft.lora.r", TUNED),
        ("trace_generation.seed", {*PARTS} - {"data", "sft", "actions"}),
        ("trace_generation.max_steps", {*PARTS} - {"data"}),
        ("preference_pairs.signal", LATER),
        ("dpo.beta", LATER),
        ("evaluation.temperature", {part for part in PARTS if "evaluation/" in part}),
        ("evaluation.transfer_files", set()),
        ("evaluation.transfer_problems", {part for part in PARTS if part.startswith("transfer")}),
        ("evaluation.bootstrap_samples", set()),
        ("oak_loop.num_iterations", set()),
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
