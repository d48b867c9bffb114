"""One line of a file of traces judged: what worker processes run, so it loads nothing but the kernel."""

from __future__ import annotations

import msgspec

from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.problems import Problem
from sokrates.problems.reading import read_problem
from sokrates.traces.trace import Trace
from sokrates.verification import caches
from sokrates.verification.pool import Line
from sokrates.verification.seen import trace_key
from sokrates.verification.summary import counts_of
from sokrates.verification.verify import verify

TOO_DEEP = "nested too deeply to be verified"

_decode = msgspec.json.Decoder(Trace).decode
_encode = msgspec.json.Encoder().encode


class Judged(msgspec.Struct, array_like=True, frozen=True):
    """A verified trace as a line of JSON with its counts, or why the record cannot be used."""

    key: int = 0
    """0 where the line is no trace."""
    encoded: bytes = b""
    counts: dict[str, int] = {}
    error: str | None = None


def judge(line: Line, *, fast_only: bool = False) -> Judged | None:
    """Verify the trace in a line; with `fast_only` None where that needs z3."""
    caches.note(len(line.raw))
    try:
        trace = _decode(line.raw)
    except jsonl.UNDECODABLE as error:
        return Judged(error=jsonl.describe(error, Trace))
    key = trace_key(trace.problem_id, trace.sample)
    try:
        if fast_only and needs_z3(trace):
            return None
        verify(trace)
    except SokratesError as error:
        return Judged(key, error=str(error))
    except RecursionError:
        return Judged(key, error=TOO_DEEP)
    return Judged(key, _encode(trace) + b"\n", counts_of(trace))


def needs_z3(statement: Trace | Problem) -> bool:
    """Whether the closure does not decide what is asked of a problem's premises. Errors: UnreadableSentence."""
    if any(statement.premises_fol):
        return True  # claims that are formulas may say anything
    return not read_problem(statement.premises, statement.conclusion).theory.decided_fast
