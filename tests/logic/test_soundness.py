"""The law of the kernel: z3 proves what it calls valid, from the assumptions and the premises that it rests on.

A line rests on premises through the lines it cites; the test keeps account of them by itself. Where a rule discharges
nothing and generalises nothing, the cited lines alone must entail what it gives.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sokrates.logic.formulas import Formula, canonical, same, show
from sokrates.logic.proof import Proof
from sokrates.logic.rules import ASSUME, RULES
from sokrates.logic.theory import Theory
from tests.logic import oracle, random_logic
from tests.logic.random_proofs import plan, proposal, proved, tried

STEPS = 30
OPTIONS = [*RULES, *[name for name in RULES if name != ASSUME], "BICONDITIONAL_INTRO", "DISJUNCTIVE_SYLLOGISM"]
FROM_THE_CITED_LINES_ALONE = {
    name
    for name, rule in RULES.items()
    if not rule.discharges(rule.least) and name not in (ASSUME, "UNIV_GENERALIZATION")
}


class Account:
    """What each line of a proof rests on, kept apart from the kernel, and what z3 says of the valid steps."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        self.premises = [{number} for number in range(len(proof.lines))]
        self.seen: Counter[str] = Counter()

    def step(self, option: str, args: list[int], claim: Formula | None) -> None:
        verdict = self.proof.step(option, args, claim)
        self.seen["steps"] += 1
        self.premises.append(set())
        if verdict.valid:
            self.premises[-1] = set().union(*(self.premises[number] for number in args))
            self.check(option, args, claim, verdict.formula)

    def check(self, option: str, args: list[int], claim: Formula | None, result: Formula | None) -> None:
        assert result is not None
        assert claim is None or same(claim, result)
        number = len(self.proof.lines) - 1
        if option in FROM_THE_CITED_LINES_ALONE:
            assert self.proof.rests[number] == frozenset().union(*(self.proof.rests[line] for line in args))
            self.entailed(option, [self.proof.lines[line] for line in args], result)
        else:
            assumptions = self.proof.assumptions([number])
            self.entailed(option, [*(self.proof.lines[line] for line in self.premises[number]), *assumptions], result)
        self.seen["valid"] += 1
        self.seen[option] += 1

    def entailed(self, option: str, lines: list[Formula | None], result: Formula) -> None:
        given = [line for line in lines if line is not None]
        answer = oracle.decided(given, result)
        assert answer is not False, f"{option} from {[show(line) for line in given]} gives {show(result)}"
        self.seen["undecided"] += answer is None


def random_walk(rng: random.Random, seen: Counter[str]) -> None:
    lines = random_logic.lines(rng)
    account = Account(Proof(Theory(rng.sample(lines, 10), random_logic.formula(rng, 1))))
    while account.seen["steps"] < STEPS:
        if rng.random() < 0.15:
            steps = plan(rng, account.proof)
        else:
            option = rng.choice(OPTIONS)
            steps = [(option, *proposal(rng, account.proof, option))]
        for option, args, claim in steps:
            account.step(option, args, claim)
    seen.update(account.seen)


def check(theories: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(max_examples=theories, suppress_health_check=list(HealthCheck), database=None, deadline=None)
    @given(st.randoms(use_true_random=True))
    def law(rng: random.Random) -> None:
        random_walk(rng, seen)

    law()
    return seen


def rare(seen: Counter[str], share: float) -> dict[str, int]:
    """The rules that were valid too seldom for the law to say much of them."""
    return {rule: seen[rule] for rule in RULES if seen[rule] < share * seen["valid"]}


def test_what_the_kernel_calls_valid_z3_proves():
    seen = check(320)
    assert seen["valid"] >= 5_000, seen
    assert not rare(seen, 0.008), seen
    assert seen["undecided"] <= 0.01 * seen["valid"], seen


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_the_kernel_calls_valid_z3_proves_over_many_more_steps():
    seen = check(12_500)
    assert seen["valid"] >= 200_000, seen
    assert not rare(seen, 0.008), seen
    assert seen["undecided"] <= 0.01 * seen["valid"], seen


def small_state(rng: random.Random) -> Proof:
    """A few premises over a small signature, some assumptions, and some steps."""
    lines = [line for line in random_logic.lines(rng) if len(show(line)) < 40]
    proof = Proof(Theory(rng.sample(lines, min(4, len(lines))), random_logic.formula(rng, 1)))
    for option in (ASSUME, ASSUME, *rng.choices(list(RULES), k=3)):
        args, claim = proposal(rng, proof, option)
        if tried(proof, option, args, claim).valid:
            proof.step(option, args, claim)
    return proof


def claims_about(rng: random.Random, proof: Proof) -> list[Formula | None]:
    """What might be claimed of a state: what rules give, the lines, and formulas near them."""
    found: list[Formula] = []
    for option in RULES:
        for _ in range(2):
            claim = proposal(rng, proof, option)[1]
            found += [claim] if claim is not None else []
    found += [random_logic.tampered(rng, line) for line in proof.lines if line is not None]
    return [None, *{canonical(formula): formula for formula in found}.values()]


def every_step_is_sound(rng: random.Random, seen: Counter[str]) -> None:
    """Every rule on every choice of lines with every claim; the assumptions must entail what is called valid."""
    proof = small_state(rng)
    claims = claims_about(rng, proof)
    premises = list(proof.theory.premises)
    known: dict[tuple[Formula, frozenset[int]], bool | None] = {}
    for option, rule in RULES.items():
        for args in product(proved(proof), repeat=rule.least):
            for claim in claims:
                seen["steps"] += 1
                verdict = proof.step(option, args, claim)
                rests = proof.rests[-1]
                proof.take_back()
                if not verdict.valid or option == ASSUME:
                    continue
                assert verdict.formula is not None
                seen["valid"] += 1
                key = (canonical(verdict.formula), rests)
                if key not in known:
                    known[key] = oracle.decided([*premises, *proof._formulas(rests)], verdict.formula)
                    assert known[key] is not False, f"{option} {args} gives {show(verdict.formula)} from {rests}"


def test_every_step_in_small_states_is_sound():
    seen: Counter[str] = Counter()
    for seed in range(12):
        every_step_is_sound(random.Random(seed), seen)
    assert seen["valid"] >= 800 and seen["steps"] >= 250_000, seen


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_step_in_many_more_small_states_is_sound():
    seen: Counter[str] = Counter()
    for seed in range(1_000, 1_300):
        every_step_is_sound(random.Random(seed), seen)
    assert seen["valid"] >= 25_000, seen
