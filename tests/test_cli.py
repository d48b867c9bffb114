"""The program as a user runs it: commands on small files, and what it says of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sokrates.cli import main
from tests.locked import locked
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
    [], ["data"], ["data", "generate"], ["data", "import"], ["optionize"], ["validate"], ["sft"], ["generate"],
    ["verify"], ["recheck"], ["pairs"], ["dpo"], ["export"], ["loop"], ["evaluate"], ["demo"], ["pretrain"],
    ["report"], ["show"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(run, command):
    text = run(*command, "--help")
    assert command == ["data"] or "sokrates " + " ".join(command) in text


@pytest.mark.parametrize(
    "command",
    [
        ["sft", "--data", "empty.jsonl"], ["dpo", "--pairs", "empty.jsonl"], ["generate", "--data", "problems.jsonl"],
        ["evaluate", "--data", "problems.jsonl"], ["pretrain"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_folder_that_another_process_is_at_work_in(run, problems, command):
    Path("empty.jsonl").touch()
    with locked(Path("taken")):
        told = run(*command, "--output", "taken", status=2)
    assert "taken: another process is at work in it; wait for it or end it first" in told
    assert [path.name for path in Path("taken").iterdir()] == [".lock"]


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


def test_verdicts_are_rechecked_with_exit_status(run, problems):
    run("optionize", problems, "--output", "gold.jsonl")
    assert "6 traces: 6 with the same verdicts, 0 differ" in run("recheck", "gold.jsonl", "--workers", 1)
    edited = lines("gold.jsonl")
    for trace in edited:
        for step in trace["steps"]:
            step["solver_valid"], step["reason"] = False, "claim_differs"
    Path("edited.jsonl").write_text("".join(f"{json.dumps(trace)}\n" for trace in edited))
    text = run("recheck", "edited.jsonl", "--output", "again", status=1)
    assert "edited.jsonl:1 (sokrates-1-0 sample 0): step 0: stored invalid: claim_differs, now valid" in text
    count = sum(len(trace["steps"]) + 1 for trace in edited)
    assert text.count("edited.jsonl:") == 20 < count and f"and {count - 20} more in again/differences.jsonl" in text
    assert sum(len(entry["differences"]) + entry["tampered"] for entry in lines("again/differences.jsonl")) == count
    assert json.loads(Path("again/summary.json").read_text())["differ"] == 6
    assert "problems.jsonl:1 (sokrates-1-0): not a Trace" in run("recheck", problems, status=2)


def test_a_data_set_proves_itself(run, problems):
    wrong = {"problem_id": "w", "premises": ["Max is blue.", "Max is not blue."], "conclusion": "Max is red."}
    with Path(problems).open("a") as file:
        file.write(json.dumps({**wrong, "label": "True", "source": "by hand"}) + "\nnonsense\n")
    assert "problems.jsonl:8" in run("validate", problems, "--output", "out", status=2)
    text = run("validate", problems, "--output", "out", "--skip-bad", "--workers", 1)
    assert "1 records set aside in out/problems.set-aside.jsonl" in text
    rows = [line.split() for line in text.splitlines() if "%" in line]
    assert rows == [
        ["by", "hand", *"1 0 0 1 0 0 0.0%".split()],
        ["sokrates-generator", *"6 6 0 0 6 6 100.0%".split()],
        ["all", *"7 6 0 1 6 6 85.7%".split()],
    ]
    assert lines("out/unsolved.jsonl") == [{"problem_id": "w", "reason": "its premises contradict each other"}]


def test_optionize_lists_what_it_cannot_solve(run, problems):
    wrong = {"problem_id": "w", "premises": ["Max is blue.", "Max is not blue."], "conclusion": "Max is red."}
    with Path(problems).open("a") as file:
        file.write(json.dumps(wrong) + "\n")
    text = run("optionize", problems, "--output", "gold.jsonl")
    assert "no gold trace: w: its premises contradict each other" in text
    assert "7 problems: 6 labels agree, 1 differ; 6 gold traces, 6 of them valid; 1 unsolved" in text
    text = run("optionize", problems, "--output", "short.jsonl", "--max-steps", 2)
    assert "gold traces are longer than --max-steps 2: raise it" in text


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
    assert "1 problems in out.jsonl\nnote: folio-1: premise 0: extra ) at the end\n" in text
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


def test_a_folder_of_traces_is_reported_and_one_of_them_shown(run, problems):
    run("optionize", problems, "--output", "gold.jsonl")
    run("verify", "gold.jsonl", "--output", "verified")
    assert "verified/report.html: 0." in run("report", "verified")
    assert Path("verified/report.html").read_text().startswith("<!doctype html>")
    run("report", "verified", "--output", "other/page.html")
    assert Path("other/page.html").read_bytes() == Path("verified/report.html").read_bytes()
    first = lines("gold.jsonl")[0]
    text = run("show", "verified/traces.jsonl", first["problem_id"])
    assert text == run("show", "verified", "verified", first["problem_id"], "--sample", 0)
    assert first["steps"][0]["thought"] in text and "\x1b" not in text
    assert f"the nearest: {first['problem_id']}" in run("show", "gold.jsonl", f"{first['problem_id']}0", status=2)
    assert "expected a problem's id" in run("show", "gold.jsonl", status=2)
    assert "nowhere: no such folder" in run("report", "nowhere", status=2)
