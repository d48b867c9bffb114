"""Readers of the data sets' own formats: each record becomes a Problem, once, here.

Contract: spellings of labels and fields are mapped in this module and nowhere else. A record that cannot be read is a
BadRecord with file, line and id, or is set aside where the caller asks for that. Labels are checked by `labels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import msgspec

from sokrates import jsonl
from sokrates.errors import BadRecord, SokratesError
from sokrates.logic.answer import Answer
from sokrates.logic.fol import FormulaError, repair
from sokrates.problems.labels import CHAINED
from sokrates.problems.problem import Problem
from sokrates.problems.reading import read_problem, sentences

Format = Literal["prontoqa", "logic-lm", "folio", "proofwriter", "plan"]

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

    def name(self, line: int) -> str:
        return self.id

    def problem(self, name: str) -> Problem:
        kind, colon, statement = self.query.partition(":")
        if not colon or kind.strip().lower() not in ("true or false", "prove"):
            raise SokratesError(f'query {self.query!r}: expected "True or false: …" or "Prove: …"')
        proof_only = kind.strip().lower() == "prove"
        return Problem(
            problem_id=name,
            premises=tuple(sentences(self.question)),
            conclusion=statement.strip(),
            label=Answer.TRUE if proof_only else label(self.answer),
            source=f"prontoqa-{self.ontology or self.deduction_rule}".rstrip("-"),
            hops=self.hops,
        )


class LogicLM(msgspec.Struct, frozen=True):
    """A record of Logic-LM's files: context, a question that ends in the statement, options and a letter."""

    SOURCE: ClassVar[str] = "logic-lm"

    id: str
    context: str
    question: str
    answer: str | None = None

    def name(self, line: int) -> str:
        return self.id

    def problem(self, name: str) -> Problem:
        _, mark, statement = self.question.rpartition("?")
        if not mark or not statement.strip():
            raise SokratesError(f"question {self.question!r}: expected a statement after a question mark")
        return Problem(
            problem_id=name,
            premises=tuple(sentences(self.context)),
            conclusion=statement.strip(),
            label=label(self.answer),
            source=self.SOURCE,
        )


class ProofWriter(LogicLM, frozen=True):
    """ProofWriter as Logic-LM ships it. Its labels are made by forward chaining: `labels` judges them so."""

    SOURCE: ClassVar[str] = CHAINED


class Folio(msgspec.Struct, frozen=True):
    """A line of FOLIO, English beside formulas; where they are not as many, the formulas are the numbered lines.

    The data set's training split has no formulas for its conclusions.
    """

    premises: tuple[str, ...] | str
    premises_fol: tuple[str, ...] | str = msgspec.field(name="premises-FOL")
    conclusion: str
    conclusion_fol: str | None = msgspec.field(name="conclusion-FOL", default=None)
    label: str | None = None
    story_id: int | str | None = None
    example_id: int | str | None = None

    def name(self, line: int) -> str:
        if self.example_id is None:
            return f"folio-{line}"
        return "folio-" + "-".join(str(part) for part in (self.story_id, self.example_id) if part is not None)

    def problem(self, name: str) -> Problem:
        english, written = _lines(self.premises), _lines(self.premises_fol)
        notes = []
        if len(written) > len(english) == len([formula for formula in written if formula]):
            written = tuple(formula for formula in written if formula)
            notes.append("an empty formula left out")
        formulas = tuple(_mended(text, f"premise {number}", notes) for number, text in enumerate(written))
        if len(english) != len(formulas):
            notes.append(f"the numbered lines are the formulas: {len(english)} premises, {len(formulas)} formulas")
            english = formulas
        goal = _mended(self.conclusion_fol, "the conclusion", notes) if self.conclusion_fol else ""
        return Problem(
            problem_id=name,
            premises=english,
            conclusion=self.conclusion.strip(),
            label=label(self.label),
            premises_fol=formulas,
            conclusion_fol=goal,
            source="folio",
            notes=tuple(notes),
        )


def _lines(given: tuple[str, ...] | str) -> tuple[str, ...]:
    """A list of sentences, which some versions of FOLIO give as the lines of one text."""
    return tuple(line.strip() for line in (given.splitlines() if isinstance(given, str) else given))


def _mended(formula: str, where: str, notes: list[str]) -> str:
    """The text of a formula that can be read; what had to be mended is noted. Errors: SokratesError."""
    try:
        repaired = repair(formula)
    except FormulaError as error:
        raise SokratesError(f"{where}: {error}") from None
    notes.extend(f"{where}: {change}" for change in repaired.repairs)
    return repaired.text


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
    notes: tuple[str, ...] = ()

    def name(self, line: int) -> str:
        return self.problem_id

    def problem(self, name: str) -> Problem:
        conclusion = self.conclusion or self.query
        if not conclusion:
            raise SokratesError("no conclusion: expected the field conclusion (or query)")
        formulas = self.premises_fol if any(self.premises_fol) else ()
        if formulas and len(formulas) != len(self.premises):
            raise SokratesError(f"{len(self.premises)} premises but {len(formulas)} formulas: expected as many of each")
        return Problem(
            problem_id=name,
            premises=self.premises,
            conclusion=conclusion,
            label=label(self.label),
            premises_fol=formulas,
            conclusion_fol=self.conclusion_fol,
            source=self.source,
            hops=self.hops,
            notes=self.notes,
        )


_Kind = type[ProntoQA] | type[LogicLM] | type[Folio] | type[Plan]

_KINDS: dict[str, _Kind] = {
    "prontoqa": ProntoQA,
    "logic-lm": LogicLM,
    "folio": Folio,
    "proofwriter": ProofWriter,
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


def _problem(raw: bytes, kind: _Kind, path: str | Path, line: int, seen: dict[str, int]) -> Problem:
    def bad(message: str, problem_id: str | None = None) -> BadRecord:
        return BadRecord(message, path=str(path), line=line, problem_id=problem_id)

    try:
        record = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad(jsonl.describe(error, kind), jsonl.problem_id(raw)) from None
    name = record.name(line)
    if not name:
        raise bad("its id is empty: expected one that no other record has")
    try:
        problem = record.problem(name)
        read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol)
    except SokratesError as error:
        raise bad(str(error), name) from None
    if name in seen:
        raise bad(f"duplicate id: it already stands in line {seen[name]}", name)
    seen[name] = line
    return problem
