from __future__ import annotations

import math

import pytest
import torch

from sokrates.engines import agreement
from sokrates.engines.agreement import Difference, check, difference
from sokrates.errors import SokratesError
from sokrates.traces import probes
from sokrates.traces.probes import PROBE_FILE, Probe, Probes
from tests import adapters, tiny

KNOWN = Probes("float32", (Probe((1,), (2, 3), (-1.0, -2.0)), Probe((1,), (4,), (-3.0,))))


def test_the_difference_is_over_all_tokens():
    assert difference(KNOWN, [[-1.0, -2.5], [-4.0]]) == Difference(mean=0.5, largest=1.0)
    with pytest.raises(ValueError, match="zip"):
        difference(KNOWN, [[-1.0], [-3.0]])


@pytest.mark.parametrize(
    ("dtype", "shift", "agrees"),
    [
        ("float32", 5e-4, True),
        ("float32", 2e-3, False),
        ("float32", -2e-3, False),
        ("bfloat16", 2e-3, True),
        ("bfloat16", 0.04, True),
        ("bfloat16", 0.06, False),
        ("float32", math.nan, False),
    ],
)
def test_rounding_depends_on_the_number_format(dtype, shift, agrees):
    measured = [[score + shift for score in probe.log_probs] for probe in KNOWN.probes]
    if agrees:
        assert check(KNOWN, measured, dtype, "m").mean == pytest.approx(abs(shift))
        return
    with pytest.raises(SokratesError, match=r"m: the engine does not compute what the trainer does: .* differ by"):
        check(KNOWN, measured, dtype, "m")


def test_a_trainer_in_bfloat16_makes_it_coarse():
    rough = Probes("bfloat16", KNOWN.probes)
    assert check(rough, [[-1.02, -2.0], [-3.0]], "float32", "m").largest == pytest.approx(0.02)


def test_one_token_far_off_fails_whatever_the_mean():
    many = Probes("bfloat16", (Probe((1,), (2,) * 100, (-1.0,) * 100),))
    with pytest.raises(SokratesError, match="2 at most"):
        check(many, [[-3.0] + [-1.0] * 99], "bfloat16", "m")


def test_another_adapter_is_seen(tmp_path):
    base = str(tiny.build(tmp_path / "base"))
    first, second = (adapters.build(tmp_path / str(seed), base=base, seed=seed, rank=4) for seed in (1, 2))
    expected = agreement.reference(str(first), "cpu", "float32")
    found = {
        folder: [probe.log_probs for probe in agreement.reference(str(folder), "cpu", "float32").probes]
        for folder in (first, second)
    }
    assert check(expected, found[first], "float32", "first") == Difference(0.0, 0.0)
    with pytest.raises(SokratesError, match="second"):
        check(expected, found[second], "float32", "second")


def test_what_training_kept_is_taken_and_else_computed(tmp_path):
    base = str(tiny.build(tmp_path / "base"))
    folder = adapters.build(tmp_path / "adapter", base=base, rank=4)
    computed = agreement.reference(str(folder), "cpu", "float32")
    assert agreement.reference_ahead(str(folder), "cpu", "float32")() == computed
    (folder / PROBE_FILE).write_bytes(probes.encode(KNOWN))
    assert agreement.reference_ahead(str(folder), "cpu", "float32")() == KNOWN


def test_no_room_for_the_model_is_told(tmp_path, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("tried to allocate 16 GiB")

    base = str(tiny.build(tmp_path / "base"))
    monkeypatch.setattr(probes, "measure", full)
    with pytest.raises(SokratesError, match=r"cpu has no room for the model, .*16 GiB"):
        agreement.reference(base, "cpu", "float32")


def test_another_process_can_compute_it(tmp_path):
    base = str(tiny.build(tmp_path / "base"))
    here = agreement.reference(base, "cpu", "float32")
    there = agreement.in_another_process(base, "cpu", "float32")()
    assert difference(here, [probe.log_probs for probe in there.probes]).largest < 1e-5
