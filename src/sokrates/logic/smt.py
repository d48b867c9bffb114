"""What premises entail, by z3, for all of first-order logic with equality.

Contract: an answer is right for classical logic over domains with at least one element, or it is None. Every question
gets a context of its own that ends with it: an answer depends on the premises and the question alone, not on what was
asked before, nor by how many threads, and nothing is held between questions (a live context is 18 MB). What ends a
search is z3's own count of its work, so that a busy machine changes no answer; the clock is only the backstop.

z3 is first told the plain question, which it decides wherever no ∃ stands under a ∀, and mostly elsewhere. Where it
does not know, small domains are tried: a model with k elements is a model. What stays undecided then is None, such as
premises that have infinite models only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from sokrates.logic.formulas import (
    EQUALS,
    And,
    Atom,
    Const,
    Exists,
    Forall,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    Term,
    TooComplex,
    Var,
    Xor,
    canonical,
    complement,
    measure,
    parts_of,
)
from sokrates.logic.model import Model, Relation, unused_names

if TYPE_CHECKING:
    import z3

MOST_DEPTH, MOST_NODES, MOST_PARITIES = 100, 5_000, 16
"""Of a formula; one beyond them is not decided. z3 takes time that doubles with each ↔ or ⊕ and counts none of it."""

MOST_TUPLES = 1_000
"""Of elements, over all predicates of a model; a larger one is not read."""


def within_limits(formula: Formula) -> bool:
    """Whether a formula is small enough to be asked about."""
    found = measure(formula)
    return found.depth <= MOST_DEPTH and found.size <= MOST_NODES and found.parities <= MOST_PARITIES


class Smt:
    """Some premises, and z3's answers about them, each asked once."""

    effort = 100_000
    """z3's `rlimit` for one attempt, some tenths of a second. Questions of FOLIO's kind take up to 9,000."""
    seconds = 60
    """The clock's backstop for one attempt."""

    def __init__(self, premises: Sequence[Formula], effort: int | None = None) -> None:
        self.premises = tuple(premises)
        self.effort = effort or self.effort
        self._entailed: dict[Formula, bool | None] = {}

    @cached_property
    def consistent(self) -> bool | None:
        """Whether the premises have a model; None where that is not decided."""
        return self._satisfiable(self.premises)

    def entails(self, formula: Formula) -> bool | None:
        """Whether the premises entail a closed formula; None where that is not decided."""
        if not within_limits(formula):
            return None
        key = canonical(formula)
        if key not in self._entailed:
            satisfiable = self._satisfiable([*self.premises, complement(key)])
            self._entailed[key] = None if satisfiable is None else not satisfiable
        return self._entailed[key]

    def core(self, formula: Formula) -> tuple[int, ...] | None:
        """Numbers of premises that entail the formula by themselves, maybe not the fewest; None where z3 finds none."""
        question = self._question([*self.premises, complement(formula)])
        used = question.conflict() if question else None
        return None if used is None else tuple(number for number in used if number < len(self.premises))

    def counterexample(self, formula: Formula) -> Model | None:
        """A finite model of the premises in which the formula is false; None where none is found.

        Constants name different elements where equality does not matter.
        """
        formulas = [*self.premises, complement(formula)]
        question = self._question(formulas)
        model = question.model() if question else None
        try:
            # z3 is not taken at its word here: the model is shown to people.
            return model if model and all(map(model.holds, formulas)) else None
        except TooComplex:
            return None

    def _satisfiable(self, formulas: Sequence[Formula]) -> bool | None:
        question = self._question(formulas)
        return question.satisfiable() if question else None

    def _question(self, formulas: Sequence[Formula]) -> _Question | None:
        askable = all(map(within_limits, formulas))
        return _Question(formulas, self.effort, self.seconds) if askable else None


class _Question:
    """Whether some formulas have a model, as a script for z3. Names are numbered: any text may be a predicate."""

    def __init__(self, formulas: Sequence[Formula], effort: int, seconds: int) -> None:
        self.effort = effort
        self.seconds = seconds
        self.predicates: dict[tuple[str, int], str] = {}
        self.constants: dict[Const, str] = {}
        self.uses_equality = False
        self.variables = 0
        self.assertions = [self._written(formula, {}) for formula in formulas]

    def satisfiable(self) -> bool | None:
        solver, answer = self._asked()
        return None if solver is None else answer

    def model(self) -> Model | None:
        """A finite model; its constants differ where no formula speaks of equality, which then loses no model."""
        solver, answer = self._asked(apart=not self.uses_equality)
        return self._read(solver) if solver is not None and answer else None

    def conflict(self) -> list[int] | None:
        """Numbers of formulas that have no model together; None where z3 finds none."""
        import z3

        marks = [f"mark{number}" for number in range(len(self.assertions))]
        marked = [f"(declare-const {m} Bool)(assert (=> {m} {a}))" for m, a in zip(marks, self.assertions, strict=True)]
        solver = self._solver("".join(marked))
        if solver.check(*(z3.Bool(mark, solver.ctx) for mark in marks)) != z3.unsat:
            return None
        return sorted(marks.index(str(mark)) for mark in solver.unsat_core())

    def _asked(self, apart: bool = False) -> tuple[z3.Solver | None, bool]:
        """The solver that decided, and whether there is a model; no solver where none decides."""
        import z3

        asserted = "".join(f"(assert {assertion})" for assertion in self.assertions)
        if apart and len(self.constants) > 1:
            asserted += f"(assert (distinct {' '.join(self.constants.values())}))"
        solver = self._solver(asserted)
        answer = solver.check()
        for size in self._sizes() if answer == z3.unknown else ():
            solver = self._solver(asserted + self._domain(size))
            if solver.check() == z3.sat:
                return solver, True
        return (None if answer == z3.unknown else solver), answer == z3.sat

    def _sizes(self) -> tuple[int, int]:
        """The domains to try where z3 does not know: an unnamed element or two beside the constants."""
        named = max(len(self.constants), 1)
        return named + 1, named + 2

    def _domain(self, size: int) -> str:
        unnamed = [f"e{number}" for number in range(size - len(self.constants))]
        declared = "".join(f"(declare-const {name} E)" for name in unnamed)
        choices = " ".join(f"(= x {name})" for name in [*self.constants.values(), *unnamed])
        return f"{declared}(assert (forall ((x E)) (or {choices})))"

    def _solver(self, asserted: str) -> z3.Solver:
        import z3

        declared = ["(declare-sort E 0)"]
        declared += [
            f"(declare-fun {written} ({' '.join('E' * places)}) Bool)"
            for (_, places), written in self.predicates.items()
        ]
        declared += [f"(declare-const {written} E)" for written in self.constants.values()]
        solver = z3.SimpleSolver(ctx=z3.Context())
        solver.set(rlimit=self.effort, timeout=self.seconds * 1000)
        solver.from_string("".join(declared) + asserted)
        return solver

    def _written(self, formula: Formula, scope: Mapping[Var, str]) -> str:
        match formula:
            case Atom(predicate, (left, right)) if predicate == EQUALS:
                self.uses_equality = True
                return f"(= {self._term(left, scope)} {self._term(right, scope)})"
            case Atom(predicate, args):
                name = self.predicates.setdefault((predicate, len(args)), f"p{len(self.predicates)}")
                return f"({name} {' '.join(self._term(a, scope) for a in args)})" if args else name
            case And(()):
                return "true"
            case Or(()) | Xor(()):
                return "false"
            case And((part,)) | Or((part,)) | Xor((part,)):
                return self._written(part, scope)
            case Forall(var, body) | Exists(var, body):
                self.variables += 1  # a number of its own: the same name may be bound again inside
                scope = {**scope, var: f"x{self.variables}"}
                quantifier = "forall" if isinstance(formula, Forall) else "exists"
                return f"({quantifier} (({scope[var]} E)) {self._written(body, scope)})"
        parts = " ".join(self._written(part, scope) for part in parts_of(formula))
        return f"({_CONNECTIVES[type(formula)]} {parts})"

    def _term(self, term: Term, scope: Mapping[Var, str]) -> str:
        if isinstance(term, Var):
            return scope[term]
        return self.constants.setdefault(term, f"c{len(self.constants)}")

    def _read(self, solver: z3.Solver) -> Model | None:
        """The solver's model as ours; None where it is too large."""
        import z3

        found, context = solver.model(), solver.ctx
        sort, truth = z3.DeclareSort("E", context), z3.BoolSort(context)
        values = {who: found.eval(z3.Const(name, sort), True) for who, name in self.constants.items()}
        elements = list(dict.fromkeys(found.get_universe(sort) or values.values()))
        elements = elements or [found.eval(z3.Const("someone", sort), True)]
        if sum(len(elements) ** places for _, places in self.predicates) > MOST_TUPLES:
            return None
        relations = {}
        for (predicate, places), written in self.predicates.items():
            function = z3.Function(written, *[sort] * places, truth)
            relations[predicate, places] = frozenset(
                numbers
                for numbers in product(range(len(elements)), repeat=places)
                if z3.is_true(found.eval(function(*(elements[number] for number in numbers)), True))
            )
        return _named_model(len(elements), {who: elements.index(value) for who, value in values.items()}, relations)


_CONNECTIVES = {Not: "not", And: "and", Or: "or", Xor: "xor", Implies: "=>", Iff: "="}


def _named_model(size: int, named: dict[Const, int], relations: Mapping[tuple[str, int], Relation]) -> Model:
    """A model in which the elements that no constant names are called X, Y, …"""
    names = {element: who for who, element in reversed(named.items())}
    free = unused_names(named)
    names |= {element: next(free) for element in range(size) if element not in names}
    everyone = {**named, **{who: element for element, who in names.items()}}
    return Model(everyone, tuple(names[element] for element in range(size)), relations)
