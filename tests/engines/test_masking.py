from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from sokrates.engines.masking import mask_logits
from sokrates.guides import Mask

TOKENS = 6
MASKS = st.none() | st.builds(Mask, st.sets(st.integers(0, TOKENS - 1), min_size=1).map(tuple), st.booleans())


@given(st.lists(MASKS, min_size=1, max_size=5))
def test_each_row_keeps_what_its_mask_lets_stand(masks):
    before = torch.arange(len(masks) * TOKENS, dtype=torch.float32).reshape(len(masks), TOKENS)
    after = mask_logits(before.clone(), masks)
    for row, mask in enumerate(masks):
        for token in range(TOKENS):
            stands = mask is None or (token in mask.token_ids) == mask.allow
            assert after[row, token] == (before[row, token] if stands else float("-inf"))
