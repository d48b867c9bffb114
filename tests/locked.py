"""A folder that another process is at work in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import sys
from pathlib import Path
from sokrates.stage import claimed
with claimed(Path(sys.argv[1])):
    print(1, flush=True)
    input()
"""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    other = subprocess.Popen([sys.executable, "-c", _HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout and other.stdout.readline()
        yield
    finally:
        other.kill()
        other.wait()
