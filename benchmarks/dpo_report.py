"""Puts the jobs of `benchmarks.dpo` together: ratios between ways of one run, and the tables that are printed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sokrates import jsonl

STANDARD = "plain-ordered"
"""Whose losses the exact ways must have."""
EXACT = ("cache", "sharing", "ours")
SHARES = {"of_copy": "plain-copy", "of_merged": "plain-merge", "of_merged_same_rank": "plain-merge-same"}
"""Ways whose memory the others' is a share of."""
LIMITS = {"float32": 1e-4, "bfloat16": 1e-2}
"""How far a loss may be from the standard's."""


def summarise(parts: Path, jobs: Iterable[str]) -> dict[str, Any]:
    """All figures, and beside each way's its ratio to the plain ones. Jobs that failed are kept with their error."""
    found = [jsonl.read_json(parts / f"{job}.json") for job in jobs if (parts / f"{job}.json").is_file()]
    whole = [figures for figures in found if "error" not in figures]
    summary: dict[str, Any] = {}
    if whole:
        summary = {name: whole[0][name] for name in ("shape", "device", "dtype", "machine")}
    rates = next((figures["operations"] for figures in whole if figures["kind"] == "machine"), None)
    summary["matrix_product_operations_per_second"] = rates
    rows = [_trimmed(figures) for figures in whole if figures["kind"] != "machine"]
    summary["loading"] = _loading([row for row in rows if row["kind"] == "load"])
    summary["memory"] = _memory([row for row in rows if row["kind"] == "memory"])
    summary["training"] = _training([row for row in rows if row["kind"] == "train"], rates)
    summary["failed"] = [figures for figures in found if "error" in figures]
    return summary


def _trimmed(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name not in ("shape", "device", "dtype", "machine")}


def _loading(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged = {row["place"]: row["total_seconds"] for row in rows if row["way"] == "plain-merge"}
    for row in rows:
        if row["place"] in merged:
            row["sooner_than_merge"] = round(1 - row["total_seconds"] / merged[row["place"]], 3)
    return rows


def _memory(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    peaks = {row["way"]: row["peak_memory_gib"] for row in rows}
    for row in rows:
        for name, other in SHARES.items():
            if row["peak_memory_gib"] and peaks.get(other):
                row[name] = round(row["peak_memory_gib"] / peaks[other], 3)
    return rows


def _training(rows: list[dict[str, Any]], rates: float | None) -> list[dict[str, Any]]:
    by_way = {row["way"]: row for row in rows}
    for row in rows:
        if rates:
            row["share_of_matrix_product"] = round(row["operations"] / row["epoch_seconds"] / rates, 4)
        if plain := by_way.get("plain-trl"):
            row["times_plain_trl"] = round(plain["epoch_seconds"] / row["epoch_seconds"], 3)
        if row["way"] in EXACT and (standard := by_way.get(STANDARD)):
            row["largest_loss_difference"] = max(
                abs(one - other) for one, other in zip(row["losses"], standard["losses"], strict=True)
            )
    return rows


def table(summary: dict[str, Any]) -> str:
    """The three parts as text."""
    lines = [f"loading, {summary.get('dtype', '')}: seconds until the model is ready for DPO"]
    for row in summary["loading"]:
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in row["seconds"].items())
        sooner = f"{row['sooner_than_merge']:+.0%}" if "sooner_than_merge" in row else ""
        lines.append(f"  {row['way']:14} {row['place']:5} {row['total_seconds']:8.2f}  {sooner:>6} sooner  ({steps})")
    lines.append("memory at 2 pairs of 1,024 tokens: GiB allocated; share of the ways " + ", ".join(SHARES.values()))
    for row in summary["memory"]:
        shares = "".join(f"{f'{row[name]:.1%}' if name in row else '-':>8}" for name in SHARES)
        peak = "-" if row["peak_memory_gib"] is None else f"{row['peak_memory_gib']:.2f}"
        lines.append(f"  {row['way']:16} {peak:>8}{shares}")
    lines.append("training: pairs/s over an epoch (cache included), times plain TRL, cache s, peak GiB, share, losses")
    for row in summary["training"]:
        lines.append("  " + _training_line(row, summary["dtype"]))
    lines += [f"failed: {row['row']}: {(row['error'].splitlines() or [''])[-1]}" for row in summary["failed"]]
    return "\n".join(lines)


def _training_line(row: dict[str, Any], dtype: str) -> str:
    difference = row.get("largest_loss_difference")
    right = "" if difference is None else f"{difference:.1e} {'ok' if difference <= LIMITS[dtype] else 'OFF'}"
    peak = "-" if row["peak_memory_gib"] is None else f"{row['peak_memory_gib']:.2f}"
    times = f"{row['times_plain_trl']:.2f}x" if "times_plain_trl" in row else "-"
    share = f"{row['share_of_matrix_product']:.0%}" if "share_of_matrix_product" in row else "-"
    losses = f"{row['losses'][0]:.4f} -> {row['losses'][-1]:.4f}"
    return (
        f"{row['way']:14} {row['pairs_per_second']:8.2f} {times:>6} {row['cache_seconds']:7.2f} {peak:>8} {share:>5}  "
        f"{losses}  {right}"
    )
