"""Which process this is, from the launcher's environment."""

from __future__ import annotations

import pytest

from sokrates import models, ranks
from sokrates.cli import main
from sokrates.errors import SokratesError


@pytest.fixture
def second_of_four(monkeypatch):
    for name, value in {"RANK": 3, "LOCAL_RANK": 1, "WORLD_SIZE": 4}.items():
        monkeypatch.setenv(name, str(value))


def test_alone(monkeypatch):
    """A scheduler's own variables, without the launcher's, mean nothing."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert (ranks.rank(), ranks.local_rank(), ranks.count(), ranks.is_main()) == (0, 0, 1, True)


def test_among_others(second_of_four):
    assert (ranks.rank(), ranks.local_rank(), ranks.count(), ranks.is_main()) == (3, 1, 4, False)


def test_each_process_takes_its_own_gpu(second_of_four, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert models._device("auto").index == models._device("cuda").index == 1
    with pytest.raises(SokratesError, match=r"cuda:0 in 4 processes.*expected auto or cuda"):
        models._device("cuda:0")


def test_only_training_runs_in_several_processes(second_of_four, tmp_path):
    from click.testing import CliRunner

    result = CliRunner().invoke(main, ["loop", "--output", str(tmp_path)])
    assert result.exit_code == 2
    assert "process 3 of 4: loop runs in one process, not in 4; expected sft or dpo" in result.output


def test_others_than_the_main_process_are_silent(second_of_four):
    from click.testing import CliRunner

    assert CliRunner().invoke(main, ["sft", "--data", "x", "--output", "y", "--dry-run"]).output == ""
