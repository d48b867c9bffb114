"""Verdicts over whole files: traces in, the same traces with verdicts out, in their order, as a stream.

Contract: memory does not grow with the file but for some 16 bytes a trace, by which duplicates are known. The output
folder gets `traces.jsonl` and `summary.json`, whole or not at all. A verification that was killed goes on behind the
traces it had finished and ends as if it had not been; a folder that holds the work of another input, of another kernel
or of another stage is refused. Records that cannot be used, duplicates and those that end a worker process are errors
that name file, line and problem, or are set aside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

import msgspec

from sokrates import jsonl, stage
from sokrates.config import Config
from sokrates.disk import Writing
from sokrates.errors import BadRecord, SokratesError
from sokrates.traces.trace import Trace
from sokrates.verification.certificate import kernel
from sokrates.verification.judging import Judged, judge
from sokrates.verification.pool import Judge, Line, Pool
from sokrates.verification.seen import Seen, trace_key
from sokrates.verification.summary import Tally, counts_of

TRACES = "traces.jsonl"
DIED = "verifying it ended the worker process"

_decode = msgspec.json.Decoder(Trace).decode


def verify_file(
    path: str | Path,
    output: Path,
    *,
    set_aside: jsonl.SetAside | None = None,
    workers: int = 1,
    on_trace: Callable[[float], Any] | None = None,
    judge: Judge[Judged] = judge,
) -> dict[str, Any]:
    """Verify a file of traces into a folder; returns the summary.

    `on_trace` is called after each trace with the share of the file that is done.
    Errors: BadRecord for a record that cannot be used (unless `set_aside` takes it).
    """
    started = time.monotonic()
    target = output / TRACES
    if Path(path).resolve() == target.resolve():
        raise SokratesError(f"{target}: the output would overwrite the input; give another --output")
    jsonl.require(path)
    if stage.begin(output, {"verify": stage.file_hash(path), "kernel": kernel()}, Config()):
        earlier: dict[str, Any] = jsonl.read_json(output / stage.SUMMARY)
        return earlier
    with Writing(target), Pool(judge, workers) as pool, jsonl.partial_path(target).open("a+b") as file:
        verification = _Verification(Path(path), pool, set_aside, on_trace)
        verification.run(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(jsonl.partial_path(target), target)
    summary = verification.tally.summary(time.monotonic() - started, {"input": str(path)})
    summary["set_aside"] = set_aside.close() if set_aside else 0
    jsonl.write_json(output / stage.SUMMARY, summary)
    return summary


def lines_of(path: str | Path) -> Iterator[Line]:
    """The non-blank lines of a file."""
    return (Line(number, raw) for number, raw in jsonl.read_raw(path))


class _Verification:
    """One pass over a file: what has been seen, counted and refused."""

    def __init__(
        self,
        path: Path,
        pool: Pool[Judged],
        set_aside: jsonl.SetAside | None,
        on_trace: Callable[[float], Any] | None,
    ) -> None:
        self.path, self.pool, self.set_aside, self.on_trace = path, pool, set_aside, on_trace
        self.tally, self.seen = Tally(), Seen()
        self._size, self._done = path.stat().st_size, 0

    def run(self, file: IO[bytes]) -> None:
        """Fill the partial file behind what is finished there."""
        rest = self._resume(lines_of(self.path), file)
        for line, judged in self.pool.judged(rest):
            if judged := self._accepted(line, judged):
                file.write(judged.encoded)
                self._count(judged.counts)

    def _resume(self, lines: Iterator[Line], file: IO[bytes]) -> Iterable[Line]:
        """Count the finished traces, in step with the input, and cut off what follows them; returns the other input."""
        whole = 0
        unused: list[Line] = []
        file.seek(0)
        for raw in file:
            finished = _whole_trace(raw)
            if finished is None:
                break
            unused = self._skip_to(trace_key(finished.problem_id, finished.sample), lines)
            if unused:
                break
            whole += len(raw)
            self._count(counts_of(finished))
        file.truncate(whole)
        return chain(unused, lines)

    def _skip_to(self, key: int, lines: Iterator[Line]) -> list[Line]:
        """Go to the input record of a finished trace, past the bad ones before it; a good one there is given back."""
        for line in lines:
            if _key(line) == key and self.seen.add(key):
                self._done += len(line.raw)
                return []
            ((_, judged),) = self.pool.judged([line])
            if self._refusal(line, judged) is None:
                return [line]
            self._accepted(line, judged)
        return []

    def _accepted(self, line: Line, judged: Judged | None) -> Judged | None:
        """The result for a record that counts; None for one that was set aside. Errors: BadRecord without that."""
        self._done += len(line.raw)
        refusal = self._refusal(line, judged)
        if judged is not None and judged.key:
            self.seen.add(judged.key)
        if refusal is None:
            return judged
        bad = BadRecord(refusal, path=str(self.path), line=line.number, problem_id=jsonl.problem_id(line.raw))
        if self.set_aside is None:
            raise bad
        self.set_aside.add(bad, jsonl.text(line.raw))
        return None

    def _refusal(self, line: Line, judged: Judged | None) -> str | None:
        """Why a record does not count."""
        if judged is None:
            return DIED
        if judged.key and judged.key in self.seen:
            sample = _decode(line.raw).sample
            return f"duplicate trace: sample {sample} of this problem stands in the file twice"
        return judged.error

    def _count(self, counts: dict[str, int]) -> None:
        self.tally.add_counts(counts)
        if self.on_trace:
            self.on_trace(self._done / self._size)


def _whole_trace(raw: bytes) -> Trace | None:
    """The trace in a line that was written to its end."""
    try:
        return _decode(raw) if raw.endswith(b"\n") else None
    except jsonl.UNDECODABLE:
        return None


def _key(line: Line) -> int | None:
    try:
        trace = _decode(line.raw)
    except jsonl.UNDECODABLE:
        return None
    return trace_key(trace.problem_id, trace.sample)
