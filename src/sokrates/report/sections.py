"""The sections of a report: what was run, what came out, where the time went, what failed, what was learned from.

Contract: each section is made from a run's figures, and is None where there are none. It computes nothing that another
module measures: rates, intervals and differences are those of `metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sokrates.metrics import Difference, Interval, Row, breakdown
from sokrates.report.charts import Curve, Mark, bar, histogram, loss_chart, lowest, rate_chart
from sokrates.report.explorer import Traces
from sokrates.report.folder import PairsOf, RunFolder
from sokrates.report.markup import Child, Html, join, table, tag
from sokrates.report.table import NOTHING, RATES
from sokrates.timings import Timing

CURVES = (
    "proof rate",
    "trace validity",
    "accuracy",
    "step validity",
    "action validity",
    "entailed claims",
    "published rule",
)
REFERENCED = {"proof rate", "trace validity", "accuracy"}
"""Charts in which the line of always answering UNKNOWN means something."""

WORDS = {
    "accuracy": "the answer equals the label",
    "trace validity": "every step follows from the lines it cites by the rule it names, and the answer is right",
    "step validity": "steps that follow from the lines they cite, CONCLUDE included",
    "action validity": "actions that some claim would make a valid step",
    "proof rate": "valid traces that prove their answer: UNKNOWN only after all facts about its subject are derived",
    "entailed claims": "claims that follow from all premises together, whatever was cited",
    "published rule": "steps that the weak rule of the published pipeline accepts; for comparison only",
}

SKIPPED = {
    "one_sample": "one sample only",
    "identical_completions": "all samples say the same",
    "no_winner": "no proof",
    "no_loser": "all traces valid",
    "no_gap": "none worse by the gap",
    "late_errors": "errors only where proofs have ended",
    "no_error": "no false step",
    "no_correction": "no error that a proof can correct",
    "too_long": "too long to train on",
}


def head(run: RunFolder, found: Traces, version: str) -> Html:
    """What was run: model, configuration, dates, how many traces."""
    model = ", ".join(sorted(found.models - {""})) or NOTHING
    dates = f"{_day(run.timestamps[0])} – {_day(run.timestamps[-1])} UTC" if run.timestamps else NOTHING
    kernels = ", ".join(sorted(found.kernels - {""})) or NOTHING
    facts: list[tuple[str, Child]] = [
        ("Model", model),
        ("Stages", ", ".join(stage.name for stage in run.evaluated)),
        ("Traces", f"{sum(found.traces.values()):,} of {len(found.places):,} problems"),
        ("Finished", dates),
        ("Configuration", tag("code", run.digest) if run.digest else NOTHING),
        ("Verified by", f"kernel {kernels}"),
    ]
    terms = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts]
    config = _folded("The whole configuration", tag("pre", run.config)) if run.config else None
    return join(
        tag("p", "SOKRATES · report of a run", class_="eyebrow"),
        tag("h1", run.root.resolve().name),
        tag("dl", *terms, class_="facts"),
        config,
        tag("p", f"Made by sokrates {version}.", class_="print-only"),
    )


def results(run: RunFolder) -> Html | None:
    """The table of stages, the curves, the differences, and the parts by label and by hops."""
    if not run.rows:
        return None
    sizes = sorted({row.problems for row in run.rows})
    problems = " or ".join(f"{size:,}" for size in sizes)
    lead = f"{problems} unseen problems at each stage; percent, with 95% intervals over the problems."
    parts = [
        _folded(f"{row.stage}, by label and by hops", _rows(breakdown(row), f"{row.stage}, by label and by hops"))
        for row in run.rows
        if row.by_label
    ]
    return _section(
        "results",
        "Results",
        tag("p", lead, class_="lead"),
        _rows([*run.rows, *run.references], "Stages"),
        _curves(run),
        _differences(run.differences),
        tag("div", *parts, class_="folds"),
        tag("dl", *(tag("div", tag("dt", name), tag("dd", said)) for name, said in WORDS.items()), class_="words"),
    )


def _rows(rows: Sequence[Row], caption: str) -> Html:
    shown = {name: rate for name, rate in RATES.items() if any(rate(row) is not None for row in rows)}
    lines: list[list[Child]] = [
        [row.stage, f"{row.n:,}", *(_percent(rate(row)) for rate in shown.values()), f"{row.mean_steps:.1f}"]
        for row in rows
    ]
    return table(["stage", "n", *shown, "mean steps"], lines, caption=caption, class_="figures")


def _percent(rate: Interval | None) -> Html:
    if rate is None:
        return tag("td", NOTHING)
    interval = None if rate.low == rate.high else _interval(f"{100 * rate.low:.1f}, {100 * rate.high:.1f}")
    return tag("td", f"{100 * rate.value:.1f}", interval)


def _interval(text: str) -> Html:
    return tag("small", f"[{text}]")


def _curves(run: RunFolder) -> Html:
    rates = {name: [rate for row in run.rows if (rate := RATES[name](row)) is not None] for name in CURVES}
    bottom = lowest([rate for of in rates.values() for rate in of])
    unknown = next((row for row in run.references if row.stage.startswith("always")), None)
    charts = [
        rate_chart(name, _marks(run, name), bottom, RATES[name](unknown) if unknown and name in REFERENCED else None)
        for name in CURVES
        if rates[name]
    ]
    dashed = "; dashed: always answering UNKNOWN" if unknown and (unknown.accuracy.value >= bottom) else ""
    hollow = "; hollow: baselines" if any(row.stage in run.baselines for row in run.rows) else ""
    note = f"Bands and whiskers are the table's intervals; the axes begin at {100 * bottom:.0f}%{dashed}{hollow}."
    return join(tag("div", *charts, class_="charts"), tag("p", note, class_="note"))


def _marks(run: RunFolder, name: str) -> list[Mark]:
    return [
        Mark(row.stage, rate, joined=row.stage not in run.baselines)
        for row in run.rows
        if (rate := RATES[name](row)) is not None
    ]


def _differences(differences: Sequence[Difference]) -> Html | None:
    if not differences:
        return None
    metrics = list(dict.fromkeys(difference.metric for difference in differences))
    lines: dict[tuple[str, str, int], dict[str, Difference]] = {}
    for found in differences:
        key = (f"{found.before} → {found.after}", found.subset, found.problems)
        lines.setdefault(key, {})[found.metric] = found
    rows: list[list[Child]] = [
        [stages, subset, f"{size:,}", *(_points(line.get(metric)) for metric in metrics)]
        for (stages, subset, size), line in lines.items()
    ]
    header: list[Child] = ["stages", "problems", "n", *(metric.replace("_", " ") for metric in metrics)]
    return join(
        tag("h3", "Differences"),
        tag("p", "Percentage points, paired over the same problems; bold where the interval omits 0.", class_="note"),
        table(header, rows, caption="Differences between stages", class_="figures"),
    )


def _points(found: Difference | None) -> Html:
    if found is None:
        return tag("td", NOTHING)
    value = f"{100 * found.value:+.1f}"
    clear = found.low > 0 or found.high < 0
    return tag(
        "td", tag("strong", value) if clear else value, _interval(f"{100 * found.low:+.1f}, {100 * found.high:+.1f}")
    )


def time(run: RunFolder) -> Html | None:
    """Where the time went, and what of the device was used meanwhile."""
    whole = sum(run.timings.values(), Timing(0.0))
    if not whole.seconds:
        return None
    shown = {name: figure for name, figure in DEVICE.items() if figure(whole) is not None}
    rows: list[list[Child]] = [
        [
            name,
            _duration(part.seconds),
            f"{part.seconds / whole.seconds:.0%}",
            tag("td", bar(part.seconds / whole.seconds), class_="wide"),
            *(figure(part) or NOTHING for figure in shown.values()),
        ]
        for name, part in run.timings.items()
    ]
    rows.append(["all", _duration(whole.seconds), "", "", *(figure(whole) or NOTHING for figure in shown.values())])
    memory = "A process's memory is without that of the processes it started. " if "process memory" in shown else ""
    return _section(
        "time",
        "Where the time went",
        table(["part", "time", "share", "", *shown], rows, caption="Time by part"),
        tag("p", f"{memory}Memory is the most that was seen, once a second.", class_="note") if shown else None,
    )


DEVICE: dict[str, Callable[[Timing], str | None]] = {
    "GPU busy": lambda part: None if part.gpu_utilisation is None else f"{part.gpu_utilisation:.0%}",
    "GPU memory": lambda part: _gib(part.peak_gpu_memory_gib),
    "process memory": lambda part: _gib(part.peak_process_memory_gib),
}
"""What is told of the device that a part of the loop used."""


def _gib(size: float | None) -> str | None:
    return None if size is None else f"{size:.1f} GiB"


def transfer(run: RunFolder) -> Html | None:
    """The tables of the same stages on further sets of problems."""
    if not run.transfer:
        return None
    parts: list[Child] = []
    for name, of in run.transfer.items():
        parts += [tag("h3", name), _rows([*of.rows, *of.references], f"Stages on {name}"), _differences(of.differences)]
    lead = "The same stages on problems of other sets. Each set's own report lies in the run's folder transfer."
    return _section("transfer", "Other sets", tag("p", lead, class_="lead"), *parts)


def failures(run: RunFolder, found: Traces) -> Html | None:
    """How many steps were refused for which reason, by stage; each figure opens its traces."""
    stages = [stage.name for stage in run.evaluated]
    totals = {
        reason: sum(found.reasons[name][reason] for name in stages) for name in stages for reason in found.reasons[name]
    }
    if not totals:
        return None
    most = max(found.reasons[name][reason] for name in stages for reason in totals)
    rows: list[list[Child]] = [
        [reason.replace("_", " "), *(_failed(found, name, reason, most) for name in stages)]
        for reason in sorted(totals, key=lambda reason: (-totals[reason], reason))
    ]
    rows.append(["all steps", *(f"{found.steps[name]:,}" for name in stages)])
    return _section(
        "failures",
        "Why steps fail",
        tag("p", "Steps that the kernel refused, by its reason. A figure opens the traces behind it.", class_="lead"),
        table(["reason", *stages], rows, caption="Refused steps by reason and stage", class_="figures"),
    )


def _failed(found: Traces, stage: str, reason: str, most: int) -> Html:
    count = found.reasons[stage][reason]
    if not count:
        return tag("td", NOTHING)
    link = tag("button", f"{count:,}", type="button", class_="link", data_stage=stage, data_reason=reason)
    return tag("td", link, bar(count / most, "bar bad"))


def pairs(run: RunFolder) -> Html | None:
    """How many preference pairs were made, by how much the chosen are better, and why problems gave none."""
    if not run.pairs:
        return None
    reasons = [name for name in SKIPPED if any(of.summary.skipped.get(name) for of in run.pairs)]  # type: ignore[call-overload]
    header: list[Child] = ["iteration", "pairs", "problems", "with pairs", *(SKIPPED[name] for name in reasons)]
    rows: list[list[Child]] = [
        [
            of.name,
            f"{of.summary.pairs.pairs:,}",
            f"{of.summary.problems:,}",
            f"{of.summary.problems_with_pairs:,}",
            *(f"{of.summary.skipped.get(name, 0):,}" for name in reasons),  # type: ignore[call-overload]
        ]
        for of in run.pairs
    ]
    charts = [histogram(f"{of.name}: how much better the chosen score", of.gaps) for of in run.pairs if of.gaps]
    return _section(
        "pairs",
        "Preference pairs",
        table(header, rows, caption="Pairs, and why problems gave none", class_="figures"),
        table(["iteration", "side", "steps", "tokens", "unused steps", "repeated steps", "right answers"],
              [line for of in run.pairs for line in _sides(of)], caption="Both sides in the mean", class_="figures"),
        tag("div", *charts, class_="charts"),
    )  # fmt: skip


def _sides(of: PairsOf) -> list[list[Child]]:
    sides = {"chosen": of.summary.pairs.chosen, "rejected": of.summary.pairs.rejected}
    return [
        [of.name, name, f"{side.steps:.1f}", f"{side.tokens:.0f}", f"{side.unused_steps:.2f}",
         f"{side.repeated_steps:.2f}", f"{side.correct:.0%}"]
        for name, side in sides.items()
    ]  # fmt: skip


def losses(run: RunFolder) -> Html | None:
    """The losses of SFT and DPO as they fell."""
    charts = []
    for name, training in run.trainings.items():
        heldout = [(point.step, point.loss) for point in training.heldout_losses]
        trained = [(point.step, point.loss) for point in training.train_losses]
        history = [(point.step, point.loss) for point in training.history]
        if trained or heldout:
            curves = [Curve("training", trained, quiet=bool(heldout))]
            charts.append(
                loss_chart(f"{name}: loss a token", curves + ([Curve("held out", heldout)] if heldout else []))
            )
        if history:
            charts.append(loss_chart(f"{name}: DPO loss", [Curve("loss", history)]))
    if not charts:
        return None
    note = "Of SFT the thick line is the held-out loss, the thin one the training loss."
    return _section("losses", "Losses", tag("div", *charts, class_="charts"), tag("p", note, class_="note"))


def _section(name: str, title: str, *children: Child) -> Html:
    return tag("section", tag("h2", title, id=f"{name}-title"), *children, id=name, aria_labelledby=f"{name}-title")


def _folded(title: str, content: Html) -> Html:
    return tag("details", tag("summary", title), content)


def _day(timestamp: str) -> str:
    return timestamp[:16].replace("T", " ")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
