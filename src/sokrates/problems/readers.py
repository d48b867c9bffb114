"""Readers of the data sets' own formats: each record becomes a Problem, once, here.

Contract: spellings of labels and fields are mapped in this module and nowhere else. A record that cannot be read is a
BadRecord with file, line and id, or is set aside where the caller asks for that. Labels are checked by `labels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from sokrates import jsonl
from sokrates.errors import BadRecord, SokratesError
from sokrates.logic.answer import Answer
from sokrates.problems.problem import Problem
from sokrates.problems.reading import read_problem, sentences

Format = Literal["prontoqa", "logic-lm", "plan"]

_LABELS = {
    "true": Answer.TRUE,
    "a": Answer.TRUE,
    "false": Answer.FALSE,
    "b": Answer.FALSE,
    "unknown": Answer.UNKNOWN,
    "uncertain": Answer.UNKNOWN,
    "c": Answer.UNKNOWN,
}


class ProntoQA(msgspec.Struct, frozen=True):
    """A line of the authors' generator. A query "Prove: …" has no answer: it is to be shown TRUE."""

    id: str
    question: str
    query: str
    answer: str | None = None
    hops: int | None = None
    ontology: str = ""
    deduction_rule: str = ""

    def problem(self) -> Problem:
        kind, colon, statement = self.query.partition(":")
        if not colon or kind.strip().lower() not in ("true or false", "prove"):
            raise SokratesError(f'query {self.query!r}: expected "True or false: …" or "Prove: …"')
        proof_only = kind.strip().lower() == "prove"
        return Problem(
            problem_id=self.id,
            premises=tuple(sentences(self.question)),
            conclusion=statement.strip(),
            label=Answer.TRUE if proof_only else label(self.answer),
            source=f"prontoqa-{self.ontology or self.deduction_rule}".rstrip("-"),
            hops=self.hops,
        )


class LogicLM(msgspec.Struct, frozen=True):
    """A record of Logic-LM's files: context, a question that ends in the statement, options and a letter."""

    id: str
    context: str
    question: str
    answer: str | None = None

    def problem(self) -> Problem:
        _, mark, statement = self.question.rpartition("?")
        if not mark or not statement.strip():
            raise SokratesError(f"question {self.question!r}: expected a statement after a question mark")
        return Problem(
            problem_id=self.id,
            premises=tuple(sentences(self.context)),
            conclusion=statement.strip(),
            label=label(self.answer),
            source="logic-lm",
        )


class Plan(msgspec.Struct, frozen=True):
    """The plan's own record, which is this project's, with the field names that were in use."""

    problem_id: str
    premises: tuple[str, ...]
    conclusion: str | None = None
    query: str | None = None
    label: str | None = None
    premises_fol: tuple[str, ...] = ()
    conclusion_fol: str = ""
    source: str = ""
    hops: int | None = None

    def problem(self) -> Problem:
        conclusion = self.conclusion or self.query
        if not conclusion:
            raise SokratesError("no conclusion: expected the field conclusion (or query)")
        formulas = self.premises_fol if any(self.premises_fol) else ()
        if formulas and len(formulas) != len(self.premises):
            raise SokratesError(f"{len(self.premises)} premises but {len(formulas)} formulas: expected as many of each")
        return Problem(
            problem_id=self.problem_id,
            premises=self.premises,
            conclusion=conclusion,
            label=label(self.label),
            premises_fol=formulas,
            conclusion_fol=self.conclusion_fol,
            source=self.source,
            hops=self.hops,
        )


_KINDS: dict[str, type[ProntoQA] | type[LogicLM] | type[Plan]] = {
    "prontoqa": ProntoQA,
    "logic-lm": LogicLM,
    "plan": Plan,
}


def label(spelled: str | None) -> Answer | None:
    """A data set's label as an answer. Errors: SokratesError for one that is not known."""
    if spelled is None or not spelled.strip():
        return None
    answer = _LABELS.get(spelled.strip().lower())
    if answer is None:
        raise SokratesError(f"unknown label {spelled!r}: expected True, False, Unknown (or Uncertain), A, B or C")
    return answer


def read_problems(
    path: str | Path, format: Format = "plan", *, set_aside: jsonl.SetAside | None = None
) -> Iterator[Problem]:
    """The problems of a file, in its order; ids are unique and every sentence (or its formula) can be read.

    A file that is one JSON array (as Logic-LM ships it) is read like one of JSON lines.
    Errors: BadRecord for the first record that cannot be used, unless `set_aside` takes such records.
    """
    kind = _KINDS.get(format)
    if kind is None:
        raise SokratesError(f"unknown format {format!r}: expected one of {', '.join(_KINDS)}")
    seen: dict[str, int] = {}
    for line, raw in _records(path):
        try:
            yield _problem(raw, kind, path, line, seen)
        except BadRecord as bad:
            if set_aside is None:
                raise
            set_aside.add(bad, raw.decode("utf-8", "replace").strip())
    if not seen and not (set_aside and set_aside.errors):
        raise SokratesError(f"{path}: it holds no record; expected one JSON object a line")


def _records(path: str | Path) -> Iterator[tuple[int, bytes]]:
    lines = jsonl.read_raw(path)
    for number, line in lines:
        if number == 1 and line.lstrip().startswith(b"["):
            records = jsonl.read_json(path, list[msgspec.Raw])
            yield from ((index, bytes(record)) for index, record in enumerate(records, start=1))
            return
        yield number, line


def _problem(
    raw: bytes, kind: type[ProntoQA] | type[LogicLM] | type[Plan], path: str | Path, line: int, seen: dict[str, int]
) -> Problem:
    def bad(message: str, problem_id: str | None = None) -> BadRecord:
        return BadRecord(message, path=str(path), line=line, problem_id=problem_id)

    try:
        record = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad(jsonl.describe(error, kind), jsonl.problem_id(raw)) from None
    name = record.problem_id if isinstance(record, Plan) else record.id
    if not name:
        raise bad("its id is empty: expected one that no other record has")
    try:
        problem = record.problem()
        read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol)
    except SokratesError as error:
        raise bad(str(error), name) from None
    if name in seen:
        raise bad(f"duplicate id: it already stands in line {seen[name]}", name)
    seen[name] = line
    return problem
