from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.sft_report import summarise, table
from sokrates import jsonl

LENGTHS = {"together": {"least": 300, "median": 500, "mean": 560.0, "most": 1000}}


def _figures(row: str, speed: float, losses: list[float], gpu: str = "NVIDIA H200") -> dict[str, Any]:
    return {
        "row": row,
        "title": f"the way {row}",
        "attention": "a kernel",
        "device": "cuda",
        "dtype": "bfloat16",
        "examples_per_second": speed,
        "tokens_per_second": 560 * speed,
        "operations_per_second": 1e12 * speed,
        "padding": 0.25,
        "peak_memory_gib": 10.0,
        "losses": losses,
        "lengths": LENGTHS,
        "machine": {"gpu": {"name": gpu}},
    }


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    rows = [_figures("plain", 20.0, [3.0, 2.0]), _figures("longest", 60.0, [3.0, 2.001, 1.0])]
    rows += [_figures("packed", 90.0, [3.002, 2.0, 1.0]), {"row": "packed-mask", "error": "lines\nout of memory"}]
    for figures in (*rows, {"row": "machine", "operations": 6e14, "bytes": 4e12}):
        jsonl.write_json(tmp_path / f"{figures['row']}.json", figures)
    return tmp_path


NAMES = ["plain", "longest", "packed-mask", "packed", "packed-liger"]


def test_ratios_shares_and_losses(parts: Path) -> None:
    summary = summarise(parts, NAMES, "machine", {})
    rows = {figures["row"]: figures for figures in summary["rows"]}
    assert [*rows] == ["plain", "longest", "packed-mask", "packed"]
    assert rows["packed"]["times"] == {"plain": 4.5, "longest": 1.5}
    assert rows["packed"]["mfu"] == round(90e12 / 989.4e12, 4)
    assert rows["packed"]["share_of_matmul_rate"] == 0.15
    assert rows["packed"]["largest_loss_difference"] == pytest.approx(0.002)
    assert rows["longest"]["loss_steps"] == 2, "only steps that both took are compared"
    assert rows["plain"]["largest_loss_difference"] == 0
    assert (summary["device"], summary["lengths"]) == ("cuda", LENGTHS)


def test_an_unknown_gpu_has_no_published_peak(tmp_path: Path) -> None:
    jsonl.write_json(tmp_path / "plain.json", _figures("plain", 20.0, [3.0], gpu="A card"))
    summary = summarise(tmp_path, NAMES, "machine", {})
    assert summary["published_peak"] is None and "mfu" not in summary["rows"][0]
    assert "the way plain" in table(summary)


def test_table_shows_rows_failures_and_what_was_skipped(parts: Path) -> None:
    text = table(summarise(parts, NAMES, "machine", {"packed-liger": "liger_kernel is not installed"}))
    assert "failed: out of memory" in text
    assert "packed-liger: skipped, liger_kernel is not installed" in text
    assert "together 300 to 1000, mean 560.0" in text
    assert "off by at most 2.0e-03 over 2 steps" in text


def test_nothing_measured_is_shown_as_such(tmp_path: Path) -> None:
    assert summarise(tmp_path, NAMES, "machine", {})["rows"] == []
    table(summarise(tmp_path, NAMES, "machine", {}))
