from __future__ import annotations

import random
from functools import cache
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates.errors import SokratesError
from sokrates.guides import Guide, make_guide
from sokrates.guides.solver import State
from sokrates.logic.formulas import And
from sokrates.logic.proof import Proof
from sokrates.logic.rules import ASSUME, CONCLUDE, RULES
from sokrates.logic.theory import Theory
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.problems.readers import read_problems
from sokrates.problems.reading import read_problem
from sokrates.traces.building import build_trace
from sokrates.traces.gold import NoGoldTrace, gold_completion
from sokrates.traces.prompt import encode_completion
from sokrates.traces.text import parse
from sokrates.verification.verify import verify
from tests.guides.writing import TOKENIZERS, allowed, tokenizer, write
from tests.shared_data import files, needs

PROBLEM = Problem(
    problem_id="p",
    premises=("Max is a cat.", "Cats are red.", "Red things are cold.", "Dogs are big."),
    conclusion="Max is cold.",
)


@cache
def guide(name: str, kind: str = "solver") -> Guide:
    made = make_guide(kind, tokenizer(name), {tokenizer(name).eos_token_id})
    assert made is not None
    return made


def state(*steps: tuple[str, str, tuple[int, ...]], problem: Problem = PROBLEM) -> State:
    read = read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol)
    found = State(Proof(read.theory), read.language)
    for thought, option, args in steps:
        action = f'Thought: {thought}\nAction: <Option type="{option}" args="{[*args]}" />'
        found = found.step(parse(action).steps[0])
    return found


def test_actions_that_give_what_the_thought_claims():
    assert set(state().allowed("Max is a cat and cats are red, so Max is red.")) == {
        ("MODUS_PONENS", (0, 1)), ("MODUS_PONENS", (1, 0)), (ASSUME, ())
    }  # fmt: skip


def test_else_any_valid_action_and_the_step_fails_on_its_claim():
    for thought in ("so Max is big.", "so blah.", "Line 2 says it, so the answer is TRUE."):
        found = set(state().allowed(thought))
        assert {("MODUS_PONENS", (0, 1)), ("HYPOTHETICAL_SYLLOGISM", (1, 2)), (CONCLUDE, (2,))} <= found
        assert (ASSUME in {option for option, _ in found}) == (thought == "so Max is big.")


def test_conclude_by_what_is_proved():
    assert state().allowed("Nothing says it, so the answer is UNKNOWN.") == ((CONCLUDE, (2,)),)
    red = ("so Max is red.", "MODUS_PONENS", (0, 1))
    proved = state(red, ("so Max is cold.", "MODUS_PONENS", (4, 2)))
    assert proved.allowed("Line 5 says it, so the answer is TRUE.") == ((CONCLUDE, (0,)),)
    assert (CONCLUDE, (0,)) in proved.allowed("so the answer is UNKNOWN.")
    assert (CONCLUDE, (2,)) not in proved.allowed("so the answer is UNKNOWN.")
    wrong = state(red, ("so Max is warm.", "MODUS_PONENS", (4, 2)))
    assert wrong.allowed("Line 5 says it, so the answer is TRUE.") == wrong.anything
    assert all(5 not in args for option, args in wrong.anything if option != CONCLUDE)


def test_entailment_is_never_asked(monkeypatch):
    monkeypatch.setattr(Theory, "entails", lambda *_: pytest.fail("entailment was asked"))
    for thought in ("so Max is cold.", "so the answer is UNKNOWN.", "so nonsense", ""):
        assert state().allowed(thought)


def test_a_problem_is_needed():
    with pytest.raises(SokratesError, match="no problem"):
        guide("embedded").follow(None, 0)


@pytest.fixture(params=TOKENIZERS)
def name(request) -> str:
    return request.param


def assert_admitted(name: str, problem: Problem, completion: str) -> None:
    follower = guide(name).follow(problem, 0)
    written: list[int] = []
    for token in encode_completion(tokenizer(name), completion):
        assert allowed(follower.mask(), token), (problem.problem_id, tokenizer(name).decode(written), token)
        follower.feed(token)
        written.append(token)


def test_gold_traces_are_admitted_token_by_token(name):
    for settings_ in (GeneratorSettings(distractors=2), GeneratorSettings(least_hops=5, most_hops=8, entities=3)):
        for problem in generate(30, settings_, seed=5):
            assert_admitted(name, problem, gold_completion(problem))


@needs("folio/folio-validation.jsonl")
def test_gold_traces_of_folio_are_admitted():
    admitted = 0
    for problem in read_problems(files("folio/folio-validation.jsonl")[0], "folio"):
        try:
            completion = gold_completion(problem)
        except NoGoldTrace:
            continue
        assert_admitted("tiny", problem, completion)
        admitted += 1
    assert admitted > 190


@needs("prontoqa/*_ood.jsonl")
@pytest.mark.parametrize("path", files("prontoqa/*_ood.jsonl"), ids=lambda path: path.stem)
def test_gold_traces_out_of_distribution_are_admitted(path):
    for problem in islice(read_problems(path, "prontoqa"), None if "train" not in path.stem else 300):
        try:
            assert_admitted("embedded", problem, gold_completion(problem))
        except NoGoldTrace:
            continue


@pytest.mark.parametrize("kind", ["solver", "random"])
def test_every_action_of_a_random_text_is_valid(name, kind):
    emitted = 0
    for seed, problem in enumerate(generate(40, GeneratorSettings(distractors=1), seed=6)):
        claims = [f" so {sentence}" for sentence in (*problem.premises, problem.conclusion)]
        phrases = ("\nAction:", "\nAction:", " Action:", "\n", "Action", " the answer is TRUE.", *claims)
        text, broke_off = write(
            guide(name, kind), name, random.Random(seed), phrases=phrases, problem=problem, pieces=150
        )
        trace = build_trace(problem, text)
        trace.finish_reason = "length" if broke_off else "stop"
        actions = verify(trace).emitted
        emitted += len(actions)
        assert all(step.action_valid for step in actions), text
    assert emitted > 40


@settings(max_examples=60)
@given(st.integers(0, 10**9))
def test_allowed_actions_apply_in_any_state(seed):
    rng = random.Random(seed)
    (problem,) = generate(1, GeneratorSettings(distractors=1), seed=seed)
    now = state(problem=problem)
    thoughts = [f"so {sentence}" for sentence in (*problem.premises, problem.conclusion)]
    thoughts += ["", "so x", "the answer is TRUE", "so the answer is UNKNOWN.", "Max is a cat."]
    for _ in range(6):
        thought = rng.choice(thoughts)
        actions = now.allowed(thought)
        assert actions and len(set(actions)) == len(actions)
        assert all(now.proof.applies(*action) for action in (*actions, *now.anything))
        option, args = rng.choice(actions)
        if option == CONCLUDE:
            break
        now = now.step(parse(f'Thought: {thought}\nAction: <Option type="{option}" args="{[*args]}" />').steps[0])


def test_the_control_draws_one_action_evenly_and_by_the_stream():
    drawn = set()
    for stream in range(60):
        for _ in range(2):
            follower = guide("tiny", "random").follow(PROBLEM, stream)
            text = "Thought: so Max is red.\nAction:"
            for token in tokenizer("tiny").encode(text, add_special_tokens=False):
                follower.feed(token)
            written = ""
            while not written.endswith("/>"):
                mask = follower.mask()
                token = max(mask.token_ids, key=lambda t: len(guide("tiny")._vocabulary.decoder.piece(t)))
                piece = guide("tiny")._vocabulary.decoder.piece(token)
                written += piece
                follower.feed(token)
            drawn.add((stream, written))
    assert len(drawn) == 60, "one for each stream"
    assert len({written for _, written in drawn}) == len(state().anything)


def test_samples_of_a_problem_share_its_states():
    one, two = (guide("embedded")._begin(PROBLEM) for _ in range(2))
    step = parse('Thought: so Max is red.\nAction: <Option type="MODUS_PONENS" args="[0, 1]" />').steps[0]
    assert one.step(step) is two.step(step) is not one


def test_rules_with_assumptions_are_proposed_where_they_apply():
    problem = Problem(
        problem_id="p",
        premises=("Tea", "Milk"), conclusion="Warm",
        premises_fol=("Tea ∨ Coffee", "(Tea → Warm) ∧ (Coffee → Warm)"), conclusion_fol="Warm",
    )  # fmt: skip
    steps = [
        ("so Tea → Warm", "AND_ELIM", (1,)), ("so Coffee → Warm", "AND_ELIM", (1,)),
        ("Assume Tea", ASSUME, ()), ("so Warm", "MODUS_PONENS", (4, 2)),
        ("Assume Coffee", ASSUME, ()), ("so Warm", "MODUS_PONENS", (6, 3)),
    ]  # fmt: skip
    cases = state(*steps, problem=problem)
    assert ("CASE_SPLIT", (0, 4, 5, 6, 7)) in cases.allowed("so Warm")
    assert ("CASE_SPLIT", (0, 6, 7, 4, 5)) in cases.allowed("so Warm")
    assert ("CONDITIONAL_PROOF", (4, 5)) in cases.allowed("so Tea → Warm")
    assert RULES.keys() >= {option for option, _ in cases.anything if option != CONCLUDE}
    assert isinstance(cases.proof.lines[1], And)
