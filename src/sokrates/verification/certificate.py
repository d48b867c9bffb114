"""What a verdict stands on: the version of the kernel that gave it, and a hash that ties it to what it was given for.

Contract: a certificate covers the kernel's version, which trace it is, its text, the problem's statement, the steps and
every verdict field. It is no signature: it shows that a file was edited or damaged, not who wrote it. `recheck` gives
the verdicts again.
"""

from __future__ import annotations

import hashlib
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

import sokrates
from sokrates import logic
from sokrates.traces.trace import Step, Trace

_TRACE = attrgetter(
    "problem_id", "sample", "completion", "kernel",
    "premises", "premises_fol", "conclusion", "conclusion_fol", "label", "final_answer", "stated_answer",
    "correct", "all_steps_valid", "valid_step_count", "total_step_count", "invalid_reason", "unused_steps",
    "repeated_steps", "claims_missing", "misquotes",
)  # fmt: skip
_STEP = attrgetter(
    "thought", "action", "option_type", "option_args", "solver_valid", "formula", "claim", "reason", "message",
    "explanation", "entailed", "published_valid",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode


@cache
def kernel() -> str:
    """The kernel's version: the package's, and a hash of the sources of `sokrates.logic`."""
    digest = hashlib.sha256()
    folder = Path(logic.__path__[0])
    for source in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".lark")):
        digest.update(source.relative_to(folder).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    return f"{sokrates.__version__}+{digest.hexdigest()[:12]}"


def certificate(trace: Trace) -> str:
    """The certificate of a trace's content as it stands, by the kernel that it names."""
    of_trace = _TRACE(trace) if trace.unexplored is None else (*_TRACE(trace), trace.unexplored)
    content = _encode((of_trace, [_content(step) for step in trace.steps]))
    return hashlib.sha256(content).hexdigest()[:16]


def _content(step: Step) -> tuple[Any, ...]:
    # Verdicts of kernels that did not judge actions apart keep the certificates that they were given.
    content: tuple[Any, ...] = _STEP(step)
    return content if step.action_valid is None else (*content, step.action_valid)
