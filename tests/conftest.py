"""What all tests share: a machine of one thread, no network, and the same random examples in every run."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import settings

# Set before the first import of torch or transformers, which read them once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
if not Path("/dev/nvidiactl").exists():  # without a GPU its kernels are run by Triton's interpreter
    os.environ.setdefault("TRITON_INTERPRET", "1")

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
