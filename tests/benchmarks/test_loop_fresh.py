"""The loop without engines that stay: one that could stay is ended all the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.loop_fresh import FreshAskers
from benchmarks.machine import PROJECT
from sokrates import asking
from sokrates.asking import Askers
from sokrates.config import Config


class Staying:
    """An engine that could stay, and writes down what becomes of it."""

    window = 100

    def __init__(self, log):
        self.log = log
        log.append("start")

    def generate(self, requests, sampling):
        return iter(())

    def load_adapter(self, folder):
        self.log.append("load")

    def sleep(self):
        self.log.append("sleep")

    def wake(self):
        self.log.append("wake")

    def close(self):
        self.log.append("close")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Askers, ["start", "wake", "sleep", "wake", "close"]),
        (FreshAskers, ["start", "close", "start", "close", "start", "close"]),
    ],
)
def test_every_stage_starts_an_engine(monkeypatch, kind, wanted):
    log: list[str] = []
    monkeypatch.setattr(asking, "load_engine", lambda *_, stays: Staying(log))
    with kind(Config(), rank=4) as askers:
        askers.get("embedded").start()
        askers.get("embedded").start()
        askers.rest()
        askers.get("embedded").start()
    assert log == wanted


@pytest.mark.slow
def test_the_program_s_loop_gets_them():
    code = """
import runpy, sys
sys.argv = ["loop", "--help"]
try:
    runpy.run_module("benchmarks.loop_fresh", run_name="__main__")
except SystemExit:
    pass
from sokrates import oak
print(oak.Askers.__name__)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "Run SFT and then the loop" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "FreshAskers"
