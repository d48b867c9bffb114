"""A data set proves itself, with no model at all: its labels against the solver, its gold traces against the verifier.

Contract: every problem is counted once by its label (agrees, differs, undecided, inconsistent, unlabelled) and once by
its gold trace (found, or unsolved with a reason); labels that chaining gives and logic does not are counted beside. A
gold trace that does not verify is an error of this program, named.
The folder gets `gold.jsonl`, `unsolved.jsonl`, `labels.jsonl` and `summary.json`, whole or not at all. What is finished
goes to a journal first, a line a problem: a validation that was killed goes on behind it and ends the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, get_args

import msgspec

from sokrates import jsonl, stage
from sokrates.config import Config
from sokrates.disk import Writing
from sokrates.errors import SokratesError
from sokrates.problems import Problem
from sokrates.problems.labels import LabelStatus, check_label, classical_difference
from sokrates.traces.building import build_trace
from sokrates.traces.gold import TooLong, gold_completion
from sokrates.traces.trace import Trace
from sokrates.verification import caches
from sokrates.verification.certificate import kernel
from sokrates.verification.judging import TOO_DEEP, needs_z3
from sokrates.verification.pool import Judge, Line, Pool
from sokrates.verification.verify import verify

JOURNAL = "journal.jsonl"
GOLD, UNSOLVED, LABELS = "gold.jsonl", "unsolved.jsonl", "labels.jsonl"
DIED = "working on it ended the worker process"
CHUNK = 8
"""Problems are fewer and harder than traces: small chunks keep all workers busy to the end."""

STATUSES: tuple[LabelStatus, ...] = get_args(LabelStatus)
COUNTED = ("total", *STATUSES, "labels_differ_classically", "gold_found", "gold_valid")


class Validated(msgspec.Struct, kw_only=True, frozen=True):
    """What is known of one problem."""

    problem_id: str
    source: str
    status: LabelStatus
    message: str | None = None
    """What is wrong with the label, as a sentence."""
    classically: str | None = None
    """Where a label made by chaining is not the answer of classical logic, a sentence."""
    gold: Trace | None = None
    """Its gold trace, verified."""
    unsolved: str | None = None
    """Why there is no gold trace."""
    too_long: bool = False
    """There is one, with more steps than are wanted."""
    invalid: str | None = None
    """Why the gold trace does not verify: an error of this program."""


_decode = msgspec.json.Decoder(Validated).decode
_decode_problem = msgspec.json.Decoder(Problem).decode


def validate_file(
    problems: Iterable[Problem],
    path: str | Path,
    output: Path,
    *,
    max_steps: int,
    set_aside: jsonl.SetAside | None = None,
    workers: int = 1,
    on_problem: Callable[[], Any] | None = None,
) -> dict[str, Any]:
    """Validate the problems of the file at `path` into a folder; returns the summary.

    Errors: SokratesError naming the problem whose gold trace does not verify.
    """
    started = time.monotonic()
    settings = {"validate": stage.file_hash(jsonl.require(path)), "kernel": kernel(), "max_steps": max_steps}
    if stage.begin(output, settings, Config()):
        earlier: dict[str, Any] = jsonl.read_json(output / stage.SUMMARY)
        return earlier
    coverage = Coverage()
    with Writing(output / JOURNAL), jsonl.partial_path(output / JOURNAL).open("a+b") as journal:
        finished = _finished(journal)
        for done in _with_rest(finished, iter(problems), journal, max_steps, workers):
            coverage.add(done)
            if on_problem:
                on_problem()
        journal.flush()
        _split(journal, output)
    aside = set_aside.close() if set_aside else 0
    summary = coverage.summary() | {"set_aside": aside, "elapsed_seconds": round(time.monotonic() - started, 3)}
    jsonl.write_json(output / stage.SUMMARY, summary)
    jsonl.partial_path(output / JOURNAL).unlink()
    return summary


def validated(problems: Iterable[Problem], *, max_steps: int, workers: int = 1) -> Iterator[Validated]:
    """Each problem's label and gold trace, in order.

    Errors: SokratesError naming the problem whose gold trace does not verify.
    """
    judge: Judge[Validated] = partial(validate_line, max_steps=max_steps)
    lines = (Line(number, jsonl.encode(problem)) for number, problem in enumerate(problems))
    with Pool(judge, workers, CHUNK) as pool:
        for line, result in pool.judged(lines):
            done = result if result is not None else _given_up(_decode_problem(line.raw), DIED)
            if done.invalid is not None:
                raise SokratesError(
                    f"{done.problem_id}: its gold trace does not verify ({done.invalid}): an error of this program"
                )
            yield done


def validate_line(line: Line, *, fast_only: bool = False, max_steps: int) -> Validated | None:
    """The label and gold trace of the problem in a line; with `fast_only` None where that needs z3."""
    caches.note(len(line.raw))
    problem = _decode_problem(line.raw)
    try:
        return None if fast_only and needs_z3(problem) else _validated(problem, max_steps)
    except RecursionError:
        return _given_up(problem, TOO_DEEP)


def _given_up(problem: Problem, why: str) -> Validated:
    message = f"{problem.problem_id}: {why}"
    return Validated(
        problem_id=problem.problem_id, source=problem.source, status="undecided", message=message, unsolved=why
    )


def _validated(problem: Problem, max_steps: int) -> Validated:
    status, message = check_label(problem)
    gold, unsolved, too_long = None, None, False
    try:
        completion = gold_completion(problem, max_steps=max_steps)
    except SokratesError as error:
        unsolved, too_long = str(error), isinstance(error, TooLong)
    else:
        gold = verify(build_trace(problem, completion))
    return Validated(
        problem_id=problem.problem_id,
        source=problem.source,
        status=status,
        message=message,
        classically=classical_difference(problem),
        gold=gold,
        unsolved=unsolved,
        too_long=too_long,
        invalid=None if gold is None or gold.all_steps_valid else gold.invalid_reason,
    )


class Coverage:
    """What was counted, in all and by source."""

    def __init__(self) -> None:
        self.by_source: dict[str, Counter[str]] = {}

    def add(self, done: Validated) -> None:
        counts = self.by_source.setdefault(done.source, Counter())
        found = int(done.gold is not None)
        valid = int(done.gold is not None and done.invalid is None)
        counts.update({"total": 1, done.status: 1, "gold_found": found, "gold_valid": valid})
        counts["labels_differ_classically"] += done.classically is not None

    def summary(self) -> dict[str, Any]:
        whole = sum(self.by_source.values(), Counter())
        return _numbers(whole) | {"by_source": {name: _numbers(of) for name, of in sorted(self.by_source.items())}}


def _numbers(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in COUNTED}


def _finished(journal: IO[bytes]) -> Iterator[Validated]:
    """What an earlier run finished; what follows the last whole line is cut off."""
    whole = 0
    journal.seek(0)
    for raw in journal:
        try:
            done = _decode(raw) if raw.endswith(b"\n") else None
        except jsonl.UNDECODABLE:
            done = None
        if done is None:
            break
        whole += len(raw)
        yield done
    journal.truncate(whole)


def _with_rest(
    finished: Iterable[Validated], problems: Iterator[Problem], journal: IO[bytes], max_steps: int, workers: int
) -> Iterator[Validated]:
    """Go on behind what is finished: as many problems of the input are passed by."""
    for done in finished:
        next(islice(problems, 1), None)
        yield done
    for done in validated(problems, max_steps=max_steps, workers=workers):
        journal.write(jsonl.encode(done))
        yield done


def _split(journal: IO[bytes], output: Path) -> None:
    """The journal's three parts, each in a file of its own."""
    with ExitStack() as files:
        gold, unsolved, labels = (files.enter_context(jsonl.atomic(output / name)) for name in (GOLD, UNSOLVED, LABELS))
        journal.seek(0)
        for raw in journal:
            done = _decode(raw)
            if done.gold is not None:
                gold.write(jsonl.encode(done.gold))
            if done.unsolved is not None:
                unsolved.write(jsonl.encode({"problem_id": done.problem_id, "reason": done.unsolved}))
            for status, reason in ((done.status, done.message), ("labels_differ_classically", done.classically)):
                if reason is not None:
                    labels.write(jsonl.encode({"problem_id": done.problem_id, "status": status, "reason": reason}))
