from __future__ import annotations

from tokenizers import Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Metaspace
from transformers import PreTrainedTokenizerFast

from sokrates.traces.decoding import Decoder
from tests import tiny


def test_pieces_join_to_the_text():
    tokenizer = tiny.build_tokenizer()
    decoder = Decoder(tokenizer)
    said = ' Thought: "x" ,  so .\n\nFinal Answer: TRUE\n  [12]'
    ids = tokenizer.encode(said)
    assert decoder.text(ids) == said
    assert "".join(decoder.piece(token) for token in ids) == said


def test_pieces_keep_the_space_that_some_tokenizers_drop_from_a_first_token():
    words = {"▁Final": 0, "▁Answer": 1, ":": 2, "▁TRUE": 3, "▁": 4}
    words_only = Tokenizer(WordLevel(words, unk_token="▁"))
    words_only.pre_tokenizer, words_only.decoder = Metaspace(), decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words_only, clean_up_tokenization_spaces=False)
    assert tokenizer.decode([3]) == "TRUE"
    decoder = Decoder(tokenizer)
    assert "".join(map(decoder.piece, [0, 1, 2, 3])) == " Final Answer: TRUE"


def test_parts_of_characters_keep_the_ascii_around_them():
    tokenizer = tiny.build_tokenizer()
    decoder = Decoder(tokenizer)
    ids = tokenizer.encode("a日b\n")
    assert decoder.text(ids) == "a日b\n"
    assert [c for c in "".join(map(decoder.piece, ids)) if c.isascii()] == ["a", "b", "\n"]


def test_special_tokens_have_no_text():
    tokenizer = tiny.build_tokenizer()
    decoder = Decoder(tokenizer)
    assert decoder.piece(tokenizer.eos_token_id) == decoder.text([tokenizer.eos_token_id]) == ""
