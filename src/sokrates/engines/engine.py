"""The contract of an engine: requests in, completions out as they finish, in any order.

Contract: what a sample says depends on the model, its prompt, the sampling settings and (seed, problem_id, sample), and
not on the requests beside it, up to the rounding of the arithmetic, which may differ between batch shapes. A completion
ends where `stopping` says. A prompt that leaves no room for one token is an error, never cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, runtime_checkable

from sokrates.config import GuideName
from sokrates.errors import SokratesError
from sokrates.problems import Problem

T = TypeVar("T")
FinishReason = Literal["stop", "length", "max_steps"]


@dataclass(frozen=True, slots=True)
class Request:
    """One sample to draw: the prompt's token ids, and what its random stream and its trace are known by."""

    prompt_ids: tuple[int, ...]
    problem_id: str
    sample: int
    problem: Problem | None = None
    """What the trace is about; a guide that follows the proof needs it."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. Temperature 0 is greedy; `max_tokens` and `max_steps` bound one completion."""

    temperature: float
    top_p: float
    max_tokens: int
    max_steps: int
    seed: int
    guide: GuideName = "none"
    max_step_tokens: int = 0
    """Most tokens of one step where an engine goes step by step; 0 sets no limit."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What was generated. `token_ids` are all tokens that the model chose, an end-of-text token included; `text` is
    theirs up to where the completion ends, which may be inside the last token."""

    request: Request
    token_ids: tuple[int, ...]
    text: str
    finish_reason: FinishReason


class Engine(Protocol):
    """What generates text. `window` is how many tokens a prompt and its completion can have together."""

    window: int

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """The completions of all requests, as they finish. Errors: as `check_window`."""
        ...


@runtime_checkable
class Pipeline(Engine, Protocol):
    """An engine that also takes over what is done with each completion, where it has the processors for it."""

    def finished(
        self, requests: Iterable[Request], sampling: Sampling, finish: Callable[[Completion], T]
    ) -> Iterator[T]:
        """What the picklable `finish` makes of each request's completion, in any order. Errors: as `generate`'s."""
        ...


@runtime_checkable
class Resident(Engine, Protocol):
    """An engine that stays while models change and other work needs its device."""

    def load_adapter(self, folder: str | None) -> None:
        """Go on with another adapter of the same base, or None with the base itself. Errors: SokratesError."""
        ...

    def sleep(self) -> None:
        """Give the device's memory free; nothing where that is not to be had."""
        ...

    def wake(self) -> None:
        """Be ready again after `sleep`; nothing where it was awake."""
        ...

    def close(self) -> None:
        """End for good."""
        ...


def check_window(requests: Sequence[Request], window: int) -> None:
    """Errors: SokratesError naming the problem whose prompt is empty or leaves no room for a token in the window."""
    for request in requests:
        length = len(request.prompt_ids)
        if length == 0:
            raise SokratesError(f"{request.problem_id}: its prompt is empty; expected at least one token")
        if length >= window:
            raise SokratesError(
                f"{request.problem_id}: its prompt has {length} tokens; expected at most {window - 1}, "
                f"so that one more fits the model's window of {window}"
            )
