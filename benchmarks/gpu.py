"""What a GPU is, what it does while a benchmark runs on it, and what it can do at best.

Contract: what it is and does is asked of the driver, as `sokrates.gpu` does. Nothing here changes a setting of the
device.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.roofline import Rates
from sokrates import gpu

INTERVAL = 0.1
"""Seconds between two looks."""


def meter() -> gpu.Meter:
    """A meter that looks ten times a second."""
    return gpu.Meter(INTERVAL)


def describe_gpu() -> dict[str, Any] | None:
    """The name, memory and driver of the first GPU that can be used; None without one."""
    found = gpu.gpus()
    if found is None:
        return None
    device = found.handles[0]
    return {
        "name": gpu.text(found.nvml.nvmlDeviceGetName(device)),
        "memory_gib": round(found.nvml.nvmlDeviceGetMemoryInfo(device).total / 2**30, 1),
        "driver": gpu.text(found.nvml.nvmlSystemGetDriverVersion()),
    }


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
