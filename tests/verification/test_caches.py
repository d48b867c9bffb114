"""What the kernel remembers is bounded by the bytes of the records."""

from __future__ import annotations

from sokrates.logic import english
from sokrates.problems import reading
from sokrates.verification import caches
from sokrates.verification.judging import judge
from sokrates.verification.pool import Line
from tests.verification.test_judging import line_of, some_traces


def test_the_memory_of_the_kernel_is_emptied_after_so_many_bytes(monkeypatch):
    caches.empty()
    monkeypatch.setattr(caches, "_held", 0)
    judge(line_of(some_traces(2)[0]))
    assert english.read.cache_info().currsize and reading.read_problem.cache_info().currsize
    judge(Line(2, b"x" * (caches.LIMIT + 1)))
    assert not english.read.cache_info().currsize and not reading.read_problem.cache_info().currsize
