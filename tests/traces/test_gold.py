"""The law of gold traces: every one verifies, says what it uses, and wastes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sokrates import jsonl
from sokrates.logic.answer import Answer
from sokrates.logic.rules import CONCLUDE
from sokrates.logic.smt import Smt
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.problems.labels import classical_difference, label_error
from sokrates.problems.readers import Format, read_problems
from sokrates.traces.building import build_trace
from sokrates.traces.gold import Inference, NoGoldTrace, Outline, gold_completion, write_outline
from sokrates.traces.trace import Trace
from sokrates.verification.verify import verify
from tests.shared_data import files, needs

SETTINGS = {
    "default": GeneratorSettings(),
    "bare": GeneratorSettings(least_hops=1, most_hops=1, distractors=0),
    "long": GeneratorSettings(least_hops=5, most_hops=10, distractors=0.5),
    "several": GeneratorSettings(least_hops=2, most_hops=6, distractors=2, entities=3),
    "crowded": GeneratorSettings(most_hops=3, distractors=3, entities=9),
}


def assert_gold(problem: Problem) -> Trace:
    assert label_error(problem) is None
    trace = verify(build_trace(problem, gold_completion(problem)))
    assert trace.all_steps_valid and trace.correct, trace.completion
    assert (trace.unused_steps, trace.repeated_steps, trace.misquotes, trace.claims_missing) == (0, 0, 0, 0)
    assert trace.stated_answer is trace.final_answer is problem.label
    if problem.label is not Answer.UNKNOWN and problem.hops is not None:
        assert sum(step.option_type != CONCLUDE for step in trace.steps) == problem.hops
    return trace


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_gold_trace_of_our_generator_is_valid(settings):
    for problem in generate(400, settings, seed=11):
        assert_gold(problem)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_gold_trace_of_many_more_is_valid(settings):
    for problem in generate(10_000, settings, seed=12):
        assert_gold(problem)


def gold_of(path: Path, format: Format) -> Iterator[tuple[Problem, Trace | NoGoldTrace]]:
    """Each problem with its gold trace, which is valid, or with why it has none."""
    for one in read_problems(path, format):
        try:
            trace = verify(build_trace(one, gold_completion(one)))
        except NoGoldTrace as why:
            yield one, why
            continue
        assert trace.all_steps_valid, (trace.problem_id, trace.invalid_reason, trace.completion)
        waste = (trace.unused_steps, trace.repeated_steps, trace.misquotes, trace.claims_missing)
        assert waste == (0, 0, 0, 0), trace.completion
        assert trace.stated_answer is trace.final_answer
        yield one, trace


OOD = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if "train" in path.stem else [])
    for path in files("prontoqa/*_ood.jsonl")
]


@needs("prontoqa/*_ood.jsonl")
@pytest.mark.parametrize("path", OOD)
def test_every_problem_out_of_distribution_has_a_gold_trace(path):
    unsolved = {one.problem_id: str(found) for one, found in gold_of(path, "prontoqa") if not is_right(one, found)}
    assert unsolved.keys() <= {"train-Composed-fictional-h2-w2-30", "train-Composed-fictional-h3-w2-4"}
    assert set(unsolved.values()) <= {"its premises contradict each other"}


@needs("proofwriter/*.jsonl")
@pytest.mark.parametrize("path", files("proofwriter/*.jsonl"), ids=lambda path: path.stem)
def test_every_consistent_problem_of_proofwriter_has_a_gold_trace(path):
    found = list(gold_of(path, "proofwriter"))
    unsolved = [one for one, why in found if isinstance(why, NoGoldTrace)]
    assert len(unsolved) == 6 and all(classical_difference(one) for one in unsolved)
    assert sum(is_right(one, trace) for one, trace in found) == 305


@needs("folio/folio-validation.jsonl")
@pytest.mark.parametrize("path", files("folio/folio-validation.jsonl"), ids=lambda path: path.stem)
def test_every_problem_of_folio_whose_label_follows_has_a_gold_trace(path):
    found = list(gold_of(path, "folio"))
    unsolved = [str(why) for one, why in found if isinstance(why, NoGoldTrace) and not label_error(one)]
    assert len(unsolved) == 1 and "the limit is 24" in unsolved[0]
    right = Counter(one.label for one, trace in found if is_right(one, trace))
    assert right == {Answer.TRUE: 68, Answer.FALSE: 58, Answer.UNKNOWN: 68}


def is_right(problem: Problem, found: Trace | NoGoldTrace) -> bool:
    return isinstance(found, Trace) and found.final_answer is problem.label


AUTHORS = [path for path in files("prontoqa/*.jsonl") if "ood" not in path.stem]


@needs("prontoqa/*.jsonl")
@pytest.mark.parametrize("path", AUTHORS, ids=lambda path: path.stem)
def test_every_gold_trace_of_the_authors_problems_is_valid(path):
    problems = list(read_problems(path, "logic-lm" if "logiclm" in path.stem else "prontoqa"))
    assert len(problems) == sum(1 for _ in jsonl.read_raw(path))
    for problem in problems:
        assert_gold(problem)


def problem(*premises: str, conclusion: str, label: Answer | None = None) -> Problem:
    return Problem(problem_id="p", premises=premises, conclusion=conclusion, label=label)


def test_what_a_gold_trace_says():
    assert gold_completion(problem("Wumpuses are red.", "Max is a wumpus.", conclusion="Max is not red.")) == (
        "Thought: Max is a wumpus (line 1) and wumpuses are red (line 0), so Max is red.\n"
        'Action: <Option type="MODUS_PONENS" args="[1, 0]" />\n'
        "Thought: Line 2 contradicts the conclusion, so the answer is FALSE.\n"
        'Action: <Option type="CONCLUDE" args="[1]" />\n'
        "\n"
        "Final Answer: FALSE"
    )


def test_backward_steps_are_modus_tollens():
    said = gold_completion(problem("Every wumpus is red.", "Max is not red.", conclusion="Max is a wumpus."))
    assert '"MODUS_TOLLENS" args="[1, 0]"' in said
    assert_gold(problem("Every wumpus is red.", "Max is not red.", conclusion="Max is a wumpus.", label=Answer.FALSE))


@pytest.mark.parametrize(
    "premises",
    [
        ("Max does not belong to wumpuses.", "Everything that is not a wumpus is red."),
        ("Max belongs to wumpuses.", "No wumpus is kind.", "All wumpuses are red."),
        ("7 is a prime number.", "Every prime number is a number."),
        ("O'Hara is a wumpus.", "Each wumpus is red."),
    ],
)
def test_gold_traces_quote_every_kind_of_sentence(premises):
    conclusion = {"7": "7 is a number.", "O'Hara": "O'Hara is red."}.get(premises[0].split()[0], "Max is red.")
    assert_gold(problem(*premises, conclusion=conclusion, label=Answer.TRUE))


def test_a_name_keeps_its_capital_inside_a_thought():
    one = problem("Every wumpus is red.", "Max is a wumpus.", conclusion="Max is red.")
    outline = Outline(Answer.TRUE, (Inference("MODUS_PONENS", (0, 1), "Max is red"),), 2)
    said = write_outline(one, outline)
    assert said.startswith("Thought: Every wumpus is red (line 0) and Max is a wumpus (line 1), so Max is red.")
    assert verify(build_trace(one, said)).misquotes == 0


def test_a_problem_with_formulas_has_its_gold_trace_in_formulas():
    one = Problem(
        problem_id="p",
        premises=("All birds sing.", "Everything that sings is glad.", "Tweety is a bird."),
        premises_fol=("∀x (bird(x) → Sings(x))", "∀x (Sings(x) → Glad(x))", "bird(tweety)"),
        conclusion="Tweety is not glad.",
        conclusion_fol="¬Glad(tweety)",
        label=Answer.FALSE,
    )
    trace = assert_gold(one)
    assert [step.claim for step in trace.steps] == ["Sings(tweety)", "Glad(tweety)", None]
    first = "bird(tweety) (line 2) and ∀x (bird(x) → Sings(x)) (line 0), so Sings(tweety)."
    assert trace.steps[0].thought == first
    with pytest.raises(NoGoldTrace, match="its conclusion has no formula"):
        gold_completion(msgspec.structs.replace(one, conclusion_fol=""))


def test_a_premise_that_is_the_conclusion_needs_no_step():
    trace = assert_gold(problem("Max is red.", conclusion="Max is red.", label=Answer.TRUE))
    assert [step.option_type for step in trace.steps] == [CONCLUDE]


@pytest.mark.parametrize(
    ("premises", "why"),
    [
        (("Max is red.", "Max is not red."), "contradict each other"),
    ],
)
def test_why_there_is_no_gold_trace(premises, why):
    with pytest.raises(NoGoldTrace, match=why):
        gold_completion(problem(*premises, conclusion="Max is a wumpus."))


def test_there_is_no_gold_trace_where_consistency_is_not_decided(monkeypatch):
    monkeypatch.setattr(Smt, "effort", 1)
    hidden = problem("Everything that is red and kind is a wumpus.", "Max is mad.", conclusion="Max is a wumpus.")
    with pytest.raises(NoGoldTrace, match="contradict each other is not decided"):
        gold_completion(hidden)


def test_a_gold_trace_longer_than_the_limit_is_an_error():
    one = next(iter(generate(1, GeneratorSettings(least_hops=6, most_hops=6, mix=(1, 0, 0)), seed=1)))
    assert gold_completion(one, max_steps=7)
    with pytest.raises(NoGoldTrace, match="its gold trace has 7 steps, the limit is 6"):
        gold_completion(one, max_steps=6)


def test_a_label_that_the_premises_do_not_entail_has_no_gold_trace():
    said = "its label is TRUE, but by its premises the conclusion is UNKNOWN"
    with pytest.raises(NoGoldTrace, match=said):
        gold_completion(problem("Max is red.", conclusion="Max is kind.", label=Answer.TRUE))


def formulas(*premises: str, conclusion: str, label: Answer | None = None) -> Problem:
    return Problem(
        problem_id="f",
        premises=tuple(f"Premise {number}." for number, _ in enumerate(premises)),
        conclusion="The conclusion.",
        premises_fol=premises,
        conclusion_fol=conclusion,
        label=label,
    )


def thoughts(completion: str) -> list[str]:
    return [line.removeprefix("Thought: ") for line in completion.splitlines() if line.startswith("Thought: ")]


def test_what_a_refutation_says():
    said = gold_completion(
        problem("Every wumpus is red.", "Every wumpus is not red.", conclusion="Max is a wumpus.", label=Answer.FALSE)
    )
    assert thoughts(said) == [
        "Assume Max is a wumpus.",
        "Max is a wumpus (line 2) and every wumpus is red (line 0), so Max is red.",
        "Max is a wumpus (line 2) and every wumpus is not red (line 1), so Max is not red.",
        "Max is red (line 3) and Max is not red (line 4) contradict each other, so Max is not a wumpus.",
        "Line 5 contradicts the conclusion, so the answer is FALSE.",
    ]


def test_what_cases_say():
    said = gold_completion(
        problem("Max is a wumpus or a yumpus.", "Wumpuses are red.", "Yumpuses are red.", conclusion="Max is red.")
    )
    assert thoughts(said)[-2] == (
        "Max is a wumpus or a yumpus (line 0), and given that Max is a wumpus (line 3), we know that Max is red "
        "(line 4), and given that Max is a yumpus (line 5), we know that Max is red (line 6), so Max is red."
    )


def test_formulas_are_said_as_formulas():
    said = gold_completion(formulas("∀x (P(x) → Q(x))", "∃x P(x)", "P(c)", conclusion="R(a) → ∃x Q(x)"))
    assert thoughts(said) == [
        "Assume R(a).",
        "P(c) (line 2) and ∀x (P(x) → Q(x)) (line 0), so Q(c).",
        "Q(c) (line 4), so ∃x Q(x).",
        "Given that R(a) (line 3), we know that ∃x Q(x) (line 5), so R(a) → ∃x Q(x).",
        "Line 6 says the conclusion, so the answer is TRUE.",
    ]


@pytest.mark.parametrize(
    ("premises", "conclusion"),
    [
        (("∃x P(x)", "∀x (P(x) → Q(x))"), "∃x Q(x)"),
        (("∀x (P(x) → Q(x))", "∀x (P(x) → ¬Q(x))"), "∀x ¬P(x)"),
        (("P(a) ⊕ Q(a)", "Q(a)"), "¬P(a) ∨ R(a)"),
        (("P(a) ↔ (Q(a) ∧ R(a))", "¬Q(a)"), "¬P(a)"),
        (("¬(P(a) ∨ Q(a))",), "¬P(a) ∧ ¬Q(a)"),
    ],
)
def test_gold_traces_of_formulas_are_valid(premises, conclusion):
    one = formulas(*premises, conclusion=conclusion, label=Answer.TRUE)
    trace = verify(build_trace(one, gold_completion(one)))
    assert trace.all_steps_valid and trace.correct, trace.completion
    assert (trace.unused_steps, trace.repeated_steps, trace.misquotes, trace.claims_missing) == (0, 0, 0, 0)


def test_an_unknown_lists_a_few_facts_where_the_theory_has_more_than_chains():
    rules = [f"∀x ((P{n}(x) ∧ P{n + 1}(x)) → P{n + 2}(x))" for n in range(12)]
    one = formulas("P0(a)", "P1(a)", *rules, conclusion="Q(a)", label=Answer.UNKNOWN)
    trace = verify(build_trace(one, gold_completion(one)))
    assert trace.all_steps_valid and trace.correct
    assert [step.option_type for step in trace.steps] == ["AND_INTRO", "MODUS_PONENS"] * 3 + [CONCLUDE]


def test_an_exclusive_or_is_proved_by_refutation():
    said = gold_completion(formulas("P(a)", "¬Q(a)", conclusion="P(a) ⊕ Q(a)"))
    assert thoughts(said)[:2] == [
        "Assume ¬(P(a) ⊕ Q(a)).",
        "P(a) (line 0) and ¬(P(a) ⊕ Q(a)) (line 2), so Q(a).",
    ]
