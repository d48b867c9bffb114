"""Run folders made without a model, and a real browser to read their reports with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.report_run import make_run
from sokrates import stage
from sokrates.config import load

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SFT = {
    "steps": 4,
    "seconds": 1.5,
    "train_losses": [{"step": 1, "epoch": 0.5, "loss": 0.5}, {"step": 4, "epoch": 2.0, "loss": 0.125}],
    "heldout_losses": [{"step": 2, "epoch": 1.0, "loss": 0.4}, {"step": 4, "epoch": 2.0, "loss": 0.25}],
}
DPO = {"steps": 2, "seconds": 1.0, "history": [{"step": 1, "loss": 0.6931, "margin": 0.0}, {"step": 2, "loss": 0.5}]}


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A whole run of 40 problems at four stages, and 20 others sampled three times; not to be written to."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    make_run(folder, evaluated=40, sampled=20, samples=3)
    stage.begin(folder, {}, load(None, ["oak_loop.baselines=[rft]"]))
    for name, training in {"iter1/adapter": DPO, "sft": SFT}.items():
        (folder / name).mkdir()
        (folder / name / "training.json").write_text(json.dumps(training))
    for name, time in {"base": "2026-11-25T06:31:35+00:00", "iter2": "2026-11-25T06:37:01+00:00"}.items():
        (folder / "evaluation" / name / "summary.json").write_text(json.dumps({"timestamp": time}))
    return folder


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, where it and playwright are installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: chromium, chromium-browser or google-chrome on the path")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()
