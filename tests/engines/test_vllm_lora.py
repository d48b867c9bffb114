from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sokrates.engines.vllm_lora import RANKS, adapter_rank, check_adapter, check_dtype, engine_room, options, room
from sokrates.errors import SokratesError
from sokrates.models import ModelPaths


def adapter(folder, **settings) -> str:
    content = {"peft_type": "LORA", "r": 20, "lora_alpha": 40, "bias": "none", "use_dora": False} | settings
    (folder / "adapter_config.json").write_text(json.dumps(content))
    return str(folder)


@given(st.integers(1, 512))
def test_the_room_is_the_least_that_holds_the_rank(rank):
    assert room(rank) in RANKS and room(rank) >= rank
    assert all(size < rank for size in RANKS if size < room(rank))


def test_a_rank_beyond_all_room():
    with pytest.raises(SokratesError, match="rank 513: vLLM has room for at most 512"):
        room(513)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "lora_only"}, "biases"),
        ({"lora_bias": True}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha_pattern"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices"),
        ({"init_lora_weights": "pissa_niter_4"}, "pissa_niter_4"),
    ],
)
def test_what_vllm_cannot_serve_is_named(tmp_path, settings, named):
    with pytest.raises(SokratesError, match=rf"adapter_config\.json: vLLM cannot serve .*{named}.*transformers"):
        adapter_rank(adapter(tmp_path, **settings))


@pytest.mark.parametrize("rank", [None, 0, "8"])
def test_a_rank_that_is_none(tmp_path, rank):
    with pytest.raises(SokratesError, match="expected the adapter's rank"):
        adapter_rank(adapter(tmp_path, r=rank))


def test_the_engines_room(tmp_path):
    plain = ModelPaths("base", None, "base")
    tuned = ModelPaths("base", adapter(tmp_path, modules_to_save=None, init_lora_weights="gaussian"), "base")
    assert engine_room(plain, 0) == 0 and options(0) == {}
    assert engine_room(plain, 12) == 16
    assert engine_room(tuned, 0) == 32
    assert engine_room(tuned, 64) == 64
    assert options(32)["max_lora_rank"] == 32
    with pytest.raises(
        SokratesError, match="its rank is 20; the engine has room for 16: start it with max_lora_rank=32"
    ):
        engine_room(tuned, 16)


def test_a_number_format_that_adapters_cannot_be_applied_in():
    for dtype, cuda, largest in [("bfloat16", True, 16), ("float32", True, 0), ("float32", False, 16)]:
        check_dtype(dtype, cuda, largest)
    with pytest.raises(SokratesError, match="float32: on a GPU vLLM applies adapters in bfloat16"):
        check_dtype("float32", True, 16)


def test_an_engine_takes_adapters_of_its_own_base(tmp_path):
    tuned = ModelPaths("/b", adapter(tmp_path), "/b")
    check_adapter(tuned, "/b", 32)
    with pytest.raises(SokratesError, match="an adapter of /b; the engine runs /c"):
        check_adapter(tuned, "/c", 32)
    with pytest.raises(SokratesError, match=r"without room for an adapter; .*max_lora_rank=32"):
        check_adapter(tuned, "/b", 0)
    with pytest.raises(SokratesError, match="/b: a model; expected a folder with an adapter"):
        check_adapter(ModelPaths("/b", None, "/b"), "/b", 32)
