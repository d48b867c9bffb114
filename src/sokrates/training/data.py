"""What training reads: prompts and completions as token ids.

Contract: prompt and completion are joined as ids, so that a trained token is the token that generation reads and
writes; nothing is ever cut to fit. It knows nothing of problems, traces or text.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sokrates.errors import SokratesError


class Example(msgspec.Struct, frozen=True):
    """One prompt and the completion to learn; `id` names it in errors."""

    id: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens of prompt and completion together."""
        return len(self.prompt_ids) + len(self.completion_ids)

    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]:
        """What the model reads."""
        return (self.prompt_ids + self.completion_ids,)


class PairIds(msgspec.Struct, frozen=True):
    """One prompt with a better and a worse completion; `id` names it in errors."""

    id: str
    prompt_ids: tuple[int, ...]
    chosen_ids: tuple[int, ...]
    rejected_ids: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens of the prompt and the longer completion together."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))

    @property
    def shared_length(self) -> int:
        """Tokens that are computed where the prompt is computed once."""
        return len(self.prompt_ids) + len(self.chosen_ids) + len(self.rejected_ids)

    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]:
        """What the model reads."""
        return (self.prompt_ids + self.chosen_ids, self.prompt_ids + self.rejected_ids)


def check_examples(examples: Sequence[Example], max_length: int) -> None:
    """Errors: SokratesError naming the first example that is empty or longer than `max_length` tokens."""
    for example in examples:
        _check(example.id, "completion", example.completion_ids, example.length, max_length)


def check_pairs(pairs: Sequence[PairIds], max_length: int) -> None:
    """Errors: SokratesError naming the first pair that is empty or longer than `max_length` tokens."""
    for pair in pairs:
        _check(pair.id, "chosen completion", pair.chosen_ids, pair.length, max_length)
        _check(pair.id, "rejected completion", pair.rejected_ids, pair.length, max_length)


def _check(name: str, what: str, completion: tuple[int, ...], length: int, max_length: int) -> None:
    if not completion:
        raise SokratesError(f"{name}: the {what} is empty; expected at least one token to learn from")
    if length > max_length:
        raise SokratesError(
            f"{name}: prompt and completion are {length} tokens; expected at most max_length = {max_length}"
        )
