"""What the GPUs do while something runs, asked of NVIDIA's driver (NVML); without one, what memory the process holds.

Contract: utilisation and memory are those of whole devices, whichever process works on them; of several, the mean
utilisation and the memory of the fullest. They are the devices that CUDA_VISIBLE_DEVICES leaves. CUDA is not
initialised and nothing is set. Where there is no NVIDIA GPU, no driver or no library for it, there is simply no figure.
It does not know in which order CUDA counts unlike GPUs: NVML goes by the bus, as CUDA does where CUDA_DEVICE_ORDER is
PCI_BUS_ID.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from statistics import mean
from types import TracebackType
from typing import Any, NamedTuple

INTERVAL = 1.0
"""Seconds between two looks."""

_asking = threading.Lock()
# A process that is forked while a thread asks would wait for NVML's own lock for ever: vLLM's engine can be a fork.
os.register_at_fork(before=_asking.acquire, after_in_parent=_asking.release, after_in_child=_asking.release)


class Look(NamedTuple):
    """What was seen at one moment; None is what the driver does not say."""

    utilisation: float | None
    """Share of the time, over the last part of a second, in which some kernel ran."""
    memory: float | None
    """GiB in use."""


class Gpus:
    """GPUs by their NVML handles."""

    def __init__(self, nvml: Any, handles: Sequence[Any]) -> None:
        self.nvml, self.handles = nvml, handles

    def look(self) -> Look:
        """What they do now."""
        with _asking:
            shares = self._each(lambda device: self.nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100)
            used = self._each(lambda device: self.nvml.nvmlDeviceGetMemoryInfo(device).used / 2**30)
        return Look(mean(shares) if shares else None, max(used, default=None))

    def _each(self, ask: Callable[[Any], float]) -> list[float]:
        """The answers there are: a part of a GPU (MIG) tells no utilisation, one on the machine's memory no memory."""
        found = []
        for device in self.handles:
            with suppress(self.nvml.NVMLError):
                found.append(ask(device))
        return found


@cache
def gpus() -> Gpus | None:
    """The GPUs that this process may use; None without any."""
    try:
        import pynvml
    except ImportError:
        return None
    return visible(pynvml, os.environ)


def visible(nvml: Any, environ: Mapping[str, str]) -> Gpus | None:
    """The GPUs of NVML, a module like `pynvml`, that the environment leaves; None without any."""
    try:
        with _asking:
            nvml.nvmlInit()
            handles = _handles(nvml, environ.get("CUDA_VISIBLE_DEVICES"))
    except nvml.NVMLError:
        return None
    return Gpus(nvml, handles) if handles else None


def _handles(nvml: Any, chosen: str | None) -> list[Any]:
    """Of indices and UUIDs; as with CUDA, what comes after one that there is not is left out too."""
    every = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    if chosen is None:
        return every
    handles: list[Any] = []
    for name in map(str.strip, chosen.split(",")):
        if name.startswith("MIG-"):
            found = [nvml.nvmlDeviceGetHandleByUUID(name)]
        elif name.startswith("GPU-"):
            found = [device for device in every if text(nvml.nvmlDeviceGetUUID(device)).startswith(name)]
        else:
            found = every[int(name) :][:1] if name.isdecimal() else []
        if not found:
            break
        handles += found
    return handles


def text(value: str | bytes) -> str:
    """A name as NVML gives it, which older libraries do as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def resident() -> float:
    """GiB of memory that this process holds, without the processes it started; where the system does not say it of now
    (macOS), the most that it has held."""
    pages = Path("/proc/self/statm")
    if pages.is_file():
        return int(pages.read_text().split()[1]) * resource.getpagesize() / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


class Meter:
    """A context manager that looks again and again, in a thread, while its block runs, and once at the end of it.

    Without a GPU memory is the process's own (`resident`) and there is no utilisation.
    """

    def __init__(self, interval: float = INTERVAL, find: Callable[[], Gpus | None] = gpus) -> None:
        self.latest: Look | None = None
        """What was seen last; None before the first look."""
        self.of_gpu = False
        """Whether the figures are of GPUs; known from the first look."""
        self.utilisation: float | None = None
        """The mean of all looks, when the block has ended."""
        self.peak_memory = 0.0
        """The most of all looks, in GiB."""
        self._interval, self._find = interval, find
        self._shares: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self.utilisation = round(mean(self._shares), 3) if self._shares else None

    def _watch(self) -> None:
        found = self._find()
        self.of_gpu = found is not None
        while True:
            ended = self._ended.wait(self._interval)
            self._take(found.look() if found else Look(None, resident()))
            if ended:
                return

    def _take(self, look: Look) -> None:
        self.latest = look
        if look.utilisation is not None:
            self._shares.append(look.utilisation)
        if look.memory is not None:
            self.peak_memory = max(self.peak_memory, round(look.memory, 2))
