"""Proofs of any formula from any premises, as deep as is asked.

Contract: `Search.prove` looks for a line that says the goal: put together from what is known, introduced by the goal's
own connective, by cases, or by refuting its denial. Depth counts the assumptions made on the way that the goal does not
name: at depth 0 none, and a proof that needs n nested ones is found at depth n. Refutation tries, literal after
literal, whether assuming it leads to a contradiction, which decides propositional theories given depth enough. A ⊕,
which no rule introduces, is proved by refuting its denial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from sokrates.logic.facts import Facts
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
    Or,
    Var,
    Xor,
    atoms,
    canonical,
    complement,
    conjuncts,
    disjuncts,
    flat_parts,
    rename_apart,
    strip_foralls,
    substitute,
)
from sokrates.logic.lines import Line, Pad, joint_cost
from sokrates.logic.syllogism import chained

Clash = tuple[Line, Line]

_MOST_WITNESSES = 4
"""How many ∃ lines get a constant on one path."""
_MOST_CHOICES = 64
"""For how many choices of constants a line's literals are tried."""


class Search:
    def __init__(self, pad: Pad, fresh: Callable[[Sequence[Const]], Const]) -> None:
        self.pad = pad
        self._fresh = fresh
        """A constant that is none of some others, and in no premise."""

    def prove(self, facts: Facts, goal: Formula, depth: int) -> Line | None:
        """A line that says the goal under the assumptions of these facts; None where it is not found at this depth."""
        facts.close()
        if built := facts.build(goal):
            return built
        if facts.clash:
            return self._anything(goal, facts.clash)
        key = canonical(goal)
        if facts.failed.get(key, -1) >= depth:
            return None
        found = self._introduce(facts, goal, depth) or self._with_witness(facts, goal, depth)
        if found is None and depth:
            ways = [self._by_cases(facts, goal, depth - 1), self._by_refutation(facts, goal, depth - 1)]
            found = min((line for line in ways if line), key=lambda line: line.cost, default=None)
        if found:
            facts.offer(found)
        else:
            facts.failed[key] = depth
        return found

    def _anything(self, goal: Formula, clash: Clash) -> Line:
        """From a contradiction, the goal."""
        if isinstance(goal, Not) and isinstance(goal.body, Not):
            return self.pad.as_goal(self._anything(goal.body.body, clash), goal)
        return self.pad.contradiction(self.pad.assume(complement(goal)), *clash)

    def _introduce(self, facts: Facts, goal: Formula, depth: int) -> Line | None:
        """The goal by the rule that introduces its connective."""
        match goal:
            case And():
                return self._all(facts, goal, list(dict.fromkeys(conjuncts(goal))), "AND_INTRO", depth)
            case Iff(left, right):
                return self._all(
                    facts, goal, [Implies(left, right), Implies(right, left)], "BICONDITIONAL_INTRO", depth
                )
            case Or():
                return self._one(facts, goal, list(dict.fromkeys(disjuncts(goal))), "OR_INTRO", depth)
            case Exists(var, body):
                instances = [substitute(body, {var: constant}) for constant in facts.constants]
                return self._one(facts, goal, instances, "EXIST_GENERALIZATION", depth)
            case Implies(antecedent, consequent):
                return chained(self.pad, facts, goal) or self._conditional(facts, goal, antecedent, consequent, depth)
            case Forall(var, body):
                return chained(self.pad, facts, goal) or self._universal(facts, goal, var, body, depth)
        return None

    def _all(self, facts: Facts, goal: Formula, parts: Sequence[Formula], rule: str, depth: int) -> Line | None:
        """The goal from all its parts, proved in the order in which the later ones gain more from the earlier."""
        found = self._each(facts.again(), parts, depth)
        if found and depth and (other := self._each(facts.again(), parts[::-1], depth)):
            found = min(found, other[::-1], key=joint_cost)
        return self.pad.derive(rule, goal, *found) if found else None

    def _each(self, facts: Facts, goals: Sequence[Formula], depth: int) -> list[Line] | None:
        lines = []
        for goal in goals:
            line = self.prove(facts, goal, depth)
            if line is None:
                return None
            lines.append(line)
        return lines

    def _one(self, facts: Facts, goal: Formula, parts: Sequence[Formula], rule: str, depth: int) -> Line | None:
        for part in parts:
            if depth and (line := self.prove(facts, part, depth - 1)):
                return self.pad.derive(rule, goal, line)
        return None

    def _conditional(
        self, facts: Facts, goal: Formula, antecedent: Formula, consequent: Formula, depth: int
    ) -> Line | None:
        known = facts.find(antecedent)
        inner = facts if known else facts.suppose(antecedent)
        line = self.prove(inner, consequent, depth)
        return line and self.pad.derive("CONDITIONAL_PROOF", goal, self.pad.assume(antecedent), line)

    def _universal(self, facts: Facts, goal: Formula, var: Var, body: Formula, depth: int) -> Line | None:
        constant = self._fresh(facts.constants)
        line = self.prove(facts.with_constant(constant), substitute(body, {var: constant}), depth)
        return line and self.pad.derive("UNIV_GENERALIZATION", goal, line)

    def _with_witness(self, facts: Facts, goal: Formula, depth: int) -> Line | None:
        """The goal from an ∃ line, by a constant for what it speaks of."""
        for existing, inner in self._witness(facts):
            assert inner.assumed
            line = self.prove(inner, goal, depth)
            if line is None or inner.assumed.number not in line.rests:
                return line
            return self.pad.derive("EXIST_INSTANTIATION", line.formula, existing, inner.assumed, line)
        return None

    def _witness(self, facts: Facts) -> Iterator[tuple[Line, Facts]]:
        """The first ∃ line that has no constant yet, and the facts about one."""
        if len(facts.witnessed) >= _MOST_WITNESSES:
            return
        for line in facts.lines():
            if isinstance(line.formula, Exists) and line.key not in facts.witnessed:
                constant = self._fresh(facts.constants)
                instance = substitute(line.formula.body, {line.formula.var: constant})
                inner = facts.suppose(instance, [constant])
                inner.witnessed = facts.witnessed | {line.key}
                yield line, inner
                return

    def _by_cases(self, facts: Facts, goal: Formula, depth: int) -> Line | None:
        """The goal from each side of an alternative; of several such proofs the shortest."""
        found = [line for alternative in _undecided(facts) if (line := self._cases(facts, alternative, goal, depth))]
        return min(found, key=lambda line: line.cost, default=None)

    def _cases(self, facts: Facts, alternative: Line, goal: Formula, depth: int) -> Line | None:
        cited = [alternative]
        for side in dict.fromkeys(flat_parts(alternative.formula, type(alternative.formula))):  # type: ignore[arg-type]
            inner = facts.suppose(side)
            assert inner.assumed
            line = self.prove(inner, goal, depth)
            if line is None or inner.assumed.number not in line.rests:
                return line
            cited += [inner.assumed, line]
        return self.pad.derive("CASE_SPLIT", goal, *cited)

    def _by_refutation(self, facts: Facts, goal: Formula, depth: int) -> Line | None:
        if isinstance(goal, Not) and isinstance(goal.body, Not):
            line = self._by_refutation(facts, goal.body.body, depth)
            return line and self.pad.as_goal(line, goal)
        inner = facts.suppose(complement(goal))
        assert inner.assumed
        clash = self._clash(inner, depth)
        return clash and self.pad.contradiction(inner.assumed, *clash)

    def _clash(self, facts: Facts, depth: int) -> Clash | None:
        """Two lines that contradict each other under the assumptions of these facts, of which there is one at least."""
        facts.close()
        if facts.clash:
            return facts.clash
        for existing, inner in self._witness(facts):
            clash = self._clash(inner, depth)
            return clash and self._without_witness(facts, existing, inner, clash)
        return self._denied(facts, depth) or (self._probe(facts, depth - 1) if depth else None)

    def _without_witness(self, facts: Facts, existing: Line, inner: Facts, clash: Clash) -> Clash:
        """The clash under a constant for an ∃ line as one that no longer speaks of the constant."""
        witness, last = inner.assumed, next(facts.assumptions())
        assert witness
        if all(witness.number not in line.rests for line in clash):
            return clash
        against = self.pad.contradiction(last, *clash)
        return last, self.pad.derive("EXIST_INSTANTIATION", against.formula, existing, witness, against)

    def _denied(self, facts: Facts, depth: int) -> Clash | None:
        """A clash with a line ¬A, where A is introduced."""
        for line in list(facts.lines()):
            if isinstance(line.formula, Not) and isinstance(line.formula.body, Forall | Implies | Iff | And):
                goal = line.formula.body
                if facts.contested.get(line.key, -1) < depth:
                    facts.contested[line.key] = depth
                    if found := self._introduce(facts, goal, depth):
                        return found, line
        return None

    def _probe(self, facts: Facts, depth: int) -> Clash | None:
        """A clash after learning the denial of each literal that leads to one, until nothing new is learned."""
        learning = True
        while learning:
            learning = False
            for trial in list(_trials(facts)):
                if facts.find(trial) or facts.find(complement(trial)):
                    continue
                inner = facts.suppose(trial)
                assert inner.assumed
                if clash := self._clash(inner, depth):
                    if all(inner.assumed.number not in line.rests for line in clash):
                        return clash
                    facts.offer(self.pad.contradiction(inner.assumed, *clash))
                    facts.close()
                    learning = True
                    if facts.clash:
                        return facts.clash
            if learning and (clash := self._denied(facts, depth)):
                return clash
        return None


def _undecided(facts: Facts) -> list[Line]:
    """The alternatives of which no side is known."""
    return [
        line
        for line in facts.lines()
        if isinstance(line.formula, Or | Xor)
        and not any(facts.find(side) for side in flat_parts(line.formula, type(line.formula)))
    ]


def _trials(facts: Facts) -> Iterator[Formula]:
    """What may be assumed to see whether it leads to a contradiction: sides of alternatives, then all literals."""
    seen: set[Formula] = set()
    for line in _undecided(facts):
        for side in flat_parts(line.formula, type(line.formula)):  # type: ignore[arg-type]
            if canonical(side) not in seen:
                seen.add(canonical(side))
                yield side
    for line in facts.lines():
        for atom in _ground_atoms(line.formula, facts.constants):
            for literal in (atom, Not(atom)):
                if literal not in seen:
                    seen.add(literal)
                    yield literal


def _ground_atoms(formula: Formula, known: Sequence[Const]) -> Iterator[Atom]:
    """The atoms in a line's instances for the known constants."""
    variables, body = strip_foralls(rename_apart(formula, "p"))
    if len(known) ** len(variables) > _MOST_CHOICES:
        return
    for chosen in product(known, repeat=len(variables)):
        for atom in atoms(substitute(body, dict(zip(variables, chosen, strict=True)))):
            if all(isinstance(term, Const) for term in atom.args):
                yield atom
