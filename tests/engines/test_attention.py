from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import MistralConfig, MistralForCausalLM

from sokrates.engines.attention import NAME, grouped_attention, use_grouped_attention
from sokrates.models import load_model
from tests import tiny


@pytest.mark.parametrize("positions", [1, 3])
@pytest.mark.parametrize("masked", [True, False])
def test_is_attention_over_repeated_heads(positions, masked):
    torch.manual_seed(0)
    module = torch.nn.Module()
    module.num_key_value_groups = 3
    query, key, value = torch.randn(4, 6, positions, 8), torch.randn(4, 2, 5, 8), torch.randn(4, 2, 5, 8)
    mask = torch.arange(5)[None, :] >= torch.tensor([0, 1, 2, 4])[:, None]
    mask = mask[:, None, None, :].expand(4, 1, positions, 5) if masked else None
    output, _ = grouped_attention(module, query, key, value, mask, scaling=0.3, is_causal=False)
    key, value = key.repeat_interleave(3, dim=1), value.repeat_interleave(3, dim=1)
    expected = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3)
    torch.testing.assert_close(output, expected.transpose(1, 2))


def test_models_it_does_not_suit_are_left_alone(tmp_path):
    plain = load_model(str(tiny.build(tmp_path / "plain")), device="cpu")
    assert use_grouped_attention(plain) and plain.config._attn_implementation == NAME
    assert use_grouped_attention(plain)
    sliding = tiny.build(tmp_path / "sliding", use_sliding_window=True, sliding_window=8, max_window_layers=1)
    model = load_model(str(sliding), device="cpu")
    assert not use_grouped_attention(model) and model.config._attn_implementation == "sdpa"
    shape = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1, "intermediate_size": 8}
    mistral = MistralForCausalLM(MistralConfig(vocab_size=8, hidden_size=8, sliding_window=4, **shape))
    assert not use_grouped_attention(mistral), "it has windows without naming its layers' types"
