"""Each kind of rejected trace is the one its name says."""

from __future__ import annotations

from benchmarks.displacement import REJECTED, pairs
from sokrates import models


def test_every_kind_has_pairs_of_its_own_over_the_same_chosen_traces():
    tokenizer = models.load_tokenizer(models.EMBEDDED)
    found = {kind: {pair.id: pair for pair in pairs(kind, 12, tokenizer)} for kind in REJECTED}
    near, sloppy = found["near"], found["sloppy"]
    assert len(near) == 12 and 0 < len(sloppy) < 12
    for name, pair in near.items():
        differing = sum(one != other for one, other in zip(pair.chosen_ids, pair.rejected_ids, strict=False))
        assert len(pair.chosen_ids) != len(pair.rejected_ids) or 0 < differing <= 2
        if name in sloppy:
            assert sloppy[name].chosen_ids == pair.chosen_ids and sloppy[name].rejected_ids != pair.rejected_ids
