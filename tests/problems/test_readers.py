"""Readers: what each format becomes, and what a bad record is told."""

from __future__ import annotations

import json

import pytest

from sokrates import jsonl
from sokrates.errors import BadRecord, SokratesError
from sokrates.logic.answer import Answer
from sokrates.logic.smt import Smt
from sokrates.problems import Problem
from sokrates.problems.labels import label_error
from sokrates.problems.readers import read_problems
from tests.shared_data import files, needs

GOOD = {"problem_id": "good", "premises": ["Max is red."], "conclusion": "Max is red.", "label": "TRUE"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "problems.jsonl"


def write(path, *records):
    path.write_bytes(b"\n".join(r if isinstance(r, bytes) else json.dumps(r).encode() for r in records) + b"\n")


def read_one(path, record, format="plan") -> Problem:
    write(path, record)
    (problem,) = read_problems(path, format)
    return problem


def test_prontoqa(path):
    record = {
        "id": "a-1",
        "question": "Wumpuses are red. Each yumpus is a wumpus. Max is a yumpus.",
        "query": "True or false: Max is not red.",
        "answer": "False",
        "hops": 2,
        "ontology": "fictional",
    }
    assert read_one(path, record, "prontoqa") == Problem(
        problem_id="a-1",
        premises=("Wumpuses are red.", "Each yumpus is a wumpus.", "Max is a yumpus."),
        conclusion="Max is not red.",
        label=Answer.FALSE,
        source="prontoqa-fictional",
        hops=2,
    )
    assert read_one(path, {**record, "query": "Prove: Max is red.", "answer": None}, "prontoqa").label is Answer.TRUE


def test_logic_lm_as_lines_and_as_an_array(path):
    record = {
        "id": "b-1",
        "context": "Jompuses are red. Max is a jompus.",
        "question": "Is the following statement true or false? Max is red.",
        "options": ["A) True", "B) False"],
        "answer": "A",
    }
    wanted = Problem(
        problem_id="b-1",
        premises=("Jompuses are red.", "Max is a jompus."),
        conclusion="Max is red.",
        label=Answer.TRUE,
        source="logic-lm",
    )
    assert read_one(path, record, "logic-lm") == wanted
    write(path, [record, {**record, "id": "b-2", "answer": "B"}])
    assert [problem.label for problem in read_problems(path, "logic-lm")] == [Answer.TRUE, Answer.FALSE]


def test_proofwriter(path):
    record = {
        "id": "pw-1",
        "context": "Every wumpus is red. Max is a wumpus.",
        "question": "Based on that, is the following statement true, false, or unknown? Max is not red.",
        "options": ["A) True", "B) False", "C) Unknown"],
        "answer": "B",
    }
    assert read_one(path, record, "proofwriter") == Problem(
        problem_id="pw-1",
        premises=("Every wumpus is red.", "Max is a wumpus."),
        conclusion="Max is not red.",
        label=Answer.FALSE,
        source="proofwriter",
    )
    assert read_one(path, {**record, "answer": "C"}, "proofwriter").label is Answer.UNKNOWN


FOLIO = {
    "premises": ["All birds fly. ", "Tweety is a bird."],
    "premises-FOL": [" ∀x (Bird(x) → Flies(x))", "Bird(tweety)"],
    "conclusion": "Tweety flies.",
    "conclusion-FOL": "Flies(tweety)",
    "label": "True",
}


def test_folio(path):
    wanted = Problem(
        problem_id="folio-1",
        premises=("All birds fly.", "Tweety is a bird."),
        premises_fol=("∀x (Bird(x) → Flies(x))", "Bird(tweety)"),
        conclusion="Tweety flies.",
        conclusion_fol="Flies(tweety)",
        label=Answer.TRUE,
        source="folio",
    )
    assert read_one(path, FOLIO, "folio") == wanted
    text = {name: "\n".join(FOLIO[name]) for name in ("premises", "premises-FOL")}
    assert read_one(path, {**FOLIO, **text}, "folio") == wanted
    ids = {"story_id": 406, "example_id": 1131}
    assert read_one(path, {**FOLIO, **ids}, "folio").problem_id == "folio-406-1131"
    assert read_one(path, {**FOLIO, "example_id": "x"}, "folio").problem_id == "folio-x"
    train = {**FOLIO, "label": "Unknown"}
    del train["conclusion-FOL"]
    problem = read_one(path, train, "folio")
    assert (problem.conclusion_fol, problem.label) == ("", Answer.UNKNOWN)
    write(path, FOLIO, FOLIO)
    assert [problem.problem_id for problem in read_problems(path, "folio")] == ["folio-1", "folio-2"]


def test_what_is_mended_in_folio_is_noted(path):
    formulas = ["∀x Bird(x) → Flies(x)", "Bird(big tweety))"]
    problem = read_one(path, {**FOLIO, "premises-FOL": formulas, "conclusion-FOL": "Flies(big_tweety)."}, "folio")
    assert problem.premises_fol == ("∀x (Bird(x) → Flies(x))", "Bird(big_tweety)")
    assert problem.conclusion_fol == "Flies(big_tweety)"
    assert problem.notes == (
        "premise 0: scope of ∀x widened",
        "premise 1: blank inside a name: big_tweety",
        "premise 1: extra ) at the end",
        "the conclusion: full stop left out",
    )
    jsonl.write(path, [problem])
    assert list(read_problems(path)) == [problem]


def test_where_folios_formulas_are_not_as_many_they_are_the_lines(path):
    problem = read_one(path, {**FOLIO, "premises": ["All birds fly, and Tweety is a bird."]}, "folio")
    assert problem.premises == problem.premises_fol == ("∀x (Bird(x) → Flies(x))", "Bird(tweety)")
    assert problem.notes == ("the numbered lines are the formulas: 1 premises, 2 formulas",)
    extra = read_one(path, {**FOLIO, "premises-FOL": [*FOLIO["premises-FOL"], ""]}, "folio")
    assert extra.premises == ("All birds fly.", "Tweety is a bird.")
    assert extra.notes == ("an empty formula left out",)


def test_a_formula_that_cannot_be_mended_is_a_bad_record(path):
    for formulas, message in (
        (["Bird(x", "∃x ∃x P(x)"], r"\(folio-1\): premise 1: '∃x ∃x P\(x\)' is not a formula, column 2: "),
        (["", "Bird(tweety)"], r"premise 0: '' is not a formula, column 1: expected a formula, it ends"),
    ):
        with pytest.raises(BadRecord, match=message):
            read_one(path, {**FOLIO, "premises-FOL": formulas}, "folio")
    with pytest.raises(BadRecord, match=r"the conclusion: 'P\(f\(a\)\)' is not a formula, column 3: f is applied"):
        read_one(path, {**FOLIO, "conclusion-FOL": "P(f(a))"}, "folio")


@needs("folio/*.jsonl")
@pytest.mark.parametrize(("split", "read", "aside", "noted"), [("train", 988, 16, 40), ("validation", 204, 0, 14)])
def test_folio_as_it_is_published(split, read, aside, noted, tmp_path):
    bad = jsonl.SetAside(tmp_path / "aside.jsonl")
    problems = list(read_problems(files(f"folio/folio-{split}.jsonl")[0], "folio", set_aside=bad))
    assert (len(problems), len(bad.errors)) == (read, aside)
    assert sum(bool(problem.notes) for problem in problems) == noted
    assert all(len(problem.premises) == len(problem.premises_fol) for problem in problems)


@pytest.mark.parametrize(
    ("spelled", "label"),
    [
        ("True", Answer.TRUE),
        ("TRUE", Answer.TRUE),
        ("A", Answer.TRUE),
        (" false ", Answer.FALSE),
        ("b", Answer.FALSE),
        ("Unknown", Answer.UNKNOWN),
        ("Uncertain", Answer.UNKNOWN),
        ("C", Answer.UNKNOWN),
        ("", None),
        (None, None),
    ],
)
def test_labels(path, spelled, label):
    assert read_one(path, {**GOOD, "label": spelled}).label is label


def test_the_project_reads_what_it_writes(path):
    problem = read_one(path, {**GOOD, "hops": 3, "source": "somewhere"})
    jsonl.write(path, [problem])
    assert list(read_problems(path)) == [problem]


def test_a_query_may_stand_for_the_conclusion(path):
    assert (
        read_one(path, {"problem_id": "q", "premises": ["Max is red."], "query": "Max is red."}).conclusion
        == "Max is red."
    )


BAD = {
    "truncated": (
        b'{"problem_id": "bad", "premises": ["Max is red."',
        r"\(bad\): not a line .*expected one Plan",
    ),
    "not JSON": (b"Max is red.", "not a line of JSON"),
    "not UTF-8": (b'{"problem_id": "bad", "premises": ["M\xffx"]}', r"\(bad\): not a line of JSON"),
    "deep": (b'{"problem_id": "bad", "x": ' + b"[" * 100_000, r"\(bad\): not a line of JSON"),
    "not an object": (b"[1, 2]", "Expected `object`, got `array`"),
    "no id": ({"premises": [], "conclusion": "Max is red."}, "missing required field `problem_id`"),
    "empty id": ({**GOOD, "problem_id": ""}, "its id is empty"),
    "no premises": (
        {"problem_id": "bad", "conclusion": "Max is red."},
        r"\(bad\): .*required field `premises`",
    ),
    "no conclusion": ({"problem_id": "bad", "premises": []}, r"\(bad\): no conclusion: expected the field conclusion"),
    "wrong type": ({**GOOD, "problem_id": "bad", "premises": "Max is red."}, r"\(bad\): .*Expected `array`, got `str`"),
    "wrong label type": (
        {**GOOD, "problem_id": "bad", "label": True},
        r"\(bad\): .*Expected `str \| null`, got",
    ),
    "unknown label": (
        {**GOOD, "problem_id": "bad", "label": "maybe"},
        r"\(bad\): unknown label 'maybe': expected",
    ),
    "premise": (
        {**GOOD, "problem_id": "bad", "premises": ["Max is red.", "Max may be red."]},
        r"\(bad\): premise 1: 'Max may be red' is not a sentence of the grammar: ",
    ),
    "conclusion": (
        {**GOOD, "problem_id": "bad", "conclusion": "Who is red?"},
        r"\(bad\): the conclusion: 'Who is red\?' is not a sentence of the grammar: unexpected character '\?'",
    ),
    "formulas": ({**GOOD, "problem_id": "bad", "premises_fol": ["a", "b"]}, r"\(bad\): 1 premises but 2 formulas"),
    "duplicate": (GOOD, r"\(good\): duplicate id: it already stands in line 1"),
}


@pytest.mark.parametrize(("record", "expected"), BAD.values(), ids=BAD)
def test_a_bad_record_is_named_by_file_line_and_id(path, record, expected):
    write(path, GOOD, b"", record, {**GOOD, "problem_id": "last"})
    with pytest.raises(BadRecord, match=expected) as error:
        list(read_problems(path))
    assert str(error.value).startswith(f"{path}:3")
    assert error.value.line == 3


@pytest.mark.parametrize(("record", "expected"), BAD.values(), ids=BAD)
def test_a_bad_record_may_be_set_aside(path, tmp_path, record, expected):
    write(path, GOOD, record, {**GOOD, "problem_id": "last"})
    aside = jsonl.SetAside(tmp_path / "aside.jsonl")
    assert [problem.problem_id for problem in read_problems(path, set_aside=aside)] == ["good", "last"]
    assert aside.close() == 1
    (written,) = jsonl.read(tmp_path / "aside.jsonl", dict)
    assert written["line"] == 2
    assert written["error"] and isinstance(written["record"], str)


def test_bad_queries(path):
    record = {"id": "q", "question": "Max is red.", "query": "Is Max red?", "answer": "True"}
    with pytest.raises(BadRecord, match=r'query .*expected "True or false: …"'):
        read_one(path, record, "prontoqa")
    with pytest.raises(BadRecord, match="expected a statement after a question mark"):
        read_one(path, {"id": "q", "context": "Max is red.", "question": "Max is red.", "answer": "A"}, "logic-lm")


def test_files_that_hold_no_problem(path):
    with pytest.raises(SokratesError, match="no such file"):
        list(read_problems(path))
    for empty in (b"", b"\n \n", b"[]"):
        path.write_bytes(empty)
        with pytest.raises(SokratesError, match="it holds no record"):
            list(read_problems(path))
    for broken in (b"[", b"[\xff]", b'[{"a": ' + b"[" * 100_000):
        path.write_bytes(broken)
        with pytest.raises(SokratesError, match=str(path)):
            list(read_problems(path))


def test_an_unknown_format(path):
    with pytest.raises(
        SokratesError, match="unknown format 'csv': expected one of prontoqa, logic-lm, folio, proofwriter, plan"
    ):
        list(read_problems(path, "csv"))  # type: ignore[arg-type]


def test_a_wrong_label_is_reported_by_id(path, monkeypatch):
    assert label_error(read_one(path, GOOD)) is None
    assert label_error(read_one(path, {**GOOD, "label": None})) is None
    wrong = label_error(read_one(path, {**GOOD, "label": "FALSE"}))
    assert wrong == "good: its label is FALSE, but by its premises the conclusion is TRUE"
    premises = ["Max is red.", "Max is not red."]
    assert "contradict each other" in label_error(read_one(path, {**GOOD, "premises": premises}))
    hidden = ["Everything that is red and kind is mad.", "Max is red."]
    wrong = label_error(read_one(path, {**GOOD, "premises": hidden, "conclusion": "Max is mad."}))
    assert wrong == "good: its label is TRUE, but by its premises the conclusion is UNKNOWN"
    monkeypatch.setattr(Smt, "effort", 1)
    hidden.append("Max is tall.")
    undecided = label_error(read_one(path, {**GOOD, "premises": hidden, "conclusion": "Max is mad."}))
    assert undecided == "good: whether its label TRUE is right is not decided"


@needs("prontoqa/*ood*.jsonl")
@pytest.mark.parametrize("source", files("prontoqa/*ood*.jsonl"), ids=lambda source: source.stem)
def test_what_the_grammar_does_not_know_yet_is_set_aside_with_its_reason(source, tmp_path):
    aside = jsonl.SetAside(tmp_path / "aside.jsonl")
    problems = list(read_problems(source, "prontoqa", set_aside=aside))
    assert len(problems) + len(aside.errors) == sum(1 for _ in jsonl.read_raw(source))
    assert all("is not a sentence of the grammar: " in error["error"] for error in aside.errors)
