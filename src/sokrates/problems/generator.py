"""Our own PrOntoQA-style problems: fictional ontologies with distractors, and a conclusion some hops away.

Contract: everything follows from the seed; no two problems of one call have the same content; each label is the
kernel's own verdict on the premises, and `hops` is the length of the shortest proof (for UNKNOWN, of the ontology's
main chain). The format follows PrOntoQA (Saparov and He, 2023); the procedure and the code are ours.

A problem has a main chain of concepts above the subject, whose last link is what the conclusion speaks of; side
branches that are true of the subject but lead nowhere; an ontology that the subject does not belong to, which repeats
the conclusion's predicate and points into the main chain, so that words in common prove nothing; and, where that is
asked for, one that the subject belongs to by a second fact, so that it must be chosen where to start.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sokrates.errors import SokratesError
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.closure import Literal, literal_formula
from sokrates.logic.english import say
from sokrates.logic.formulas import Const
from sokrates.logic.prover import derive_all, prove
from sokrates.problems.problem import Problem
from sokrates.problems.reading import read_sentences
from sokrates.problems.words import CONCEPTS, NAMES, PROPERTIES

_NOUNS = frozenset(CONCEPTS)
_TRIES = 1000


@dataclass(frozen=True, slots=True)
class GeneratorSettings:
    """Hops from `least_hops` to `most_hops`, equally often; `mix` weighs TRUE, FALSE and UNKNOWN."""

    least_hops: int = 1
    most_hops: int = 5
    mix: tuple[float, float, float] = (1.0, 1.0, 1.0)
    entities: int = 1
    distractors: float = 1.0
    """How many rules stand there that no proof needs: 1 is light, 2 about as many as PrOntoQA's own."""
    second_facts: float = 0.0
    """The share of problems that say of their subject a second fact, from which no proof starts, as PrOntoQA's do."""
    max_facts: int = 23
    """The most facts that may follow about the subject, so that an UNKNOWN trace fits the limit on steps."""

    def __post_init__(self) -> None:
        if not 1 <= self.least_hops <= self.most_hops <= 10:
            raise SokratesError(f"hops {self.least_hops} to {self.most_hops}: expected 1 <= least <= most <= 10")
        if not 1 <= self.entities <= len(NAMES):
            raise SokratesError(f"{self.entities} entities: expected 1 to {len(NAMES)}")
        if not 0 <= self.distractors <= 3:
            raise SokratesError(f"distractors {self.distractors}: expected 0 to 3")
        if not 0 <= self.second_facts <= 1:
            raise SokratesError(f"second facts {self.second_facts}: expected 0 to 1")
        if len(self.mix) != 3 or min(self.mix) < 0 or sum(self.mix) <= 0:
            raise SokratesError(f"label mix {self.mix}: expected three weights for {', '.join(ANSWERS)}, not all zero")


@dataclass(slots=True)
class _Draft:
    """An ontology in the making: rules and facts as (subject, literal), and the words still unused."""

    rng: random.Random
    concepts: list[str]
    properties: list[str]
    rules: list[tuple[str, Literal]] = field(default_factory=list)
    facts: list[tuple[str, Literal]] = field(default_factory=list)

    def concept(self) -> str:
        return self.concepts.pop()

    def add_property(self, concept: str) -> Literal:
        literal = Literal(self.properties.pop(), self.rng.random() < 0.5)
        self.rules.append((concept, literal))
        return literal


def generate(count: int, settings: GeneratorSettings, seed: int, *, prefix: str = "sokrates") -> Iterator[Problem]:
    """`count` different problems, numbered under `prefix`. Errors: SokratesError when that many cannot be found."""
    rng = random.Random(f"{prefix}/{seed}")
    seen: set[str] = set()
    for index in range(count):
        hops = rng.randint(settings.least_hops, settings.most_hops)
        answer = rng.choices(ANSWERS, settings.mix)[0]
        yield _fresh(rng, hops, answer, settings, seen, f"{prefix}-{seed}-{index}")


def _fresh(
    rng: random.Random, hops: int, answer: Answer, settings: GeneratorSettings, seen: set[str], problem_id: str
) -> Problem:
    for _ in range(_TRIES):
        problem = _attempt(rng, hops, answer, settings, problem_id)
        if problem is not None and problem.content_hash not in seen:
            seen.add(problem.content_hash)
            return problem
    raise SokratesError(f"{problem_id}: no new problem with {hops} hops and answer {answer} in {_TRIES} tries")


def _attempt(
    rng: random.Random, hops: int, answer: Answer, settings: GeneratorSettings, problem_id: str
) -> Problem | None:
    draft = _Draft(rng, rng.sample(CONCEPTS, len(CONCEPTS)), rng.sample(PROPERTIES, len(PROPERTIES)))
    names = rng.sample(NAMES, settings.entities)
    chain, target = _main_chain(draft, hops)
    _side_branches(draft, chain, settings.distractors)
    outside = _outside_ontology(draft, chain, target, settings.distractors)
    draft.facts.append((names[0], Literal(chain[0], True)))
    if settings.second_facts and draft.concepts and rng.random() < settings.second_facts:
        draft.facts.append((names[0], Literal(_second_ontology(draft, settings.distractors), True)))
    for name in names[1:]:
        draft.facts.append((name, Literal(rng.choice(chain + outside), True)))
    conclusion = rng.choice(_undecided(draft, target)) if answer is Answer.UNKNOWN else target
    if answer is Answer.FALSE or (answer is Answer.UNKNOWN and rng.random() < 0.5):
        conclusion = conclusion.negated()
    return _checked(draft, names[0], conclusion, hops, answer, settings, problem_id)


def _main_chain(draft: _Draft, hops: int) -> tuple[list[str], Literal]:
    """Concepts c0 → c1 → … and the literal that is `hops` rules above c0: a property, or the last concept itself."""
    to_property = draft.rng.random() < 0.7
    length = hops if to_property else hops + 1
    chain = [draft.concept() for _ in range(length)]
    for lower, upper in pairwise(chain):
        draft.rules.append((lower, Literal(upper, True)))
    target = draft.add_property(chain[-1]) if to_property else Literal(chain[-1], True)
    return chain, target


def _side_branches(draft: _Draft, chain: Sequence[str], distractors: float) -> None:
    """What follows about the subject but is not needed: properties on the way, and other parents."""
    rng = draft.rng
    for concept in chain:
        if rng.random() < 0.4 * distractors:
            draft.add_property(concept)
        if rng.random() < 0.25 * distractors and len(draft.concepts) > 5:
            parent = draft.concept()
            draft.rules.append((concept, Literal(parent, True)))
            if rng.random() < 0.4:
                draft.add_property(parent)


def _outside_ontology(draft: _Draft, chain: Sequence[str], target: Literal, distractors: float) -> list[str]:
    """Concepts that the subject does not belong to; one of them gives or denies the goal, some point into the chain."""
    rng = draft.rng
    most = max(1, min(round(4 * distractors), len(draft.concepts)))
    outside = [draft.concept() for _ in range(rng.randint(1, most))]
    for lower, upper in pairwise(outside):
        draft.rules.append((lower, Literal(upper, True)))
    for concept in outside:
        if rng.random() < 0.5 * distractors:
            draft.add_property(concept)
    if rng.random() < 0.7:
        decoy = target if rng.random() < 0.5 or target.predicate in _NOUNS else target.negated()
        draft.rules.append((rng.choice(outside), decoy))
    if rng.random() < 0.4:
        draft.rules.append((rng.choice(outside), Literal(rng.choice(list(chain)), True)))
    return outside


def _second_ontology(draft: _Draft, distractors: float) -> str:
    """What the subject is too, with what follows from that: the concept at its bottom."""
    concepts = [draft.concept() for _ in range(draft.rng.randint(1, min(3, len(draft.concepts))))]
    for lower, upper in pairwise(concepts):
        draft.rules.append((lower, Literal(upper, True)))
    for concept in concepts:
        if draft.rng.random() < 0.4 * distractors:
            draft.add_property(concept)
    return concepts[0]


def _undecided(draft: _Draft, target: Literal) -> list[Literal]:
    """Positive literals that the ontology speaks of; the caller's check keeps those that nothing decides."""
    named = {literal.predicate for _, literal in draft.rules} | {subject for subject, _ in draft.rules}
    return [Literal(predicate, True) for predicate in sorted(named - {target.predicate})]


def _checked(
    draft: _Draft,
    name: str,
    conclusion: Literal,
    hops: int,
    answer: Answer,
    settings: GeneratorSettings,
    problem_id: str,
) -> Problem | None:
    """The draft as a problem, or None where it is not what was asked for."""
    premises = [_rule_sentence(draft.rng, subject, literal) for subject, literal in draft.rules]
    if len(set(premises)) < len(premises):
        return None
    draft.rng.shuffle(premises)
    facts = [_fact_sentence(subject, literal) for subject, literal in draft.facts]
    for fact in facts:
        premises.insert(draft.rng.randint(0, len(premises)), fact)
    goal = _fact_sentence(name, conclusion)
    theory = read_sentences(tuple(premises), goal).theory
    if not theory.consistent or theory.answer is not answer:
        return None
    if len(derive_all(theory, Const(name))) > settings.max_facts:
        return None
    if (needed := theory.goal(answer)) is not None:
        proof = prove(theory, needed)
        if proof is None or len(proof) != hops:
            return None
    return Problem(
        problem_id=problem_id,
        premises=tuple(premises),
        conclusion=goal,
        label=answer,
        source="sokrates-generator",
        hops=hops,
    )


def _fact_sentence(name: str, literal: Literal) -> str:
    return say(literal_formula(literal, Const(name)), _NOUNS) + "."


def _rule_sentence(rng: random.Random, concept: str, literal: Literal) -> str:
    """One of the grammar's ways to say that every `concept` is, or is not, something."""
    thing = literal.predicate
    is_noun = thing in _NOUNS
    article = ("an " if thing[0] in "aeiou" else "a ") if is_noun else ""
    negation = "" if literal.positive else "not "
    style = rng.random()
    if style < 0.5:
        subject = rng.choice(("Every", "Each"))
        return f"{subject} {concept} is {negation}{article}{thing}."
    if style < 0.56 and not literal.positive:
        return f"No {concept} is {article}{thing}."
    plural = f"{concept}es"
    subject = f"All {plural}" if style > 0.95 else plural.capitalize()
    return f"{subject} are {negation}{thing + 'es' if is_noun else thing}."
