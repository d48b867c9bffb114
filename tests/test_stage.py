"""A stage's folder: for one process at a time."""

from __future__ import annotations

import pytest

from sokrates import ranks, stage
from sokrates.config import Config
from sokrates.errors import SokratesError
from tests.locked import locked


def test_a_folder_is_for_one_process_until_that_ends(tmp_path):
    folder = tmp_path / "new" / "folder"
    taken = pytest.raises(SokratesError, match="folder: another process is at work in it")
    with locked(folder), taken, stage.claimed(folder):
        pass
    with stage.claimed(folder):
        pass


def test_of_processes_launched_together_the_main_one_claims(tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "rank", lambda: 1)
    with locked(tmp_path), stage.claimed(tmp_path):
        pass


def test_a_folder_that_was_only_claimed_is_empty(tmp_path):
    with stage.claimed(tmp_path):
        assert not stage.begin(tmp_path, {"a": 1}, Config())
        assert not stage.begin(tmp_path, {"a": 2}, Config()), "nothing had been made by the first settings"
