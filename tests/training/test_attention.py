"""Attention by segments: what a document sees is itself, on every path, and a kernel that is wrong is found out."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from sokrates.errors import SokratesError
from sokrates.training import attention
from sokrates.training.attention import Segments, choose, sdpa_by_segment

LENGTHS = (5, 1, 7)


def starts(lengths) -> torch.Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def row(lengths, seed=1) -> dict:
    """Documents of random tokens, laid end to end."""
    ids = torch.randint(2, 60, (1, sum(lengths)), generator=torch.Generator().manual_seed(seed))
    boundaries = starts(lengths)
    return {
        "input_ids": ids,
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "cu_seq_lens_q": boundaries,
        "cu_seq_lens_k": boundaries,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


def llama():
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2,
        )
    ).eval()  # fmt: skip


def alone(model, inputs, lengths) -> torch.Tensor:
    """The logits of each document in a forward of its own."""
    with torch.no_grad():
        return torch.cat([model(input_ids=ids[None]).logits[0] for ids in inputs["input_ids"][0].split(lengths)])


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
def test_documents_of_a_row_are_as_alone(new_base, architecture):
    model = new_base() if architecture == "qwen3" else llama()
    inputs = row(LENGTHS)
    expected = alone(model, inputs, LENGTHS)
    chosen = choose(model)
    assert (chosen.implementation, chosen.flash) == ("segments", False)
    with torch.no_grad():
        packed = model(**inputs).logits[0]
        assert (packed - expected).abs().max() < 1e-5
        assert (alone(model, inputs, LENGTHS) - expected).abs().max() < 1e-5


def test_a_mask_without_boundaries_leaks(new_base):
    """The control: the same row as one document with an attention mask."""
    model, inputs = new_base(), row(LENGTHS)
    ones = torch.ones_like(inputs["input_ids"])
    with torch.no_grad():
        leaked = model(input_ids=inputs["input_ids"], attention_mask=ones).logits[0]
    assert (leaked - alone(model, inputs, LENGTHS))[LENGTHS[0] :].abs().max() > 1e-2


def test_padded_batches_and_generation_are_as_before(new_base):
    """A model that attends by segments is used without boundaries too: left padding, a cache, several rows."""
    ids = torch.randint(2, 60, (2, 9), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    before, after = new_base(), new_base()
    choose(after)
    with torch.no_grad():
        logits = [model(input_ids=ids, attention_mask=mask).logits[mask.bool()] for model in (before, after)]
        assert torch.allclose(*logits, atol=1e-5)
        texts = [
            model.generate(ids, attention_mask=mask, max_new_tokens=6, do_sample=False, pad_token_id=0)
            for model in (before, after)
        ]
        assert torch.equal(*texts)
        cached = [model(input_ids=ids[:, :5], use_cache=True) for model in (before, after)]
        both = zip((before, after), cached, strict=True)
        rest = [model(input_ids=ids[:, 5:], past_key_values=part.past_key_values).logits for model, part in both]
        assert torch.allclose(*rest, atol=1e-5)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_those_of_the_documents_alone(new_base, checkpointing):
    """Through PEFT, and recomputed in the backward pass."""

    def adapted():
        torch.manual_seed(5)
        lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
        return get_peft_model(new_base(), lora).train()

    inputs = row(LENGTHS)
    weight = torch.randn(sum(LENGTHS), 64, generator=torch.Generator().manual_seed(2))
    separate, packed = adapted(), adapted()
    for ids, part in zip(inputs["input_ids"][0].split(LENGTHS), weight.split(LENGTHS), strict=True):
        (separate(input_ids=ids[None]).logits[0] * part).sum().backward()
    choose(packed)
    if checkpointing:
        packed.gradient_checkpointing_enable({"use_reentrant": False})
        packed.enable_input_require_grads()
    (packed(**inputs).logits[0] * weight).sum().backward()
    for (name, ours), theirs in zip(packed.named_parameters(), separate.parameters(), strict=True):
        if ours.requires_grad:
            assert torch.allclose(ours.grad, theirs.grad, atol=1e-5 * theirs.grad.abs().max().item()), name


def test_keys_may_be_a_shared_prefix_and_the_segment(new_base):
    """`a b` and `a c` with a once: c's queries take a's keys and their own."""
    model = new_base()
    a, b, c = (torch.randint(2, 60, (length,), generator=torch.Generator().manual_seed(length)) for length in (4, 3, 5))
    with torch.no_grad():
        expected = [model(input_ids=torch.cat([a, other])[None]).logits[0] for other in (b, c)]
        choose(model)
        shared = model(
            input_ids=torch.cat([a, b, c])[None],
            position_ids=torch.cat([torch.arange(7), torch.arange(4, 9)])[None],
            cu_seq_lens_q=starts((7, 5)),
            cu_seq_lens_k=starts((7, 9)),
            max_length_q=7,
            max_length_k=9,
            key_index=torch.tensor([*range(7), *range(4), *range(7, 12)]),
        ).logits[0]
    assert (shared[:7] - expected[0]).abs().max() < 1e-5
    assert (shared[7:] - expected[1][4:]).abs().max() < 1e-5


def test_boundaries_are_asked_for(new_base):
    model, inputs = new_base(), row(LENGTHS)
    choose(model)
    with pytest.raises(SokratesError, match="positions start again"):
        model(input_ids=inputs["input_ids"], position_ids=inputs["position_ids"])
    with pytest.raises(SokratesError, match="all four"):
        model(**{**inputs, "cu_seq_lens_k": None})
    mask = torch.ones_like(inputs["input_ids"])
    mask[0, 0] = 0
    with pytest.raises(SokratesError, match="with a mask"):
        model(**inputs, attention_mask=mask)
    twice = {name: value.repeat(2, 1) for name, value in inputs.items() if name in ("input_ids", "position_ids")}
    with pytest.raises(SokratesError, match="2 rows"):
        model(**{**inputs, **twice})


def test_models_that_need_more_keep_their_attention(new_base):
    torch.manual_seed(0)
    shape = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48}
    windowed = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=64, hidden_size=32, num_hidden_layers=2, use_sliding_window=True, sliding_window=4,
            max_window_layers=1, **shape,
        )
    )  # fmt: skip
    chosen = choose(windowed)
    assert chosen.implementation == windowed.config._attn_implementation == "sdpa"
    assert not attention.attends_by_segments(windowed) and "sliding" in chosen.reason
    model = new_base()
    choose(model)
    assert attention.attends_by_segments(model)


def test_flash_can_be_required(new_base):
    with pytest.raises(SokratesError, match=r"flash attention is required.*on cpu"):
        choose(new_base(), require_flash=True)
    assert "the model is on cpu" in str(choose(new_base()))


def test_a_kernel_is_checked_against_the_reference():
    cpu = torch.device("cpu")
    attention.check(sdpa_by_segment, cpu, torch.bfloat16, (4, 2), 16)

    def aligned_at_the_beginning(query, key, value, segments, scale, dropout):
        """Each query sees as many keys as if the segment's keys began with it."""
        cut = [
            torch.cat([tensor[first : first + end - start] for start, end, first in zip(
                segments.queries[:-1].tolist(), segments.queries[1:].tolist(), segments.keys[:-1].tolist(), strict=True
            )])
            for tensor in (key, value)
        ]  # fmt: skip
        same = Segments(segments.queries, segments.queries, segments.longest_query, segments.longest_query)
        return sdpa_by_segment(query, *cut, same, scale, dropout)

    with pytest.raises(SokratesError, match="output differs"):
        attention.check(aligned_at_the_beginning, cpu, torch.float32, (4, 2), 16)

    def no_gradient_for_keys(query, key, value, segments, scale, dropout):
        return sdpa_by_segment(query, key.detach() + 0 * key, value, segments, scale, dropout)

    with pytest.raises(SokratesError, match="key gradient differs"):
        attention.check(no_gradient_for_keys, cpu, torch.float32, (4, 2), 16)


@pytest.mark.parametrize("release", ["is_causal", "window", "grouped"])
def test_pytorch_kernel_is_told_what_its_release_wants(release):
    """Stand-ins with the signatures of three releases, each computing by the reference what it was told."""
    told = {}

    def compute(query, key, value, starts_q, starts_k, longest_q, longest_k, scale):
        return sdpa_by_segment(query, key, value, Segments(starts_q, starts_k, longest_q, longest_k), scale, 0.0)

    def by_flag(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None):
        told["causal"] = is_causal
        return compute(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, query.shape[-1] ** -0.5)

    def by_window(
        query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1), seqused_k=None
    ):
        told["causal"] = window_size == (-1, 0)
        return compute(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, scale)

    def grouped(
        query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1), enable_gqa=False
    ):
        told["causal"] = window_size == (-1, 0) and enable_gqa
        return compute(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, scale)

    kernel = attention.torch_kernel({"is_causal": by_flag, "window": by_window, "grouped": grouped}[release])
    random = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(13, heads, 8, generator=random) for heads in (4, 2, 2))
    segments = Segments(starts(LENGTHS), starts(LENGTHS), 7, 7)
    got = kernel(query, key, value, segments, 0.2, 0.0)
    assert told["causal"]
    assert torch.allclose(got, sdpa_by_segment(query, key, value, segments, 0.2, 0.0), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [64, 128])
def test_flash_kernel_agrees_on_this_gpu(size):
    flash = attention.installed()
    assert flash is not None
    attention.check(flash.kernel, torch.device("cuda"), torch.bfloat16, (16, 8), size)
