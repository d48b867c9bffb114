"""Askers: which engines are started, kept, put to sleep and ended, as a stand-in engine writes it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from sokrates import asking
from sokrates.asking import Askers
from sokrates.config import Config
from sokrates.engines import Resident
from tests import adapters, tiny

log: list[str] = []


class Plain:
    """An engine that holds one model and no more."""

    window = 100

    def __init__(self, model, config, stays):
        log.append(f"start {Path(model.model).name} with room for {config.max_lora_rank}, {stays=}")

    def generate(self, requests, sampling):
        return iter(())


class Swapping(Plain):
    """An engine that goes on with other adapters."""

    def load_adapter(self, folder):
        log.append(f"load {Path(folder).name if folder else None}")

    def sleep(self):
        log.append("sleep")

    def wake(self):
        log.append("wake")

    def close(self):
        log.append("close")


@pytest.fixture(autouse=True)
def kind(monkeypatch):
    kinds = [Swapping]
    log.clear()
    monkeypatch.setattr(asking, "load_engine", lambda _, model, config, *, stays=False: kinds[0](model, config, stays))
    return kinds


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("adapters")
    base = tiny.build(root / "base")
    return {
        "one": str(adapters.build(root / "one", rank=4)),
        "two": str(adapters.build(root / "two", rank=4)),
        "other": str(adapters.build(root / "other", base=str(base), rank=4)),
    }


def test_one_engine_goes_through_the_base_and_its_adapters(folders):
    assert isinstance(Swapping.__new__(Swapping), Resident)
    with Askers(Config(), rank=4) as askers:
        assert askers.get("embedded").adapter is None
        askers.get("embedded").start()
        one = askers.get(folders["one"])
        one.start()
        one.start()
        askers.rest()
        askers.get(folders["two"]).start()
    assert (one.model, one.adapter) == ("embedded", folders["one"]) and one.weights
    assert log == [
        "start embedded with room for 4, stays=True",
        *("wake", "load one", "wake", "sleep", "wake", "load two", "close"),
    ]
    assert askers.started == 1


def test_no_engine_is_started_for_what_is_never_asked(folders):
    with Askers(Config(), rank=4) as askers:
        askers.get(folders["one"])
        askers.rest()
    assert log == []


def test_another_base_gets_an_engine_of_its_own(folders):
    with Askers(Config(), rank=4) as askers:
        askers.get(folders["one"]).start()
        askers.get(folders["other"]).start()
    assert [line.split(" with")[0] for line in log] == ["start one", "close", "start other", "close"]


def test_an_engine_that_cannot_swap_is_started_for_each_model(folders, kind):
    kind[0] = Plain
    with Askers(Config(), rank=4) as askers:
        for name in ("embedded", folders["one"], folders["one"]):
            askers.get(name).start()
        askers.rest()
        askers.get(folders["one"]).start()
    assert askers.started == len(log) == 3


def test_what_stops_the_loop_ends_the_engine(folders):
    with pytest.raises(KeyboardInterrupt), Askers(Config(), rank=4) as askers:
        askers.get(folders["one"]).start()
        raise KeyboardInterrupt
    assert log[-1] == "close"


def test_no_device_is_initialised_before_an_engine_starts(folders, monkeypatch):
    """A process whose CUDA is initialised cannot be forked into vLLM's; even `is_available` may do that."""
    import torch

    def touched(*_):
        raise AssertionError("CUDA was asked for")

    for name in ("is_available", "init", "empty_cache", "device_count"):
        monkeypatch.setattr(torch.cuda, name, touched)
    with Askers(Config(), rank=4) as askers:
        askers.get(folders["one"]).start()
        askers.rest()
        askers.get(folders["two"]).start()
