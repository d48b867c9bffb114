"""Answers by forward chaining alone, as ProofWriter's labels are made: no contraposition, no proof by refutation.

Contract: facts are ground literals (or conjunctions of them) and rules are, under any ∀s, a conjunction of literals
that implies one (or several); an answer is TRUE where the conclusion is derived, FALSE where its complement is, else
UNKNOWN. What is derived is entailed; what is entailed need not be derived: UNKNOWN is no word of classical logic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from sokrates.logic.answer import Answer
from sokrates.logic.formulas import (
    Atom,
    Const,
    Formula,
    Implies,
    Not,
    Term,
    TooComplex,
    Var,
    complement,
    conjuncts,
    strip_foralls,
    substitute,
)
from sokrates.logic.theory import Theory

MOST_TRIES = 200_000
"""How often a literal may be held against a fact before chaining gives up; ProofWriter's theories take thousands."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What derives `consequents` for every element that `variables` may stand for."""

    variables: tuple[Var, ...]
    antecedents: tuple[Formula, ...]
    consequents: tuple[Formula, ...]


def chained_answer(theory: Theory) -> Answer | None:
    """The answer by forward chaining.

    None where a premise is no fact or rule, the conclusion no ground literal, both it and its complement are derived,
    or too much would have to be tried.
    """
    conclusion = theory.conclusion
    if conclusion is None or not _is_fact(conclusion):
        return None
    try:
        facts = chain(theory.premises, sorted(theory.constants, key=lambda constant: constant.name))
    except TooComplex:
        return None
    if facts is None or (conclusion in facts and complement(conclusion) in facts):
        return None
    if conclusion in facts:
        return Answer.TRUE
    return Answer.FALSE if complement(conclusion) in facts else Answer.UNKNOWN


def chain(premises: Sequence[Formula], constants: Sequence[Const]) -> set[Formula] | None:
    """Every ground literal that the rules derive over these constants; None where a premise is no fact or rule.

    Errors: TooComplex after `MOST_TRIES`.
    """
    facts: dict[Formula, None] = {}
    rules = []
    for premise in premises:
        if all(map(_is_fact, conjuncts(premise))):
            facts.update(dict.fromkeys(conjuncts(premise)))
        elif rule := _rule(premise):
            rules.append(rule)
        else:
            return None
    search = _Search(constants)
    before = -1
    while before < len(facts):
        before = len(facts)
        known = tuple(facts)
        for rule in rules:
            facts.update(dict.fromkeys(search.results(rule, known)))
    return set(facts)


def _is_literal(formula: Formula) -> bool:
    return isinstance(formula, Atom) or (isinstance(formula, Not) and isinstance(formula.body, Atom))


def _is_fact(formula: Formula) -> bool:
    return _is_literal(formula) and not any(isinstance(term, Var) for term in _atom(formula).args)


def _atom(literal: Formula) -> Atom:
    atom = literal.body if isinstance(literal, Not) else literal
    assert isinstance(atom, Atom)
    return atom


def _rule(premise: Formula) -> _Rule | None:
    variables, body = strip_foralls(premise)
    if isinstance(body, Implies):
        antecedents, consequents = conjuncts(body.antecedent), conjuncts(body.consequent)
    else:
        antecedents, consequents = (), conjuncts(body)
    return _Rule(variables, antecedents, consequents) if all(map(_is_literal, antecedents + consequents)) else None


class _Search:
    """The instances of rules that facts allow, until too much has been tried."""

    def __init__(self, constants: Sequence[Const]) -> None:
        self.constants = constants
        self.left = MOST_TRIES

    def results(self, rule: _Rule, facts: Sequence[Formula]) -> Iterator[Formula]:
        for binding in self._bindings(rule.antecedents, facts, {}):
            unbound = [var for var in rule.variables if var not in binding]
            for chosen in product(self.constants, repeat=len(unbound)):
                self._try()
                whole = binding | dict(zip(unbound, chosen, strict=True))
                yield from (substitute(consequent, whole) for consequent in rule.consequents)

    def _bindings(
        self, antecedents: Sequence[Formula], facts: Sequence[Formula], binding: dict[Var, Term]
    ) -> Iterator[dict[Var, Term]]:
        """Every way to make all the antecedents facts."""
        if not antecedents:
            yield binding
            return
        for fact in facts:
            self._try()
            bound = _bound(antecedents[0], fact, binding)
            if bound is not None:
                yield from self._bindings(antecedents[1:], facts, bound)

    def _try(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooComplex("these rules can be applied in too many ways")


def _bound(literal: Formula, fact: Formula, binding: dict[Var, Term]) -> dict[Var, Term] | None:
    """The binding that makes the literal this fact, if there is one."""
    atom, given = _atom(literal), _atom(fact)
    if type(literal) is not type(fact) or (atom.predicate, len(atom.args)) != (given.predicate, len(given.args)):
        return None
    bound = dict(binding)
    for term, constant in zip(atom.args, given.args, strict=True):
        if (bound.setdefault(term, constant) if isinstance(term, Var) else term) != constant:
            return None
    return bound
