"""`applies` and `stands`: what can be said of an action before the step is taken."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.english import Unreadable
from sokrates.logic.formulas import Const, Exists, Forall, Formula, Not, Or, Var, rename_apart, substitute
from sokrates.logic.proof import Proof
from sokrates.logic.rules import ASSUME, CONCLUDE, RULES, Use
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Reason
from sokrates.problems.reading import read_sentences
from tests.logic import random_logic
from tests.logic.random_proofs import plan, proposal

SEEDS = st.integers(0, 10**9)


def some_proof(rng: random.Random) -> Proof:
    theory = Theory([random_logic.formula(rng, 2) for _ in range(4)], random_logic.formula(rng, 1))
    proof = Proof(theory)
    for option, args, claim in plan(rng, proof) if rng.random() < 0.5 else []:
        proof.step(option, args, claim)
    return proof


def witness(proof: Proof, option: str, args: list[int]) -> Formula:
    """A claim to which the rule leads."""
    if option == ASSUME:
        return random_logic.formula(random.Random(0), 1)
    line, var = proof.lines[args[0]], Var("w")
    assert line is not None
    match option:
        case "OR_INTRO":
            return Or((line, Not(line)))
        case "DOUBLE_NEGATION":
            return Not(Not(line))
        case "EXIST_GENERALIZATION":
            return Exists(var, line)
        case "UNIV_GENERALIZATION":
            return Forall(var, line)
        case "UNIV_INSTANTIATION":
            opened = rename_apart(line, "t")
            assert isinstance(opened, Forall)
            return substitute(opened.body, {opened.var: Const("new")})
    cited = [line for number in args if (line := proof.lines[number]) is not None]
    return RULES[option].apply(Use(cited, None, proof.theory.constants, frozenset()))[0]


@settings(max_examples=400)
@given(SEEDS)
def test_an_action_applies_where_some_claim_makes_a_valid_step(seed):
    rng = random.Random(seed)
    proof = some_proof(rng)
    for option in rng.sample([*RULES], 6):
        args, claim = proposal(rng, proof, option)
        applies, stands, lines = proof.applies(option, args), proof.stands(option, args, claim), len(proof.lines)
        if applies:
            assert proof.stands(option, args, witness(proof, option, args))
        assert len(proof.lines) == lines
        verdict = proof.branch().step(option, args, claim)
        assert len(proof.lines) == lines
        assert verdict.valid == stands and (applies or not verdict.valid)


def test_nothing_applies_to_lines_that_are_not_there_or_by_no_rule():
    proof = Proof(read_sentences(("Max is red.", "Red things are cold."), "Max is cold.").theory)
    assert proof.applies("MODUS_PONENS", [0, 1]) and not proof.applies("MODUS_PONENS", [0])
    for option, args in (
        ("MODUS_PONENS", [0, 2]),
        ("AND_ELIM", [0]),
        ("NONE", [0]),
        ("", []),
        ("CONDITIONAL_PROOF", [0, 1]),
    ):
        assert not proof.applies(option, args)
    assert not proof.stands("MODUS_PONENS", [0, 1], Unreadable("no sentence"))
    proof.step("", [], None)
    assert not proof.applies("OR_INTRO", [2])


def test_conclude_applies_by_what_is_proved_and_asks_for_no_entailment(monkeypatch):
    def asked(*_):
        raise AssertionError("entailment was asked")

    monkeypatch.setattr(Theory, "entails", asked)
    proof = Proof(read_sentences(("Max is red.", "Red things are cold."), "Max is cold.").theory)
    assert [proof.applies(CONCLUDE, [number]) for number in range(4)] == [False, False, True, False]
    assert proof.stands(CONCLUDE, [2], None) and proof.stands(CONCLUDE, [2], Answer.UNKNOWN)
    assert not proof.stands(CONCLUDE, [2], Answer.TRUE) and not proof.stands(CONCLUDE, [2], proof.lines[0])
    assumed = proof.branch()
    assumed.step("ASSUME", [], proof.theory.conclusion)
    assert [assumed.applies(CONCLUDE, [number]) for number in range(3)] == [False, False, True]
    assert proof.step("MODUS_PONENS", [0, 1], None).valid
    assert [proof.applies(CONCLUDE, [number]) for number in range(3)] == [True, False, False]
    assert proof.stands(CONCLUDE, [0], proof.theory.conclusion)
    assert proof.step(CONCLUDE, [0], ANSWERS[0]).valid
    assert not proof.applies(CONCLUDE, [0]) and not proof.applies("MODUS_PONENS", [0, 1])
    assert proof.step("ASSUME", [], proof.lines[0]).reason is Reason.AFTER_CONCLUSION


def test_without_a_formula_for_the_conclusion_only_unknown_applies():
    proof = Proof(Theory([random_logic.formula(random.Random(0), 1)], None))
    assert [proof.applies(CONCLUDE, [number]) for number in range(3)] == [False, False, True]
