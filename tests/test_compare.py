"""Runs taken together: means by hand, intervals that know of runs and of problems, runs that do not go together."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from sokrates import jsonl, metrics
from sokrates.cli import main
from sokrates.compare import compare, comparison_markdown
from sokrates.config import EvaluationConfig
from sokrates.errors import SokratesError
from sokrates.evaluation import differences
from sokrates.logic.answer import Answer
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.traces.trace import Trace
from sokrates.verification.verify import verify

SILENT = "Thought: Hm.\n"


def traces(seed: int, right: int, of: int = 20, *, prefix: str = "") -> list[Trace]:
    """Verified traces, the first `right` of them proofs and the others nothing."""
    problems = generate(of, GeneratorSettings(1, 2), seed=seed, prefix=prefix or f"run-{seed}")
    return [
        verify(build_trace(problem, gold_completion(problem) if place < right else SILENT))
        for place, problem in enumerate(problems)
    ]


def finished_run(folder: Path, stages: dict[str, list[Trace]], *, seed: int = 1, beta: float = 0.1) -> Path:
    for name, of in stages.items():
        jsonl.write(folder / "evaluation" / name / "traces.jsonl", of)
    jsonl.write_json(folder / "results.json", [metrics.stage_row(name, of) for name, of in stages.items()])
    changes = differences([("sft", "iter1")], stages, EvaluationConfig(bootstrap_samples=100))
    jsonl.write_json(folder / "differences.json", changes)
    jsonl.write_json(folder / "stage.json", {"data": {"seed": seed}, "dpo": {"beta": beta}})
    jsonl.write_json(folder / "summary.json", {})
    return folder


@pytest.fixture
def runs(tmp_path) -> list[Path]:
    return [
        finished_run(tmp_path / "one", {"sft": traces(1, 8), "iter1": traces(1, 12)}, seed=1),
        finished_run(tmp_path / "two", {"sft": traces(2, 10), "iter1": traces(2, 18)}, seed=2),
    ]


def test_the_mean_and_each_run_s_own_figure(runs):
    (found,) = compare(runs)
    sft, iter1 = found.lines
    assert (sft.stage, sft.problems, sft.by_run["accuracy"]) == ("sft", 40, [0.4, 0.5])
    assert sft.rates["accuracy"].value == pytest.approx(0.45)
    assert iter1.rates["trace_validity"].value == pytest.approx(0.75)
    (change,) = found.changes
    assert change.rates["accuracy"].value == pytest.approx(0.3)
    assert change.rates["accuracy"].low < 0.3 < change.rates["accuracy"].high


def test_what_is_true_or_false_is_counted_alone_too(tmp_path):
    problems = list(generate(30, GeneratorSettings(1, 2), seed=1, prefix="run"))
    unknowns = [
        verify(build_trace(problem, gold_completion(problem) if problem.label == Answer.UNKNOWN else SILENT))
        for problem in problems
    ]
    others = [
        verify(build_trace(problem, SILENT if problem.label == Answer.UNKNOWN else gold_completion(problem)))
        for problem in problems
    ]
    share = sum(problem.label == Answer.UNKNOWN for problem in problems) / len(problems)
    (found,) = compare([finished_run(tmp_path / "run", {"sft": unknowns, "iter1": others})])
    assert found.lines[0].rates["trace_validity"].value == pytest.approx(share)
    assert [line.rates["decided_trace_validity"].value for line in found.lines] == [0.0, 1.0]
    assert found.changes[0].rates["decided_trace_validity"].value == 1.0


def test_runs_without_a_true_or_false_problem_have_no_such_rate(tmp_path):
    problems = [p for p in generate(30, GeneratorSettings(1, 2), seed=1, prefix="run") if p.label is Answer.UNKNOWN]
    proved = [verify(build_trace(problem, gold_completion(problem))) for problem in problems]
    (found,) = compare([finished_run(tmp_path / "run", {"sft": proved, "iter1": proved})])
    assert found.lines[0].rates["proof_rate"].value == 1.0
    assert found.lines[0].rates["decided_trace_validity"] is None
    assert "on TRUE/FALSE" not in comparison_markdown([found], 1).split("Differences")[0]


def test_one_run_alone_has_the_interval_of_its_own_bootstrap(runs):
    (found,) = compare(runs[:1])
    stages = {"sft": traces(1, 8), "iter1": traces(1, 12)}
    alone = differences([("sft", "iter1")], stages, EvaluationConfig())[0]
    change = found.changes[0].rates["accuracy"]
    assert (change.value, change.low, change.high) == pytest.approx((alone.value, alone.low, alone.high), abs=0.06)


def spread(folders: list[Path]) -> float:
    rate = compare(folders)[0].lines[1].rates["accuracy"]
    return rate.high - rate.low


def test_runs_that_disagree_widen_the_interval(tmp_path):
    def width(*right: int) -> float:
        return spread(
            [
                finished_run(tmp_path / f"{right}-{seed}", {"sft": traces(seed, 0), "iter1": traces(seed, share)})
                for seed, share in enumerate(right, start=1)
            ]
        )

    assert width(2, 18) > 1.5 * width(10, 10)


def test_problems_that_runs_share_are_drawn_together(tmp_path):
    def width(*names: str) -> float:
        stages = [{"sft": traces(1, 0, prefix=name), "iter1": traces(1, 10, prefix=name)} for name in names]
        return spread([finished_run(tmp_path / f"{names}-{place}", of) for place, of in enumerate(stages)])

    assert width("same", "same", "same", "same") > 1.5 * width("a", "b", "c", "d")


def test_further_sets_that_all_runs_have(runs, tmp_path):
    for folder in runs:
        finished_run(folder / "transfer" / "others", {"sft": traces(5, 4), "iter1": traces(5, 6)})
    finished_run(runs[0] / "transfer" / "alone", {"sft": traces(6, 4), "iter1": traces(6, 6)})
    assert [found.name for found in compare(runs)] == ["", "others"]
    assert compare(runs)[1].lines[0].problems == 20


def test_runs_of_other_settings_do_not_belong_together(runs, tmp_path):
    other = finished_run(tmp_path / "other", {"sft": traces(3, 1), "iter1": traces(3, 1)}, seed=3, beta=0.2)
    with pytest.raises(
        SokratesError, match=r"one and .*other differ in more than their seeds: dpo.beta was 0.1, is 0.2"
    ):
        compare([*runs, other])
    (other / "summary.json").unlink()
    with pytest.raises(SokratesError, match="other: no finished run"):
        compare([other])


def test_the_command_writes_tables_and_figures(runs, tmp_path):
    result = CliRunner().invoke(main, ["compare", *map(str, runs), "--output", str(tmp_path / "figures.json")])
    assert result.exit_code == 0, result.output
    assert "| sft | 40 | 45.0 [" in result.output
    assert "| sft → iter1 | +30.0 [" in result.output
    assert result.output == comparison_markdown(compare(runs), 2)
    assert jsonl.read_json(tmp_path / "figures.json") == msgspec.to_builtins(compare(runs))
