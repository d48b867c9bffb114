"""Verdicts over whole traces: what makes one valid, and what is counted beside it."""

from __future__ import annotations

import msgspec
import pytest

from sokrates.logic.answer import Answer
from sokrates.logic.smt import Smt
from sokrates.problems import Problem
from sokrates.problems.reading import UnreadableSentence
from sokrates.traces.building import build_trace
from sokrates.traces.trace import Step, Trace
from sokrates.verification.certificate import certificate
from sokrates.verification.summary import counts_of
from sokrates.verification.verify import verify

PREMISES = ("Max is a wumpus.", "Every wumpus is a yumpus.", "Yumpuses are red.")
PONENS = '<Option type="MODUS_PONENS" args="[{}, {}]" />'
TRUE, FALSE, UNKNOWN = (f'<Option type="CONCLUDE" args="[{n}]" />' for n in range(3))

YUMPUS = ("Max is a wumpus (line 0) and every wumpus is a yumpus (line 1), so Max is a yumpus.", PONENS.format(0, 1))
RED = ("Max is a yumpus (line 3) and yumpuses are red (line 2), so Max is red.", PONENS.format(3, 2))


PROBLEM = Problem(problem_id="p", premises=PREMISES, conclusion="Max is red.", label=Answer.TRUE)


def completion(*steps, answer="TRUE") -> str:
    text = "\n".join(f"Thought: {thought}\nAction: {action}" for thought, action in steps)
    return f"{text}\n\nFinal Answer: {answer}" if answer else text


def verified(*steps, answer="TRUE", conclusion="Max is red.", label=Answer.TRUE, premises=PREMISES) -> Trace:
    problem = Problem(problem_id="p", premises=premises, conclusion=conclusion, label=label)
    return verify(build_trace(problem, completion(*steps, answer=answer)))


def test_a_proof():
    trace = verified(YUMPUS, RED, ("so the answer is TRUE.", TRUE))
    assert trace.all_steps_valid and trace.correct and trace.invalid_reason is None
    assert trace.final_answer is Answer.TRUE
    assert [step.formula for step in trace.steps] == ["yumpus(Max)", "red(Max)", None]
    assert [step.claim for step in trace.steps] == ["yumpus(Max)", "red(Max)", None]
    assert [step.entailed for step in trace.steps] == [True, True, None]
    assert [step.published_valid for step in trace.steps] == [True, True, True]
    assert (trace.valid_step_count, trace.total_step_count, trace.num_steps) == (3, 3, 3)
    assert (trace.unused_steps, trace.repeated_steps, trace.claims_missing, trace.misquotes) == (0, 0, 0, 0)


def test_no_conclude_means_no_answer():
    trace = verified(YUMPUS, RED)
    assert trace.final_answer is None and not trace.correct and not trace.all_steps_valid
    assert trace.invalid_reason == "it does not conclude"
    assert trace.valid_step_count == 2


def test_no_steps_at_all():
    trace = verified(answer="TRUE")
    assert not trace.all_steps_valid and not trace.correct and trace.final_answer is None


@pytest.mark.parametrize("stated", ["FALSE", "UNKNOWN"])
def test_a_final_answer_that_differs(stated):
    trace = verified(YUMPUS, RED, ("", TRUE), answer=stated)
    assert all(step.solver_valid for step in trace.steps)
    assert not trace.all_steps_valid
    assert trace.final_answer is Answer.TRUE and trace.correct
    assert trace.invalid_reason == f"the final answer says {stated}, CONCLUDE TRUE"


def test_a_trace_may_leave_its_final_answer_out():
    assert verified(YUMPUS, RED, ("", TRUE), answer="").all_steps_valid


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("TRUE or FALSE", "'TRUE or FALSE'"),
        ("TRUE is wrong", "'TRUE is wrong'"),
        ("", "''"),
        ("FALSE\nFinal Answer: TRUE", "'FALSE; TRUE'"),
        ("not " * 50 + "TRUE", f"{('not ' * 10)!r}…"),
    ],
)
def test_a_final_answer_that_cannot_be_read(said, quoted):
    text = completion(YUMPUS, RED, ("", TRUE), answer="") + f"\nFinal Answer: {said}"
    trace = verify(build_trace(PROBLEM, text))
    assert all(step.solver_valid for step in trace.steps) and trace.stated_answer is None
    assert trace.final_answer is Answer.TRUE and trace.correct
    assert not trace.all_steps_valid
    assert trace.invalid_reason == f"its final answer cannot be read: {quoted}"


@pytest.mark.parametrize(
    "end", ["\nThought: But no.", "\nFinal Answer: TRUE\nThought: But no.", "\nFinal Answer: TRUE\nBut no."]
)
def test_a_thought_after_the_conclusion(end):
    trace = verify(build_trace(PROBLEM, completion(YUMPUS, RED, ("", TRUE), answer="") + end))
    assert all(step.solver_valid for step in trace.steps) and trace.correct
    assert not trace.all_steps_valid
    assert trace.invalid_reason == "a thought follows the conclusion"


def test_a_thought_counts_though_another_follows_it():
    trace = verify(build_trace(PROBLEM, f"So Max is mad.\nThought: So Max is odd.\n{completion(YUMPUS)}"))
    assert trace.steps[0].thought == f"So Max is mad.\nSo Max is odd.\n{YUMPUS[0]}"
    trace = verify(build_trace(PROBLEM, f"{completion(YUMPUS)}\nThought: So Max is mad.\nThought:\nAction: {TRUE}"))
    assert trace.steps[1].reason == "claim_differs"


def test_steps_that_are_not_those_of_the_text():
    said = "its steps are not those of its text"

    def reason(change, **changes) -> str | None:
        trace = build_trace(PROBLEM, completion(YUMPUS, RED, ("", TRUE)))
        for name, value in changes.items():
            setattr(trace, name, value)
        change(trace.steps)
        verify(trace)
        assert trace.all_steps_valid is (trace.invalid_reason is None)
        return trace.invalid_reason

    assert reason(lambda steps: None) is None
    assert reason(lambda steps: None, completion=completion(YUMPUS, YUMPUS, RED, ("", TRUE))) == said
    assert reason(lambda steps: steps.insert(0, steps[0])) == said
    assert reason(lambda steps: setattr(steps[0], "thought", "so Max is a yumpus.")) == said
    assert reason(lambda steps: setattr(steps[0], "action", "")) == said
    assert reason(lambda steps: setattr(steps[1], "option_args", (2, 3))) == said
    assert reason(lambda steps: setattr(steps[2], "option_type", "conclude")) == "it does not conclude"
    assert reason(lambda steps: setattr(steps[0], "thought", "so Max is a yumpus."), completion="") is None
    assert reason(lambda steps: setattr(steps[0], "action", ""), completion="") is None
    assert reason(lambda steps: setattr(steps[1], "option_args", (2, 3)), completion="") == said
    assert reason(lambda steps: setattr(steps[1], "action", "I take the first."), completion="") == said


def test_steps_may_be_cut_off_before_the_conclusion():
    text = completion(YUMPUS, RED, ("", TRUE), YUMPUS)
    assert verify(build_trace(PROBLEM, text, max_steps=2)).invalid_reason == "it does not conclude"
    said = "its steps are not those of its text"
    assert verify(build_trace(PROBLEM, text, max_steps=3)).invalid_reason == said
    assert verify(build_trace(PROBLEM, text, max_steps=4)).invalid_reason == "a step is invalid"


def test_the_thought_of_a_conclusion_says_what_the_action_says():
    said = ("I think the conclusion is false", TRUE)
    assert verified(YUMPUS, RED, said).steps[2].reason == "claim_differs"
    assert verified(YUMPUS, RED, ("The conclusion follows. The answer is TRUE.", TRUE)).all_steps_valid
    marked = ("So the conclusion Max is red is false is true", TRUE)
    assert verified(YUMPUS, RED, marked).steps[2].reason == "claim_unreadable"


@pytest.mark.parametrize("thought", ["It follows that Max is a banana.", "We infer Max is a banana."])
def test_what_is_said_to_follow_is_the_claim(thought):
    assert verified((thought, PONENS.format(0, 1))).steps[0].reason == "claim_differs"


def test_a_claim_is_needed_at_every_inference():
    trace = verified(("Two lines give it.", PONENS.format(0, 1)), RED, ("", TRUE))
    assert all(step.solver_valid for step in trace.steps)
    assert trace.claims_missing == 1
    assert not trace.all_steps_valid
    assert trace.invalid_reason == "an inference step states no claim"


def test_right_and_unproved():
    trace = verified(YUMPUS, ("", TRUE))
    assert trace.correct and not trace.all_steps_valid
    assert [step.solver_valid for step in trace.steps] == [True, False]


def test_valid_and_labelled_otherwise():
    trace = verified(YUMPUS, RED, ("", TRUE), label=Answer.FALSE)
    assert trace.all_steps_valid and not trace.correct


def test_without_a_label_nothing_is_correct():
    trace = verified(YUMPUS, RED, ("", TRUE), label=None)
    assert trace.all_steps_valid and not trace.correct
    assert trace.steps[-1].published_valid is False


def test_contradictory_premises_make_no_valid_trace():
    premises = (*PREMISES, "Max is not red.")
    for steps in ([("", FALSE)], [(RED[0], PONENS.format(4, 2)), ("", FALSE)]):
        trace = verified(*steps, premises=premises, answer="FALSE", label=Answer.FALSE)
        assert trace.steps[-1].solver_valid
        assert not trace.all_steps_valid
    assert verified(("", FALSE), premises=premises, answer="").invalid_reason == "the premises contradict each other"


def test_premises_that_contradict_each_other_beyond_the_closure_make_no_valid_trace():
    hidden = ("Everything that is red and kind is mad.", "Max is red.", "Max is kind.", "Max is not mad.")
    trace = verified(("", TRUE), premises=hidden)
    assert trace.steps[0].solver_valid and not trace.all_steps_valid
    assert trace.invalid_reason == "the premises contradict each other"


def test_premises_that_may_contradict_each_other_make_no_valid_trace(monkeypatch):
    monkeypatch.setattr(Smt, "effort", 1)
    hidden = ("Everything that is red and kind is odd.", "Max is red.", "Max is kind.", "Max is not odd.")
    trace = verified(("", TRUE), premises=hidden)
    assert trace.steps[0].solver_valid and not trace.all_steps_valid
    assert trace.invalid_reason == "whether the premises contradict each other is not decided"


def test_one_invalid_step_makes_the_trace_invalid_though_the_proof_goes_round_it():
    trace = verified(("so Max is red.", PONENS.format(0, 2)), YUMPUS, (RED[0], PONENS.format(4, 2)), ("", TRUE))
    assert [step.solver_valid for step in trace.steps] == [False, True, True, True]
    assert not trace.all_steps_valid
    assert trace.invalid_reason == "a step is invalid"
    assert trace.steps[0].reason == "antecedent_mismatch"
    assert trace.steps[0].entailed is True


def test_steps_after_conclude():
    trace = verified(YUMPUS, RED, ("", TRUE), ("", TRUE), YUMPUS)
    assert [step.reason for step in trace.steps[3:]] == ["after_conclusion"] * 2
    assert not trace.all_steps_valid and trace.correct


def test_unused_and_repeated_steps_are_counted():
    premises = (*PREMISES, "Every wumpus is kind.")
    kind = ("so Max is kind.", PONENS.format(0, 3))
    trace = verified(kind, YUMPUS, YUMPUS, (RED[0], PONENS.format(5, 2)), ("", TRUE), premises=premises)
    assert trace.all_steps_valid
    assert (trace.unused_steps, trace.repeated_steps) == (2, 1)
    said = verified(
        ("so Max is a wumpus.", '<Option type="AND_INTRO" args="[0, 0]" />'), ("", TRUE), conclusion="Max is a wumpus."
    )
    assert (said.unused_steps, said.repeated_steps) == (1, 1)


def test_an_unknown_leaves_nothing_unused():
    trace = verified(YUMPUS, ("so the answer is UNKNOWN.", UNKNOWN), conclusion="Max is mad.", answer="UNKNOWN")
    assert trace.all_steps_valid and trace.unused_steps == 0


def test_an_unknown_says_how_much_it_did_not_look_at():
    conclude = ("so the answer is UNKNOWN.", UNKNOWN)
    wrong = ("so Max is red.", PONENS.format(0, 1))
    left = {
        name: verified(*steps, conclude, conclusion="Max is mad.", answer="UNKNOWN")
        for name, steps in {"none": [], "one": [YUMPUS], "both": [YUMPUS, RED], "wrong": [YUMPUS, wrong]}.items()
    }
    assert {name: trace.unexplored for name, trace in left.items()} == {"none": 2, "one": 1, "both": 0, "wrong": 1}
    assert {name for name, trace in left.items() if trace.all_steps_valid} == {"none", "one", "both"}
    assert {name for name, trace in left.items() if trace.proved} == {"both"}


def test_what_is_assumed_is_not_looked_at():
    assumed = ("Assume Max is red.", '<Option type="ASSUME" args="[]" />')
    trace = verified(assumed, ("so the answer is UNKNOWN.", UNKNOWN), conclusion="Max is mad.", answer="UNKNOWN")
    assert trace.steps[0].solver_valid and trace.final_answer is Answer.UNKNOWN
    assert trace.unexplored == 2


def test_what_was_not_looked_at_is_told_of_an_unknown_alone_and_where_all_can_be_listed():
    assert verified(YUMPUS, RED, ("", TRUE)).unexplored is None
    conclude = ("so the answer is UNKNOWN.", UNKNOWN)
    premises = (*PREMISES, "Max is mad or Max is sad.")
    either = verified(conclude, premises=premises, conclusion="Max is mad.", answer="UNKNOWN")
    assert either.all_steps_valid and either.unexplored is None and not either.proved


def test_misquotes_are_counted_and_are_no_reason():
    wrong = YUMPUS[0].replace("every wumpus", "every zumpus")
    beyond = RED[0].replace("line 3", "line 99")
    trace = verified((wrong, YUMPUS[1]), (beyond, RED[1]), ("", TRUE))
    assert trace.all_steps_valid
    assert trace.misquotes == 2


def test_verifying_again_changes_nothing():
    trace = verified(YUMPUS, ("so Max is mad.", RED[1]), ("", TRUE), answer="FALSE")
    before = repr(trace)
    assert repr(verify(trace)) == before


def test_verdicts_that_a_trace_brings_along_count_for_nothing():
    trace = verified(YUMPUS, ("so Max is mad.", RED[1]), ("", TRUE))
    wanted = repr(trace)
    trace.all_steps_valid, trace.correct, trace.valid_step_count, trace.invalid_reason = True, False, 99, None
    for step in trace.steps:
        step.solver_valid, step.reason, step.formula = True, None, "red(Max)"
    assert repr(verify(trace)) == wanted


def test_a_trace_without_its_text_is_judged_by_its_steps():
    step = Step(step_idx=0, thought="", action="", option_type="CONCLUDE", option_args=(0,))
    trace = Trace(
        problem_id="p",
        premises=PREMISES,
        conclusion="Max is a wumpus.",
        label=Answer.TRUE,
        final_answer=Answer.FALSE,
        correct=False,
        num_steps=1,
        steps=[step],
    )
    assert verify(trace).invalid_reason == "the final answer says FALSE, CONCLUDE TRUE"
    assert verify(trace).invalid_reason == "the final answer says FALSE, CONCLUDE TRUE"


@pytest.mark.parametrize("args", [(-1, 0), (0, -3), (10**30, 0), (3, 1), (0,) * 1000])
def test_lines_that_are_not_there(args):
    step = Step(step_idx=0, thought="so Max is a yumpus.", action="", option_type="MODUS_PONENS", option_args=args)
    trace = build_trace(Problem(problem_id="p", premises=PREMISES, conclusion="Max is red."), "")
    trace.steps = [step]
    assert not verify(trace).steps[0].solver_valid


def test_a_sentence_outside_the_grammar_is_an_error_that_quotes_it():
    with pytest.raises(UnreadableSentence, match=r"premise 0: 'Max may be red'.*not a sentence of the grammar"):
        verified(("", TRUE), premises=("Max may be red.",))
    with pytest.raises(UnreadableSentence, match=r"the conclusion: 'Perhaps'"):
        verified(("", TRUE), conclusion="Perhaps.")


def test_hundreds_of_steps_take_no_time():
    """A model that joins its last line with itself for ever, without a claim."""
    steps = [("", f'<Option type="AND_INTRO" args="[{n}, {max(0, n - 1)}]" />') for n in range(2, 400)]
    trace = verified(*steps)
    assert trace.valid_step_count == len(steps)


BIRDS = Problem(
    problem_id="birds",
    premises=("All birds fly.", "Tweety is a bird."),
    premises_fol=("∀x (Bird(x) → Flies(x))", "Bird(tweety)"),
    conclusion="Tweety flies.",
    conclusion_fol="Flies(tweety)",
    label=Answer.TRUE,
)
FLIES = ("Bird(tweety) (line 1) and ∀x (Bird(x) → Flies(x)) (line 0), so Flies(tweety).", PONENS.format(1, 0))
CONCLUDED = ("Line 2 says the conclusion, so the answer is TRUE.", TRUE)


def verified_birds(*steps, **changes) -> Trace:
    text = "\n".join(f"Thought: {thought}\nAction: {action}" for thought, action in steps)
    return verify(build_trace(msgspec.structs.replace(BIRDS, **changes), text))


def test_a_problem_with_formulas_is_proved_in_formulas():
    trace = verified_birds(FLIES, CONCLUDED)
    assert trace.all_steps_valid and trace.correct and trace.misquotes == 0
    assert trace.steps[0].formula == trace.steps[0].claim == "Flies(tweety)"
    assert [step.published_valid for step in trace.steps] == [False, True]


def test_english_claims_of_a_problem_with_formulas_are_unreadable():
    trace = verified_birds(("Tweety is a bird, so Tweety flies.", PONENS.format(1, 0)), CONCLUDED)
    assert trace.steps[0].reason == "claim_unreadable" and not trace.all_steps_valid
    wrong = verified_birds(("so Flies(polly).", PONENS.format(1, 0)))
    assert wrong.steps[0].reason == "claim_differs"


@pytest.mark.parametrize("action", [TRUE, FALSE, UNKNOWN])
def test_nothing_is_concluded_about_a_conclusion_without_a_formula(action):
    trace = verified_birds(FLIES, ("", action), FLIES, conclusion_fol="")
    assert [step.solver_valid for step in trace.steps] == [True, None, False]
    assert (trace.steps[1].reason, trace.steps[1].message) == (
        "undecided",
        "the problem gives no formula for its conclusion",
    )
    assert trace.steps[2].reason == "after_conclusion"
    assert trace.correct is (action == TRUE) and not trace.all_steps_valid


def test_what_z3_does_not_decide_is_neither_valid_nor_invalid(monkeypatch):
    monkeypatch.setattr(Smt, "effort", 1)
    one = Problem(
        problem_id="p",
        premises=("A.", "B."),
        premises_fol=("∃x (P(x) ∧ Q(x))", "∀x (P(x) → ∃y R(x, y))"),
        conclusion="C.",
        conclusion_fol="∃x ∃y R(x, y)",
        label=Answer.TRUE,
    )
    trace = verify(build_trace(one, 'Action: <Option type="CONCLUDE" args="[2]" />'))
    assert (trace.steps[0].solver_valid, trace.steps[0].reason) == (None, "undecided")
    assert not trace.all_steps_valid
    assert counts_of(trace)["undecided_steps"] == 1


def test_an_action_is_judged_apart_from_its_claim():
    wrong_lines = ("so Max is red.", PONENS.format(0, 2))
    trace = verified(("so Max is blue.", YUMPUS[1]), wrong_lines, ("so nothing.", PONENS.format(0, 1)))
    assert [step.action_valid for step in trace.steps] == [True, False, True]
    assert not any(step.solver_valid for step in trace.steps)
    trace = verified(("so the answer is UNKNOWN.", UNKNOWN), ("so Max is a yumpus.", YUMPUS[1]))
    assert [step.action_valid for step in trace.steps] == [True, False], "it said nothing of what is entailed"


def test_an_action_of_a_valid_step_is_valid():
    trace = verified(YUMPUS, RED, ("so the answer is TRUE.", TRUE))
    assert all(step.action_valid and step.solver_valid for step in trace.steps)


def test_traces_without_verdicts_on_actions_keep_their_certificates():
    trace = verified(YUMPUS, RED, ("so the answer is TRUE.", TRUE))
    older = msgspec.structs.replace(
        trace, steps=[msgspec.structs.replace(step, action_valid=None) for step in trace.steps]
    )
    assert certificate(older) != certificate(trace)
    assert certificate(msgspec.json.decode(msgspec.json.encode(older), type=Trace)) == certificate(older)
