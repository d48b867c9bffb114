"""What the driver is asked of which GPUs, and that it is asked in vain without any complaint."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from sokrates import gpu
from tests.nvml import Card, Nvml

CARDS = (Card("GPU-aa11", 90, 70.5), Card("GPU-bb22", 50, 20.0), Card("GPU-cc33", 10, 1.0))


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        (None, ["aa11", "bb22", "cc33"]),
        ("1", ["bb22"]),
        ("2, 0", ["cc33", "aa11"]),
        ("GPU-bb22,0", ["bb22", "aa11"]),
        ("GPU-c", ["cc33"]),  # CUDA takes the beginning of a name too
        ("0,7,1", ["aa11"]),  # CUDA sees nothing behind one that there is not
        ("0,-1,1", ["aa11"]),
        ("0,GPU-dd,1", ["aa11"]),
    ],
)
def test_visible_devices(chosen, seen):
    environ = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}
    found = gpu.visible(Nvml(*CARDS), environ)
    assert [card.uuid.removeprefix("GPU-") for card in found.handles] == seen


@pytest.mark.parametrize("chosen", ["", "-1", "NoDevFiles", "3", "MIG-unknown"])
def test_no_visible_device(chosen):
    assert gpu.visible(Nvml(*CARDS), {"CUDA_VISIBLE_DEVICES": chosen}) is None


def test_several_devices_give_the_mean_utilisation_and_the_fullest_memory():
    found = gpu.visible(Nvml(*CARDS), {"CUDA_VISIBLE_DEVICES": "1,0"})
    assert found.look() == (pytest.approx(0.7), 70.5)


def test_what_a_device_does_not_say_is_left_out():
    part = Card("MIG-1", utilisation=None, gib=9.0)
    found = gpu.visible(Nvml(*CARDS, part), {"CUDA_VISIBLE_DEVICES": "MIG-1"})
    assert found.look() == (None, 9.0)
    assert gpu.visible(Nvml(Card("GPU-1", utilisation=40, gib=None)), {}).look() == (0.4, None)


def test_no_library_and_no_driver(monkeypatch):
    assert gpu.visible(Nvml(), {}) is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it fails
    assert gpu.gpus.__wrapped__() is None


def test_a_meter_of_gpus_keeps_the_peak_and_the_mean():
    card = Card("GPU-1", 100, 10.0)
    with gpu.Meter(0.01, lambda: gpu.visible(Nvml(card), {})) as meter:
        wait_for(lambda: meter.latest)
        card.gib = 30.0
        wait_for(lambda: meter.peak_memory == 30.0)
        card.gib, card.utilisation = 5.0, 0
        wait_for(lambda: meter.latest == (0.0, 5.0))
    assert meter.of_gpu and meter.peak_memory == 30.0 and 0 < meter.utilisation < 1


def test_a_block_shorter_than_the_interval_is_looked_at_too():
    with gpu.Meter(60.0, lambda: gpu.visible(Nvml(Card("GPU-1", 25, 2.0)), {})) as meter:
        pass
    assert (meter.utilisation, meter.peak_memory) == (0.25, 2.0)


def test_without_a_gpu_a_meter_tells_the_memory_of_the_process():
    with gpu.Meter(60.0, lambda: None) as before:
        pass
    held = bytearray(200 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    with gpu.Meter(60.0, lambda: None) as meter:
        pass
    assert not meter.of_gpu and meter.utilisation is None
    assert meter.peak_memory - before.peak_memory == pytest.approx(0.2, abs=0.05)


def test_a_fork_waits_until_the_driver_has_answered():
    asked, answer = threading.Event(), threading.Event()

    class Slow(Nvml):
        def nvmlDeviceGetMemoryInfo(self, card):
            asked.set()
            answer.wait()
            return super().nvmlDeviceGetMemoryInfo(card)

    found = gpu.visible(Slow(CARDS[0]), {})
    asking = threading.Thread(target=found.look)
    asking.start()
    asked.wait()
    threading.Timer(0.2, answer.set).start()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if found.look().memory == 70.5 else 1)  # the lock is free here
    assert os.waitpid(child, 0)[1] == 0 and time.monotonic() - began >= 0.19
    asking.join()


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
