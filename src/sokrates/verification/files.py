"""Verdicts over whole files: traces in, the same traces with verdicts out, in their order, as a stream.

Contract: memory does not grow with the file but for one hash a trace. The output folder gets `traces.jsonl` and
`summary.json`, whole or not at all. A verification that was killed goes on behind the traces it had finished (which are
held in memory then); a folder that holds the work of another input, or of another stage, is refused.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sokrates import jsonl, stage
from sokrates.config import Config
from sokrates.errors import BadRecord, SokratesError
from sokrates.traces.trace import Trace
from sokrates.verification.summary import Tally
from sokrates.verification.verify import verify

TRACES = "traces.jsonl"


def verify_file(
    path: str | Path,
    output: Path,
    *,
    set_aside: jsonl.SetAside | None = None,
    on_trace: Callable[[], Any] | None = None,
) -> dict[str, Any]:
    """Verify a file of traces into a folder; returns the summary. `on_trace` is called after each.

    Errors: BadRecord for a record that cannot be used (unless `set_aside` takes it).
    """
    started = time.monotonic()
    target = output / TRACES
    if Path(path).resolve() == target.resolve():
        raise SokratesError(f"{target}: the output would overwrite the input; give another --output")
    jsonl.require(path)
    if stage.begin(output, {"verify": stage.file_hash(path)}, Config()):
        earlier: dict[str, Any] = jsonl.read_json(output / stage.SUMMARY)
        return earlier
    tally = Tally()
    finished = jsonl.read_partial(target, Trace)
    encode = msgspec.json.Encoder().encode
    with jsonl.partial_path(target).open("ab") as file:
        for trace in verified(
            path, set_aside=set_aside, finished=finished, on_new=lambda t: file.write(encode(t) + b"\n")
        ):
            tally.add(trace)
            if on_trace:
                on_trace()
        file.flush()
        os.fsync(file.fileno())
    os.replace(jsonl.partial_path(target), target)
    summary = tally.summary(time.monotonic() - started, {"input": str(path)})
    summary["set_aside"] = set_aside.close() if set_aside else 0
    jsonl.write_json(output / stage.SUMMARY, summary)
    return summary


def verified(
    path: str | Path,
    *,
    set_aside: jsonl.SetAside | None = None,
    finished: Iterable[Trace] = (),
    on_new: Callable[[Trace], Any] | None = None,
) -> Iterator[Trace]:
    """The traces of a file with verdicts; those in `finished` are taken from there, `on_new` sees the others."""
    seen: set[int] = set()
    finished = iter(finished)
    pending = next(finished, None)
    for line, trace in jsonl.read_numbered(path, Trace, set_aside=set_aside):
        key = hash((trace.problem_id, trace.sample))
        try:
            if key in seen:
                raise SokratesError(f"duplicate trace: sample {trace.sample} of this problem stands in the file twice")
            seen.add(key)
            if pending is not None and (pending.problem_id, pending.sample) == (trace.problem_id, trace.sample):
                done, pending = pending, next(finished, None)
            else:
                done = verify(trace)
                if on_new:
                    on_new(done)
            yield done
        except SokratesError as error:
            bad = BadRecord(str(error), path=str(path), line=line, problem_id=trace.problem_id)
            if set_aside is None:
                raise bad from None
            set_aside.add(bad, msgspec.json.encode(trace).decode())
