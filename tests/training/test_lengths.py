"""The numbers that say what packing saves, worked out by hand."""

from __future__ import annotations

import pytest

from sokrates.training.lengths import BINS, Bin, histogram, measure

LENGTHS = [10, 30, 20, 40]


def test_padding_is_counted_against_both_ways():
    seen = measure(LENGTHS, 100, [[0, 2], [1, 3]], packed=True)
    assert seen.padded_to_max_length == 0.75
    assert seen.padded_to_longest == round(1 - 100 / 120, 4)
    assert (seen.shortest, seen.median, seen.mean, seen.longest, seen.padding) == (10, 25, 25, 40, 0.0)
    unpacked = measure(LENGTHS, 100, [[0, 1, 2], [3]], packed=False)
    assert unpacked.padding == unpacked.padded_to_longest == round(1 - 100 / 130, 4)


@pytest.mark.parametrize("lengths", [[7], [5, 5, 5], [1, 2, 3], [130, 512, 400, 131], list(range(1, 2049, 3))])
def test_histogram_holds_every_example_once(lengths):
    bins = histogram(lengths)
    assert len(bins) <= BINS + 1
    for each in bins:
        assert each.examples == sum(each.least <= length <= each.most for length in lengths)
    assert sum(each.examples for each in bins) == len(lengths)
    assert bins[0].examples and bins[-1].examples


def test_histogram_of_one_length():
    assert histogram([9, 9]) == [Bin(9, 9, 2)]


def test_text_shows_every_bar_and_the_shares():
    text = str(measure(LENGTHS, 100, [[0, 2], [1, 3]], packed=True))
    assert "10 to 40 tokens, median 25" in text
    assert "padding: 0.0%" in text and "16.7%" in text and "75.0%" in text
    assert text.count("█") and len(text.splitlines()) == 2 + len(histogram(LENGTHS))
