"""The compact set of keys: a set, and small."""

from __future__ import annotations

import random

from sokrates.verification.seen import Seen, trace_key


def test_it_is_a_set():
    rng = random.Random(1)
    keys = [
        rng.choice([rng.randrange(1, 1 << 64), rng.randrange(1, 3000), rng.randrange(1, 50) << 40]) for _ in range(9000)
    ]
    seen, known = Seen(), set()
    for key in keys:
        assert (key in seen) == (key in known)
        assert seen.add(key) == (key not in known)
        known.add(key)
    assert len(seen) == len(known)
    assert all(key in seen for key in known)
    assert (1 << 63) + 12345 not in seen


def test_it_is_small():
    seen = Seen()
    for number in range(100_000):
        seen.add(trace_key(f"p{number // 8}", number % 8))
    assert len(seen) == 100_000
    assert seen._table.itemsize * len(seen._table) <= 22 * 100_000


def test_keys_tell_problem_and_sample_apart():
    names = ["", "1", "1 1", "a", "é", "\u202ea"]
    assert len({trace_key(name, sample) for name in names for sample in (0, 1, 11, -1, 10**30)}) == 30
