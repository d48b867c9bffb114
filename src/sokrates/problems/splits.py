"""Splits of problems that share nothing.

Contract: two problems are the same when they have the same premises in any order and the same conclusion. One problem
in sixteen, told by its hash, is reserved: pretraining and every training split leave those out, so that evaluation
problems drawn from them have never been seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice

from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.problems.problem import Problem


def is_reserved(problem: Problem) -> bool:
    return problem.content_hash.endswith("0")


def without(problems: Iterable[Problem], taken: Sequence[Problem]) -> tuple[list[Problem], int]:
    """The problems that are not among those taken, nor twice among themselves; and how many were left out."""
    seen = {problem.content_hash for problem in taken}
    kept: list[Problem] = []
    dropped = 0
    for problem in problems:
        if problem.content_hash in seen:
            dropped += 1
        else:
            seen.add(problem.content_hash)
            kept.append(problem)
    return kept, dropped


def generated_split(size: int, settings: GeneratorSettings, seed: int, *, name: str, reserved: bool) -> list[Problem]:
    """`size` generated problems, all reserved or none."""
    return list(islice(_stream(settings, seed, name, reserved), size))


def _stream(settings: GeneratorSettings, seed: int, name: str, reserved: bool) -> Iterator[Problem]:
    seen: set[str] = set()
    for part in count():
        for problem in generate(1024, settings, seed, prefix=f"{name}-{part}"):
            if is_reserved(problem) == reserved and problem.content_hash not in seen:
                seen.add(problem.content_hash)
                yield problem
