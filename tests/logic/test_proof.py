"""The side conditions of steps and of conclusions, one test each."""

from __future__ import annotations

import pytest

from sokrates.logic.answer import Answer
from sokrates.logic.claim import claim_of, concluded_of
from sokrates.logic.formulas import And, Atom, Const, Forall, Implies, Var, show
from sokrates.logic.proof import Proof
from sokrates.logic.rules import CONCLUDE, RULES
from sokrates.logic.smt import Smt
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Reason
from sokrates.problems.reading import read_sentences

PREMISES = (
    "Max is a wumpus.",  # 0
    "Every wumpus is a yumpus.",  # 1
    "Yumpuses are red.",  # 2
    "Every zumpus is not red.",  # 3
    "Max is not kind.",  # 4
    "Every dumpus is kind.",  # 5
    "Sally is red and kind.",  # 6
)
RED = "Max is red."


def proof_of(conclusion: str = RED, premises: tuple[str, ...] = PREMISES) -> Proof:
    return Proof(read_sentences(premises, conclusion).theory)


def step(proof: Proof, option: str, args: list[int], thought: str = ""):
    return proof.step(option, args, concluded_of(thought) if option == CONCLUDE else claim_of(thought))


def reason(
    option: str, args: list[int], thought: str = "", *, conclusion: str = RED, premises: tuple[str, ...] = PREMISES
):
    verdict = step(proof_of(conclusion, premises), option, args, thought)
    assert verdict.valid is (verdict.reason is None) is (verdict.message is None)
    return verdict.reason


@pytest.mark.parametrize(
    ("option", "args", "thought", "derived"),
    [
        ("MODUS_PONENS", [0, 1], "so Max is a yumpus.", "yumpus(Max)"),
        ("MODUS_PONENS", [1, 0], "so Max is a yumpus.", "yumpus(Max)"),
        ("MODUS_PONENS", [0, 1], "", "yumpus(Max)"),
        ("MODUS_TOLLENS", [4, 5], "so Max is not a dumpus.", "¬dumpus(Max)"),
        ("MODUS_TOLLENS", [5, 4], "Max is not a dumpus", "¬dumpus(Max)"),
        ("HYPOTHETICAL_SYLLOGISM", [1, 2], "so every wumpus is red.", "∀x (wumpus(x) → red(x))"),
        ("HYPOTHETICAL_SYLLOGISM", [2, 1], "so wumpuses are red.", "∀x (wumpus(x) → red(x))"),
        ("AND_INTRO", [0, 4], "so Max is a wumpus and is not kind.", "wumpus(Max) ∧ ¬kind(Max)"),
        ("AND_INTRO", [0, 4], "so Max is not kind and Max is a wumpus.", "¬kind(Max) ∧ wumpus(Max)"),
        ("AND_ELIM", [6], "so Sally is kind.", "kind(Sally)"),
        ("AND_ELIM", [6], "so Sally is kind and red.", "kind(Sally) ∧ red(Sally)"),
        ("DOUBLE_NEGATION", [0], "so it is not the case that Max is not a wumpus.", "¬¬wumpus(Max)"),
    ],
)
def test_what_each_rule_derives(option, args, thought, derived):
    verdict = step(proof_of(), option, args, thought)
    assert verdict.valid, verdict.message
    assert show(verdict.formula) == derived


@pytest.mark.parametrize(
    ("option", "args", "thought", "expected"),
    [
        # Fallacies.
        ("MODUS_PONENS", [4, 5], "so Max is not a dumpus.", Reason.ANTECEDENT_MISMATCH),  # tollens under ponens' name
        ("MODUS_TOLLENS", [0, 1], "so Max is a yumpus.", Reason.ANTECEDENT_MISMATCH),
        ("HYPOTHETICAL_SYLLOGISM", [1, 2], "so everything that is red is a wumpus.", Reason.CLAIM_DIFFERS),
        ("HYPOTHETICAL_SYLLOGISM", [1, 5], "so wumpuses are kind.", Reason.ANTECEDENT_MISMATCH),
        ("HYPOTHETICAL_SYLLOGISM", [0, 1], "so Max is a yumpus.", Reason.WRONG_SHAPE),
        # A line over: what follows, but not from these lines.
        ("MODUS_PONENS", [0, 2], "so Max is red.", Reason.ANTECEDENT_MISMATCH),
        ("MODUS_PONENS", [6, 1], "so Sally is a yumpus.", Reason.ANTECEDENT_MISMATCH),
        # The wrong shape.
        ("MODUS_PONENS", [0, 4], "so Max is red.", Reason.WRONG_SHAPE),
        ("AND_ELIM", [0], "so Max is a wumpus.", Reason.WRONG_SHAPE),
        ("UNIV_INSTANTIATION", [0], "so Max is a wumpus.", Reason.WRONG_SHAPE),
        ("DOUBLE_NEGATION", [0], "so Max is a wumpus.", Reason.WRONG_SHAPE),
        # Claims.
        ("MODUS_PONENS", [0, 1], "so Max is not a yumpus.", Reason.CLAIM_DIFFERS),
        ("MODUS_PONENS", [0, 1], "so Sally is a yumpus.", Reason.CLAIM_DIFFERS),
        ("MODUS_PONENS", [0, 1], "so every wumpus is a yumpus.", Reason.CLAIM_DIFFERS),
        ("MODUS_PONENS", [0, 1], "so Max is a yumpus and is red.", Reason.CLAIM_DIFFERS),
        ("MODUS_PONENS", [0, 1], "so it must be.", Reason.CLAIM_UNREADABLE),
        ("MODUS_PONENS", [0, 1], "so", Reason.CLAIM_UNREADABLE),
        ("AND_ELIM", [6], "so Sally is a wumpus.", Reason.CLAIM_DIFFERS),
        ("AND_ELIM", [6], "so Sally is red and mad.", Reason.CLAIM_DIFFERS),
        ("AND_INTRO", [0, 4], "so Max is a wumpus.", Reason.CLAIM_DIFFERS),
        ("AND_INTRO", [0, 4], "so Max is a wumpus and is kind.", Reason.CLAIM_DIFFERS),
        ("UNIV_INSTANTIATION", [1], "so Max is a yumpus.", Reason.CLAIM_DIFFERS),
        ("AND_ELIM", [6], "", Reason.CLAIM_MISSING),
        ("UNIV_INSTANTIATION", [1], "", Reason.CLAIM_MISSING),
        # Lines.
        ("MODUS_PONENS", [0, -6], "so Max is a yumpus.", Reason.NO_SUCH_LINE),
        ("MODUS_PONENS", [0, 7], "so Max is a yumpus.", Reason.NO_SUCH_LINE),  # its own number
        ("MODUS_PONENS", [0, 8], "so Max is a yumpus.", Reason.NO_SUCH_LINE),
        ("MODUS_PONENS", [0, 10**30], "so Max is a yumpus.", Reason.NO_SUCH_LINE),
        ("MODUS_PONENS", [0, 10**5000], "so Max is a yumpus.", Reason.NO_SUCH_LINE),
        ("CONCLUDE", [10**5000], "so Max is a yumpus.", Reason.NO_SUCH_LINE),
        ("AND_ELIM", [-1], "so Sally is red.", Reason.NO_SUCH_LINE),
        # How many lines.
        ("MODUS_PONENS", [], "so Max is a yumpus.", Reason.ARGUMENT_COUNT),
        ("MODUS_PONENS", [0], "so Max is a yumpus.", Reason.ARGUMENT_COUNT),
        ("MODUS_PONENS", [0, 1, 2], "so Max is a yumpus.", Reason.ARGUMENT_COUNT),
        ("AND_INTRO", [0], "so Max is a wumpus.", Reason.ARGUMENT_COUNT),
        ("AND_ELIM", [6, 6], "so Sally is red.", Reason.ARGUMENT_COUNT),
        # Options that are none.
        ("RULE", [0, 1], "so Max is a yumpus.", Reason.UNKNOWN_RULE),
        ("EX_FALSO", [0], "so Max is a wumpus.", Reason.UNKNOWN_RULE),
        ("modus_ponens", [0, 1], "so Max is a yumpus.", Reason.UNKNOWN_RULE),
        ("", [], "so Max is a yumpus.", Reason.UNREADABLE_ACTION),
    ],
)
def test_why_a_step_is_refused(option, args, thought, expected):
    assert reason(option, args, thought) is expected


FALLACIES = ("Max is a yumpus.", "Every wumpus is a yumpus.", "Sally is not a wumpus.")


def test_affirming_the_consequent():
    assert reason("MODUS_PONENS", [0, 1], "so Max is a wumpus.", premises=FALLACIES) is Reason.ANTECEDENT_MISMATCH
    assert reason("MODUS_TOLLENS", [0, 1], "so Max is a wumpus.", premises=FALLACIES) is Reason.ANTECEDENT_MISMATCH


def test_denying_the_antecedent():
    assert (
        reason("MODUS_TOLLENS", [2, 1], "so Sally is not a yumpus.", premises=FALLACIES) is Reason.ANTECEDENT_MISMATCH
    )
    assert reason("MODUS_PONENS", [2, 1], "so Sally is not a yumpus.", premises=FALLACIES) is Reason.ANTECEDENT_MISMATCH


def test_illicit_conversion():
    for rule in RULES:
        for args in ([1], [1, 1]):
            assert reason(rule, args, "so every yumpus is a wumpus.", premises=FALLACIES) is not None


def test_every_reason_comes_with_a_sentence():
    verdict = step(proof_of(), "MODUS_PONENS", [0, 2], "so Max is red.")
    assert "wumpus(Max) is not the antecedent of yumpus(x) → red(x)" in verdict.message
    assert "'EX_FALSO'" in step(proof_of(), "EX_FALSO", [0], "").message
    assert len(step(proof_of(), "Z" * 10_000, [0], "").message) < 100
    assert "there is no line 99" in step(proof_of(), "AND_ELIM", [99], "").message


def test_an_invalid_step_keeps_its_number_and_nothing_may_cite_it():
    proof = proof_of()
    assert not step(proof, "MODUS_PONENS", [0, 2], "so Max is red.").valid  # line 7
    assert step(proof, "AND_INTRO", [7, 0], "so Max is red and a wumpus.").reason is Reason.INVALID_LINE  # 8
    assert step(proof, "MODUS_PONENS", [0, 1], "so Max is a yumpus.").valid  # 9
    assert step(proof, "MODUS_PONENS", [7, 2], "so Max is red.").reason is Reason.INVALID_LINE  # 10
    assert step(proof, "MODUS_PONENS", [9, 2], "so Max is red.").valid  # 11
    assert step(proof, CONCLUDE, [0]).valid


def test_a_line_that_only_an_invalid_step_claimed_is_not_proved():
    proof = proof_of()
    step(proof, "MODUS_PONENS", [0, 2], "so Max is red.")
    assert step(proof, CONCLUDE, [0]).reason is Reason.NOT_PROVED


def test_nothing_is_valid_after_conclude():
    proof = proof_of("Max is a wumpus.")
    assert step(proof, CONCLUDE, [0], "so the answer is TRUE.").valid
    assert step(proof, "MODUS_PONENS", [0, 1], "so Max is a yumpus.").reason is Reason.AFTER_CONCLUSION
    assert step(proof, CONCLUDE, [0]).reason is Reason.AFTER_CONCLUSION
    assert step(proof, "", []).reason is Reason.AFTER_CONCLUSION
    assert proof.answer is Answer.TRUE


def test_the_first_conclude_ends_the_proof_even_when_it_is_invalid():
    proof = proof_of("Max is a wumpus.")
    assert not step(proof, CONCLUDE, [1]).valid
    assert step(proof, CONCLUDE, [0]).reason is Reason.AFTER_CONCLUSION
    assert proof.answer is Answer.FALSE
    proof = proof_of("Max is a wumpus.")
    assert step(proof, CONCLUDE, []).reason is Reason.ARGUMENT_COUNT
    assert step(proof, "MODUS_PONENS", [0, 1]).reason is Reason.AFTER_CONCLUSION
    assert proof.answer is None


@pytest.mark.parametrize(
    ("conclusion", "args", "thought", "expected"),
    [
        ("Max is a wumpus.", [0], "", None),
        ("Max is not a wumpus.", [1], "", None),
        ("Max is kind.", [1], "so Max is not kind.", None),
        ("Max is kind.", [1], "so the answer is FALSE.", None),
        ("Max is mad.", [2], "so the answer is UNKNOWN.", None),
        # Without a proof, right or not.
        (RED, [0], "so Max is red.", Reason.NOT_PROVED),
        (RED, [1], "", Reason.NOT_PROVED),
        ("Max is mad.", [0], "", Reason.NOT_PROVED),
        # The thought says one thing, the action another.
        ("Max is a wumpus.", [0], "so the answer is FALSE.", Reason.CLAIM_DIFFERS),
        ("Max is a wumpus.", [0], "so the answer is UNKNOWN.", Reason.CLAIM_DIFFERS),
        ("Max is a wumpus.", [0], "so Max is not kind.", Reason.CLAIM_DIFFERS),
        ("Max is kind.", [1], "so Max is kind.", Reason.CLAIM_DIFFERS),
        ("Max is mad.", [2], "so Max is mad.", Reason.CLAIM_DIFFERS),
        ("Max is a wumpus.", [0], "so there.", Reason.CLAIM_UNREADABLE),
        # Arguments.
        ("Max is a wumpus.", [], "", Reason.ARGUMENT_COUNT),
        ("Max is a wumpus.", [0, 0], "", Reason.ARGUMENT_COUNT),
        ("Max is a wumpus.", [3], "", Reason.NO_SUCH_LINE),
        ("Max is a wumpus.", [-1], "", Reason.NO_SUCH_LINE),
        # Entailed by two rules, by contraposition, by refutation.
        (RED, [2], "", Reason.NOT_UNKNOWN),
        ("Max is not red.", [2], "", Reason.NOT_UNKNOWN),
        ("Max is a zumpus.", [2], "", Reason.NOT_UNKNOWN),
        ("Max is a dumpus.", [2], "", Reason.NOT_UNKNOWN),
    ],
)
def test_when_a_conclusion_is_valid(conclusion, args, thought, expected):
    assert reason(CONCLUDE, args, thought, conclusion=conclusion) is expected


def test_unknown_is_refused_where_refutation_alone_decides():
    premises = ("Every wumpus is red.", "Every wumpus is not red.", "Max is kind.")
    for conclusion in ("Max is a wumpus.", "Max is not a wumpus."):
        assert reason(CONCLUDE, [2], conclusion=conclusion, premises=premises) is Reason.NOT_UNKNOWN


def test_unknown_is_the_solvers_word_beyond_the_closure():
    premises = ("Everything that is red and kind is mad.", "Max is red.")
    assert reason(CONCLUDE, [2], conclusion="Max is mad.", premises=premises) is None
    premises = (*premises, "Max is kind.")
    assert reason(CONCLUDE, [2], conclusion="Max is mad.", premises=premises) is Reason.NOT_UNKNOWN


def test_unknown_is_refused_where_it_is_not_decided(monkeypatch):
    monkeypatch.setattr(Smt, "effort", 1)
    premises = ("Everything that is red and kind is odd.", "Max is red.")
    assert reason(CONCLUDE, [2], conclusion="Max is odd.", premises=premises) is Reason.UNDECIDED


def test_instances_need_a_claim_only_where_there_is_a_choice():
    one = ("Every wumpus is red.", "Max is a wumpus.")
    two = (*one, "Sally is kind.")
    assert reason("UNIV_INSTANTIATION", [0], conclusion=RED, premises=one) is None
    assert reason("UNIV_INSTANTIATION", [0], conclusion=RED, premises=two) is Reason.CLAIM_MISSING


def test_an_answer_is_no_claim_of_an_inference():
    proof = proof_of()
    assert proof.step("MODUS_PONENS", [0, 1], Answer.TRUE).reason is Reason.CLAIM_UNREADABLE


@pytest.mark.timeout(20)
def test_joining_a_line_with_itself_again_and_again_stays_small():
    proof = proof_of()
    for _ in range(60):
        last = len(proof.lines) - 1
        assert step(proof, "AND_INTRO", [last, 0]).valid
    assert len(show(proof.lines[-1])) < 200


a, b = Const("a"), Const("b")
x, y, z = Var("x"), Var("y"), Var("z")


def S(*terms):
    return Atom("S", terms)


def P(term):
    return Atom("P", (term,))


def Q(term):
    return Atom("Q", (term,))


def derived(premises, option, args, claim=None):
    verdict = Proof(Theory(premises, P(a))).step(option, args, claim)
    return show(verdict.formula) if verdict.valid else verdict.reason


def test_a_quantified_rule_keeps_the_variables_that_the_fact_leaves_open():
    rule = Forall(x, Forall(y, Implies(P(x), S(x, y))))
    assert derived([rule, P(a)], "MODUS_PONENS", [1, 0]) == "∀x S(a, x)"
    assert derived([rule, P(a)], "MODUS_PONENS", [1, 0], S(a, b)) is Reason.CLAIM_DIFFERS
    assert derived([rule, P(a)], "MODUS_PONENS", [1, 0], Forall(x, S(x, x))) is Reason.CLAIM_DIFFERS


def test_a_variable_bound_again_is_another_one():
    rule = Forall(x, Implies(P(x), Forall(x, Q(x))))
    assert derived([rule, P(a)], "MODUS_PONENS", [0, 1]) == "∀x Q(x)"
    assert derived([rule, P(a)], "MODUS_PONENS", [0, 1], Q(a)) is Reason.CLAIM_DIFFERS
    twice = Forall(x, Forall(x, Implies(P(x), Q(x))))
    assert derived([twice, P(a)], "MODUS_PONENS", [0, 1]) == "∀x Q(a)"
    assert derived([twice], "UNIV_INSTANTIATION", [0], Implies(P(a), Q(b))) is Reason.CLAIM_DIFFERS


def test_syllogism_over_two_variables_does_not_swap_them():
    first = Forall(x, Forall(y, Implies(S(x, y), S(y, x))))
    second = Forall(x, Forall(y, Implies(S(x, y), And((P(x), Q(y))))))
    claim = Forall(x, Forall(y, Implies(S(x, y), And((P(y), Q(x))))))
    swapped = Forall(x, Forall(y, Implies(S(x, y), And((P(x), Q(y))))))
    assert derived([first, second], "HYPOTHETICAL_SYLLOGISM", [0, 1], claim) == show(claim)
    assert derived([first, second], "HYPOTHETICAL_SYLLOGISM", [0, 1], swapped) is Reason.CLAIM_DIFFERS


def test_syllogism_needs_the_middle_term_for_all_it_claims():
    apart = [Forall(x, Implies(P(x), Q(a))), Implies(Q(b), S(b, b))]
    assert derived(apart, "HYPOTHETICAL_SYLLOGISM", [0, 1]) is Reason.ANTECEDENT_MISMATCH
    middle = [Forall(x, Implies(P(x), Q(a))), Forall(y, Implies(Q(y), S(y, y)))]
    assert derived(middle, "HYPOTHETICAL_SYLLOGISM", [0, 1]) == "∀x (P(x) → S(a, a))"
    narrow = [Forall(x, Implies(P(x), Q(x))), Implies(Q(a), S(a, b))]
    assert derived(narrow, "HYPOTHETICAL_SYLLOGISM", [0, 1]) == "P(a) → S(a, b)"


def test_what_a_syllogism_leaves_without_a_claim_can_be_used_again():
    """Its variables carry the kernel's own names; renaming them a second time must not make two of them one."""
    first = Forall(x, Implies(S(x, x), P(a)))
    second = Forall(x, Implies(P(a), Q(x)))
    lines = [first, second, S(b, b)]
    proof = Proof(Theory(lines, P(a)))
    claim = Forall(x, Forall(y, Implies(S(x, x), Q(y))))
    assert proof.step("HYPOTHETICAL_SYLLOGISM", [0, 1], claim).valid
    assert show(proof.step("MODUS_PONENS", [3, 2], None).formula) == "∀x Q(x)"


def test_instances_of_nested_quantifiers():
    both = Forall(x, Forall(y, S(x, y)))
    assert derived([both], "UNIV_INSTANTIATION", [0], S(a, b)) == "S(a, b)"
    assert derived([both], "UNIV_INSTANTIATION", [0], Forall(z, S(a, z))) == "∀x S(a, x)"
    assert derived([both], "UNIV_INSTANTIATION", [0], Forall(z, S(z, a))) is Reason.CLAIM_DIFFERS
    assert derived([both], "UNIV_INSTANTIATION", [0], Forall(z, S(z, z))) is Reason.CLAIM_DIFFERS
    assert derived([both], "UNIV_INSTANTIATION", [0], S(Const("stranger"), b)) == "S(stranger, b)"


def test_a_step_taken_back_leaves_no_trace():
    proof = proof_of()
    before = (list(proof.lines), list(proof.keys), list(proof.rests))
    for option, args in (("MODUS_PONENS", [0, 1]), ("CONCLUDE", [0]), ("RULE", [])):
        step(proof, option, args, "")
        proof.take_back()
        assert (proof.lines, proof.keys, proof.rests, proof.answer) == (*before, None)
    assert step(proof, "MODUS_PONENS", [0, 1], "").valid
