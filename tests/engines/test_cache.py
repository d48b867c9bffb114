from __future__ import annotations

import torch

from sokrates.engines.cache import ROOM, arrange, new_cache


def columns(rows: int, count: int, first: float) -> torch.Tensor:
    """Keys of shape (rows, 2, count, 3) in which every number is another one."""
    size = rows * 2 * count * 3
    return torch.arange(first, first + size).reshape(rows, 2, count, 3)


def test_appends_in_place_and_grows():
    cache, written = new_cache(), []
    for count in (ROOM - 2, 1, 1, 1, ROOM + 5, 1):
        written.append(columns(2, count, 1000.0 * len(written)))
        keys, values = cache.update(written[-1], -written[-1], 0)
        assert torch.equal(keys, torch.cat(written, dim=2))
        assert torch.equal(values, -torch.cat(written, dim=2))
        assert cache.get_seq_length() == keys.shape[2]
        assert cache.get_mask_sizes(4, 0) == (keys.shape[2] + 4, 0)


def test_a_token_is_written_without_copying_the_others():
    cache = new_cache()
    first, _ = cache.update(columns(2, 5, 0), columns(2, 5, 0), 0)
    second, _ = cache.update(columns(2, 1, 0), columns(2, 1, 0), 0)
    assert first.data_ptr() == second.data_ptr()


def test_arrange_aligns_rows_at_the_right():
    wide, narrow = new_cache(), new_cache()
    for layer in range(2):
        wide.update(columns(3, 7, 100 * layer), columns(3, 7, 0), layer)
        narrow.update(columns(2, 2, 1000 * layer), columns(2, 2, 0), layer)
    cache = arrange(4, [(wide, torch.tensor([2, 0])), (narrow, torch.tensor([1, 1, 0]))])
    for layer in range(2):
        keys, _ = cache.update(columns(5, 1, 5000), columns(5, 1, 0), layer)
        assert torch.equal(keys[:2, :, :4], columns(3, 7, 100 * layer)[[2, 0], :, 3:])
        assert torch.equal(keys[2:, :, 2:4], columns(2, 2, 1000 * layer)[[1, 1, 0]])
        assert not keys[2:, :, :2].any()
        assert torch.equal(keys[:, :, 4:], columns(5, 1, 5000))
