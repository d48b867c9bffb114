from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates.guides.proposals import Lines
from sokrates.logic.formulas import And
from sokrates.logic.proof import Proof
from sokrates.logic.rules import RULES
from sokrates.logic.theory import Theory
from sokrates.problems.reading import read_sentences
from tests.logic import random_logic
from tests.logic.random_proofs import plan, proposal

MANY = ("AND_INTRO", "CASE_SPLIT")
"""Rules for many lines: of the ways to use them only some are proposed."""


@settings(max_examples=400)
@given(st.integers(0, 10**9))
def test_each_valid_step_is_proposed(seed):
    rng = random.Random(seed)
    proof = Proof(Theory([random_logic.formula(rng, 2) for _ in range(4)], None))
    for _ in range(3):
        steps = plan(rng, proof) or [(option, *proposal(rng, proof, option)) for option in rng.sample([*RULES], 2)]
        for option, args, claim in steps:
            lines = Lines(proof)
            proposed = set(lines.towards(claim)) if claim is not None else set()
            verdict = proof.step(option, args, claim)
            if verdict.valid and claim is not None and (option not in MANY or len(args) < 3):
                assert (option, tuple(args)) in proposed or (option == "AND_INTRO" and superfluous(proof, args, claim))


def superfluous(proof: Proof, args, claim) -> bool:
    """Whether a conjunction was made of lines one of which has it all, or which have a part in common."""
    parts = [part for number in args for part in random_logic_parts(proof.keys[number])]
    return len(parts) > len(set(parts)) or len(set(parts)) == 1


def random_logic_parts(key):
    return key.parts if isinstance(key, And) else (key,)


def test_what_goes_on_from_the_lines_alone():
    proof = Proof(read_sentences(("Max is red.", "Red things are cold.", "Max is not big."), "Max is cold.").theory)
    onwards = {action for action in Lines(proof).onwards() if proof.applies(*action)}
    assert onwards == {("MODUS_PONENS", (0, 1)), ("MODUS_PONENS", (1, 0)), ("UNIV_INSTANTIATION", (1,))}
    assert ("ASSUME", ()) in set(Lines(proof).towards(proof.lines[2]))


def test_many_parts_are_joined_in_the_order_of_the_claim():
    """Each choice that is begun can be finished: a claim of many parts is no search."""
    words = "red cold big kind calm shy loud old wet dull".split()
    premises = tuple(f"Max is {word}." for word in words for _ in range(3))
    proof = Proof(read_sentences(premises, "Max is red.").theory)
    claim = And(tuple(line for line in proof.lines[::3] if line is not None))
    proposed = [args for option, args in Lines(proof).towards(claim) if option == "AND_INTRO"]
    assert tuple(range(0, 30, 3)) in proposed and len(proposed) == 64
    lacking = And((*claim.parts, random_logic.formula(random.Random(1), 1)))
    assert not [args for option, args in Lines(proof).towards(lacking) if option == "AND_INTRO"]
