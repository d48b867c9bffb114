"""One trace for the terminal: its premises, its steps with their verdicts, and why what is refused is refused.

Contract: `find_trace` reads a file as a stream up to the trace; what is printed is the trace's own text, never markup
and never a character that a terminal obeys.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.report.folder import stage_named
from sokrates.traces.text import render_action
from sokrates.traces.trace import Step, Trace

MARKS = {True: ("valid", "green"), False: ("INVALID", "bold red"), None: ("not decided", "yellow")}
UNVERIFIED = ("not verified", "yellow")


def find_trace(source: Path, stage: str | None, problem_id: str, sample: int | None) -> Trace:
    """A trace of a file, of a folder with a `traces.jsonl`, or of a stage of a run (the last measured, for None).

    Without `sample` it is the first of the problem in the file.
    Errors: SokratesError naming the nearest ids, or the samples there are, where it is not found.
    """
    path = _traces_file(source, stage)
    ids: dict[str, None] = {}
    samples: list[int] = []
    for trace in jsonl.read(path, Trace):
        if trace.problem_id == problem_id:
            if sample is None or trace.sample == sample:
                return trace
            samples.append(trace.sample)
        ids[trace.problem_id] = None
    if samples:
        there = ", ".join(map(str, sorted(samples)))
        raise SokratesError(f"{path}: {problem_id}: no sample {sample}; expected one of {there}")
    nearest = ", ".join(get_close_matches(problem_id, ids, n=3, cutoff=0.5))
    hint = f"the nearest: {nearest}" if nearest else f"expected one of its {len(ids)} ids"
    raise SokratesError(f"{path}: no trace of a problem {problem_id!r}; {hint}")


def _traces_file(source: Path, stage: str | None) -> Path:
    if source.is_dir():
        return stage_named(source, stage).path
    if stage is not None:
        raise SokratesError(f"{source}: a file has no stages; expected a run folder before {stage!r}, or no stage")
    return source


def print_trace(trace: Trace) -> None:
    """Print on standard output: in colour and wrapped in a terminal, else plain, each thought on one line."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=1 << 16)
    with console.capture() as captured:
        console.print(shown(trace))
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def shown(trace: Trace) -> Group:
    """The trace as it is printed."""
    head = Text(_plain(trace.problem_id), style="bold").append(f"  sample {trace.sample}", style="dim")
    if trace.hops is not None:
        head.append(f"  {trace.hops} hop{'s' * (trace.hops != 1)}", style="dim")
    formulas = trace.premises_fol or ("",) * len(trace.premises)
    premises = _lines()
    for number, (premise, formula) in enumerate(zip(trace.premises, formulas, strict=True)):
        premises.add_row(f"[{number}]", _stated(premise, formula))
    goal = Text("Conclusion to evaluate: ").append(_stated(trace.conclusion, trace.conclusion_fol))
    goal.append(f"   (label: {trace.label or 'none'})", style="dim")
    steps = _lines()
    steps.add_column()
    for number, step in enumerate(trace.steps, start=len(trace.premises)):
        name, style = MARKS[step.solver_valid] if trace.all_steps_valid is not None else UNVERIFIED
        steps.add_row(f"[{number}]", Text(name, style=style), _step(step))
    return Group(head, "", _indented(premises), "", goal, "", _verdict(trace), _indented(steps), *_rest(trace))


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, 2))


def _lines() -> Table:
    """Two columns, numbers and text, without anything around them."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column()
    return table


def _stated(sentence: str, formula: str) -> Text:
    text = Text(_plain(sentence))
    return text.append(f"  {_plain(formula)}", style="dim") if formula and formula != sentence else text


def _verdict(trace: Trace) -> Text:
    name, style = MARKS[trace.all_steps_valid] if trace.all_steps_valid is not None else UNVERIFIED
    right = "right" if trace.correct else "wrong" if trace.label else "no label to compare"
    text = Text("Answer ").append(str(trace.final_answer or "none"), style="bold").append(f", {right}; ")
    text.append(name, style=style)
    if trace.invalid_reason:
        text.append(f": {_plain(trace.invalid_reason)}")
    counts = {
        "unused": trace.unused_steps,
        "repeated": trace.repeated_steps,
        "misquoted": trace.misquotes,
        "facts not looked at": trace.unexplored,
    }
    return text.append("".join(f", {count} {what}" for what, count in counts.items() if count), style="dim")


def _step(step: Step) -> Text:
    text = Text(_plain(step.thought) or "(no thought)")
    action = render_action(step.option_type, step.option_args) if step.option_type else step.action
    text.append(f"\n{_plain(action) or '(no action)'}", style="cyan")
    if step.formula:
        text.append(f"  ⊢ {_plain(step.formula)}", style="dim")
    if step.reason or step.message:
        reason = (step.reason or "").replace("_", " ")
        text.append("\n-> ").append(reason, style="red").append(f": {_plain(step.message)}" if step.message else "")
    if step.explanation:
        text.append(f"\n   {_plain(step.explanation)}", style="dim")
    return text


def _rest(trace: Trace) -> list[Text]:
    """The text of a trace in which no step could be read."""
    return [] if trace.steps or not trace.completion else [Text(_plain(trace.completion), style="dim")]


def _plain(text: str) -> str:
    """A text without what a terminal obeys; line ends stay."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
