"""What a measurement was made on and with."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
VERIFICATION = tuple(f"src/sokrates/{room}" for room in ("logic", "problems", "traces", "verification"))
"""What measurements of verification run."""


def describe(*packages: str, code: Sequence[str] = ("src", "benchmarks"), commit: str | None = None) -> dict[str, Any]:
    """The processor, its cores, how busy the machine was, Python, the packages, and the commit of the measured code.

    `commit`: its name, where the code was copied here without its history.
    """
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "commit": commit or _commit(code),
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit(code: Sequence[str]) -> str:
    """The commit, marked where the measured code differs from it."""
    git = ["git", "-C", str(PROJECT)]
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *code], capture_output=True, check=False)
    return commit.stdout.strip() + ("" if changed.returncode == 0 else "-changed")
