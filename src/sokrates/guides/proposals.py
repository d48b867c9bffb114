"""Actions that may be valid in a proof state, proposed by the shapes of its lines; the kernel alone says which are.

Contract: for a claim, `towards` proposes the actions that derive it, but of the ways to join many lines (AND_INTRO) or
to go through cases (CASE_SPLIT) none that use more lines than they need, and only the first ones. Without regard to a
claim, `onwards` proposes the actions whose result needs no further choice: it leaves out AND_INTRO and OR_INTRO, the
generalisations, ¬¬ put before a line, an assumption, and what discharges one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice, permutations, product

from sokrates.guides.automaton import Action
from sokrates.logic.formulas import (
    And,
    Atom,
    Exists,
    Forall,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    Xor,
    canonical,
    complement,
    conjuncts,
    disjuncts,
    flat_parts,
    strip_foralls,
)
from sokrates.logic.proof import Proof
from sokrates.logic.rules import ASSUME

_MOST_WAYS = 64
"""Ways that are proposed to use one rule on many lines."""


@lru_cache(maxsize=1 << 14)
def _head(formula: Formula) -> str:
    """What two formulas must share to be the same; "" where an instance may be anything (P(x) ∧ P(y) may be P(a))."""
    match formula:
        case Atom(predicate):
            return predicate
        case Not(body):
            return f"¬{inner}" if (inner := _head(body)) else ""
        case And() | Or():
            return ""
    return type(formula).__name__


def _meet(one: str, other: str) -> bool:
    return not one or not other or one == other


@lru_cache(maxsize=1 << 14)
def _implication(formula: Formula) -> tuple[str, str, str, str] | None:
    """Of an implication, maybe under ∀: the heads of antecedent and consequent, and of their complements."""
    body = strip_foralls(formula)[1]
    if not isinstance(body, Implies):
        return None
    sides = (body.antecedent, body.consequent)
    antecedent, consequent = (_head(side) for side in sides)
    denied, refuted = (_head(complement(side)) for side in sides)
    return antecedent, consequent, denied, refuted


@lru_cache(maxsize=1 << 14)
def _opened(formula: Formula) -> tuple[str, ...]:
    """The heads of what stands under a formula's first ∀, or ∃, and under each further one of them."""
    kind, heads = type(formula), []
    while isinstance(formula, Forall | Exists) and type(formula) is kind:
        formula = formula.body
        heads.append(_head(formula))
    return tuple(heads)


@lru_cache(maxsize=1 << 14)
def _is_alternative(formula: Formula) -> bool:
    body = strip_foralls(formula)[1]
    return isinstance(body, Or | Xor) or (isinstance(body, Not) and isinstance(body.body, Xor))


class Lines:
    """The lines of a proof that can be cited, by what can be done with them."""

    def __init__(self, proof: Proof) -> None:
        self.formulas = {number: line for number, line in enumerate(proof.lines) if line is not None}
        self._by_key: dict[Formula, list[int]] = {}
        for number in self.formulas:
            key = proof.keys[number]
            assert key is not None
            self._by_key.setdefault(key, []).append(number)
        self._heads = {number: _head(formula) for number, formula in self.formulas.items()}
        self._implications = [
            (number, found) for number, formula in self.formulas.items() if (found := _implication(formula))
        ]
        self._alternatives = [number for number, formula in self.formulas.items() if _is_alternative(formula)]
        self._assumed = [number for number in self.formulas if number in proof.rests[number]]

    def onwards(self) -> Iterator[Action]:
        """Proposals whose result is fixed by the lines, or one of a few."""
        yield from self._pairs("")
        for number, formula in self.formulas.items():
            yield from ((option, (number,)) for option in _takes_apart(formula))

    def towards(self, claim: Formula) -> Iterator[Action]:
        """Proposals that may derive the claim."""
        yield ASSUME, ()
        # What a rule under ∀ leaves open stays under ∀.
        yield from self._pairs("" if isinstance(claim, Forall) else _head(claim))
        head = _head(claim)
        for number, formula in self.formulas.items():
            for option in _takes_apart(formula):
                if option != "UNIV_INSTANTIATION" or any(_meet(head, inner) for inner in _opened(formula)):
                    yield option, (number,)
        yield from self._puts_together(claim)
        yield from self._discharges(claim)

    def _saying(self, formula: Formula) -> list[int]:
        return self._by_key.get(canonical(formula), [])

    def _pairs(self, wanted: str) -> Iterator[Action]:
        """Of two lines, an implication or an alternative; the result is to have a head."""
        for rule, (antecedent, consequent, denied, refuted) in self._implications:
            for option, given, gives in (("MODUS_PONENS", antecedent, consequent), ("MODUS_TOLLENS", refuted, denied)):
                if _meet(gives, wanted):
                    for fact, head in self._heads.items():
                        if _meet(head, given):
                            yield from _both_ways(option, fact, rule)
        for line in self._alternatives:
            for fact in self.formulas:
                yield from _both_ways("DISJUNCTIVE_SYLLOGISM", fact, line)
        if _meet(wanted, "Implies"):
            for (one, first), (other, second) in product(self._implications, repeat=2):
                if _meet(first[1], second[0]):
                    yield from _both_ways("HYPOTHETICAL_SYLLOGISM", one, other)
        if _meet(wanted, "Iff"):
            for (one, first), (other, second) in product(self._implications, repeat=2):
                if _meet(first[0], second[1]) and _meet(first[1], second[0]):
                    yield "BICONDITIONAL_INTRO", (one, other)

    def _puts_together(self, claim: Formula) -> Iterator[Action]:
        """Of lines that are parts or instances of the claim."""
        match claim:
            case And():
                yield from islice((("AND_INTRO", lines) for lines in self._covers(claim)), _MOST_WAYS)
            case Or():
                sides = {*map(canonical, disjuncts(claim))}
                for number, formula in self.formulas.items():
                    if sides.issuperset(map(canonical, disjuncts(formula))):
                        yield "OR_INTRO", (number,)
            case Exists():
                yield from (("EXIST_GENERALIZATION", (number,)) for number in self._instances(claim))
            case Forall():
                yield from (("UNIV_GENERALIZATION", (number,)) for number in self._instances(claim))
            case Not(Not(body)):
                yield from (("DOUBLE_NEGATION", (number,)) for number in self._saying(body))

    def _instances(self, claim: Exists | Forall) -> Iterator[int]:
        """Lines that may be the claim without some of its quantifiers."""
        heads = _opened(claim)
        return (number for number, head in self._heads.items() if any(_meet(head, inner) for inner in heads))

    def _covers(self, claim: And) -> Iterator[tuple[int, ...]]:
        """Lines that together have just the claim's parts, first in the order of the parts, then in every order."""
        parts = tuple(dict.fromkeys(map(canonical, conjuncts(claim))))
        pieces = {
            number: held
            for number, formula in self.formulas.items()
            if (held := frozenset(map(canonical, conjuncts(formula)))).issubset(parts)
        }
        covers = list(islice(_exact(parts, pieces), _MOST_WAYS // 2))
        yield from covers
        for lines in covers:
            yield from permutations(lines)

    def _discharges(self, claim: Formula) -> Iterator[Action]:
        """Of assumptions, and of what was derived from them."""
        if not self._assumed:
            return
        results = self._saying(claim)
        if isinstance(claim, Implies):
            for pair in product(self._saying(claim.antecedent), self._saying(claim.consequent)):
                yield "CONDITIONAL_PROOF", pair
        for assumed in self._assumed:
            if canonical(complement(self.formulas[assumed])) == canonical(claim):
                for one, other in self._clashes():
                    yield from _both_ways("CONTRADICTION", one, other, assumed)
        for line, formula in self.formulas.items():
            if isinstance(formula, Exists):
                for assumed, result in product(self._assumed, results):
                    yield "EXIST_INSTANTIATION", (line, assumed, result)
            if isinstance(formula, Or | Xor):
                cases = islice(self._cases(formula, results), _MOST_WAYS)
                yield from (("CASE_SPLIT", (line, *case)) for case in cases)

    def _clashes(self) -> Iterator[tuple[int, int]]:
        for number, formula in self.formulas.items():
            if isinstance(formula, Not):
                for other in self._saying(formula.body):
                    yield other, number

    def _cases(self, alternative: Or | Xor, results: list[int]) -> Iterator[tuple[int, ...]]:
        """An assumption and a result for each side, in every order; an assumption may cover several sides."""
        sides = tuple(dict.fromkeys(map(canonical, flat_parts(alternative, type(alternative)))))
        pieces = {}
        for number in self._assumed:
            whole = frozenset({canonical(self.formulas[number])})
            held = whole if whole.issubset(sides) else frozenset(map(canonical, disjuncts(self.formulas[number])))
            if held.issubset(sides):
                pieces[number] = held
        for assumptions in _exact(sides, pieces):
            for ordered in permutations(assumptions):
                for chosen in product(results, repeat=len(ordered)):
                    yield tuple(number for pair in zip(ordered, chosen, strict=True) for number in pair)


def _takes_apart(formula: Formula) -> Iterator[str]:
    """Rules for this line alone that take something off it."""
    match formula:
        case And():
            yield "AND_ELIM"
        case Forall():
            yield "UNIV_INSTANTIATION"
        case Not(Not()):
            yield "DOUBLE_NEGATION"
    if isinstance(strip_foralls(formula)[1], Iff):
        yield "BICONDITIONAL_ELIM"


def _both_ways(option: str, one: int, other: int, *before: int) -> Iterable[Action]:
    return (option, (*before, one, other)), (option, (*before, other, one))


def _exact(parts: tuple[Formula, ...], pieces: dict[int, frozenset[Formula]]) -> Iterator[tuple[int, ...]]:
    """Every choice of pieces that together have all the parts, in their order, each piece for the first part left.

    Each choice that is begun can be finished, so that the first ones are found at once.
    """
    if frozenset(parts) <= frozenset[Formula]().union(*pieces.values()):
        yield from _rest(parts, pieces, ())


def _rest(
    parts: tuple[Formula, ...], pieces: dict[int, frozenset[Formula]], chosen: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    if not parts:
        yield chosen
        return
    for number, held in pieces.items():
        if parts[0] in held:
            yield from _rest(tuple(part for part in parts if part not in held), pieces, (*chosen, number))
