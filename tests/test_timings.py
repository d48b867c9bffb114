"""The cost of a loop's parts: what is written is read again, what old files hold too, and parts add up."""

from __future__ import annotations

import json

import pytest

from sokrates import jsonl, timings
from sokrates.errors import SokratesError
from sokrates.timings import Timing


def test_new_and_old_files_are_read(tmp_path):
    assert timings.read(tmp_path) == {}
    part = Timing(12.5, 0.93, 71.25)
    jsonl.write_json(tmp_path / "timings.json", {"generate": part, "data": Timing(0.5)})
    assert json.loads((tmp_path / "timings.json").read_text()) == {
        "generate": {"seconds": 12.5, "gpu_utilisation": 0.93, "peak_gpu_memory_gib": 71.25},
        "data": {"seconds": 0.5},
    }
    assert timings.read(tmp_path) == {"generate": part, "data": Timing(0.5)}
    (tmp_path / "timings.json").write_text('{"data": 4.2, "dpo": 105, "sft": {"seconds": 1.0}}')
    assert timings.read(tmp_path) == {"data": Timing(4.2), "dpo": Timing(105.0), "sft": Timing(1.0)}


def test_a_file_of_something_else_is_an_error(tmp_path):
    (tmp_path / "timings.json").write_text('{"data": "long"}')
    with pytest.raises(SokratesError, match=r"timings\.json"):
        timings.read(tmp_path)


def test_parts_add_up():
    assert Timing(10.0, 0.9, 60.0) + Timing(30.0, 0.5, 70.0) == Timing(40.0, 0.6, 70.0)
    assert Timing(10.0) + Timing(30.0, 0.5, 70.0) == Timing(40.0, 0.5, 70.0)
    assert Timing(1.0, peak_process_memory_gib=2.0) + Timing(1.0, peak_process_memory_gib=1.0) == Timing(
        2.0, peak_process_memory_gib=2.0
    )
    assert Timing(0.0, 0.5) + Timing(0.0) == Timing(0.0)
