"""Guides' masks on the scores of a batch: the same for every engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sokrates.guides import Mask


def mask_logits(logits: torch.Tensor, masks: Sequence[Mask | None]) -> torch.Tensor:
    """Logits of shape (rows, vocabulary), changed in place: -inf where a row's mask lets no token stand."""
    allowed = [(row, mask.token_ids) for row, mask in enumerate(masks) if mask is not None and mask.allow]
    forbidden = [(row, mask.token_ids) for row, mask in enumerate(masks) if mask is not None and not mask.allow]
    if allowed:
        places = _places(allowed, logits.device)
        kept = logits[places]
        logits[torch.tensor([row for row, _ in allowed], device=logits.device)] = float("-inf")
        logits[places] = kept
    if forbidden:
        logits[_places(forbidden, logits.device)] = float("-inf")
    return logits


def _places(chosen: Sequence[tuple[int, Sequence[int]]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of some tokens of some rows."""
    places = torch.tensor(
        [[row for row, tokens in chosen for _ in tokens], [token for _, tokens in chosen for token in tokens]],
        dtype=torch.long,
    ).to(device)
    return places[0], places[1]
