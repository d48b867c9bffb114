"""Guides: what may be written next, so that an action cannot be malformed, or cannot be invalid.

Contract: a guide constrains actions alone; thoughts are the model's. `make_guide` finds one by name. Pure Python on
token ids: engines feed tokens and apply masks.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sokrates.config import GuideName
from sokrates.guides.automaton import Mask, characters
from sokrates.guides.grammar import GrammarGuide
from sokrates.guides.guide import Follower, Guide
from sokrates.guides.solver import SolverGuide
from sokrates.guides.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Follower", "Guide", "Mask", "make_guide"]


def make_guide(name: GuideName, tokenizer: PreTrainedTokenizerBase, end_tokens: Collection[int]) -> Guide | None:
    """The guide of this name for a model whose texts end with one of `end_tokens`; None for `none`.

    Takes a second for a vocabulary of 150,000 tokens: an engine makes it once. Errors: SokratesError for a tokenizer
    that cannot write an action character by character.
    """
    if name == "none":
        return None
    vocabulary = Vocabulary(tokenizer, end_tokens)
    vocabulary.check_spells(characters())
    return GrammarGuide(vocabulary) if name == "grammar" else SolverGuide(vocabulary, at_random=name == "random")
