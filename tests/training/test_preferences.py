"""Preference pairs: which traces win, which lose, and that padding and order change nothing."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sokrates.config import PairsConfig
from sokrates.errors import SokratesError
from sokrates.logic.answer import Answer
from sokrates.models import load_tokenizer
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.prompt import PromptStyle
from sokrates.traces.sloppy import sloppy_outline
from sokrates.traces.text import render, render_action
from sokrates.traces.trace import Step, Trace
from sokrates.training.examples import pair_ids
from sokrates.training.preferences import build_pairs, score
from sokrates.verification.verify import verify


def trace(
    sample: int,
    *,
    steps: str = "vvv",
    valid: bool | None = None,
    correct: bool = True,
    unused: int = 0,
    repeated: int = 0,
    problem: str = "p",
    text: str | None = None,
    tokens: int = 0,
    label: Answer | None = Answer.TRUE,
) -> Trace:
    """A verified trace; `steps` has a letter a step: v for a valid one, x for another; c and C for a valid CONCLUDE and
    another. It is valid as a whole if all of them are."""
    made = [
        Step(
            step_idx=index,
            thought="",
            action="",
            option_type="CONCLUDE" if mark in "cC" else "MODUS_PONENS",
            option_args=(),
            solver_valid=mark in "vc",
        )
        for index, mark in enumerate(steps)
    ]
    return Trace(
        problem_id=problem,
        premises=("Max is a yumpus.",),
        conclusion="Max is a yumpus.",
        label=label,
        final_answer=None,
        correct=correct,
        num_steps=len(made),
        steps=made,
        all_steps_valid=bool(steps) and set(steps) <= {*"vc"} if valid is None else valid,
        sample=sample,
        completion=f"{steps} {correct} {unused} {repeated}" if text is None else text,
        completion_tokens=tokens,
        unused_steps=unused,
        repeated_steps=repeated,
    )


def chosen(*traces: Trace, **settings: object) -> list[tuple[int, int]]:
    pairs, _ = build_pairs(traces, PairsConfig(**settings))
    return [(pair.chosen_sample, pair.rejected_sample) for pair in pairs]


def test_the_score_is_the_plans():
    config = PairsConfig()
    assert score(trace(0, steps="vvvv"), config) == 2.5
    assert score(trace(0, steps="vxvx"), config) == 1.5
    assert score(trace(0, steps="vxvx", correct=False), config) == 0.5
    assert score(trace(0, steps="", correct=False), config) == 0.0
    assert score(trace(0, steps="vv", valid=False), config) == 2.0


def test_a_pair_carries_both_texts_and_the_problem():
    (pair,), _ = build_pairs([trace(1, text="good"), trace(0, steps="x", correct=False, text="bad")], PairsConfig())
    assert (pair.chosen, pair.rejected, pair.chosen_sample, pair.rejected_sample) == ("good", "bad", 1, 0)
    assert (pair.chosen_score, pair.rejected_score, pair.label) == (2.5, 0.0, Answer.TRUE)
    assert (pair.problem_id, pair.premises, pair.conclusion) == ("p", ("Max is a yumpus.",), "Max is a yumpus.")
    assert msgspec.json.decode(msgspec.json.encode(pair), type=type(pair)) == pair


def test_without_a_fully_valid_trace_there_is_no_pair():
    almost, worse = trace(0, steps="vvvx"), trace(1, steps="x", correct=False)
    assert chosen(almost, worse) == []


def test_fewer_unused_steps_win_then_fewer_repeated_ones_then_the_lowest_sample():
    loser = trace(9, steps="x")
    assert chosen(trace(0, unused=1), trace(1), loser) == [(1, 9)]
    assert chosen(trace(0, repeated=1), trace(1), loser) == [(1, 9)]
    assert chosen(trace(0, unused=1, repeated=0), trace(1, unused=0, repeated=3), loser) == [(1, 9)]


def test_an_unknown_that_gave_up_is_chosen_only_where_that_is_asked_for():
    gave_up, searched, cannot_tell = trace(0, steps="vc"), trace(1, steps="vvvc"), trace(2, steps="vvc")
    gave_up.unexplored, searched.unexplored = 2, 0
    assert chosen(gave_up, searched) == [(1, 0)]
    assert chosen(gave_up, searched, unknown="any") == []
    assert chosen(gave_up, cannot_tell) == [(2, 0)]
    assert chosen(gave_up, trace(3, steps="x")) == []


@pytest.mark.parametrize("lengths", [("vv", "vvvvvv"), ("vvvvvv", "vv")])
def test_neither_length_nor_shortness_decides(lengths):
    first, second = (trace(i, steps=steps, tokens=10 * len(steps)) for i, steps in enumerate(lengths))
    assert chosen(first, second, trace(9, steps="x")) == [(0, 9)]


def test_losers_come_from_both_ends_of_the_scores():
    losers = [trace(index, steps="v" * index + "x" * (6 - index)) for index in range(1, 6)]
    winner = trace(0)
    assert chosen(winner, *losers, max_pairs_per_problem=1) == [(0, 1)]
    assert chosen(winner, *losers, max_pairs_per_problem=4) == [(0, 1), (0, 5), (0, 2), (0, 4)]
    assert chosen(winner, *losers, max_pairs_per_problem=9) == [(0, 1), (0, 5), (0, 2), (0, 4), (0, 3)]


def test_losers_that_score_alike_go_by_their_samples():
    losers = [trace(sample, steps="x", text=f"loser {sample}") for sample in (3, 1, 2)]
    assert chosen(trace(9), *losers, max_pairs_per_problem=1) == [(9, 1)]


def test_the_gap_is_kept_and_a_gap_that_just_suffices_counts():
    near = trace(1, steps="vvvvvvvvvx")  # 2.5 - 1.9
    assert chosen(trace(0), near, min_gap=0.6) == [(0, 1)]
    assert chosen(trace(0), near, min_gap=0.61) == []
    half = trace(1, steps="vx")  # 1.4 - 0.8, which is a little less than 0.6 in floating point
    assert chosen(trace(0), half, min_gap=0.6, correct_bonus=0.3, all_valid_bonus=0.1) == [(0, 1)]


def test_identical_texts_are_one_trace():
    same = [trace(index, steps="x", text="the same") for index in (4, 3, 5)]
    assert chosen(trace(7), trace(6), *same) == [(6, 3)]


def test_every_problem_without_a_pair_is_counted_under_its_reason():
    bad = {"steps": "x", "correct": False}
    traces = [
        trace(0, problem="one"),
        *(trace(index, problem="same") for index in range(3)),
        *(trace(index, problem="none valid", steps="vx" * (index + 1)) for index in range(2)),
        *(trace(index, problem="all valid", unused=index) for index in range(2)),
        *(trace(index, problem="near", steps=steps) for index, steps in enumerate(("vvv", "vvvvvvvvvx"))),
        *(trace(index, problem="good", **settings) for index, settings in enumerate(({}, bad))),
    ]
    pairs, summary = build_pairs(traces, PairsConfig(min_gap=1.0))
    assert [pair.problem_id for pair in pairs] == ["good"]
    reasons = ("one_sample", "identical_completions", "no_winner", "no_loser", "no_gap")
    assert summary.skipped == dict.fromkeys(reasons, 1)
    assert (summary.problems, summary.problems_with_pairs, summary.traces) == (6, 1, 12)


def test_the_summary_shows_lengths_and_waste_of_both_sides():
    traces = [
        trace(0, problem="a", steps="vv", unused=1, tokens=20),
        trace(1, problem="a", steps="vvxx", unused=2, repeated=1, tokens=50, correct=False),
        trace(0, problem="b", steps="vvvv", tokens=40, label=Answer.FALSE),
        trace(1, problem="b", steps="x", tokens=10, label=Answer.FALSE),
    ]
    _, summary = build_pairs(traces, PairsConfig())
    sides = summary.pairs
    assert (sides.pairs, sides.chosen_shorter, sides.rejected_shorter) == (2, 0.5, 0.5)
    assert (sides.chosen.steps, sides.rejected.steps, sides.chosen.tokens, sides.rejected.tokens) == (3, 2.5, 30, 30)
    assert (sides.chosen.unused_steps, sides.rejected.unused_steps, sides.rejected.repeated_steps) == (0.5, 1, 0.5)
    assert (sides.chosen.correct, sides.rejected.correct) == (1, 0.5)
    assert {label: part.chosen.steps for label, part in summary.by_label.items()} == {"TRUE": 2, "FALSE": 4}
    assert msgspec.json.decode(msgspec.json.encode(summary), type=type(summary)) == summary


def test_the_label_signal_looks_at_no_verdict():
    right_but_unsound = trace(0, steps="xxx", correct=True, unused=3)
    sound_but_wrong = trace(1, steps="vvv", correct=False)
    assert chosen(right_but_unsound, sound_but_wrong, signal="label") == [(0, 1)]
    padded, clean = trace(0, unused=5, repeated=5), trace(1)
    assert chosen(padded, clean, trace(2, correct=False), signal="label") == [(0, 2)]


def test_the_published_signal_looks_at_the_published_rule_alone():
    accepted, refused = trace(0, steps="xxx", correct=True), trace(1, steps="vvv", correct=True)
    for made, verdict in ((accepted, True), (refused, False)):
        for step in made.steps:
            step.published_valid = verdict
    assert chosen(accepted, refused, signal="published") == [(0, 1)]
    assert chosen(accepted, refused) == [(1, 0)]
    accepted.steps[0].published_valid = None  # not looked at: not accepted
    assert chosen(accepted, refused, signal="published") == []


def written(sample: int, steps: str, **settings: object) -> Trace:
    """A trace with the text of its steps, which are told apart by sample."""
    lines = [f"Thought: {sample}.{place}{mark}.\nAction: a\n" for place, mark in enumerate(steps)]
    return trace(sample, steps=steps, text="".join([*lines, "Final Answer: TRUE"]), **settings)


def test_traces_can_be_compared_until_the_first_error_alone():
    winner, loser = written(0, "vvvvv"), written(1, "vvxvvvvvv")
    (pair,), summary = build_pairs([winner, loser], PairsConfig(compared="first_error"))
    assert (pair.chosen, pair.rejected) == (winner.completion, loser.completion)
    until = "Thought: 1.0v.\nAction: a\nThought: 1.1v.\nAction: a\nThought: 1.2x.\nAction: a\n"
    assert loser.completion[: pair.rejected_until] == until
    assert pair.chosen_until == pair.rejected_until
    assert (summary.pairs.chosen.steps, summary.pairs.rejected.steps) == (5, 9)
    assert (summary.pairs.chosen_shorter, summary.pairs.rejected_shorter) == (0, 0)
    (whole,), _ = build_pairs([winner, loser], PairsConfig())
    assert whole.chosen_until is whole.rejected_until is None


def test_a_conclusion_is_compared_with_the_answer_after_it():
    ended, wrong = written(0, "vvc"), written(1, "vvC")
    (pair,), _ = build_pairs([ended, wrong], PairsConfig(compared="first_error"))
    assert pair.chosen_until is pair.rejected_until is None


def test_what_follows_the_last_bad_step_is_not_compared():
    winner, loser = written(0, "vvvv"), written(1, "vvx")
    (pair,), _ = build_pairs([winner, loser], PairsConfig(compared="first_error"))
    assert loser.completion[pair.rejected_until :] == "Final Answer: TRUE"


def test_a_winner_that_ended_before_the_error_says_nothing_against_it():
    until = {"compared": "first_error"}
    short, long, loser = written(0, "vv"), written(1, "vvvv", unused=1), written(9, "vvvx")
    assert chosen(short, long, loser) == [(0, 9)]
    assert chosen(short, long, loser, **until) == [(1, 9)], "the best of those that have as many steps"
    pairs, summary = build_pairs([short, loser], PairsConfig(**until))
    assert (pairs, summary.skipped) == ([], {"late_errors": 1})
    assert chosen(short, loser, written(8, "x"), **until) == [(0, 8)]


def test_a_trace_without_an_error_that_is_no_proof_is_compared_whole():
    cut = written(1, "vvvvvvv", valid=False)
    (pair,), _ = build_pairs([written(0, "vvv"), cut], PairsConfig(compared="first_error"))
    assert pair.chosen_until is pair.rejected_until is None


PROBLEM = Problem(
    problem_id="max",
    premises=("Max is a yumpus.", "Each yumpus is a dumpus.", "Each yumpus is a wumpus."),
    conclusion="Max is a dumpus.",
    label=Answer.TRUE,
)
PROVE = ("Max is a yumpus and each yumpus is a dumpus, so Max is a dumpus.", render_action("MODUS_PONENS", [0, 1]))
USELESS = ("Max is a yumpus and each yumpus is a wumpus, so Max is a wumpus.", render_action("MODUS_PONENS", [0, 2]))
LEAP = ("So Max is a dumpus.", render_action("MODUS_PONENS", [1, 2]))
END = ("So the answer is TRUE.", render_action("CONCLUDE", [0]))


CORRECTION = PairsConfig(compared="correction")


def real(sample: int, *steps: tuple[str, str], answer: Answer = Answer.TRUE) -> Trace:
    return msgspec.structs.replace(verify(build_trace(PROBLEM, render(steps, answer))), sample=sample)


def test_a_trace_can_be_compared_with_itself_put_right():
    wrong = real(3, USELESS, LEAP, END)
    (pair,), summary = build_pairs([wrong], CORRECTION)
    assert (pair.chosen_sample, pair.rejected_sample) == (3, 3)
    chosen, rejected = pair.chosen[: pair.chosen_until], pair.rejected[: pair.rejected_until]
    until = pair.rejected.index("Thought: " + LEAP[0])
    assert chosen[:until] == rejected[:until] == pair.rejected[:until]
    thought = "Max is a yumpus (line 0) and each yumpus is a dumpus (line 1), so Max is a dumpus."
    assert chosen[until:] == f"Thought: {thought}\nAction: {PROVE[1]}\n"
    assert rejected[until:] == f"Thought: {LEAP[0]}\nAction: {LEAP[1]}\n"
    assert verify(build_trace(PROBLEM, pair.chosen)).all_steps_valid
    assert (summary.problems_with_pairs, summary.pairs.chosen_shorter, summary.pairs.rejected_shorter) == (1, 0, 0)


def test_a_correction_that_concludes_is_compared_to_its_end():
    (pair,), _ = build_pairs([real(0, PROVE, LEAP, END)], CORRECTION)
    assert pair.chosen.endswith("Final Answer: TRUE") and pair.chosen_until is None and pair.chosen_ended
    assert pair.rejected_until is not None


def test_what_cannot_be_corrected_is_counted():
    sound, undecided = real(0, PROVE, END), msgspec.structs.replace(real(0, LEAP, END), label=Answer.FALSE)
    _, summary = build_pairs([sound, msgspec.structs.replace(undecided, problem_id="q")], CORRECTION)
    assert summary.skipped == {"no_error": 1, "no_correction": 1}


def test_no_more_corrections_than_pairs_are_wanted():
    wrong = [real(number, *[USELESS] * number, LEAP, END) for number in range(4)]
    pairs, _ = build_pairs([*wrong, real(9, PROVE, END)], CORRECTION)
    assert [pair.rejected_sample for pair in pairs] == [0, 3]


def test_what_is_compared_is_a_pair_once():
    twice = [real(0, LEAP, END), real(1, LEAP, PROVE, END)]
    assert len(build_pairs(twice, CORRECTION)[0]) == 1
    assert len(build_pairs([*twice, real(2, PROVE, END)], PairsConfig(compared="first_error"))[0]) == 1


def test_a_step_that_a_limit_cut_is_no_error():
    text = render([USELESS, PROVE], Answer.TRUE).partition("Final Answer")[0]
    for end in (text.index("[0, 1]"), text.index("Thought: Max is a yumpus and each yumpus is a dumpus") + 2):
        cut = verify(build_trace(PROBLEM, text[:end]))
        cut = msgspec.structs.replace(cut, finish_reason="length")
        assert not cut.steps[-1].solver_valid
        assert build_pairs([cut], CORRECTION)[1].skipped == {"no_error": 1}


def test_what_training_cannot_read_makes_room_for_another():
    good, bad, other = real(0, PROVE, END), real(1, LEAP, END), real(2, LEAP, LEAP, END)
    one = PairsConfig(max_pairs_per_problem=1)
    assert [pair.rejected_sample for pair in build_pairs([good, bad, other], one)[0]] == [1]
    pairs, _ = build_pairs([good, bad, other], one, lambda pair: pair.rejected_sample != 1)
    assert [pair.rejected_sample for pair in pairs] == [2]
    assert build_pairs([good, bad], one, lambda pair: False)[1].skipped == {"too_long": 1}


@pytest.mark.parametrize("compared", ["first_error", "correction"])
def test_the_tokens_of_what_is_compared(compared):
    """Both sides have some, neither begins with the whole other, and only a conclusion ends."""
    tokenizer, rng = load_tokenizer("embedded"), random.Random(1)
    traces = []
    for problem in generate(30, GeneratorSettings(2, 5, distractors=1), seed=3):
        outline = gold_outline(problem)
        texts = [write_outline(problem, sloppy_outline(problem, outline, rng, rate=0.4)) for _ in range(3)]
        for sample, text in enumerate([write_outline(problem, outline), *texts]):
            traces.append(msgspec.structs.replace(verify(build_trace(problem, text)), sample=sample))
    pairs, _ = build_pairs(traces, PairsConfig(compared=compared))
    assert len(pairs) > 15
    for pair, ids in zip(pairs, pair_ids(pairs, tokenizer, PromptStyle()), strict=True):
        chosen, rejected = ids.chosen_ids, ids.rejected_ids
        assert chosen and rejected and chosen[: len(rejected)] != rejected and rejected[: len(chosen)] != chosen
        for side, until in ((chosen, pair.chosen_until), (rejected, pair.rejected_until)):
            assert (side[-1] == tokenizer.eos_token_id) == (until is None)


@pytest.mark.parametrize("signal", ["label", "published"])
def test_only_errors_are_corrected(signal):
    with pytest.raises(ValueError, match="compared should not be correction under the signal"):
        PairsConfig(compared="correction", signal=signal)


def test_where_steps_do_not_count_there_is_no_first_error():
    wrong = written(1, "xvv", correct=False)
    (pair,), _ = build_pairs([written(0, "v"), wrong], PairsConfig(compared="first_error", signal="label"))
    assert pair.chosen_until is pair.rejected_until is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: trace(3, text="other"), "p, sample 3: there twice"),
        (lambda: msgspec.structs.replace(trace(4), all_steps_valid=None), "p, sample 4: not verified"),
        (lambda: trace(4, text=""), "p, sample 4: no completion text"),
        (lambda: msgspec.structs.replace(trace(4), conclusion="No."), "p, sample 4: another problem than sample 3"),
        (lambda: trace(4, label=Answer.FALSE), "p, sample 4: another problem than sample 3"),
    ],
)
def test_unusable_traces_are_named(second, message):
    with pytest.raises(SokratesError, match=message):
        build_pairs([trace(3), second()], PairsConfig())


def test_nothing_in_gives_nothing_out():
    pairs, summary = build_pairs([], PairsConfig())
    assert (pairs, summary.problems, summary.pairs.chosen.steps) == ([], 0, 0.0)


@pytest.mark.parametrize("padding", [[USELESS], [PROVE], [USELESS, USELESS]])
def test_a_padded_proof_is_valid_and_still_loses_to_the_plain_one(padding):
    padded, plain, leap = real(0, PROVE, *padding, END), real(1, PROVE, END), real(2, LEAP, END)
    assert padded.all_steps_valid and plain.all_steps_valid and not leap.all_steps_valid
    assert chosen(padded, plain, leap) == [(1, 2)]


@st.composite
def problems(draw) -> list[Trace]:
    """Verified traces of up to three problems, with every kind of sample among them."""
    found = []
    for problem in "abc"[: draw(st.integers(1, 3))]:
        for sample in draw(st.lists(st.integers(0, 9), max_size=6, unique=True)):
            steps = draw(st.text("vvvx", max_size=5))
            unused, repeated = draw(st.integers(0, 2)), draw(st.integers(0, 2))
            right = draw(st.booleans())
            found.append(trace(sample, steps=steps, correct=right, unused=unused, repeated=repeated, problem=problem))
    return found


configs = st.builds(
    PairsConfig,
    validity_weight=st.sampled_from([0.0, 1.0]),
    correct_bonus=st.sampled_from([0.3, 1.0]),
    all_valid_bonus=st.sampled_from([0.0, 0.5]),
    min_gap=st.sampled_from([0.0, 0.1, 0.3]),
    max_pairs_per_problem=st.integers(1, 3),
    signal=st.sampled_from(["verified", "label"]),
    compared=st.sampled_from(["whole", "first_error"]),
)


@given(problems(), configs, st.randoms(use_true_random=False))
def test_pairs_keep_their_promises_whatever_the_order(traces: list[Trace], config: PairsConfig, order: random.Random):
    pairs, summary = build_pairs(traces, config)
    by_key = {(trace.problem_id, trace.sample): trace for trace in traces}
    for pair in pairs:
        winner, loser = by_key[pair.problem_id, pair.chosen_sample], by_key[pair.problem_id, pair.rejected_sample]
        assert pair.chosen == winner.completion != loser.completion == pair.rejected
        assert pair.chosen_score - pair.rejected_score >= config.min_gap - 1e-6
        assert winner.all_steps_valid if config.signal == "verified" else winner.correct and not loser.correct
    for problem in {trace.problem_id for trace in traces}:
        rejected = [pair.rejected for pair in pairs if pair.problem_id == problem]
        assert len(rejected) == len(set(rejected)) <= config.max_pairs_per_problem
    assert sum(summary.skipped.values()) + summary.problems_with_pairs == summary.problems
    shuffled = order.sample(traces, len(traces))
    assert build_pairs(shuffled, config) == (pairs, summary)


@given(problems(), configs, st.data())
def test_a_useless_step_never_wins(traces: list[Trace], config: PairsConfig, data):
    config = config.model_copy(update={"signal": "verified"})
    proofs = [trace for trace in traces if trace.all_steps_valid]
    if not proofs:
        return
    proof = data.draw(st.sampled_from(proofs))
    taken = {trace.sample for trace in traces if trace.problem_id == proof.problem_id}
    number = data.draw(st.integers(0, 20).filter(lambda sample: sample not in taken))
    padded = msgspec.structs.replace(
        proof,
        sample=number,
        steps=[*proof.steps, proof.steps[-1]],
        unused_steps=proof.unused_steps + 1,
        completion=f"{proof.completion} padded",
    )
    pairs, _ = build_pairs([*traces, padded], config)
    assert all((pair.problem_id, pair.chosen_sample) != (padded.problem_id, number) for pair in pairs)
    assert pairs == build_pairs(traces, config)[0]
