"""A judge for tests of files, in a module that worker processes load quickly."""

from __future__ import annotations

import os
import signal

from sokrates import jsonl
from sokrates.verification.judging import Judged, judge
from sokrates.verification.pool import Line


def in_workers(line: Line, *, fast_only: bool) -> Judged | None:
    """Every second problem is for the workers; the one named "bad" ends its process."""
    name = jsonl.problem_id(line.raw)
    if name == "bad" and not fast_only:
        os.kill(os.getpid(), signal.SIGKILL)
    slow = name == "bad" or int(name[-1]) % 2
    return None if slow and fast_only else judge(line, fast_only=False)
