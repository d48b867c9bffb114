"""Which of several processes this one is, where `accelerate launch` or `torchrun` started several of the same program.

Contract: the launcher says it in the environment; without one there is a single process, which is the main one. Only
the main process prints and writes files. It does not know how processes talk to each other.
"""

from __future__ import annotations

import os


def rank() -> int:
    """This process's number, over all machines, from 0."""
    return int(os.environ.get("RANK", "0")) if _launched() else 0


def local_rank() -> int:
    """This process's number on its machine, from 0: the number of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if _launched() else 0


def count() -> int:
    """How many processes there are, on all machines together."""
    return int(os.environ.get("WORLD_SIZE", "1")) if _launched() else 1


def is_main() -> bool:
    return rank() == 0


def _launched() -> bool:
    """Schedulers set some of these variables for other ends; this one the launchers alone set."""
    return "LOCAL_RANK" in os.environ
