from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sokrates import upload
from tests import tiny


@given(st.lists(st.integers(0, 7), max_size=3), st.sampled_from([torch.float32, torch.bfloat16]), st.integers(1, 40))
def test_pieces_are_the_whole(shape: list[int], dtype: torch.dtype, chunk: int) -> None:
    source = torch.randn(shape).to(dtype)
    target = torch.full_like(source, float("nan"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload, "CHUNK", chunk)
        for left, right in upload.pieces(source, target):
            assert len(left) <= chunk
            right.copy_(left)
    assert torch.equal(source, target)


@pytest.mark.gpu
@pytest.mark.parametrize("chunk", [1000, upload.CHUNK])
def test_a_model_that_is_uploaded_is_the_same(tmp_path, monkeypatch, chunk: int) -> None:
    """In memory that was in use a moment ago, and more often than there are buffers."""
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr(upload, "CHUNK", chunk)
    folder = tiny.build(tmp_path / "model")
    device = torch.device("cuda")
    for _ in range(3):
        busy = torch.randn(4096, 4096, device=device)
        for _ in range(20):
            busy = busy @ busy
        del busy
        model, usual = (AutoModelForCausalLM.from_pretrained(folder) for _ in range(2))
        upload.upload(model, device)
        for name, value in model.state_dict().items():
            assert value.device.type == "cuda"
            assert torch.equal(value.cpu(), usual.state_dict()[name]), name
