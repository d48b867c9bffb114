from __future__ import annotations

import random

import pytest

from sokrates.guides import make_guide
from sokrates.guides.following import Follower
from sokrates.logic.rules import CONCLUDE
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import encode_completion
from sokrates.traces.text import parse, well_formed
from tests import tiny
from tests.guides.writing import TOKENIZERS, allowed, tokenizer, write


@pytest.fixture(params=TOKENIZERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def guide(name):
    return make_guide("grammar", tokenizer(name), {tokenizer(name).eos_token_id})


def test_no_guide():
    assert make_guide("none", tokenizer("embedded"), {0}) is None


PHRASES = (
    *("\nAction", " Action", "\nAction:", " Action :", ":", ": <", '\nAction: <Option type="'),
    *("Thought:", "\n", " ", "\t:", "x"),
)
"""What labels and actions are made of, and what comes near them."""


def test_random_texts_have_no_malformed_action(name, guide):
    emitted = 0
    for seed in range(300):
        text, broke_off = write(guide, name, random.Random(seed), phrases=PHRASES)
        steps = parse(text).steps
        if broke_off and not steps[-1].option_type:
            steps = steps[:-1]
        emitted += len(steps)
        assert all(well_formed(step.option_type, step.option_args) for step in steps), text
        assert all(step.option_type != CONCLUDE for step in steps[:-1]), text
    assert emitted > 150


def test_gold_traces_are_admitted_token_by_token(name, guide):
    for problem in generate(20, GeneratorSettings(distractors=1), seed=3):
        follower = guide.follow(problem, 0)
        for token in encode_completion(tokenizer(name), gold_completion(problem)):
            assert allowed(follower.mask(), token)
            follower.feed(token)


def test_masks_are_what_following_says(name, guide):
    """A token is allowed where following its text, character by character, does not leave what may be written."""
    words, rng = tokenizer(name), random.Random(4)
    ids = encode_completion(words, tiny.STEPS + "\n\nFinal Answer: FALSE")
    for cut in range(len(ids)):
        follower = guide.follow(None, 0)
        for token in ids[:cut]:
            follower.feed(token)
        mask = follower.mask()
        near = [token for phrase in PHRASES for token in words.encode(phrase, add_special_tokens=False)]
        for token in [*rng.sample(range(len(words)), 60), *near]:
            piece = guide._vocabulary.decoder.piece(token)
            if piece and (piece.count(":") < 2):
                assert allowed(mask, token) == lets(guide, ids[:cut], piece), (words.decode(ids[:cut]), piece)


def lets(guide, ids, piece) -> bool:
    """Whether a piece can be spelled out, and does not run from a thought into what only some actions begin with."""
    characters = {text: token for token, text in zip(guide._vocabulary._tokens, guide._vocabulary._texts, strict=True)}
    follower: Follower = guide.follow(None, 0)
    for token in ids:
        follower.feed(token)
    free_before = isinstance(follower._at, tuple)
    for character in piece:
        if character not in characters:
            return free_before
        if not allowed(follower.mask(), characters[character]):
            return False
        follower.feed(characters[character])
    crossed = free_before and not isinstance(follower._at, tuple)
    return not crossed or ' <Option type="'.startswith(follower._said)


def test_foreign_text_is_followed_to_its_next_action(name, guide):
    words = tokenizer(name)
    follower = guide.follow(None, 0)
    for token in words.encode("Action: nonsense\nThought: so x.\nAction:", add_special_tokens=False):
        follower.feed(token)
    space = next(t for t in range(len(words)) if guide._vocabulary.decoder.piece(t) == " ")
    assert allowed(follower.mask(), space) and follower.mask().allow


def test_a_text_may_end_behind_conclude_only(name, guide):
    words = tokenizer(name)
    for args, may_end in (('MODUS_PONENS" args="[0, 1]', False), ('CONCLUDE" args="[1]', True)):
        follower = guide.follow(None, 0)
        for token in words.encode(f'\nAction: <Option type="{args}" />', add_special_tokens=False):
            assert allowed(follower.mask(), token)
            follower.feed(token)
        assert allowed(follower.mask(), words.eos_token_id) == may_end
