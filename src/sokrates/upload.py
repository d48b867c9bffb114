"""A model moved to a GPU through page-locked memory, by several threads.

Contract: `upload` leaves what `model.to(device)` leaves, bit for bit, and nothing of it under way. PyTorch copies one
tensor after the other out of the page cache, and the driver passes each through a small buffer of its own; here several
threads fill page-locked buffers, which the GPU reads by itself meanwhile. It does not know where the weights came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy
import torch

THREADS = 8
CHUNK = 32 * 2**20
"""Bytes that are copied at a time."""


class _Lane:
    """A page-locked buffer and the stream that reads it."""

    def __init__(self, device: torch.device) -> None:
        self.buffer = torch.empty(CHUNK, dtype=torch.uint8, pin_memory=True)
        self.stream = torch.cuda.Stream(device)
        self.stream.wait_stream(torch.cuda.current_stream(device))  # the memory may be in use there still

    def copy(self, source: torch.Tensor, target: torch.Tensor) -> None:
        self.stream.synchronize()
        filled = self.buffer[: len(source)]
        numpy.copyto(filled.numpy(), source.numpy())  # lets other threads run
        with torch.cuda.stream(self.stream):
            target.copy_(filled, non_blocking=True)


def upload(model: torch.nn.Module, device: torch.device) -> None:
    """Move a model from this process's memory to a CUDA device."""
    copies: list[tuple[torch.Tensor, torch.Tensor]] = []
    for parameter in model.parameters():
        source = parameter.data.contiguous()
        parameter.data = torch.empty_like(source, device=device)
        copies += pieces(source, parameter.data)
    lanes: SimpleQueue[_Lane] = SimpleQueue()
    with torch.cuda.device(device):  # page-locked memory takes up some of the GPU that is the current one
        for _ in range(THREADS):
            lanes.put(_Lane(device))

    def copy(piece: tuple[torch.Tensor, torch.Tensor]) -> None:
        lane = lanes.get()
        try:
            lane.copy(*piece)
        finally:
            lanes.put(lane)

    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(copy, copies):
            pass  # an error of a thread is raised here
    torch.cuda.synchronize(device)
    model.to(device)  # its buffers, which are small


def pieces(source: torch.Tensor, target: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The bytes of two contiguous tensors of one shape and format, in chunks."""
    yield from zip(_bytes(source).split(CHUNK), _bytes(target).split(CHUNK), strict=True)


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(-1).view(torch.uint8)
