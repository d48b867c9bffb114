"""Which ways the loop's benchmark takes, what each is made of, and whether there is time for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.loop_ways import COMMON, PLAIN, WAYS, choose, estimate, settings, stages, starts
from sokrates.cli import main
from sokrates.config import load

PLANNED = stages(2, Path("run.yaml"), Path("run"), "embedded", seed=42)


def names(ways):
    return [way.name for way in ways]


def test_ways_are_chosen_by_name_in_the_order_in_which_they_run():
    assert names(choose("all", resident=True)) == ["loop", "shell", "shell-ours", "loop-fresh"]
    assert names(choose("all", resident=False)) == ["loop", "shell", "shell-ours"]
    assert names(choose("shell,loop", resident=False)) == ["loop", "shell"]
    assert choose("", resident=True) == []
    with pytest.raises(ValueError, match="no way shel here; there are loop, shell"):
        choose("shel", resident=False)
    with pytest.raises(ValueError, match="loop-fresh"):
        choose("loop-fresh", resident=False)


def test_every_command_of_the_shell_loop_is_one_that_sokrates_has():
    for stage in PLANNED:
        result = CliRunner().invoke(main, [*stage.command, "--help"])  # what it does not know is refused before that
        assert result.exit_code == 0 and "Usage" in result.output, (stage.command, result.output)


def test_stages_go_on_from_what_those_before_them_made():
    by_name = {stage.name: stage for stage in PLANNED}
    assert [stage.kind for stage in PLANNED] == [
        *("data", "evaluate", "sft", "evaluate"),
        *("generate", "data", "dpo", "evaluate") * 2,
    ]
    assert "run/sft" in by_name["iter1 generate"].command and "43" in by_name["iter1 generate"].command
    assert "run/iter1/adapter" in by_name["iter2 generate"].command and "44" in by_name["iter2 generate"].command
    assert (
        "run/iter1/adapter" in by_name["iter2 dpo"].command and "run/iter2/pairs.jsonl" in by_name["iter2 dpo"].command
    )
    assert "run/iter2/adapter" in by_name["evaluate iter2"].command


@pytest.mark.parametrize("way", WAYS.values())
def test_the_settings_of_a_way_are_settings(way):
    config = load(None, settings(way, 3000, ["data.train_problems=7"]))
    assert config.data.train_problems == 7
    assert (config.sft.packing, config.dpo.share_prompts) == (not way.plain, not way.plain)
    step = config.sft.batch_size * config.sft.gradient_accumulation_steps
    assert (step, config.sft.max_length) == ((16, 2048) if way.plain else (1, 3000))


def test_what_is_plain_is_about_training_alone():
    assert {setting.partition(".")[0] for setting in PLAIN} == {"sft", "dpo"}
    assert not {setting.partition("=")[0] for setting in COMMON} & {setting.partition("=")[0] for setting in PLAIN}


def test_what_a_way_starts():
    assert starts(WAYS["loop"], PLANNED, resident=True) == (1, 1)
    assert starts(WAYS["loop"], PLANNED, resident=False) == (1, 6)
    assert starts(WAYS["loop-fresh"], PLANNED, resident=True) == (1, 6)
    assert starts(WAYS["shell"], PLANNED, resident=True) == (12, 6)


def test_the_time_of_a_way_is_foreseen_from_those_that_are_done():
    def stage(kind, seconds, start):
        return {"kind": kind, "seconds": seconds, "start_seconds": start}

    done = {"loop": {"stages": [stage("evaluate", 50.0, 40.0), stage("sft", 25.0, 5.0), stage("data", 3.0, 0.0)]}}
    work = 10 + 20 + 3
    assert estimate(WAYS["shell"], PLANNED, {}, resident=True) == 0
    assert estimate(WAYS["shell"], PLANNED, done, resident=True) == work + 12 * 5 + 6 * 40
    assert estimate(WAYS["loop-fresh"], PLANNED, done, resident=True) == work + 5 + 6 * 40
    assert estimate(WAYS["loop"], PLANNED, done, resident=True) == work + 5 + 40
