"""Traces and preference pairs as the token ids that training reads: with the prompt builder that generation uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sokrates.errors import SokratesError
from sokrates.problems import Problem
from sokrates.traces.prompt import PromptStyle, encode_completion, encode_prompt
from sokrates.traces.trace import Trace
from sokrates.training.data import Example, PairIds
from sokrates.training.preferences import Pair


def examples(traces: Iterable[Trace], tokenizer: Any, style: PromptStyle) -> Iterator[Example]:
    """One example a trace, which learns its completion. Errors: SokratesError for a trace without its text."""
    for trace in traces:
        if not trace.completion:
            raise SokratesError(
                f"{trace.problem_id}: the trace has no completion text; expected what `optionize` writes"
            )
        yield Example(
            id=trace.problem_id,
            prompt_ids=tuple(encode_prompt(tokenizer, trace.problem(), style)),
            completion_ids=tuple(encode_completion(tokenizer, trace.completion, ended=trace.ended)),
        )


def pair_ids(pairs: Iterable[Pair], tokenizer: Any, style: PromptStyle) -> Iterator[PairIds]:
    """The pairs as token ids."""
    for pair in pairs:
        problem = Problem(
            problem_id=pair.problem_id,
            premises=pair.premises,
            conclusion=pair.conclusion,
            premises_fol=pair.premises_fol,
            conclusion_fol=pair.conclusion_fol,
        )
        chosen = encode_completion(tokenizer, pair.chosen, ended=pair.chosen_ended, until=pair.chosen_until)
        rejected = encode_completion(tokenizer, pair.rejected, ended=pair.rejected_ended, until=pair.rejected_until)
        yield PairIds(
            id=f"{pair.problem_id} ({pair.chosen_sample} over {pair.rejected_sample})",
            prompt_ids=tuple(encode_prompt(tokenizer, problem, style)),
            chosen_ids=tuple(chosen),
            rejected_ids=tuple(rejected),
        )
