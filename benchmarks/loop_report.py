"""What `benchmarks.loop` measured, side by side: where the time went, what saved it, whether the work was the same.

Contract: pure, but for reading the ways' files. A way that failed or was cut off stands there with what it had done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.loop_ways import ONE_ENGINE, STEPS, WAYS, Stage
from sokrates import jsonl

OURS, PLAIN = "loop", "shell"
HOPED, WANTED = 0.5, 0.3
"""Shares of the shell loop's time that the plan hopes to save, and that we want to."""
PARTS = {
    "start": "starting",
    "data": "gold, pairs",
    "sft": "SFT",
    "generate": "generation",
    "dpo": "DPO",
    "evaluate": "evaluation",
    "report": "report",
}
"""Where time goes: `start` of every stage, the others without it."""
_COLOURS = dict(zip(PARTS, ("#b0b0b0", "#8f9bb3", "#e9a23b", "#2a9d8f", "#c8553d", "#6f8fc9", "#d9d9d9"), strict=True))
_SAME = ("problems", "gold_traces", "evaluations", "sampled_traces", "sft examples", "sft epochs", "sft steps")


def summarise(folder: Path, iterations: int, planned: Sequence[Stage]) -> dict[str, Any]:
    """All ways that have a file in the folder, with what they share and how they differ."""
    found = [jsonl.read_json(file) for name in WAYS if (file := folder / f"{name}.json").is_file()]
    texts = {}
    whole = [way["way"] for way in found if "error" not in way]
    if OURS in whole:
        from benchmarks.loop_work import equal_texts

        runs = folder / "ways"
        texts = {name: equal_texts(runs / name, runs / OURS, planned) for name in whole if name != OURS}
    return compare(found, texts) | {"iterations": iterations}


def compare(found: Sequence[dict[str, Any]], texts: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The ways beside each other. `texts`: of each way, stage by stage, the share of texts that are our loop's."""
    totals = {way["way"]: _total(way) for way in found if "error" not in way}
    processor = {way["way"]: _total(way, "processor_seconds") for way in found}
    rows = []
    for way in found:
        row = way | {"total_seconds": _total(way), "seconds": parts(way), "peak_memory_gib": _peaks(way)}
        row["processor_seconds"] = processor[way["way"]]
        if way["way"] in totals and PLAIN in totals:
            row["saved"] = round(1 - totals[way["way"]] / totals[PLAIN], 4)
            row["saved_of_processor"] = round(1 - processor[way["way"]] / processor[PLAIN], 4)
        rows.append(row | {"texts_of_our_loop": dict(texts.get(way["way"], {}))})
    whole = [row for row in rows if row["way"] in totals]
    return {
        "what": "a whole loop, each way: the same problems, samples, epochs, optimizer steps and evaluations",
        "hoped": HOPED,
        "wanted": WANTED,
        "ways": rows,
        "by_part": _by_part(whole),
        "by_switch": _by_switch(whole),
        "unlike": unlike(whole),
        "repeats": repeats(whole, texts),
    }


def _total(way: Mapping[str, Any], of: str = "seconds") -> float:
    return round(sum(stage[of] for stage in way["stages"]), 2)


def parts(way: Mapping[str, Any]) -> dict[str, float]:
    """A way's seconds by where they went."""
    seconds = dict.fromkeys(PARTS, 0.0)
    for stage in way["stages"]:
        seconds["start"] += stage["start_seconds"]
        seconds[stage["kind"]] += stage["seconds"] - stage["start_seconds"]
    return {part: round(value, 2) for part, value in seconds.items()}


def _peaks(way: Mapping[str, Any]) -> dict[str, float]:
    """The most memory of each kind of stage, in GiB."""
    peaks: dict[str, float] = {}
    for stage in way["stages"]:
        peaks[stage["kind"]] = max(peaks.get(stage["kind"], 0.0), stage["peak_memory_gib"])
    return peaks


def _by_part(whole: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What our loop saves of the shell loop's time, part by part; nothing unless both are there."""
    by_way = {row["way"]: row for row in whole}
    if not {OURS, PLAIN} <= by_way.keys():
        return []
    ours, plain = by_way[OURS], by_way[PLAIN]
    return [
        {"part": part, "saved_seconds": round(saved, 2), "share": round(saved / plain["total_seconds"], 4)}
        for part in PARTS
        for saved in [plain["seconds"][part] - ours["seconds"][part]]
    ]


def _by_switch(whole: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each switch saves, of the shell loop's time; those between two ways that are there go together."""
    by_way = {row["way"]: row for row in whole}
    engines = next((row["processes_and_engines"][1] for row in whole if row["way"] == OURS), 1)
    found, labels, first = [], [], STEPS[0][0]
    for before, after, label in STEPS:
        if not labels:
            first = before
        if engines == 1 or label != ONE_ENGINE:  # an engine that does not stay is new at each stage in any case
            labels.append(label)
        if first in by_way and after in by_way:
            entry: dict[str, Any] = {"from": first, "to": after, "switched": "; ".join(labels)}
            for seconds, saved, share in (
                ("total_seconds", "saved_seconds", "share"),
                ("processor_seconds", "saved_processor_seconds", "share_of_processor"),
            ):
                entry[saved] = round(by_way[first][seconds] - by_way[after][seconds], 2)
                entry[share] = round(entry[saved] / by_way[PLAIN][seconds], 4) if PLAIN in by_way else None
            found.append(entry)
        if after in by_way:
            labels = []
    return found


def unlike(whole: Sequence[dict[str, Any]]) -> list[str]:
    """Where ways have not done the same work, in words; sampled pairs may differ where texts do, and are not here."""
    found = []
    for row in whole[1:]:
        first, work = _must_equal(whole[0]["work"]), _must_equal(row["work"])
        for name in _SAME:
            if work[name] != first[name]:
                found.append(f"{name}: {whole[0]['way']} {first[name]}, {row['way']} {work[name]}")
    for row in whole:
        batch = row["dpo"]["batch_size"] * row["dpo"]["gradient_accumulation_steps"]
        for name, done in row["work"]["dpo"].items():
            wanted = row["dpo"]["num_epochs"] * -(-row["work"]["pairs"][name] // batch)
            if done["steps"] != wanted or done["pairs"] != row["work"]["pairs"][name]:
                found.append(f"{row['way']}, {name}: {done['steps']} DPO steps on {done['pairs']} pairs, not {wanted}")
    return found


def _must_equal(work: Mapping[str, Any]) -> dict[str, Any]:
    sft = {f"sft {name}": value for name, value in work["sft"].items()}
    return {name: {**work, **sft}[name] for name in _SAME}


def repeats(whole: Sequence[dict[str, Any]], texts: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """How far apart the ways' work is at stages where all said the same, as a share of the least: noise."""
    if len(whole) < 2:
        return {}
    found = {}
    for name in next(iter(texts.values()), {}):
        if all(shares.get(name) == 1.0 for shares in texts.values()):
            seconds = [
                stage["seconds"] - stage["start_seconds"]
                for row in whole
                for stage in row["stages"]
                if stage["name"] == name
            ]
            found[name] = round(max(seconds) / max(min(seconds), 1e-9) - 1, 3)
    return found


def table(summary: Mapping[str, Any]) -> str:
    """The whole as text."""
    rows = summary["ways"]
    lines = ["seconds, from outside: what starting took (processes, imports, models, engines), and the rest by stage"]
    head = ["", *PARTS.values(), "total", "saved", "processor", "saved"]
    lines += _aligned([head, *([_named(row), *_seconds(row)] for row in rows)])
    lines += ["", "GiB at most in use during a stage"]
    kinds = [part for part in PARTS if part != "start"]
    peaks = [[row["way"], *(_said(row["peak_memory_gib"].get(kind), "{:.1f}") for kind in kinds)] for row in rows]
    lines += _aligned([["", *(PARTS[kind] for kind in kinds)], *peaks])
    lines += ["", "the work: traces sampled, pairs, steps of SFT and DPO; the last adapter's valid traces"]
    lines += _aligned([_work(row) for row in rows if "work" in row])
    lines += ["", *_verdict(summary)]
    lines += [f"{row['way']} failed: {(row['error'].splitlines() or [''])[-1]}" for row in rows if "error" in row]
    return "\n".join(lines)


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['way']} (not finished)" if "error" in row else row["way"]


def _seconds(row: Mapping[str, Any]) -> list[str]:
    saved = [_said(row.get(name), "{:.1%}") for name in ("saved", "saved_of_processor")]
    totals = [f"{row[name]:.1f}" for name in ("total_seconds", "processor_seconds")]
    return [*(f"{row['seconds'][part]:.1f}" for part in PARTS), totals[0], saved[0], totals[1], saved[1]]


def _work(row: Mapping[str, Any]) -> list[str]:
    work = row["work"]
    valid = work["last"]["trace_validity"]
    equal = ", ".join(f"{name} {share:.0%}" for name, share in row["texts_of_our_loop"].items())
    return [
        row["way"],
        f"{sum(work['sampled_traces'].values())} sampled",
        f"{' + '.join(map(str, work['pairs'].values()))} pairs",
        f"{work['sft']['steps']} of SFT",
        f"{' + '.join(str(done['steps']) for done in work['dpo'].values())} of DPO",
        f"{valid['value']:.1%} [{valid['low']:.1%}, {valid['high']:.1%}]",
        f"texts equal to our loop's: {equal}" if equal else "",
    ]


def _verdict(summary: Mapping[str, Any]) -> list[str]:
    lines = [f"not the same work: {difference}" for difference in summary["unlike"]]
    rows = {row["way"]: row for row in summary["ways"] if "error" not in row}
    if len(rows) > 1 and not lines:
        lines = ["the same work in all ways: problems, samples, evaluations, epochs and steps are equal"]
    if summary["repeats"]:
        name, most = max(summary["repeats"].items(), key=lambda item: item[1])
        lines.append(f"the same stage again took up to {most:.0%} longer ({name}): the machine's noise")
    if summary["by_part"]:
        lines.append("of the shell loop's time our loop saves, by part: " + _shares(summary["by_part"], "part"))
    for entry in summary["by_switch"]:
        shares = [_said(entry[share], "{:.1%}") for share in ("share", "share_of_processor")]
        lines.append(
            f"from {entry['from']} to {entry['to']} ({entry['switched']}): {entry['saved_seconds']:.1f} s less, "
            f"{shares[0]}; of processor time {entry['saved_processor_seconds']:.1f} s, {shares[1]}"
        )
    if summary["by_part"]:
        saved = rows[OURS]["saved"]
        lines.append(
            f"in all {saved:.1%} (wanted: {summary['wanted']:.0%}; the plan hopes for {summary['hoped']:.0%}): "
            f"{rows[OURS]['total_seconds']:.1f} s for {rows[PLAIN]['total_seconds']:.1f}"
        )
    return lines


def _shares(entries: Sequence[Mapping[str, Any]], key: str) -> str:
    return "; ".join(f"{PARTS[entry[key]]} {entry['saved_seconds']:.1f} s ({entry['share']:.1%})" for entry in entries)


def _said(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def plot(summary: Mapping[str, Any], path: Path) -> None:
    """A bar a way, of the seconds that each part took."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in summary["ways"] if row["stages"]]
    if not rows:
        return
    figure, axes = pyplot.subplots(figsize=(9.5, 1.9 + 0.55 * len(rows)), layout="constrained")
    names = [f"{row['title']}{' (not finished)' if 'error' in row else ''}" for row in rows]
    left = [0.0] * len(rows)
    for part, title in PARTS.items():
        seconds = [row["seconds"][part] for row in rows]
        axes.barh(names, seconds, left=left, color=_COLOURS[part], label=title, height=0.65)
        left = [before + more for before, more in zip(left, seconds, strict=True)]
    for place, row in enumerate(rows):
        saved = f"  {-row['saved']:+.0%}" if row.get("saved") else ""
        axes.text(row["total_seconds"], place, f" {row['total_seconds']:.0f} s{saved}", va="center", fontsize=9)
    axes.set_xlim(0, 1.15 * max(left))
    axes.set_xlabel("seconds")
    axes.invert_yaxis()
    machine = rows[0]["machine"]
    where = machine["gpu"]["name"] if machine["gpu"] else machine["cpu"]
    axes.set_title(f"a whole loop, iterations: {summary['iterations']}\n{where}", fontsize=11, loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.25), ncols=len(PARTS), frameon=False, fontsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    figure.savefig(path, dpi=160)
    pyplot.close(figure)
