"""Finds the fastest settings of vLLM's two LoRA kernels on this GPU, and writes them as vLLM reads them.

    python -m benchmarks.lora_kernels --output src/sokrates/engines/lora_kernels

vLLM multiplies an adapter in two steps: shrink (input to rank) and expand (rank to output, added). Without tuned
settings both read their input several times over at rank 64. Every candidate is checked against the product in float32
before it is timed. The settings are kept per kernel, slices of the layer, rows and sizes, in the files that vLLM looks
for in VLLM_TUNED_CONFIG_FOLDER. Sizes are those of a Qwen3-8B; for others vLLM takes the nearest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

RANK = 64
LAYERS = {
    "qkv": (4096, (4096, 1024, 1024)),
    "o": (4096, (4096,)),
    "gate_up": (4096, (12288, 12288)),
    "down": (12288, (4096,)),
}
"""Inputs and outputs of the adapted layers."""
ROWS = (16, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
KEYS = {
    "shrink": ("block_m", "block_n", "block_k", "split_k", "num_warps", "num_stages"),
    "expand": ("block_m", "block_n", "block_k", "num_warps", "num_stages"),
}
CANDIDATES = {
    "shrink": (
        *((32, 16, 32, 8, 4, 2), (32, 16, 256, 64, 4, 2), (16, 64, 128, 16, 4, 2), (16, 64, 128, 8, 4, 3)),
        *((32, 64, 64, 8, 4, 4), (32, 64, 128, 4, 4, 3), (64, 64, 64, 8, 4, 3), (64, 64, 64, 4, 4, 4)),
        *((64, 64, 128, 2, 4, 3), (128, 64, 64, 2, 4, 4), (128, 64, 64, 1, 8, 4)),
    ),
    "expand": (
        *((64, 128, 32, 4, 2), (64, 64, 32, 4, 2), (16, 128, 64, 4, 1), (16, 256, 64, 4, 1), (32, 128, 64, 4, 1)),
        *((32, 256, 64, 4, 1), (64, 128, 64, 4, 1), (64, 256, 64, 8, 1), (128, 128, 64, 8, 1), (128, 256, 64, 8, 1)),
    ),
}
DEFAULT = {"shrink": {True: 1, False: 0}, "expand": {True: 0, False: 1}}
"""Which candidate is the default: for shrink by whether rows are few, for expand by whether there is one slice."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    arguments = parser.parse_args()
    found: dict[str, Any] = {"shrink": {}, "expand": {}}
    for name, (inputs, outputs) in LAYERS.items():
        for rows in arguments.rows:
            layer = Layer(rows, inputs, outputs)
            line = [f"{name:8} {rows:5}"]
            for op in ("shrink", "expand"):
                times = dict(layer.times(op))
                best = min(times, key=times.__getitem__)
                sizes = (inputs, RANK) if op == "shrink" else (RANK, max(outputs))
                place = found[op].setdefault("2", {}).setdefault(str(len(outputs)), {}).setdefault(str(rows), {})
                place.setdefault(str(sizes[0]), {})[str(sizes[1])] = settings(op, best)
                line.append(f"{op} {times[layer.default(op)] * 1e3:6.1f} -> {times[best] * 1e3:6.1f} us {best}")
            print("   ".join(line), flush=True)
    gpu = torch.cuda.get_device_name().replace(" ", "_").replace("-", "_")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for op, suffix in (("shrink", "SHRINK"), ("expand", "EXPAND_TRUE")):
        (arguments.output / f"{gpu}_{suffix}.json").write_text(json.dumps(found[op], indent=1) + "\n")


def settings(op: str, candidate: tuple[int, ...]) -> dict[str, int | None]:
    return dict(zip(KEYS[op], candidate, strict=True)) | {"num_ctas": 1, "group_size_m": 8, "max_nreg": None}


class Layer:
    """One adapted layer with random weights and inputs, all rows under one adapter."""

    def __init__(self, rows: int, inputs: int, outputs: tuple[int, ...]) -> None:
        from vllm.lora.ops.triton_ops.lora_kernel_metadata import LoRAKernelMeta

        self.rows, self.outputs = rows, outputs
        make = lambda *shape: torch.randn(*shape, device="cuda", dtype=torch.bfloat16) * 0.05  # noqa: E731
        self.x = make(rows, inputs)
        self.a = tuple(make(1, 1, RANK, inputs) for _ in outputs)
        self.b = tuple(make(1, 1, size, RANK) for size in outputs)
        self.hidden = torch.zeros(len(outputs), rows, RANK, device="cuda")
        self.y = torch.zeros(rows, sum(outputs), device="cuda", dtype=torch.bfloat16)
        meta = LoRAKernelMeta.make(1, rows, "cuda")
        meta.prepare_tensors(torch.zeros(rows, dtype=torch.int32, device="cuda"))
        self.meta = meta.meta_args(rows, False)

    def default(self, op: str) -> tuple[int, ...]:
        return CANDIDATES[op][DEFAULT[op][self.rows < 128 if op == "shrink" else len(self.outputs) == 1]]

    def times(self, op: str) -> Iterator[tuple[tuple[int, ...], float]]:
        """Milliseconds of each candidate that runs on this GPU and is right."""
        import triton

        run, out, expected = self._shrink() if op == "shrink" else self._expand()
        for candidate in CANDIDATES[op]:
            try:
                with using(op, settings(op, candidate)):
                    out.zero_()
                    run()
                    error = float((out.float() - expected).norm() / expected.norm())
                    if not error < 2e-2:
                        raise SystemExit(f"{op} {candidate} is wrong: relative error {error:.2g}")
                    yield candidate, triton.testing.do_bench_cudagraph(run, rep=5, return_mode="median")
            except triton.runtime.errors.OutOfResources:
                continue  # more shared memory than this GPU has

    def _shrink(self) -> tuple[Callable[[], None], torch.Tensor, torch.Tensor]:
        from vllm.lora.ops.triton_ops import lora_shrink_op

        expected = torch.stack([self.x.float() @ a[0, 0].float().T for a in self.a])
        return lambda: lora_shrink_op._lora_shrink(self.x, self.a, self.hidden, *self.meta, 1.0), self.hidden, expected

    def _expand(self) -> tuple[Callable[[], None], torch.Tensor, torch.Tensor]:
        from vllm.lora.ops.triton_ops import lora_expand_op

        source = torch.randn_like(self.hidden)
        expected = torch.cat([h @ b[0, 0].float().T for h, b in zip(source, self.b, strict=True)], dim=1)
        run = lambda: lora_expand_op._lora_expand(source, self.b, self.y, *self.meta, 0, True)  # noqa: E731
        return run, self.y, expected


class using:
    """Makes vLLM's kernel take these settings inside a block."""

    def __init__(self, op: str, chosen: dict[str, int | None]) -> None:
        from importlib import import_module

        self.module = import_module(f"vllm.lora.ops.triton_ops.lora_{op}_op")
        self.chosen, self.before = chosen, self.module.get_lora_op_configs

    def __enter__(self) -> None:
        self.module.get_lora_op_configs = lambda *_, **__: self.chosen

    def __exit__(self, *_: object) -> None:
        self.module.get_lora_op_configs = self.before


if __name__ == "__main__":
    main()
