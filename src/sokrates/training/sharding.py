"""The adapter's weights as whole tensors, where each process may hold only parts of them.

Contract: `whole` and `restore` are called by every process alike. FSDP 2 keeps a parameter as a DTensor, the third
stage of ZeRO as one that is gathered on demand; anything else is whole already. Only the adapter is ever gathered:
the base model, which is many times larger, stays where it is. It does not know files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch


def whole(parameters: Mapping[str, torch.nn.Parameter]) -> dict[str, torch.Tensor]:
    """Copies of the parameters on the CPU, each whole."""
    with _gathered(parameters, changed=False):
        return {name: _full(parameter.detach()).cpu().clone() for name, parameter in parameters.items()}


def restore(parameters: Mapping[str, torch.nn.Parameter], values: Mapping[str, torch.Tensor]) -> None:
    """Give each parameter its whole value back, every process its part. Errors: KeyError for one without a value."""
    with _gathered(parameters, changed=True), torch.no_grad():
        for name, parameter in parameters.items():
            value = values[name].to(parameter.device, parameter.dtype)
            if hasattr(parameter, "full_tensor"):
                from torch.distributed.tensor import distribute_tensor

                value = distribute_tensor(value, parameter.device_mesh, parameter.placements)
            parameter.copy_(value)


def _full(tensor: Any) -> torch.Tensor:
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


@contextmanager
def _gathered(parameters: Mapping[str, Any], *, changed: bool) -> Iterator[None]:
    """Where ZeRO has taken the parameters apart, they are whole inside; what process 0 changes is kept if `changed`."""
    apart = [parameter for parameter in parameters.values() if hasattr(parameter, "ds_id")]
    context: Any = nullcontext()
    if apart:
        import deepspeed

        context = deepspeed.zero.GatheredParameters(apart, modifier_rank=0 if changed else None)
    with context:
        yield
