"""What a GPU does while something runs on it, and what it can do at best.

Contract: utilisation and memory come from the driver (NVML), for the whole device and whichever process works on it;
without a GPU, memory is the process's own and utilisation is None. Nothing here changes a setting of the device.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable
from statistics import mean, median
from types import TracebackType
from typing import Any

from benchmarks.roofline import Rates

INTERVAL = 0.1
"""Seconds between two looks."""


class Meter:
    """A context manager that looks at the first GPU ten times a second.

    `utilisation`: mean share of the time in which some kernel ran, None without NVML. `peak_memory`: GiB.
    """

    def __init__(self) -> None:
        self.utilisation: float | None = None
        self.peak_memory = 0.0
        self._shares: list[float] = []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._look = _nvml()

    def __enter__(self) -> Meter:
        if self._look:
            self._thread = threading.Thread(target=self._watch, args=(self._look,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._thread:
            self._ended.set()
            self._thread.join()
            self.utilisation = round(mean(self._shares), 3) if self._shares else None
        else:
            self.peak_memory = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)

    def _watch(self, look: Callable[[], tuple[float, float]]) -> None:
        while not self._ended.wait(INTERVAL):
            share, memory = look()
            self._shares.append(share)
            self.peak_memory = max(self.peak_memory, round(memory, 2))


def _nvml() -> Callable[[], tuple[float, float]] | None:
    """A function that gives (utilisation, GiB in use) of the first GPU; None where there is no NVML or no GPU."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        device = pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError:
        return None

    def look() -> tuple[float, float]:
        share = pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
        return share, pynvml.nvmlDeviceGetMemoryInfo(device).used / 2**30

    return look


def describe_gpu() -> dict[str, Any] | None:
    """The first GPU's name, memory and driver; None without one."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        device = pynvml.nvmlDeviceGetHandleByIndex(0)
        return {
            "name": _text(pynvml.nvmlDeviceGetName(device)),
            "memory_gib": round(pynvml.nvmlDeviceGetMemoryInfo(device).total / 2**30, 1),
            "driver": _text(pynvml.nvmlSystemGetDriverVersion()),
        }
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def measure_rates(device: str, dtype: str) -> Rates:
    """The rates of a large matrix product and a large copy, of random numbers; the median of many repetitions."""
    import torch

    on_gpu = device.startswith("cuda")
    size, numbers = (8192, 2**31) if on_gpu else (1024, 2**24)
    number = getattr(torch, dtype)
    left, right = (torch.randn(size, size, device=device, dtype=torch.float32).to(number) for _ in range(2))
    product = torch.empty_like(left)
    source = torch.randint(0, 256, (numbers,), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    wait = torch.cuda.synchronize if on_gpu else (lambda: None)
    return Rates(
        operations=2 * size**3 / _median_seconds(lambda: torch.mm(left, right, out=product), wait),
        bytes=2 * numbers / _median_seconds(lambda: target.copy_(source), wait),
    )


def _median_seconds(work: Callable[[], Any], wait: Callable[[], None], budget: float = 1.0) -> float:
    """The median time of one repetition; each waits for the device, whose work here takes a hundred times longer."""
    for _ in range(3):
        work()
    wait()
    times: list[float] = []
    end = time.perf_counter() + budget
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - began)
    return median(times)
