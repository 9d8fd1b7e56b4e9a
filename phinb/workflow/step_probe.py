"""python -m phinb.workflow.step_probe JSON: how fast this machine trains a model of that shape, in about two seconds.

Two decoder layers and the language model's head of the model's own sizes, with LoRA on every linear layer, go through
forward and backward passes; the rest of the layers is counted, not run. JSON in: ModelShape's fields; JSON out:
seconds a token for the whole model, by "float32", "bfloat16", each also with "+checkpointing", and "busy": the share
(0 to 1) of the time in which the processor was not given to it. Loads torch alone, and uses the GPU where torch finds
one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from phinb.models.shape import ModelShape

LAYERS = 2
BATCH, WIDTH = 8, 64
"""Sequences, and tokens of each."""
RANK = 16
BUDGET_S = 1.5
"""Seconds of measuring in all; loading torch comes on top."""
MOST_FLOPS = 2e10
"""A step of the slice is kept this small by taking fewer sequences, so that a slow machine gets through it."""


def measure(shape: ModelShape, batch: int = BATCH, width: int = WIDTH) -> dict[str, float]:
    """Seconds a token by type and checkpointing, of the fastest pass of each: others were disturbed."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens = MOST_FLOPS / (4 * (LAYERS * shape.layer_parameters + shape.embedding))
    batch = max(1, min(batch, round(tokens / width)))
    width = max(1, min(width, round(tokens)))
    slices = {name: _Slice(shape, getattr(torch, name), device) for name in ("float32", "bfloat16")}
    parts = ((0, False), (LAYERS, False), (LAYERS, True))
    variants = [(name, layers, again) for name in slices for layers, again in parts]
    taken: dict[tuple[str, int, bool], list[float]] = {variant: [] for variant in variants}
    began, used = time.perf_counter(), time.process_time()
    while min(map(len, taken.values())) < 2 or time.perf_counter() - began < BUDGET_S:
        for variant in variants:
            name, layers, again = variant
            taken[variant].append(slices[name].time_step(batch, width, layers, again))
    seconds = {variant: min(values) for variant, values in taken.items()}
    wall, own = time.perf_counter() - began, (time.process_time() - used) / torch.get_num_threads()
    found = {"busy": max(0.0, 1 - own / wall) if device == "cpu" else 0.0}
    for name, layers, again in variants:
        if layers:
            head, whole = seconds[name, 0, False], seconds[name, layers, again]
            step = head + max(whole - head, 0.0) / layers * shape.layers
            found[f"{name}+checkpointing" if again else name] = step / (batch * width)
    return found


class _Slice:
    """A few layers of a decoder in torch's own operations, frozen, with adapters that are trained."""

    def __init__(self, shape: ModelShape, dtype: Any, device: str) -> None:
        import torch

        self.torch, self.shape, self.device = torch, shape, device
        keys = 2 * shape.key_value_heads * shape.head_size
        sizes = [
            (shape.hidden, shape.attention_width + keys),
            (shape.attention_width, shape.hidden),
            (shape.hidden, 2 * shape.intermediate),
            (shape.intermediate, shape.hidden),
        ]
        torch.manual_seed(0)
        self.weights = [torch.randn(o, i, device=device, dtype=dtype) * 0.02 for i, o in sizes]
        self.head = torch.randn(shape.vocabulary, shape.hidden, device=device, dtype=dtype) * 0.02
        self.adapters = [
            (
                torch.randn(RANK, i, device=device, requires_grad=True),
                torch.zeros(o, RANK, device=device, requires_grad=True),
            )
            for i, o in sizes
        ]

    def time_step(self, batch: int, width: int, layers: int, again: bool) -> float:
        """Seconds of one forward and backward pass."""
        torch = self.torch
        from torch.utils.checkpoint import checkpoint

        states = torch.randn(batch, width, self.shape.hidden, device=self.device, requires_grad=True)
        labels = torch.randint(0, self.shape.vocabulary, (batch * width,), device=self.device)
        began = self._read_clock()
        hidden = states.to(self.head.dtype)
        for _ in range(layers):
            hidden = checkpoint(self._layer, hidden, use_reentrant=False) if again else self._layer(hidden)
        logits = torch.nn.functional.linear(hidden, self.head).float()
        torch.nn.functional.cross_entropy(logits.view(batch * width, -1), labels).backward()
        return self._read_clock() - began

    def _read_clock(self) -> float:
        if self.device == "cuda":
            self.torch.cuda.synchronize()
        return time.perf_counter()

    def _layer(self, hidden: Any) -> Any:
        shape, functional = self.shape, self.torch.nn.functional
        batch, width, _ = hidden.shape
        mixed = self._linear(0, self._norm(hidden))
        keys = shape.key_value_heads * shape.head_size
        query, key, value = (
            part.view(batch, width, -1, shape.head_size).transpose(1, 2)
            for part in mixed.split([shape.attention_width, keys, keys], dim=-1)
        )
        groups = shape.heads // shape.key_value_heads
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + self._linear(1, attended.transpose(1, 2).reshape(batch, width, -1))
        gate, up = self._linear(2, self._norm(hidden)).chunk(2, dim=-1)
        return hidden + self._linear(3, functional.silu(gate) * up)

    def _linear(self, index: int, inputs: Any) -> Any:
        functional, (down, up) = self.torch.nn.functional, self.adapters[index]
        adapted = functional.dropout(inputs.float(), 0.05) @ down.T @ up.T
        return functional.linear(inputs, self.weights[index]) + adapted.to(inputs.dtype)

    def _norm(self, hidden: Any) -> Any:
        wide = hidden.float()
        return (wide * self.torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)).to(hidden.dtype)


if __name__ == "__main__":
    print(json.dumps(measure(ModelShape(**json.loads(sys.argv[1])))), flush=True)
    os._exit(0)
