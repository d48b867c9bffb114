"""What `benchmarks.generation` measured, put side by side: ratios, shares of the roofline, a table and a plot.

Contract: pure, from the files of the rows. A row that failed stands there with the end of its log and without figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.roofline import Architecture, Rates, Work, floor
from sokrates import jsonl
from sokrates.errors import SokratesError

BATCH = 512
"""The batch that the roofline of all rows assumes: what vLLM is started with unless told otherwise."""
_WIDTHS = {"bfloat16": 2, "float32": 4}
_COLOURS = {"a": "#b0b0b0", "b": "#8f9bb3", "c": "#6f8fc9", "d": "#2a9d8f", "e": "#1d6f66", "f": "#e9a23b"}


def summarise(parts: Path, rows: Sequence[str], machine: str) -> dict[str, Any]:
    """All rows that have a file in the folder, in order; `machine` is the name of the machine's own file."""
    rates = jsonl.read_json(parts / f"{machine}.json")
    if "error" in rates:
        raise SokratesError(f"{parts / machine}.json: the machine's rates were not measured: {rates['error']}")
    found = [jsonl.read_json(parts / f"{row}.json") for row in rows if (parts / f"{row}.json").is_file()]
    by_name = {figures["row"]: figures for figures in found if "error" not in figures}
    return {
        "what": "traces generated a second, each way; one machine, the same model, problems, sampling and lengths",
        "shape": rates["shape"],
        "device": rates["device"],
        "dtype": rates["dtype"],
        "rates": {"operations_per_second": rates["operations"], "bytes_per_second": rates["bytes"]},
        "roofline_batch": BATCH,
        "rows": [figures if "error" in figures else _beside(figures, by_name, rates) for figures in found],
    }


def _beside(figures: dict[str, Any], by_name: dict[str, Any], rates: dict[str, Any]) -> dict[str, Any]:
    """A row's figures with what they are of the others' and of the machine's."""
    plain = by_name.get("plain")
    control = by_name.get(control_of(figures["row"]))
    speed = figures["traces_per_second"]
    return figures | {
        "times_plain": round(speed / plain["traces_per_second"], 2) if plain else None,
        "cost": round(1 - speed / control["traces_per_second"], 4) if control else None,
        "cost_against": control["row"] if control else None,
        "roofline": _roofline(figures, rates, BATCH),
        "roofline_at_its_own_batch": _roofline(figures, rates, figures["batch"]),
    }


def control_of(row: str) -> str:
    """The row that does the same without an adapter, or without a guide; "" for those that have none."""
    if row.startswith("vllm-lora"):
        return row.replace("-lora", "")
    suffix = "-lora" if row.endswith("-lora") else ""
    if row.removesuffix(suffix) in ("grammar", "solver"):
        return f"dictated{suffix}"
    return "batch-64" if row.endswith("-text") else ""


def _roofline(figures: dict[str, Any], rates: dict[str, Any], batch: int) -> dict[str, Any]:
    """What a row's GPUs could reach at a batch, with as many traces as were measured or at least one full batch."""
    samples = figures["samples_per_problem"]
    prompts = max(figures["repetitions"][0]["traces"], batch) // samples
    work = Work(prompts, figures["prompt_tokens"], figures["shared_tokens"], samples, figures["tokens_per_trace"])
    least = floor(
        Architecture(**figures["architecture"]),
        work,
        Rates(rates["operations"], rates["bytes"]),
        batch=batch,
        rank=figures["adapter_rank"],
        width=_WIDTHS[rates["dtype"]],
    )
    speed = prompts * samples / least.seconds * figures["gpus"]
    return {
        "traces_per_second": round(speed, 2),
        "prefill_share_of_time": round(least.prefill / least.seconds, 3),
        "share": round(figures["traces_per_second"] / speed, 5),
    }


_COLUMNS = ("", "traces/s", "tokens/s", "x (a)", "cost", "roofline", "GiB", "GPU", "prefix hits", "start s")


def table(summary: dict[str, Any]) -> str:
    """The rows as text. "cost" is what an adapter or a guide takes of the same without it."""
    lines = [_COLUMNS, *(_line(figures) for figures in summary["rows"])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _line(figures: dict[str, Any]) -> tuple[str, ...]:
    if "error" in figures:
        return (f"{figures['row']}: failed", *[""] * (len(_COLUMNS) - 1))
    return (
        f"({figures['letter']}) {figures['title']}"
        + (f" ({figures['batch']})" if figures["row"] == "batch-max" else ""),
        f"{figures['traces_per_second']:,.2f}",
        f"{figures['tokens_per_second']:,.0f}",
        _said(figures["times_plain"], "{:.1f}"),
        _said(figures["cost"], "{:.1%}"),
        f"{figures['roofline']['share']:.1%}",
        f"{figures['peak_memory_gib']:.1f}",
        _said(figures["gpu_utilisation"], "{:.0%}"),
        _said(figures["prefix_cache_hit_rate"], "{:.1%}"),
        f"{sum(figures['start_seconds'].values()):.1f}",
    )


def _said(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def plot(summary: dict[str, Any], path: Path) -> None:
    """Traces a second of every row as bars on a logarithmic axis, slowest first, with the roofline as a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = sorted((r for r in summary["rows"] if "error" not in r), key=lambda r: r["traces_per_second"])
    if not rows:
        return
    speeds = [row["traces_per_second"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(9.5, 1.3 + 0.42 * len(rows)), layout="constrained")
    axes.barh([row["title"] for row in rows], speeds, color=[_COLOURS[row["letter"]] for row in rows], height=0.7)
    axes.set_xscale("log")
    best = next((row["roofline"]["traces_per_second"] for row in rows if row["row"] == "vllm"), 0)
    axes.set_xlim(min(speeds) / 2, 3 * max(*speeds, best))
    for place, row in enumerate(rows):
        times = f"   {row['times_plain']:,.3g}x" if row["times_plain"] and row["row"] != "plain" else ""
        label = f" {row['traces_per_second']:,.3g}{times}"
        axes.text(row["traces_per_second"], place, label, va="center", fontsize=9, color="#333333")
    if best:
        axes.axvline(best, color="#c0392b", linewidth=1, linestyle="--")
        axes.text(best, 0, f" roofline\n {best:,.0f}", color="#c0392b", fontsize=8, va="center")
    axes.set_xlabel("traces a second (logarithmic)")
    axes.set_title(_heading(summary, rows), fontsize=11, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    figure.savefig(path, dpi=160)
    pyplot.close(figure)


def _heading(summary: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    gpu = rows[0]["machine"]["gpu"]
    where = gpu["name"] if gpu else rows[0]["machine"]["cpu"]
    lengths = f"prompts of {rows[-1]['prompt_tokens']:.0f} tokens, traces of {rows[-1]['tokens_per_trace']:.0f}"
    return f"{summary['shape']} model, {lengths}\n{where}, {summary['dtype']}"
