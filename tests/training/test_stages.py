"""What the training stages make of records: which examples are held out."""

from __future__ import annotations

from sokrates.training.data import Example
from sokrates.training.stages import held_out


def example(name: str, token: int = 2) -> Example:
    return Example(name, (1,), (token,))


def test_a_share_of_the_examples_is_held_out_in_their_order():
    examples = [example(name) for name in "abcdefghij"]
    assert held_out(examples, 0.3) == (examples[3:], examples[:3])
    assert held_out(examples, 0.0) == (examples, [])


def test_a_problem_is_held_out_with_all_its_examples():
    examples = [example(name, token) for token in range(4) for name in "abcde"]
    training, held = held_out(examples, 0.25)
    assert held == [example(name, token) for name in "ab" for token in range(4)]
    assert {*training} | {*held} == {*examples} and not {e.id for e in training} & {e.id for e in held}


def test_of_one_problem_nothing_is_left_to_train_on():
    assert held_out([example("a", token) for token in range(10)], 0.1)[0] == []
