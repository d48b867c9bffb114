"""Stored verdicts checked again: a file is verified from nothing and compared with what it says.

Contract: nothing stored is believed. For each trace: the verdicts that come out otherwise now, whether its certificate
fits its content, and which kernel gave its verdicts. A trace that was never verified has no verdict that could differ;
it is counted, and a file with such traces is not confirmed. What is compared is what a verdict is: each step's validity
and reason, the trace's validity, its answer and whether that is correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sokrates import jsonl
from sokrates.errors import BadRecord, SokratesError
from sokrates.traces.trace import Step, Trace
from sokrates.verification import caches
from sokrates.verification.certificate import certificate, kernel
from sokrates.verification.files import DIED, lines_of
from sokrates.verification.judging import TOO_DEEP, needs_z3
from sokrates.verification.pool import Judge, Line, Pool
from sokrates.verification.verify import verify

_decode = msgspec.json.Decoder(Trace).decode
_COMPARED = ("all_steps_valid", "final_answer", "correct")


class Difference(msgspec.Struct, frozen=True):
    """One verdict as it is stored and as it comes out now; `step` is None where it is about the whole trace."""

    step: int | None
    stored: str
    now: str

    def __str__(self) -> str:
        where = "the trace" if self.step is None else f"step {self.step}"
        return f"{where}: stored {self.stored}, now {self.now}"


class Rechecked(msgspec.Struct, frozen=True):
    """What checking one trace again gave."""

    problem_id: str = ""
    sample: int = 0
    differences: tuple[Difference, ...] = ()
    verified: bool = True
    """It holds verdicts, whoever gave them."""
    certified: bool = True
    """It names a kernel and has a certificate."""
    tampered: bool = False
    """Its certificate does not fit its content."""
    kernel: str = ""
    error: str | None = None


class Found(msgspec.Struct, frozen=True):
    """A trace with something to report, and where it stands."""

    line: int
    problem_id: str
    sample: int
    differences: tuple[Difference, ...]
    tampered: bool
    kernel: str

    def lines(self, path: str | Path) -> list[str]:
        """What to report, a line each, as FILE:LINE (ID sample K): …"""
        edited = ["its certificate does not fit its content: edited since it was verified"] if self.tampered else []
        where = f"{path}:{self.line} ({self.problem_id} sample {self.sample})"
        return [f"{where}: {said}" for said in [*map(str, self.differences), *edited]]


class Counts(msgspec.Struct):
    """The result over a file, as plain numbers; `kernel` is the version that checked it now."""

    total: int = 0
    differ: int = 0
    verdicts_differ: int = 0
    tampered: int = 0
    never_verified: int = 0
    without_certificate: int = 0
    other_kernel: int = 0
    kernel: str = ""

    @property
    def confirmed(self) -> bool:
        """Every trace was verified, and every verdict and certificate stands."""
        return not (self.differ or self.tampered or self.never_verified)

    def sentence(self) -> str:
        return (
            f"{self.total} traces: {self.total - self.differ - self.never_verified} with the same verdicts, "
            f"{self.differ} differ (in {self.verdicts_differ} verdicts), {self.tampered} edited since, "
            f"{self.never_verified} never verified, {self.without_certificate} without a certificate, "
            f"{self.other_kernel} by another kernel than {self.kernel}"
        )

    def add(self, trace: Rechecked) -> None:
        self.total += 1
        self.differ += bool(trace.differences)
        self.verdicts_differ += len(trace.differences)
        self.tampered += trace.tampered
        self.never_verified += not trace.verified
        self.without_certificate += trace.verified and not trace.certified
        self.other_kernel += trace.certified and trace.kernel != self.kernel


def recheck(
    path: str | Path, counts: Counts, *, workers: int = 1, judge: Judge[Rechecked] | None = None
) -> Iterator[tuple[float, Found | None]]:
    """Verify every trace of a file again, filling `counts`.

    For each trace: the share of the file that is done, and what there is to report of it. Errors: BadRecord.
    """
    counts.kernel = kernel()
    size, done = jsonl.require(path).stat().st_size, 0
    with Pool(judge or recheck_line, workers) as pool:
        for line, trace in pool.judged(lines_of(path)):
            error = DIED if trace is None else trace.error
            if trace is None or error is not None:
                name = jsonl.problem_id(line.raw)
                raise BadRecord(error or DIED, path=str(path), line=line.number, problem_id=name)
            counts.add(trace)
            done += len(line.raw)
            yield done / size, _found(line, trace)


def _found(line: Line, trace: Rechecked) -> Found | None:
    if not trace.differences and not trace.tampered:
        return None
    return Found(line.number, trace.problem_id, trace.sample, trace.differences, trace.tampered, trace.kernel)


def recheck_line(line: Line, *, fast_only: bool = False) -> Rechecked | None:
    """Verify the trace in a line again and compare; with `fast_only` None where that needs z3."""
    caches.note(len(line.raw))
    try:
        stored, trace = _decode(line.raw), _decode(line.raw)
    except jsonl.UNDECODABLE as error:
        return Rechecked(error=jsonl.describe(error, Trace))
    try:
        if fast_only and needs_z3(trace):
            return None
        verify(trace)
    except SokratesError as error:
        return Rechecked(error=str(error))
    except RecursionError:
        return Rechecked(error=TOO_DEEP)
    verified = stored.all_steps_valid is not None or any(step.solver_valid is not None for step in stored.steps)
    return Rechecked(
        problem_id=stored.problem_id,
        sample=stored.sample,
        differences=tuple(_differences(stored, trace)) if verified else (),
        verified=verified,
        certified=bool(stored.certificate),
        tampered=bool(stored.certificate) and stored.certificate != certificate(stored),
        kernel=stored.kernel,
    )


def _differences(stored: Trace, now: Trace) -> Iterator[Difference]:
    for before, after in zip(stored.steps, now.steps, strict=True):
        if (before.solver_valid, before.reason) != (after.solver_valid, after.reason):
            yield Difference(after.step_idx, _said_of_step(before), _said_of_step(after, in_full=True))
    if any(getattr(stored, name) != getattr(now, name) for name in _COMPARED):
        yield Difference(None, _said_of_trace(stored), _said_of_trace(now))


def _said_of_step(step: Step, *, in_full: bool = False) -> str:
    if step.solver_valid is None:
        return "without a verdict"
    said = "valid" if step.solver_valid else "invalid"
    why = ": ".join(filter(None, (step.reason, step.message if in_full else None)))
    return f"{said}: {why}" if why else said


def _said_of_trace(trace: Trace) -> str:
    valid = {None: "without a verdict", True: "valid", False: "invalid"}[trace.all_steps_valid]
    why = f" ({trace.invalid_reason})" if trace.invalid_reason else ""
    answer = trace.final_answer or "no answer"
    return f"{valid}{why}, {answer}, {'correct' if trace.correct else 'not correct'}"
