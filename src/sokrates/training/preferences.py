"""Preference pairs from verified traces: for one problem, a proof over a trace that is none.

Contract: it reads verdicts and makes none; what it gives depends on the set of traces, not on their order. Under the
signal "verified" every chosen trace is valid as a whole, and one that says UNKNOWN has derived all facts that could
decide it, where these can be listed: else to give up at once would be as good as to search. Under "label", the
ablation, only the answer counts: chosen are right, rejected wrong, and no verdict is looked at. Under "published",
another one, a step counts as valid where the weak rule of the published pipeline accepts it, and a trace as a whole
where it accepts all of its steps.

Which traces. Several with the same text are one, under its lowest sample number, and so are pairs. All pairs of a
problem share the best winner that training can read. Winners go by score; ties go to fewer unused steps, then to fewer
repeated steps, and what still ties to the lowest sample number. Samples are drawn alike, so that last choice knows
nothing of content: a padded proof loses by its padding, and neither length nor shortness decides between clean ones.
(An UNKNOWN rests on no line, so none of its steps is unused.) Losers alternate from both ends of the scores, the worst
first, then the best that still leaves the gap: the plain contrast, and the near miss that looks most like a proof.

How much of them. Long traces have more places to go wrong, so valid ones are the shorter ones to begin with, and whole
traces teach to end early as much as to go right; the summary reports the lengths of both sides, overall and by label.
Where they are compared until the first error, a loser ends with its first bad step, for what follows is evidence of
nothing, and the winner after as many steps, or with its conclusion. A loser's winner is then the best that has as many
steps; without one it is left.

With what. Under "correction" a loser is compared with itself, put right: the winner has its steps before the first bad
one, and there the step with which a proof goes on. (Pairs that differ in one step are those of Step-DPO, Lai et al.
2024, arXiv:2406.18629, where a model writes it; here the prover does, and the kernel verifies it.) It asks for no
winner among the samples, so problems that are never solved teach too. A trace that rambles on without a false step
has nothing to correct.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec

from sokrates.config import PairsConfig
from sokrates.errors import SokratesError
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.rules import CONCLUDE
from sokrates.traces.text import end_of_step
from sokrates.traces.trace import Step, Trace
from sokrates.verification.correction import corrected

T = TypeVar("T")

_ROUNDING = 1e-9
"""Scores are sums of floating-point numbers: a gap that equals the least one must count."""

Skip = Literal[
    "one_sample", "identical_completions", "no_winner", "no_loser", "no_gap",
    "late_errors", "no_error", "no_correction", "too_long",
]  # fmt: skip
"""Why a problem gives no pair, the first that applies: it has one sample; all its samples say the same; none of them is
valid as a whole and searched (right, under "label"; all accepted, under "published"); all are; no other is worse by
the gap; those go wrong only after every winner has ended, and would be compared until there; or training can read none.

Under "correction": no sample has a step that is not valid, whatever else it lacks; none that has can be put right."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two completions of one problem, the first better than the second."""

    problem_id: str
    premises: tuple[str, ...]
    conclusion: str
    label: Answer | None
    chosen: str
    rejected: str
    chosen_sample: int
    """Of a corrected trace the number of the one that it corrects."""
    rejected_sample: int
    chosen_score: float
    rejected_score: float
    chosen_ended: bool = True
    rejected_ended: bool = True
    """Whether the text came to its end: one that a limit cut is not followed by the end-of-text token."""
    chosen_until: int | None = None
    rejected_until: int | None = None
    """How many characters of the text are compared; None is all, and its end."""
    premises_fol: tuple[str, ...] = ()
    conclusion_fol: str = ""


Fits = Callable[[Pair], bool]


class _Match(NamedTuple):
    """Two traces to make a pair of, and how many steps of each are compared; None is all."""

    winner: Trace
    loser: Trace
    steps: int | None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the chosen or the rejected traces of all pairs, whole as they are; 0 where there are none."""

    steps: float
    tokens: float
    """Completion tokens, 0 in traces that do not say."""
    unused_steps: float
    repeated_steps: float
    correct: float
    """Share of right answers."""


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides of some pairs."""

    pairs: int
    chosen: Side
    rejected: Side
    chosen_shorter: float
    """Share of the pairs whose chosen trace, as far as it is compared, has fewer steps."""
    rejected_shorter: float
    """Share of the pairs whose rejected trace, likewise, has fewer steps."""


class PairsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of the traces, and what was left."""

    traces: int
    problems: int
    problems_with_pairs: int
    skipped: dict[Skip, int]
    pairs: Sides
    by_label: dict[str, Sides]
    """By the answers that occur among the pairs, and "none" for problems without a label."""


def build_pairs(
    traces: Iterable[Trace], config: PairsConfig, fits: Fits = lambda pair: True
) -> tuple[list[Pair], PairsSummary]:
    """The pairs of all problems, ordered by problem id, and what became of each problem.

    `fits` says whether training can read a pair; where it cannot, the next best is taken.
    Errors: SokratesError for a trace that is not verified, has steps but no text, or is there twice, and for traces of
    one problem that disagree on what the problem is.
    """
    by_problem = _by_problem(traces)
    skipped: Counter[Skip] = Counter()
    chosen: list[_Match] = []
    for problem_id in sorted(by_problem):
        found = _choose(by_problem[problem_id], config, fits)
        if isinstance(found, str):
            skipped[found] += 1
        else:
            chosen += found
    labels = [(str(label) if label else "none", label) for label in (*ANSWERS, None)]
    by_label = {name: [match for match in chosen if match.winner.label is label] for name, label in labels}
    summary = PairsSummary(
        traces=sum(map(len, by_problem.values())),
        problems=len(by_problem),
        problems_with_pairs=len(by_problem) - skipped.total(),
        skipped=dict(skipped),
        pairs=_sides(chosen),
        by_label={name: _sides(part) for name, part in by_label.items() if part},
    )
    return [_pair(match, config) for match in chosen], summary


def score(trace: Trace, config: PairsConfig) -> float:
    """How good a verified trace is: its share of valid steps, a right answer, and being valid as a whole, weighted.

    Under the signal "label" the right answer alone counts.
    """
    if config.signal == "label":
        return config.correct_bonus * trace.correct
    valid = sum(_accepted(step, config) for step in trace.steps)
    share = valid / len(trace.steps) if trace.steps else 0.0
    bonuses = config.correct_bonus * trace.correct + config.all_valid_bonus * _accepted_whole(trace, config)
    return config.validity_weight * share + bonuses


def _accepted(step: Step, config: PairsConfig) -> bool:
    return (step.published_valid if config.signal == "published" else step.solver_valid) is True


def _accepted_whole(trace: Trace, config: PairsConfig) -> bool:
    if config.signal == "published":
        return bool(trace.steps) and all(_accepted(step, config) for step in trace.steps)
    return complete(trace, config)


def complete(trace: Trace, config: PairsConfig) -> bool:
    """Whether a verified trace is valid as a whole, and an UNKNOWN not said before all was tried, if that is asked."""
    gave_up = config.unknown == "searched" and bool(trace.unexplored)
    return trace.all_steps_valid is True and not gave_up


def _by_problem(traces: Iterable[Trace]) -> dict[str, list[Trace]]:
    """The traces of each problem in the order of their samples, checked."""
    groups: defaultdict[str, dict[int, Trace]] = defaultdict(dict)
    for trace in traces:
        where = f"{trace.problem_id}, sample {trace.sample}"
        group = groups[trace.problem_id]
        if trace.all_steps_valid is None:
            raise SokratesError(f"{where}: not verified; expected a trace as `sokrates verify` writes it")
        if trace.steps and not trace.completion:
            raise SokratesError(f"{where}: no completion text; expected the text that was generated, to train on it")
        if trace.sample in group:
            raise SokratesError(f"{where}: there twice; expected each sample of a problem once")
        other = next(iter(group.values()), trace)
        if _stated(trace) != _stated(other):
            raise SokratesError(f"{where}: another problem than sample {other.sample} has under this id")
        group[trace.sample] = trace
    return {problem_id: [group[sample] for sample in sorted(group)] for problem_id, group in groups.items()}


def _stated(trace: Trace) -> tuple[object, ...]:
    """What the model was asked, and the answer it is judged by."""
    return trace.premises, trace.conclusion, trace.premises_fol, trace.conclusion_fol, trace.label


def _choose(samples: Sequence[Trace], config: PairsConfig, fits: Fits) -> list[_Match] | Skip:
    """The pairs of one problem, or why there are none; `samples` in the order of their numbers."""
    if config.compared == "correction":
        return _corrections(samples, config, fits)
    if len(samples) < 2:
        return "one_sample"
    distinct = list({trace.completion: trace for trace in reversed(samples)}.values())
    if len(distinct) < 2:
        return "identical_completions"
    winners = sorted((t for t in distinct if _wins(t, config)), key=lambda trace: _rank(trace, config))
    losers = [trace for trace in distinct if not _wins(trace, config)]
    if not winners:
        return "no_winner"
    if not losers:
        return "no_loser"
    worse = sorted((t for t in losers if _below(winners[0], t, config)), key=lambda t: (score(t, config), t.sample))
    if not worse:
        return "no_gap"
    offers = (_offers(winners, loser, config) for loser in _from_both_ends(worse))
    return _taken(offers, "late_errors", config, fits)


def _offers(winners: Sequence[Trace], loser: Trace, config: PairsConfig) -> Iterator[_Match]:
    """A loser with the winners that tell something against it, the best first."""
    error = _first_error(loser, config) if config.compared == "first_error" else None
    for winner in winners:
        if _below(winner, loser, config) and (error is None or len(winner.steps) >= error):
            yield _Match(winner, loser, error)


def _corrections(samples: Sequence[Trace], config: PairsConfig, fits: Fits) -> list[_Match] | Skip:
    """The pairs of one problem, each of a sample that goes wrong with what it should have said there."""
    distinct = {trace.completion: trace for trace in reversed(samples)}.values()
    wrong = [(trace, error) for trace in distinct if (error := _first_error(trace, config))]
    if not wrong:
        return "no_error"
    wrong.sort(key=lambda found: (score(found[0], config), found[0].sample))
    offers = (_corrected(loser, error, config) for loser, error in _from_both_ends(wrong))
    return _taken(offers, "no_correction", config, fits)


def _corrected(loser: Trace, error: int, config: PairsConfig) -> Iterator[_Match]:
    winner = corrected(loser, error - 1)
    if winner and _below(winner, loser, config):
        yield _Match(winner, loser, error)


def _taken(offers: Iterable[Iterator[_Match]], without: Skip, config: PairsConfig, fits: Fits) -> list[_Match] | Skip:
    """Of each loser's matches the first that fits, as many as are wanted, none that says what another does."""
    taken: dict[tuple[str, str], _Match] = {}
    too_long = False
    for matches in offers:
        for match in matches:
            pair = _pair(match, config)
            said = pair.chosen[: pair.chosen_until], pair.rejected[: pair.rejected_until]
            if said in taken:
                break
            if fits(pair):
                taken[said] = match
                break
            too_long = True
        if len(taken) == config.max_pairs_per_problem:
            break
    return list(taken.values()) or ("too_long" if too_long else without)


def _below(winner: Trace, loser: Trace, config: PairsConfig) -> bool:
    """Whether the loser's score leaves the gap."""
    return score(loser, config) <= score(winner, config) - config.min_gap + _ROUNDING


def _first_error(trace: Trace, config: PairsConfig) -> int | None:
    """The number, from 1, of the first step that is not accepted; None where all are, or where steps do not count.

    A step in the midst of which a limit cut the text is no error.
    """
    if config.signal == "label":
        return None
    return next((number for number, step in enumerate(trace.emitted, start=1) if not _accepted(step, config)), None)


def _wins(trace: Trace, config: PairsConfig) -> bool:
    return trace.correct if config.signal == "label" else _accepted_whole(trace, config)


def _rank(trace: Trace, config: PairsConfig) -> tuple[float, int, int, int]:
    """Smaller is better; see the module's contract."""
    if config.signal != "verified":
        return -score(trace, config), 0, 0, trace.sample
    return -score(trace, config), trace.unused_steps or 0, trace.repeated_steps or 0, trace.sample


def _from_both_ends(items: Sequence[T]) -> list[T]:
    """First, last, second, last but one, and so on."""
    return [items[index // 2] if index % 2 == 0 else items[-1 - index // 2] for index in range(len(items))]


def _pair(match: _Match, config: PairsConfig) -> Pair:
    winner, loser, steps = match
    return Pair(
        problem_id=winner.problem_id,
        premises=winner.premises,
        conclusion=winner.conclusion,
        label=winner.label,
        chosen=winner.completion,
        rejected=loser.completion,
        chosen_sample=winner.sample,
        rejected_sample=loser.sample,
        chosen_score=score(winner, config),
        rejected_score=score(loser, config),
        chosen_ended=winner.ended,
        rejected_ended=loser.ended,
        chosen_until=_until(winner, steps),
        rejected_until=_until(loser, steps),
        premises_fol=winner.premises_fol,
        conclusion_fol=winner.conclusion_fol,
    )


def _until(trace: Trace, steps: int | None) -> int | None:
    """How many characters so many steps take; None, which is all and its end, where the last of them concludes it."""
    if steps is None or (steps == len(trace.steps) and trace.steps[-1].option_type == CONCLUDE):
        return None
    return end_of_step(trace.completion, steps)


def _sides(matches: Sequence[_Match]) -> Sides:
    lengths = [
        (len(winner.steps), len(loser.steps)) if steps is None else (steps, steps) for winner, loser, steps in matches
    ]
    return Sides(
        pairs=len(matches),
        chosen=_side([match.winner for match in matches]),
        rejected=_side([match.loser for match in matches]),
        chosen_shorter=_mean([chosen < rejected for chosen, rejected in lengths]),
        rejected_shorter=_mean([rejected < chosen for chosen, rejected in lengths]),
    )


def _side(traces: Sequence[Trace]) -> Side:
    return Side(
        steps=_mean([len(trace.steps) for trace in traces]),
        tokens=_mean([trace.completion_tokens for trace in traces]),
        unused_steps=_mean([trace.unused_steps or 0 for trace in traces]),
        repeated_steps=_mean([trace.repeated_steps or 0 for trace in traces]),
        correct=_mean([trace.correct for trace in traces]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
