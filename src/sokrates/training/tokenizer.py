"""The embedded model's tokenizer: byte-level BPE over our own problems, so any text encodes.

Contract: words, rule names and the fixed parts of an action are one token each as far as the vocabulary reaches; every
line number from 0 to 99 is one token, the same in premises, thoughts and arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sokrates.logic.rules import CONCLUDE, RULES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LARGEST_NUMBER = 99
BOS, EOS, PAD = "<s>", "</s>", "<pad>"

_PIECES = "|".join(
    (
        r"\n  \[",
        r"\] ",
        r" \(line ",
        r"\), so",
        r'\nAction: <Option type="',
        r'" args="\[',
        r'\]" />',
        r"\n?Thought:",
        r"\n\nFinal Answer:",
        r"\n\nConclusion to evaluate:",
        r"\n\nReasoning:\n",
        r" ?[A-Z][A-Z_]+",
        r"\d{1,2}",
        r", ",
        r" ?[A-Za-z]+",
        r"[^A-Za-z0-9]",
    )
)


def train_tokenizer(texts: Iterator[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A tokenizer trained on an iterator of texts."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_with_fixed_words(texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD, clean_up_tokenization_spaces=False
    )


def _with_fixed_words(texts: Iterator[str]) -> Iterator[str]:
    """The texts, and often enough what must become one token however rare it is in them."""
    yield from texts
    for _ in range(2000):
        yield " ".join(str(number) for number in range(LARGEST_NUMBER + 1))
        for name in (*RULES, CONCLUDE):
            yield f'\nAction: <Option type="{name}" args="[0, 1]" />'
        yield " TRUE FALSE UNKNOWN"
