"""The law of the kernel: what it calls valid, z3 proves from the cited lines alone."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sokrates.logic.formulas import Formula, same, show
from sokrates.logic.proof import Proof
from sokrates.logic.rules import RULES
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Refusal
from tests.logic import oracle, random_logic

STEPS = 12
LEAST_VALID = {
    "MODUS_PONENS": 70,
    "MODUS_TOLLENS": 70,
    "HYPOTHETICAL_SYLLOGISM": 70,
    "UNIV_INSTANTIATION": 70,
    "AND_INTRO": 40,
    "AND_ELIM": 70,
    "DOUBLE_NEGATION": 70,
}


def likely_lines(rng: random.Random, proof: Proof, rule: str, claimless: bool) -> list[int]:
    """Lines for a rule: mostly, of a few drawn, the first that it accepts in some way, so that many steps are valid."""
    least = RULES[rule].least
    proved = [number for number, line in enumerate(proof.lines) if line is not None]
    for _ in range(1 if claimless else 60):
        args = [rng.choice(proved) for _ in range(least)]
        try:
            if results(proof, rule, args):
                break
        except Refusal:
            continue
    return args


def results(proof: Proof, rule: str, args: list[int]) -> list[Formula]:
    cited = [proof.lines[number] for number in args]
    return RULES[rule].results(cited, None, proof.theory.constants)  # type: ignore[arg-type]


def likely_claim(rng: random.Random, proof: Proof, rule: str, args: list[int]) -> Formula | None:
    """What the rule would give, so or in other words, or spoilt; or any formula; or no claim."""
    kind = rng.random()
    if kind < 0.1:
        return None
    if kind < 0.2:
        return random_logic.formula(rng, 2)
    try:
        given = rng.choice(results(proof, rule, args))
    except (Refusal, IndexError):
        return random_logic.disguised(rng, rng.choice([line for line in proof.lines if line is not None]))
    return random_logic.tampered(rng, given) if kind < 0.5 else random_logic.disguised(rng, given)


def steps_are_sound(rng: random.Random, seen: Counter[str]) -> None:
    lines = random_logic.lines(rng)
    proof = Proof(Theory(lines, random_logic.formula(rng, 1)))
    for _ in range(STEPS):
        rule = rng.choice(list(RULES))
        args = likely_lines(rng, proof, rule, rng.random() < 0.1)
        claim = likely_claim(rng, proof, rule, args)
        verdict = proof.step(rule, args, claim)
        seen["steps"] += 1
        if not verdict.valid:
            continue
        seen[rule] += 1
        assert verdict.formula is not None
        assert claim is None or same(claim, verdict.formula)
        cited = [proof.lines[number] for number in args]
        assert oracle.entails(cited, verdict.formula), (  # type: ignore[arg-type]
            f"{rule} from {[show(line) for line in cited if line]} gives {show(verdict.formula)}"
        )


def check(theories: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(max_examples=theories, suppress_health_check=list(HealthCheck), database=None)
    @given(st.randoms(use_true_random=True))
    def law(rng: random.Random) -> None:
        steps_are_sound(rng, seen)

    law()
    return seen


def test_what_the_kernel_calls_valid_z3_proves_from_the_cited_lines():
    seen = check(180)
    assert seen["steps"] >= 2000
    assert not {rule: (seen[rule], least) for rule, least in LEAST_VALID.items() if seen[rule] < least}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_the_kernel_calls_valid_z3_proves_over_many_more_steps():
    assert check(5000)["steps"] >= 50_000
