from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.generation_shapes import SHAPES
from benchmarks.roofline import Architecture
from benchmarks.sft_rows import WAYS, measure, operations
from sokrates.training.data import Example

SIZES = Architecture(2, 8, 2, 1, 4, 16, 32)


def test_operations_by_hand() -> None:
    example = Example("one", (1, 2, 3), (4, 5))
    layer = 8 * 8 + 8 * 4 + 8 * 4 + 8 * 8 + 3 * 8 * 16
    adapter = 2 * ((8 + 8) + 2 * (8 + 4) + (8 + 8) + 3 * (8 + 16))
    attention = 4 * 2 * 2 * 4
    expected = 5 * (4 * 2 * layer + 6 * 2 * adapter) + 4 * 2 * 8 * 32 + 3 * attention * 15
    assert operations(SIZES, [example], 2, rank=2) == expected
    assert operations(SIZES, [example, example], 4, rank=2) == 2 * expected


@pytest.mark.slow
def test_every_way_learns_the_same(tmp_path: Path) -> None:
    """The real trainer at the smallest shape; only rounding parts the losses."""
    torch.manual_seed(0)
    losses = {}
    for name in ("longest", "like-lengths", "packed-mask", "packed"):
        figures = measure(
            WAYS[name], SHAPES["tiny"], "cpu", "float32", group=2, steps=1, seconds=0.0, distractors=1.0,
            folder=tmp_path / name, profile=name == "packed",
        )  # fmt: skip
        losses[name] = figures["losses"]
        assert len(figures["losses"]) == 3 and figures["counted_steps"] == 1
        assert (figures["padding"] == 0) == name.startswith("packed")
        assert bool(figures.get("profile")) == (name == "packed")
    first, *others = losses.values()
    for other in others:
        assert other == pytest.approx(first, abs=1e-4)
    assert max(first) - min(first) > 1e-3
