"""Which measured figure stands for something that was not measured, and what it says of it."""

from __future__ import annotations

import pytest

from sokrates.throughput import Figure, figures, in_words, nearest


def figure(parameters: int, work="sft", way="packed", device="cuda", rate=10.0) -> Figure:
    about = {"machine": "an H9", "tokens": 500.0, "source": "x.json"}
    return Figure(work=work, way=way, device=device, parameters=parameters, rate=rate, **about)


SOME = [
    figure(600_000_000),
    figure(8_000_000_000),
    figure(5_000_000, device="cpu"),
    figure(4_000_000_000, way="padded"),
]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [(500_000_000, SOME[0]), (4_000_000_000, SOME[1]), (30_000_000_000, SOME[1]), (5_000_000, None), (10**12, None)],
)
def test_the_nearest_by_size_of_the_same_work_way_and_device(parameters, found):
    assert nearest("sft", "packed", "cuda", parameters, SOME) is found
    assert nearest("dpo", "packed", "cuda", parameters, SOME) is None
    assert nearest("sft", "packed", "mps", parameters, SOME) is None


def test_a_larger_model_takes_longer_in_proportion_a_smaller_one_no_less():
    measured = figure(1_000_000_000)
    assert measured.seconds(100, 1_000_000_000) == 10
    assert measured.seconds(100, 3_000_000_000) == 30
    assert measured.seconds(100, 500_000_000) == 10
    assert figure(1_000_000_000, work="start", rate=20.0).seconds(1, 8_000_000_000) == 20
    assert (
        measured.basis(1_000_000_000) == "sft (packed): 10 examples/s of 500 tokens measured at 1.0B on an H9 (x.json)"
    )
    assert measured.basis(8_200_000_000).endswith("(x.json), scaled to 8.2B")
    assert measured.basis(500_000_000).endswith("(x.json), taken as it is for 500.0M")


def test_the_package_has_figures_of_the_embedded_model_on_a_cpu():
    known = {(figure.work, figure.way) for figure in figures() if figure.device == "cpu"}
    assert {("generate", "transformers"), ("sft", "padded"), ("sft", "packed"), ("dpo", "continue")} <= known
    assert all(figure.rate > 0 and figure.parameters > 1_000_000 for figure in figures())


def test_sizes_in_words():
    assert [in_words(size) for size in (8_190_427_136, 4_677_440, 12)] == ["8.2B", "4.7M", "12"]
