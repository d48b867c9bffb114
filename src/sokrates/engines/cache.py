"""The key-value cache of a batch whose rows come and go.

Contract: rows are right-aligned (left padding): all end at the same column, and a new token is written behind it in
place. transformers' own dynamic cache copies everything at every token instead. `arrange` makes a cache of chosen rows
of others. It does not know which columns of a row are padding; padding columns hold zeros or finite leftovers.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

ROOM = 128
"""Columns allocated beyond what is needed, so that growing, which copies, is rare."""


class AppendLayer(DynamicLayer):
    """One layer's keys and values, of shape (rows, key heads, capacity, head size) with `length` columns in use."""

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.length = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = _zeros(key_states, key_states.shape[0], ROOM)
        self.values = _zeros(value_states, value_states.shape[0], ROOM)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new columns behind the last and return all columns in use, as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        begin, end = self.length, self.length + key_states.shape[2]
        if end > self.keys.shape[2]:
            self.keys, self.values = (_widened(old, begin, end + ROOM) for old in (self.keys, self.values))
        self.keys[:, :, begin:end] = key_states
        self.values[:, :, begin:end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length


def new_cache() -> Cache:
    """An empty cache, which takes the number of rows of what is written first."""
    return Cache(layer_class_to_replicate=AppendLayer)


def arrange(width: int, parts: list[tuple[Cache, torch.Tensor]]) -> Cache:
    """A cache of `width` columns whose rows are the chosen rows (a tensor of indices) of each part, in order.

    Of a wider part the last columns are taken; a narrower one gets columns of zeros in front.
    """
    cache = new_cache()
    for index in range(len(parts[0][0].layers)):
        layer = AppendLayer()
        sources = [(part.layers[index], rows) for part, rows in parts]
        layer.keys = _arranged(width, [(source.keys[:, :, : source.length], rows) for source, rows in sources])
        layer.values = _arranged(width, [(source.values[:, :, : source.length], rows) for source, rows in sources])
        layer.dtype, layer.device, layer.length, layer.is_initialized = layer.keys.dtype, layer.keys.device, width, True
        cache.layers.append(layer)
    return cache


def shifted(cache: Cache, rows: torch.Tensor, ends: torch.Tensor, width: int) -> Cache:
    """A cache of `width` columns with, for each chosen row, those before its column `ends`; where there are fewer, the
    columns in front hold leftovers."""
    result = new_cache()
    columns = (ends[:, None] - width + torch.arange(width, device=ends.device)).clamp(min=0)
    for source in cache.layers:
        layer = AppendLayer()
        index = columns[:, None, :, None].expand(-1, source.keys.shape[1], -1, source.keys.shape[3])
        layer.keys, layer.values = (
            _arranged(width, [(part[rows].gather(2, index), torch.arange(len(rows), device=rows.device))])
            for part in (source.keys, source.values)
        )
        layer.dtype, layer.device, layer.length, layer.is_initialized = layer.keys.dtype, layer.keys.device, width, True
        result.layers.append(layer)
    return result


def _arranged(width: int, sources: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    result = _zeros(sources[0][0], sum(len(rows) for _, rows in sources), width + ROOM)
    begin = 0
    for source, rows in sources:
        taken = min(width, source.shape[2])
        result[begin : begin + len(rows), :, width - taken : width] = source[rows, :, source.shape[2] - taken :]
        begin += len(rows)
    return result


def _zeros(like: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    return like.new_zeros((rows, like.shape[1], columns, like.shape[3]))


def _widened(old: torch.Tensor, used: int, columns: int) -> torch.Tensor:
    new = _zeros(old, old.shape[0], columns)
    new[:, :, :used] = old[:, :, :used]
    return new
