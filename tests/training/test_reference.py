"""The reference's log-probabilities are kept, and a file that is not theirs is never trusted."""

from __future__ import annotations

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from sokrates.training import reference
from sokrates.training.reference import batches, log_probabilities


class Scorer:
    """Scores a pair by its ids, and counts the pairs it was asked for."""

    def __init__(self, pairs, shift=0.0):
        self.pairs, self.shift, self.asked = pairs, shift, 0

    def __call__(self, indices):
        self.asked += len(indices)
        chosen = [-sum(self.pairs[index].chosen_ids) / 7 + self.shift for index in indices]
        rejected = [-sum(self.pairs[index].rejected_ids) / 7 for index in indices]
        return torch.tensor(chosen), torch.tensor(rejected)


@pytest.fixture
def obtain(pairs, tmp_path):
    def obtain(scorer, name="key", pairs=pairs):
        return log_probabilities(pairs, scorer, torch.float32, "cpu", tmp_path / "kept.safetensors", name)

    return obtain


def test_in_the_order_of_the_pairs_and_the_same_when_read(pairs, obtain):
    first, again = Scorer(pairs), Scorer(pairs)
    computed, read = obtain(first), obtain(again)
    assert computed.chosen == pytest.approx([-sum(pair.chosen_ids) / 7 for pair in pairs])
    assert computed.rejected == pytest.approx([-sum(pair.rejected_ids) / 7 for pair in pairs])
    assert (read.chosen, read.rejected) == (computed.chosen, computed.rejected)
    assert computed.origin.startswith("computed: not kept") and read.origin.startswith("read from")
    assert (first.asked, again.asked) == (len(pairs), reference.CHECKED)


def shortened(file):
    file.write_bytes(file.read_bytes()[:-9])


def no_number(file):
    columns = load_file(file)
    columns["chosen"][3] = float("nan")
    save_file(columns, file, {"key": "key"})


def no_key(file):
    save_file(load_file(file), file)


def a_column_short(file):
    columns = load_file(file)
    save_file({name: columns[name] for name in columns if name != "rejected"}, file, {"key": "key"})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (shortened, "damaged"), (lambda file: file.write_bytes(b"\0" * 5), "damaged"), (a_column_short, "damaged"),
        (no_key, "another model"), (no_number, "no numbers"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_computed_again_and_mended(pairs, obtain, tmp_path, damage, reason):
    whole = obtain(Scorer(pairs))
    damage(tmp_path / "kept.safetensors")
    again = obtain(Scorer(pairs))
    assert again.origin.startswith("computed") and reason in again.origin
    assert again.chosen == whole.chosen
    assert obtain(Scorer(pairs)).origin.startswith("read")


def test_a_foreign_file_is_computed_again(pairs, obtain):
    obtain(Scorer(pairs))
    assert "another model" in obtain(Scorer(pairs), "other").origin
    obtain(Scorer(pairs), "key")
    assert "of 10 pairs, not 9" in obtain(Scorer(pairs[:9]), "key", pairs[:9]).origin
    longer = [msgspec.structs.replace(pair, chosen_ids=(*pair.chosen_ids, 5)) for pair in pairs[:9]]
    assert "other lengths" in obtain(Scorer(longer), "key", longer).origin


def test_a_file_that_the_model_disagrees_with_is_computed_again(pairs, obtain):
    """Such as weights that were changed under the same name."""
    obtain(Scorer(pairs))
    moved = obtain(Scorer(pairs, shift=1.0))
    assert "off from the model" in moved.origin
    assert moved.chosen == pytest.approx([1 - sum(pair.chosen_ids) / 7 for pair in pairs])


def test_batches_hold_each_pair_once_longest_first_within_their_tokens(pairs):
    found = batches(pairs, tokens=60)
    lengths = [[pairs[index].length for index in batch] for batch in found]
    assert sorted(index for batch in found for index in batch) == list(range(len(pairs)))
    assert [length for batch in lengths for length in batch] == sorted((pair.length for pair in pairs), reverse=True)
    assert all(len(batch) == 1 or 2 * len(batch) * batch[0] <= 60 for batch in lengths)
    assert max(len(batch) for batch in lengths) > 1
