"""From token ids back to text: whole completions, and one token at a time for following a completion cheaply.

Contract: `text` is exact. `piece` is what a token adds to the text before it, kept after the first look-up. A token
that is part of a character (byte-level tokenizers have them) adds a replacement character: pieces joined together have
the right ASCII text in the right order, which is all that labels and actions are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Decoder:
    """A tokenizer's decoding, without special tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        # Some tokenizers drop the space of the first token: a piece is decoded behind another one.
        self._before = tokenizer.encode(":", add_special_tokens=False)
        self._skip = len(self.text(self._before))
        self._pieces: dict[int, str] = {}

    def text(self, token_ids: Sequence[int]) -> str:
        """The text of a completion."""
        return self._tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def piece(self, token_id: int) -> str:
        """The text that one token adds."""
        piece = self._pieces.get(token_id)
        if piece is None:
            piece = self._pieces[token_id] = self.text([*self._before, token_id])[self._skip :]
        return piece
