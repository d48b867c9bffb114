"""What is known under some assumptions, closed under the steps that need no new ones.

Contract: `Facts.close` derives lines in order of their cost until nothing new follows, or two lines contradict each
other (`clash`). Rules are instantiated as they are used; other universal lines for each constant that is known here.
`build` puts a formula together from what is known, by the cheapest of `composition.compositions`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import product

from sokrates.logic.composition import (
    Elimination,
    Shape,
    compose,
    compositions,
    eliminations,
    free_variables,
    is_literal,
    pieces,
    shape,
)
from sokrates.logic.formulas import (
    And,
    Atom,
    Const,
    Exists,
    Forall,
    Formula,
    Iff,
    Implies,
    Not,
    Term,
    Var,
    atoms,
    canonical,
    complement,
    conjuncts,
    match_formula,
    quantify,
    rename_apart,
    strip_foralls,
    substitute,
)
from sokrates.logic.lines import Line, Pad, joint_cost

Binding = dict[Var, Term]

_MOST_INSTANCES = 256
"""For how many choices of constants a line is instantiated."""


class Facts:
    """The lines known under the assumptions of `outer` and one more, or at the root those of the premises."""

    def __init__(
        self, pad: Pad, *, outer: Facts | None = None, assumed: Line | None = None, constants: Sequence[Const] = ()
    ) -> None:
        self.pad = pad
        self.outer = outer
        self.assumed = assumed
        self.constants: tuple[Const, ...] = tuple(constants)
        self.clash: tuple[Line, Line] | None = outer.clash if outer else None
        self.failed: dict[Formula, int] = {}
        """Goals that were not reached here, and how deep the search for them went."""
        self.contested: dict[Formula, int] = {}
        """The same for formulas whose denial is known."""
        self.witnessed: frozenset[Formula] = outer.witnessed if outer else frozenset()
        """The ∃ lines for which a constant was taken."""
        self._known: dict[Formula, Line] = {}
        self._by_shape: dict[Shape, list[Line]] = {}
        self._watching: dict[str, dict[Formula, Line]] = {}
        self._offered: dict[Formula, int] = {}
        self._agenda: list[tuple[int, int, Line]] = []
        new = [c for c in self.constants if outer is None or c not in outer.constants]
        if outer and new:
            for line in outer.lines():
                self._instantiate(line, new)
        if assumed:
            self.offer(assumed)

    def suppose(self, formula: Formula, constants: Sequence[Const] = ()) -> Facts:
        """The facts under one more assumption, maybe about constants that are new here."""
        return Facts(self.pad, outer=self, assumed=self.pad.assume(formula), constants=(*self.constants, *constants))

    def with_constant(self, constant: Const) -> Facts:
        """The same facts, and their instances for a constant that is new here."""
        return Facts(self.pad, outer=self, constants=(*self.constants, constant))

    def again(self) -> Facts:
        """The same facts, to which more can be added that these do not get."""
        return Facts(self.pad, outer=self, constants=self.constants)

    def find(self, formula: Formula) -> Line | None:
        key = formula if is_literal(formula) else canonical(formula)
        facts: Facts | None = self
        while facts:
            if key in facts._known:
                return facts._known[key]
            facts = facts.outer
        return None

    def lines(self) -> Iterator[Line]:
        """All lines, those of the outer facts first."""
        if self.outer:
            yield from self.outer.lines()
        yield from self._known.values()

    def assumptions(self) -> Iterator[Line]:
        """The assumptions made, the last first."""
        if self.assumed:
            yield self.assumed
        if self.outer:
            yield from self.outer.assumptions()

    def offer(self, line: Line) -> None:
        """Put a line forward, to be known in its turn."""
        if self._is_news(line.key, line.cost):
            self._offered[line.key] = line.cost
            heapq.heappush(self._agenda, (line.cost, line.number, line))

    def _is_news(self, key: Formula, cost: int) -> bool:
        return self._offered.get(key, cost + 1) > cost and self.find(key) is None

    def close(self) -> None:
        """Derive what follows; stop at a clash."""
        while self._agenda and self.clash is None:
            new = self._cheapest()
            for line in new:
                self._add(line)
            if self.clash is None:
                self._follow(new)

    def _cheapest(self) -> list[Line]:
        """The cheapest offers that are not known yet."""
        least = self._agenda[0][0]
        found: dict[Formula, Line] = {}
        while self._agenda and self._agenda[0][0] == least:
            _, _, line = heapq.heappop(self._agenda)
            if self.find(line.key) is None:
                found.setdefault(line.key, line)
        return list(found.values())

    def _add(self, line: Line) -> None:
        self._known[line.key] = line
        self._by_shape.setdefault(shape(line.key), []).append(line)
        if other := self.find(complement(line.key)):
            self.clash = min(self.clash or (other, line), (other, line), key=joint_cost)

    def _follow(self, new: Sequence[Line]) -> None:
        """What follows from new lines alone, and from the lines that take apart or are taken apart by them."""
        active: dict[Formula, Line] = {}
        for line in new:
            self._open(line)
            predicates = {atom.predicate: None for atom in atoms(line.formula)}
            if eliminations(line.formula) or pieces_of_denied(line.formula, self.constants):
                active[line.key] = line
                for predicate in predicates:
                    self._watching.setdefault(predicate, {})[line.key] = line
            for predicate in predicates:
                active.update(self._watchers(predicate))
        for line in active.values():
            self._apply(line)

    def _watchers(self, predicate: str) -> dict[Formula, Line]:
        found = self.outer._watchers(predicate) if self.outer else {}
        return {**found, **self._watching.get(predicate, {})}

    def _apply(self, line: Line) -> None:
        for elimination in eliminations(line.formula):
            self._eliminate(line, elimination)
        if isinstance(line.formula, Not):
            self._deny(line, line.formula.body)

    def _open(self, line: Line) -> None:
        """What one line gives by itself."""
        variables, body = strip_foralls(line.formula)
        match body:
            case Iff(left, right):
                for implication in (Implies(left, right), Implies(right, left)):
                    self._offer("BICONDITIONAL_ELIM", quantify(variables, implication), line)
            case And() if not variables:
                for part in dict.fromkeys(conjuncts(body)):
                    self._offer("AND_ELIM", part, line)
            case Not(Not(inner)) if not variables:
                self._offer("DOUBLE_NEGATION", inner, line)
        self._instantiate(line, self.constants)

    def _offer(self, rule: str, formula: Formula, *parents: Line) -> None:
        if self._is_news(canonical(formula), joint_cost(parents) + 1):
            self.offer(self.pad.derive(rule, formula, *parents))

    def _instantiate(self, line: Line, new: Sequence[Const]) -> None:
        """The instances of a universal line that is no rule, with at least one new constant in each."""
        if not isinstance(line.formula, Forall):
            return
        variables, body = strip_foralls(rename_apart(line.formula, "p"))
        if isinstance(body, Implies | Iff) or len(self.constants) ** len(variables) > _MOST_INSTANCES:
            return
        for chosen in product(self.constants, repeat=len(variables)):
            if any(constant in new for constant in chosen):
                binding = dict(zip(variables, chosen, strict=True))
                self._offer("UNIV_INSTANTIATION", substitute(body, binding), line)

    def _eliminate(self, line: Line, elimination: Elimination) -> None:
        rule, pattern, result, variables = elimination
        seen = set()
        for partial in self.matches(pattern, frozenset(variables), {}):
            for binding in self._completed(pattern, variables, partial):
                key = tuple(binding.get(v) for v in variables)
                if key in seen:
                    continue
                seen.add(key)
                unbound = [v for v in variables if v not in binding]
                derived = quantify(unbound, substitute(result, binding))
                wanted = substitute(pattern, binding)
                if self.find(derived) is None and (met := self.build(wanted)):
                    self._offer(rule, derived, met, line)

    def _completed(self, pattern: Formula, variables: Sequence[Var], partial: Binding) -> Iterator[Binding]:
        """The binding with constants for the pattern's variables that it leaves open."""
        missing = [v for v in variables if v in free_variables(pattern) and v not in partial]
        if len(self.constants) ** len(missing) <= _MOST_INSTANCES:
            for chosen in product(self.constants, repeat=len(missing)):
                yield {**partial, **dict(zip(missing, chosen, strict=True))}

    def _deny(self, line: Line, denied: Formula) -> None:
        """What a line ¬A gives: a clash where A can be built, the denial of each piece that would let it be built."""
        if not pieces_of_denied(line.formula, self.constants):
            return
        if built := self.build(denied):
            self.clash = self.clash or (built, line)
            return
        for piece in pieces_of_denied(line.formula, self.constants):
            if self.find(piece) or self.find(complement(piece)):
                continue
            trial = self.again()
            trial._add(self.pad.assume(piece))
            if built := trial.build(denied):
                self.offer(self.pad.contradiction(self.pad.assume(piece), built, line))

    def build(self, goal: Formula) -> Line | None:
        """The cheapest way to put a closed formula together from what is known."""
        self.pad.spend()
        if known := self.find(goal):
            return known
        best: list[Line] | None = None
        for parts in self._parts(goal):
            built = [self.build(part) for part in parts]
            lines = [line for line in built if line]
            if len(lines) == len(parts) and (best is None or joint_cost(lines) < joint_cost(best)):
                best = lines
        return compose(self.pad, goal, best) if best else None

    def _parts(self, goal: Formula) -> Iterator[tuple[Formula, ...]]:
        match goal:
            case Exists(var, body):
                yield from ((substitute(body, {var: constant}),) for constant in self.constants)
            case Not(Forall(var, body)):
                yield from ((complement(substitute(body, {var: constant})),) for constant in self.constants)
            case _:
                yield from compositions(goal)

    def matches(self, pattern: Formula, variables: frozenset[Var], binding: Binding) -> Iterator[Binding]:
        """The bindings under which a pattern can be built; variables of alternatives not taken stay unbound."""
        yield from self._direct(pattern, variables, binding)
        match pattern:
            case Exists(var, body):
                yield from self._witnesses(var, body, variables, binding)
            case Not(Forall(var, body)):
                yield from self._witnesses(var, complement(body), variables, binding)
            case _:
                for parts in compositions(pattern):
                    yield from self._join(sorted(parts, key=lambda part: not is_literal(part)), variables, binding)

    def _witnesses(self, var: Var, body: Formula, variables: frozenset[Var], binding: Binding) -> Iterator[Binding]:
        for found in self.matches(body, variables | {var}, binding):
            yield {v: term for v, term in found.items() if v != var}

    def _join(self, parts: Sequence[Formula], variables: frozenset[Var], binding: Binding) -> Iterator[Binding]:
        if not parts:
            yield binding
            return
        for found in self.matches(parts[0], variables, binding):
            yield from self._join(parts[1:], variables, found)

    def _direct(self, pattern: Formula, variables: frozenset[Var], binding: Binding) -> Iterator[Binding]:
        """The bindings under which a known line is the pattern."""
        bound = substitute(pattern, binding) if binding else pattern
        open_ = variables & free_variables(bound)
        if not open_:
            if self.find(bound):
                yield binding
            return
        for line in self._shaped(shape(bound)):
            self.pad.spend()
            if is_literal(bound):
                found = _bound(bound, line.key, open_)
                if found is not None:
                    yield {**binding, **found}
            else:
                for more in match_formula(bound, line.key, open_):
                    yield {**binding, **more}

    def _shaped(self, wanted: Shape) -> Iterator[Line]:
        if self.outer:
            yield from self.outer._shaped(wanted)
        yield from tuple(self._by_shape.get(wanted, ()))


def pieces_of_denied(formula: Formula, constants: Sequence[Const]) -> list[Formula]:
    """For a line ¬A, what may be assumed so that A can be built."""
    match formula:
        case Not(Exists(var, body)):
            return [substitute(body, {var: constant}) for constant in constants]
        case Not(body):
            return pieces(body)
    return []


def _bound(pattern: Formula, target: Formula, variables: frozenset[Var]) -> Binding | None:
    """What makes a literal another of the same shape."""
    one, other = (f.body if isinstance(f, Not) else f for f in (pattern, target))
    assert isinstance(one, Atom) and isinstance(other, Atom)
    if len(one.args) != len(other.args):
        return None
    binding: Binding = {}
    for arg, term in zip(one.args, other.args, strict=True):
        if isinstance(arg, Var) and arg in variables:
            if binding.setdefault(arg, term) != term:
                return None
        elif arg != term:
            return None
    return binding
