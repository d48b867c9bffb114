"""The program as a user runs it: commands on small files, and what it says of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sokrates.cli import main
from tests.shared_data import FOLDER


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*args: object, status: int = 0):
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result.output

    return invoke


@pytest.fixture
def problems(run):
    run("data", "generate", "--hops", 1, 2, "--num-problems", 6, "--seed", 1, "--output", "problems.jsonl")
    return "problems.jsonl"


def lines(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


COMMANDS = [
    [], ["data"], ["data", "generate"], ["data", "import"], ["optionize"], ["sft"], ["generate"], ["verify"], ["pairs"],
    ["dpo"], ["loop"], ["evaluate"], ["demo"], ["pretrain"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(run, command):
    text = run(*command, "--help")
    assert command == ["data"] or "sokrates " + " ".join(command) in text


def test_problems_to_gold_traces_to_verdicts_and_pairs(run, problems):
    assert "6 labels agree, 0 differ; 6 gold traces, 6 of them valid; 0 unsolved" in run(
        "optionize", problems, "--output", "gold.jsonl"
    )
    run("verify", "gold.jsonl", "--output", "verified")
    summary = json.loads(Path("verified/summary.json").read_text())
    assert summary["trace_validity"] == summary["step_validity"] == summary["accuracy"] == 1.0
    keys = "timestamp elapsed_seconds total_traces valid_traces correct_traces accuracy traces_per_second config"
    assert set(keys.split()) <= summary.keys()
    assert lines("verified/traces.jsonl") == lines("gold.jsonl")
    assert '"one_sample": 6' in run("pairs", "gold.jsonl", "--output", "pairs.jsonl")


def test_the_same_seed_makes_the_same_problems(run, problems):
    run("data", "generate", "--hops", 1, 2, "--num-problems", 6, "--seed", 1, "--output", "again.jsonl")
    assert lines("again.jsonl") == lines(problems)
    run("data", "generate", "--hops", 1, 2, "--num-problems", 6, "--seed", 2, "--output", "other.jsonl")
    assert lines("other.jsonl") != lines(problems)


def test_the_label_mix_is_obeyed(run):
    run("data", "generate", "--num-problems", 20, "--label-mix", 0, 0, 1, "--output", "unknown.jsonl")
    assert {record["label"] for record in lines("unknown.jsonl")} == {"UNKNOWN"}


def test_a_dry_run_prints_the_configuration_and_does_nothing(run):
    text = run("sft", "--data", "none", "--output", "out", "--learning-rate", "1e-4", "--dry-run", "dpo.beta=0.3")
    assert "learning_rate: 0.0001" in text
    assert "beta: 0.3" in text


def test_an_unknown_key_names_the_nearest(run):
    assert "dpo.beta" in run("loop", "--dry-run", "dpo.betta=0.3", status=2)


BAD = {
    "truncated": ('{"problem_id": "a", "premises": ["Max is red."', "bad.jsonl:2"),
    "sentence": (
        '{"problem_id": "odd", "premises": ["Colourless green ideas sleep."], "conclusion": "Max is red."}',
        "bad.jsonl:2 (odd): premise 0",
    ),
    "label": (
        '{"problem_id": "lab", "premises": ["Max is red."], "conclusion": "Max is red.", "label": "maybe"}',
        "bad.jsonl:2 (lab): unknown label 'maybe'",
    ),
    "duplicate": (
        '{"problem_id": "good", "premises": ["Max is red."], "conclusion": "Max is red."}',
        "bad.jsonl:2 (good): duplicate id",
    ),
    "type": ('{"problem_id": "typ", "premises": "Max is red.", "conclusion": "x"}', "Expected `array`, got `str`"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_is_named_or_set_aside(run, kind):
    record, message = BAD[kind]
    good = '{"problem_id": "good", "premises": ["Max is red."], "conclusion": "Max is red.", "label": "True"}'
    Path("bad.jsonl").write_text(f"{good}\n{record}\n")
    assert message in run("data", "import", "--format", "plan", "bad.jsonl", "--output", "out.jsonl", status=2)
    text = run("data", "import", "--format", "plan", "bad.jsonl", "--output", "out.jsonl", "--skip-bad")
    assert "1 records set aside in out.set-aside.jsonl" in text
    assert [entry["problem_id"] for entry in lines("out.jsonl")] == ["good"]
    assert [entry["record"] for entry in lines("out.set-aside.jsonl")] == [record]


def test_what_a_reader_changed_is_reported(run):
    record = {
        "premises": ["Tom is a cat."],
        "premises-FOL": ["Cat(tom))"],
        "conclusion": "Tom is a cat.",
        "label": "True",
    }
    Path("folio.jsonl").write_text(json.dumps({**record, "conclusion-FOL": "Cat(tom)"}))
    text = run("data", "import", "--format", "folio", "folio.jsonl", "--output", "out.jsonl")
    assert "1 problems have notes\nnote: folio-1: premise 0: extra ) at the end\n" in text
    context = {
        "id": "p",
        "context": "Every cat is red. Tom is not red.",
        "question": "So? Tom is a cat.",
        "answer": "C",
    }
    Path("proofwriter.jsonl").write_text(json.dumps(context))
    text = run("data", "import", "--format", "proofwriter", "proofwriter.jsonl", "--output", "out.jsonl")
    assert "classically: p: its label is UNKNOWN, but classically the conclusion is FALSE\n" in text


def test_a_wrong_label_is_reported_by_id(run):
    record = {"problem_id": "w", "premises": ["Max is red."], "conclusion": "Max is red.", "label": "B"}
    Path("wrong.jsonl").write_text(json.dumps(record) + "\n")
    text = run("data", "import", "--format", "plan", "wrong.jsonl", "--output", "out.jsonl")
    assert "w: its label is FALSE, but by its premises the conclusion is TRUE" in text


def test_a_model_folder_without_weights_is_an_error(run, problems, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    text = run("generate", "--model", "model", "--data", problems, "--output", "out", status=2)
    assert "without weights" in text


def test_a_missing_file_is_an_error(run):
    assert "nowhere.jsonl: no such file" in run("optionize", "nowhere.jsonl", "--output", "x", status=2)


@pytest.mark.skipif(not (FOLDER / "prontoqa").is_dir(), reason="the PrOntoQA files are not here")
def test_the_authors_problems_from_file_to_gold(run):
    source = FOLDER / "prontoqa" / "dev_true_ontology.jsonl"
    run("data", "import", "--format", "prontoqa", source, "--output", "p.jsonl")
    assert "100 labels agree, 0 differ; 100 gold traces, 100 of them valid; 0 unsolved" in run(
        "optionize", "p.jsonl", "--output", "g.jsonl"
    )
