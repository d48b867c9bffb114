"""The sampler beside a model of vLLM's batch: rows come, go, change places, and come back with tokens."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sokrates.engines.sampling import choose

pytestmark = pytest.mark.vllm

VOCABULARY = 50


@dataclass(eq=False)
class Asked:
    """A request: its parameters, and its tokens so far, as vLLM keeps them."""

    params: Any
    settings: dict[str, Any] | None
    output: list[int] = field(default_factory=list)


def sampler():
    from sokrates.engines.vllm_sampler import Sampler

    return Sampler(None, torch.device("cpu"), False)


def asked(**settings) -> Asked:
    from vllm import SamplingParams

    from sokrates.engines.vllm_sampler import extra_args

    return Asked(SamplingParams(temperature=0, extra_args=extra_args(**settings)), settings)


def foreign() -> Asked:
    """A request of someone else."""
    from vllm import SamplingParams

    return Asked(SamplingParams(temperature=0), None)


def update(removed=(), added=(), moved=(), size=0):
    from vllm.v1.sample.logits_processor import BatchUpdate

    entries = [(place, request.params, [1], request.output) for place, request in added]
    return BatchUpdate(batch_size=size, removed=list(removed), added=entries, moved=list(moved))


def picked(request: Asked, logits: torch.Tensor) -> int:
    """The token that a request should get, computed alone."""
    settings = request.settings or {}
    script = settings.get("script", ())
    if len(request.output) < len(script):
        return script[len(request.output)]
    streams, steps = torch.tensor([settings.get("stream", 0)]), torch.tensor([len(request.output)])
    temperature, top_p = settings.get("temperature", 0.0), settings.get("top_p", 1.0)
    return choose(logits[None], streams, steps, temperature=temperature, top_p=top_p).item()


def random_request(source: random.Random) -> Asked:
    if source.random() < 0.1:
        return foreign()
    script = [source.randrange(VOCABULARY) for _ in range(3)] if source.random() < 0.2 else []
    temperature, top_p = source.choice([(0.0, 1.0), (0.7, 0.9), (0.7, 0.9), (1.3, 1.0)])
    return asked(stream=source.getrandbits(60), temperature=temperature, top_p=top_p, script=script)


@given(st.integers(0, 10**6))
def test_every_row_gets_its_own_next_token_whatever_the_batch_does(seed):
    from vllm.v1.sample.logits_processor import MoveDirectionality

    source = random.Random(seed)
    noise = torch.Generator().manual_seed(seed)
    processor, places, away = sampler(), {}, []
    for _ in range(12):
        removed = [place for place in sorted(places) if source.random() < 0.2]
        for place in removed:
            away.append(places.pop(place))
        added, free = [], [place for place in range(8) if place not in places]
        for place in free[: source.randint(0, 3)]:
            back = away.pop() if away and source.random() < 0.5 else random_request(source)
            added.append((place, back))
            places[place] = back
        moved = []
        # vLLM closes the gaps with its last rows, and exchanges rows.
        for gap in range(len(places)):
            if gap not in places:
                last = max(places)
                moved.append((last, gap, MoveDirectionality.UNIDIRECTIONAL))
                places[gap] = places.pop(last)
        if len(places) > 1 and source.random() < 0.5:
            one, other = source.sample(sorted(places), 2)
            moved.append((one, other, MoveDirectionality.SWAP))
            places[one], places[other] = places[other], places[one]
        changed = removed or added or moved
        processor.update_state(update(removed, added, moved, len(places)) if changed else None)
        if not places:
            continue
        logits = torch.randn(len(places), VOCABULARY, generator=noise) * 2
        expected = [picked(places[place], logits[place]) for place in range(len(places))]
        chosen = processor.apply(logits.clone()).argmax(dim=-1).tolist()
        assert chosen == expected
        for place, token in enumerate(chosen):
            places[place].output.append(token)


def test_other_requests_are_left_alone():
    processor = sampler()
    processor.update_state(update(added=[(0, foreign()), (1, asked(stream=3, temperature=1.0))], size=2))
    logits = torch.randn(2, VOCABULARY)
    changed = processor.apply(logits.clone())
    assert torch.equal(changed[0], logits[0]) and not torch.equal(changed[1], logits[1])


def test_a_subclass_may_dictate():
    from sokrates.engines.vllm_sampler import Sampler

    class Dictating(Sampler):
        def forced(self):
            return {place: 7 + len(sample.output) for place, sample in self.samples.items()}

    processor = Dictating(None, torch.device("cpu"), False)
    request = asked(stream=1, temperature=1.0)
    processor.update_state(update(added=[(0, request)], size=1))
    for expected in (7, 8):
        token = processor.apply(torch.randn(1, VOCABULARY)).argmax().item()
        assert token == expected
        request.output.append(token)


def test_it_can_change_what_is_most_likely():
    assert sampler().is_argmax_invariant() is False
