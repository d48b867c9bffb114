from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks.generation_report import control_of, plot, summarise, table
from benchmarks.generation_rows import ROWS
from benchmarks.roofline import Architecture, Rates, Work, floor
from sokrates import jsonl
from sokrates.errors import SokratesError

MODEL = Architecture(36, 4096, 32, 8, 128, 12288, 151936)


def _figures(row: str, speed: float, traces: int) -> dict[str, Any]:
    return {
        "row": row,
        "letter": ROWS[row].letter,
        "title": ROWS[row].title,
        "adapter_rank": 64 if ROWS[row].adapter else 0,
        "batch": ROWS[row].batch,
        "gpus": ROWS[row].gpus,
        "samples_per_problem": 2,
        "traces_per_second": speed,
        "tokens_per_second": 150 * speed,
        "tokens_per_trace": 150.0,
        "prompt_tokens": 400.0,
        "shared_tokens": 240,
        "repetitions": [{"seconds": traces / speed, "traces": traces, "tokens": 150 * traces}],
        "peak_memory_gib": 20.0,
        "gpu_utilisation": 0.9,
        "prefix_cache_hit_rate": None,
        "start_seconds": {"import": 3.0, "engine": 9.0},
        "architecture": asdict(MODEL),
        "machine": {"cpu": "a CPU", "gpu": {"name": "a GPU"}},
    }


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    rates = {"row": "machine", "shape": "8b", "device": "cuda", "dtype": "bfloat16", "operations": 7e14, "bytes": 4e12}
    rows = [_figures("plain", 0.25, 4), _figures("vllm", 100.0, 512), _figures("vllm-lora", 80.0, 512)]
    rows += [_figures("dictated-lora", 80.0, 512), _figures("solver-lora", 60.0, 512)]
    for figures in (rates, *rows, {"row": "cached", "error": "out of memory"}):
        jsonl.write_json(tmp_path / f"{figures['row']}.json", figures)
    return tmp_path


def test_ratios_costs_and_shares(parts: Path) -> None:
    summary = summarise(parts, list(ROWS), "machine")
    rows = {figures["row"]: figures for figures in summary["rows"]}
    assert [*rows] == ["vllm", "vllm-lora", "dictated-lora", "solver-lora", "plain", "cached"]
    assert rows["vllm-lora"]["times_plain"] == 320
    assert (rows["vllm-lora"]["cost_against"], rows["vllm-lora"]["cost"]) == ("vllm", 0.2)
    assert (rows["solver-lora"]["cost_against"], rows["solver-lora"]["cost"]) == ("dictated-lora", 0.25)
    assert rows["plain"]["cost"] is None
    rates = Rates(7e14, 4e12)
    least = floor(MODEL, Work(256, 400, 240, 2, 150), rates, batch=512)
    assert rows["vllm"]["roofline"]["share"] == pytest.approx(100 * least.seconds / 512, rel=1e-3)
    # A way that has few traces is measured against a full batch too, and at its own batch it reaches more.
    assert rows["plain"]["roofline"]["traces_per_second"] == pytest.approx(512 / least.seconds, rel=1e-3)
    assert rows["plain"]["roofline_at_its_own_batch"]["share"] > 20 * rows["plain"]["roofline"]["share"]


def test_what_two_gpus_could_reach_is_twice_as_much(parts: Path) -> None:
    jsonl.write_json(parts / "vllm-tp2.json", _figures("vllm-tp2", 150.0, 512))
    rows = {figures["row"]: figures for figures in summarise(parts, list(ROWS), "machine")["rows"]}
    one, two = (rows[name]["roofline"] for name in ("vllm", "vllm-tp2"))
    assert two["traces_per_second"] == pytest.approx(2 * one["traces_per_second"], rel=1e-3)
    assert two["share"] == pytest.approx(0.75 * one["share"], rel=1e-3)


def test_the_table_has_every_row_and_says_what_failed(parts: Path) -> None:
    lines = table(summarise(parts, list(ROWS), "machine")).splitlines()
    assert len(lines) == 7
    assert "100.00" in lines[1] and "400.0" in lines[1]
    assert lines[-1].split() == ["cached:", "failed"]


def test_without_the_machines_rates_there_is_no_summary(parts: Path) -> None:
    jsonl.write_json(parts / "machine.json", {"row": "machine", "error": "no such device"})
    with pytest.raises(SokratesError, match="no such device"):
        summarise(parts, [], "machine")


def test_every_control_is_a_row() -> None:
    assert {control for row in ROWS if (control := control_of(row))} <= {*ROWS}


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="the plot needs matplotlib")
def test_the_plot_is_a_picture(parts: Path) -> None:
    plot(summarise(parts, list(ROWS), "machine"), parts / "plot.png")
    assert (parts / "plot.png").read_bytes().startswith(b"\x89PNG")
