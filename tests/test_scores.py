"""Which stages are compared with which."""

from __future__ import annotations

from sokrates.scores import _comparisons


def test_stages_are_compared_with_the_one_before_and_baselines_with_sft_and_the_last():
    assert _comparisons(["base", "sft", "iter1", "iter2", "rft"], ["rft"]) == [
        ("base", "sft"),
        ("sft", "iter1"),
        ("iter1", "iter2"),
        ("sft", "iter2"),
        ("sft", "rft"),
        ("iter2", "rft"),
    ]


def test_without_an_iteration_no_comparison_is_there_twice():
    assert _comparisons(["base", "sft", "sft+"], ["sft+"]) == [("base", "sft"), ("sft", "sft+")]
