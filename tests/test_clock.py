from __future__ import annotations

import pytest

from sokrates.clock import Clock


def test_each_second_is_counted_once(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    clock = Clock()
    with clock.part("whole"), clock.part("inner", of="whole"):
        pass
    assert clock.seconds == {"inner": 2.0, "whole": 8.0}
    clock.add("late", 0.5, of="whole")
    assert clock.seconds == {"inner": 2.0, "whole": 7.5, "late": 0.5}
    assert clock.total() == pytest.approx(10.0)
