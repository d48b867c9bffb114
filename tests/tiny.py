"""A tiny random Qwen3 and a byte-level BPE tokenizer, in a folder as `models.load_model` expects it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STEPS = """\
Thought: Tom is a cat (line 1) and every cat is a mammal (line 0), so Tom is a mammal.
Action: <Option type="MODUS_PONENS" args="[1, 0]" />
Thought: Line 4 contradicts the conclusion, so the answer is FALSE.
Action: <Option type="CONCLUDE" args="[1]" />"""
"""A completion without its final answer."""

TEXT = f"""\
Premises:
  [0] Every cat is a mammal.
  [1] Tom is a cat.
  [2] Mammals are not cold.

Conclusion to evaluate: Tom is cold.

Reasoning:
{STEPS}

Final Answer: FALSE
Final Answer: TRUE
Final Answer: UNKNOWN
"""

SPECIAL = ("<pad>", "<s>", "</s>")


def build(folder: Path, *, seed: int = 0, window: int = 512, vocab_size: int = 320, **shape: Any) -> Path:
    """Write model and tokenizer to the folder (made if needed) and return it; `shape` goes to Qwen3Config.

    The weights are drawn wide, so that the most likely token is far ahead of the next and greedy text is varied.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = build_tokenizer(vocab_size)
    defaults = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "initializer_range": 0.5,
        "tie_word_embeddings": False,
    }
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        max_position_embeddings=window,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **(defaults | shape),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        Qwen3ForCausalLM(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def build_tokenizer(vocab_size: int = 320) -> Any:
    """Byte-level BPE over `TEXT`: any text encodes, words of the traces are few tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([TEXT] * 4, trainer)
    pad, bos, eos = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=pad, bos_token=bos, eos_token=eos, clean_up_tokenization_spaces=False
    )
