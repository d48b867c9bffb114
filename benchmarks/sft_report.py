"""Rows of `benchmarks.sft` put together: how much faster, how much of the machine, and whether the losses agree.

Contract: pure data; ratios are to the plain row, and losses are compared at the steps that both rows took.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sokrates import jsonl

PLAIN = "plain"
LONGEST = "longest"
OURS = "packed"
PEAKS = {"H200": 989.4e12, "H100": 989.4e12, "A100": 312e12}
"""Operations a second of a dense product in bfloat16, as NVIDIA publishes them for the SXM cards."""


def summarise(parts: Path, rows: Sequence[str], machine: str, skipped: dict[str, str]) -> dict[str, Any]:
    """The rows that were measured, in the order given, with what the machine can do."""
    found = [jsonl.read_json(parts / f"{row}.json") for row in rows if (parts / f"{row}.json").is_file()]
    limits = jsonl.read_json(parts / f"{machine}.json") if (parts / f"{machine}.json").is_file() else {}
    good = {row["row"]: row for row in found if "error" not in row}
    first = next(iter(good.values()), {})
    for row in good.values():
        _compare(row, good, limits)
    shared = ("shape", "device", "dtype", "machine", "examples_per_step", "distractors", "lengths")
    return {
        **{key: first.get(key) for key in shared},
        "matmul_operations_per_second": limits.get("operations"),
        "published_peak": _peak(first),
        "rows": [{key: value for key, value in row.items() if key not in shared} for row in found],
        "skipped": skipped,
    }


def _compare(row: dict[str, Any], good: dict[str, dict[str, Any]], limits: dict[str, Any]) -> None:
    row["times"] = {
        name: round(row["examples_per_second"] / good[name]["examples_per_second"], 3)
        for name in (PLAIN, LONGEST)
        if name in good
    }
    if limits.get("operations"):
        row["share_of_matmul_rate"] = round(row["operations_per_second"] / limits["operations"], 4)
    if peak := _peak(row):
        row["mfu"] = round(row["operations_per_second"] / peak, 4)
    if PLAIN in good:
        pairs = list(zip(row["losses"], good[PLAIN]["losses"], strict=False))
        row["loss_steps"] = len(pairs)
        row["largest_loss_difference"] = max(abs(ours - plain) for ours, plain in pairs)


def _peak(row: dict[str, Any]) -> float | None:
    gpu = ((row.get("machine") or {}).get("gpu") or {}).get("name", "") if row.get("dtype") == "bfloat16" else ""
    return next((peak for name, peak in PEAKS.items() if name in gpu), None)


def table(summary: dict[str, Any]) -> str:
    """The rows as text."""
    head = (
        f"{'way':<42} {'ex/s':>8} {'tok/s':>9} {'x plain':>8} {'x long.':>8} {'padding':>8} {'GiB':>7} {'MFU':>6}  loss"
    )
    lines = [head]
    for row in summary["rows"]:
        if "error" in row:
            lines.append(f"{row['row']:<42} failed: {row['error'].splitlines()[-1] if row['error'] else 'no output'}")
            continue
        share = row.get("mfu", row.get("share_of_matmul_rate"))
        lines.append(
            f"{row['title']:<42} {row['examples_per_second']:>8.2f} {row['tokens_per_second']:>9.0f} "
            f"{_number(row['times'].get(PLAIN)):>8} {_number(row['times'].get(LONGEST)):>8} {row['padding']:>8.1%} "
            f"{row['peak_memory_gib']:>7.2f} {'' if share is None else format(share, '.1%'):>6}  {_losses(row)}"
        )
        lines.append(f"    {row['attention']}")
    lines += [f"{name}: skipped, {reason}" for name, reason in summary["skipped"].items()]
    if summary["lengths"]:
        lines.append("tokens: " + "; ".join(_length(name, each) for name, each in summary["lengths"].items()))
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _losses(row: dict[str, Any]) -> str:
    shown = f"{row['losses'][0]:.4f} → {row['losses'][-1]:.4f}"
    if "largest_loss_difference" not in row:
        return shown
    return f"{shown}, off by at most {row['largest_loss_difference']:.1e} over {row['loss_steps']} steps"


def _length(name: str, lengths: dict[str, float]) -> str:
    return f"{name} {lengths['least']} to {lengths['most']}, mean {lengths['mean']}"
