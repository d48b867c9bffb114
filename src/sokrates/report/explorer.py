"""The traces of a run as a page can hold them: a small index to filter by, and the traces in compressed pieces.

Contract: files are read as streams, twice: once for the index and where each trace lies, once for the pieces, in which
all traces of a problem lie together (they say nearly the same, so they compress well). Memory holds the index and one
piece, never the traces. The same files give the same bytes. `page/store.js` reads what this writes.
"""

from __future__ import annotations

import base64
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from sokrates import jsonl
from sokrates.errors import BadRecord
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.verdict import Reason
from sokrates.problems.reading import UnreadableSentence
from sokrates.report.folder import Stage
from sokrates.report.proof import goal_line
from sokrates.traces.trace import Step, Trace

PIECE = 1 << 18
"""Bytes of JSON that a piece holds, or the traces of one problem: some 20 KB compressed, unpacked in milliseconds."""

VALID, UNDECIDED, CORRECT = 1, 2, 4
"""What a trace's flags say: valid as a whole; not decided or never verified; the right answer."""

REASONS = tuple(str(reason) for reason in Reason)


@dataclass
class Columns:
    """The index: parallel lists, one entry a problem or a trace. Traces are ordered by problem, stage and sample."""

    problem_id: list[str] = field(default_factory=list)
    conclusion: list[str] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    """A place in `ANSWERS`, -1 without a label."""
    hops: list[int] = field(default_factory=list)
    """-1 where they are not known."""
    piece: list[int] = field(default_factory=list)
    """The piece that holds the problem."""
    first: list[int] = field(default_factory=list)
    """The number of the problem's first trace."""
    stage: list[int] = field(default_factory=list)
    sample: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    reasons: list[int] = field(default_factory=list)
    """A bit for each of `REASONS` that a step of the trace was refused for."""
    steps: list[int] = field(default_factory=list)
    valid_steps: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """Where a trace lies, and by what it is ordered among those of its problem."""

    stage: int
    sample: int
    offset: int
    number: int


@dataclass
class Traces:
    """What one reading of the files found: problems and where their traces lie, and the reasons given, by stage."""

    stages: Sequence[Stage]
    places: dict[tuple[str, bytes], list[_Place]] = field(default_factory=dict)
    """By problem: its id and a hash of what it states, since two files may use an id for different problems."""
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)
    traces: Counter[str] = field(default_factory=Counter)
    verified: bool = True
    labelled: bool = True
    models: set[str] = field(default_factory=set)
    kernels: set[str] = field(default_factory=set)


def survey(stages: Sequence[Stage]) -> Traces:
    """Read all files once. Errors: BadRecord for a line that is no trace."""
    found = Traces(stages)
    places: defaultdict[tuple[str, bytes], list[_Place]] = defaultdict(list)
    for index, stage in enumerate(stages):
        reasons = found.reasons.setdefault(stage.name, Counter())
        for offset, number, trace in _numbered(stage.path):
            places[trace.problem_id, _statement(trace)].append(_Place(index, trace.sample, offset, number))
            reasons.update(step.reason for step in trace.steps if step.reason)
            found.steps[stage.name] += len(trace.steps)
            found.traces[stage.name] += 1
            found.verified &= trace.all_steps_valid is not None
            found.labelled &= trace.label is not None
            found.models.add(trace.model)
            found.kernels.add(trace.kernel)
    found.places = {key: sorted(of) for key, of in places.items()}
    return found


def pieces(found: Traces, columns: Columns) -> Iterator[bytes]:
    """The compressed pieces in their order; `columns` are filled on the way and whole behind the last."""
    files = [stage.path.open("rb") for stage in found.stages]
    try:
        held: list[bytes] = []
        size = number = 0
        for places in found.places.values():
            traces = [_read(files[place.stage], found.stages[place.stage].path, place) for place in places]
            if held and size >= PIECE:
                yield _compressed(b"[" + b",".join(held) + b"]")
                held, size, number = [], 0, number + 1
            held.append(msgspec.json.encode(_problem(traces, places)))
            size += len(held[-1])
            _add(columns, traces, places, number)
        if held:
            yield _compressed(b"[" + b",".join(held) + b"]")
    finally:
        for file in files:
            file.close()


def index(found: Traces, columns: Columns) -> bytes:
    """The compressed index."""
    stages = [{"name": stage.name, "sampled": stage.sampled} for stage in found.stages]
    whole = {"stages": stages, "answers": ANSWERS, "reasons": REASONS, "columns": vars(columns)}
    return _compressed(msgspec.json.encode(whole))


def slim(stage: Stage) -> Iterator[Trace]:
    """A stage's traces without their texts: all that `metrics` counts, small enough to be held together."""
    for _, _, trace in _numbered(stage.path):
        steps = [msgspec.structs.replace(step, thought="", action="", message=None) for step in trace.steps]
        yield msgspec.structs.replace(trace, steps=steps, premises=(), premises_fol=(), completion="", conclusion="")


def _numbered(path: Path) -> Iterator[tuple[int, int, Trace]]:
    """Each trace with its byte offset and its line number."""
    decoder, offset = msgspec.json.Decoder(Trace), 0
    with jsonl.require(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield offset, number, _decoded(decoder, line, path, number)
            offset += len(line)


def _decoded(decoder: msgspec.json.Decoder[Trace], line: bytes, path: Path, number: int) -> Trace:
    try:
        return decoder.decode(line)
    except jsonl.UNDECODABLE as error:
        known = jsonl.problem_id(line)
        raise BadRecord(jsonl.describe(error, Trace), path=str(path), line=number, problem_id=known) from None


_DECODER = msgspec.json.Decoder(Trace)


def _read(file: IO[bytes], path: Path, place: _Place) -> Trace:
    file.seek(place.offset)
    return _decoded(_DECODER, file.readline(), path, place.number)


def _statement(trace: Trace) -> bytes:
    """A short hash of what the model was asked."""
    from hashlib import blake2b

    stated = (trace.premises, trace.conclusion, trace.premises_fol, trace.conclusion_fol, trace.label)
    return blake2b(msgspec.json.encode(stated), digest_size=8).digest()


def _compressed(data: bytes) -> bytes:
    """Gzip in Base64, which has no character that means anything in HTML."""
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0))


def _add(columns: Columns, traces: Sequence[Trace], places: Sequence[_Place], piece: int) -> None:
    problem = traces[0]
    columns.problem_id.append(problem.problem_id)
    columns.conclusion.append(problem.conclusion)
    columns.label.append(_place(problem.label))
    columns.hops.append(-1 if problem.hops is None else problem.hops)
    columns.piece.append(piece)
    columns.first.append(len(columns.stage))
    for trace, place in zip(traces, places, strict=True):
        columns.stage.append(place.stage)
        columns.sample.append(trace.sample)
        columns.answer.append(_place(trace.final_answer))
        columns.flags.append(_flags(trace))
        columns.reasons.append(sum(1 << REASONS.index(name) for name in {s.reason for s in trace.steps} & {*REASONS}))
        columns.steps.append(len(trace.steps))
        columns.valid_steps.append(sum(step.solver_valid is True for step in trace.steps))


def _place(answer: Answer | None) -> int:
    return -1 if answer is None else ANSWERS.index(answer)


def _flags(trace: Trace) -> int:
    undecided = trace.all_steps_valid is None
    return VALID * (trace.all_steps_valid is True) | UNDECIDED * undecided | CORRECT * trace.correct


def _problem(traces: Sequence[Trace], places: Sequence[_Place]) -> dict[str, Any]:
    """One problem with all its traces, as the page reads it."""
    first = traces[0]
    return {
        "id": first.problem_id,
        "premises": first.premises,
        "formulas": first.premises_fol,
        "conclusion": first.conclusion,
        "conclusionFormula": first.conclusion_fol,
        "traces": [_trace(trace, place) for trace, place in zip(traces, places, strict=True)],
    }


def _trace(trace: Trace, place: _Place) -> dict[str, Any]:
    return {
        "stage": place.stage,
        "sample": trace.sample,
        "stated": trace.stated_answer,
        "why": trace.invalid_reason,
        "unused": trace.unused_steps,
        "repeated": trace.repeated_steps,
        "misquotes": trace.misquotes,
        "tokens": trace.completion_tokens,
        "finish": trace.finish_reason,
        "goal": _goal(trace),
        "text": "" if trace.steps else trace.completion,
        "steps": [_step(step) for step in trace.steps],
    }


def _goal(trace: Trace) -> int | None:
    try:
        return goal_line(trace)
    except UnreadableSentence:  # its verdicts are another program's
        return None


def _step(step: Step) -> dict[str, Any]:
    """A step without what is empty."""
    shown = {
        "thought": step.thought,
        "action": step.action,
        "option": step.option_type,
        "args": step.option_args,
        "valid": step.solver_valid,
        "formula": step.formula,
        "claim": step.claim,
        "reason": step.reason,
        "message": step.message,
        "explanation": step.explanation,
        "entailed": step.entailed,
        "published": step.published_valid,
        "applies": step.action_valid,
    }
    return {key: value for key, value in shown.items() if value is not None and value != ""}
