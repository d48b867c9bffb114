"""The loop's own curve: in TensorBoard point by point, in the others at the end, and nowhere unless asked."""

from __future__ import annotations

import pytest

from sokrates.training import curve, tracking
from tests.training.test_tracking import curves

POINTS = [{"accuracy": 0.25, "step_validity": 0.5}, {"accuracy": 0.5, "step_validity": 0.75}]


def test_tensorboard_has_one_curve_also_of_a_loop_that_went_on(tmp_path):
    points = [*POINTS, {"accuracy": 0.75}]
    for count in (1, 2, 3, 1, 2):
        curve.add_point(["tensorboard"], tmp_path, points[:count])
    assert curves(tmp_path) == {
        "evaluation/accuracy": [(0, 0.25), (1, 0.5)],
        "evaluation/step_validity": [(0, 0.5), (1, 0.75)],
    }


def test_the_others_get_the_whole_curve(tmp_path, monkeypatch):
    told = []

    class Recorder:
        def start(self):
            told.append("start")

        def log(self, values, step):
            told.append((step, values))

        def finish(self):
            told.append("finish")

    monkeypatch.setattr(tracking, "make_tracker", lambda name, output: told.append((name, output)) or Recorder())
    curve.send(["tensorboard", "wandb"], tmp_path, POINTS)
    assert told == [
        ("wandb", tmp_path),
        "start",
        (0, {"evaluation/accuracy": 0.25, "evaluation/step_validity": 0.5}),
        (1, {"evaluation/accuracy": 0.5, "evaluation/step_validity": 0.75}),
        "finish",
    ]


@pytest.mark.parametrize("trackers", [[], ["wandb"]])
def test_tensorboard_is_written_only_where_it_is_asked_for(tmp_path, trackers):
    curve.add_point(trackers, tmp_path, POINTS)
    curve.send([], tmp_path, POINTS)
    assert list(tmp_path.iterdir()) == []
