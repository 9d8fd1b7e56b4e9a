"""python -m phinb.workflow.step_probe JSON: how fast this machine trains a model of that shape, in about two seconds.

Two decoder layers of the model's own sizes, with LoRA on every linear layer, and the language model's head go through
forward and backward passes; the other layers are counted, not run, and so is what checkpoints compute again. JSON in:
ModelShape's fields; JSON out: seconds a token for the whole model, by "float32", "bfloat16", each also with
"+checkpointing" and, of a single sequence at a time, "+small" (not of models too large for more than one); "tokens" and
"small_tokens" that a pass had; and "busy": the share (0 to 1) of the processor that other programs took meanwhile.
Loads torch alone, and uses the GPU where torch finds one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from phinb.models.shape import ModelShape

LAYERS = 2
BATCH, WIDTH = 4, 64
"""Sequences, and tokens of each: about as many as a small training's step has, for a few tokens say nothing."""
RANK = 16
BUDGET_S = 2.0
"""Seconds of measuring in all; loading torch comes on top."""
FEWEST, OFTEN = 3, 3
"""Turns at the least, and passes through the layers in each: they take less time than the head, and count for more."""
MOST_FLOPS = 1e11
"""A turn is kept this small by taking fewer tokens, so that a slow machine gets through those of a large model."""


def measure(shape: ModelShape, batch: int = BATCH, width: int = WIDTH) -> dict[str, float]:
    """Seconds a token by type and checkpointing, of the fastest pass of each: others were disturbed.

    Types take turns, so that whatever else the machine does slows them alike.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens = MOST_FLOPS / (8 * (OFTEN * LAYERS * shape.layer_parameters + shape.embedding))
    batch, width = max(1, min(batch, round(tokens / width))), max(1, min(width, round(tokens)))
    slices = {name: _Slice(shape, getattr(torch, name), device) for name in ("float32", "bfloat16")}
    heads: dict[str, list[float]] = {name: [] for name in slices}
    layers: dict[str, list[tuple[float, float]]] = {name: [] for name in slices}
    small: dict[str, list[float]] = {name: [] for name in slices}
    neighbours, began, turns = _Neighbours(), time.perf_counter(), 0
    while turns < FEWEST or time.perf_counter() - began < BUDGET_S:
        turns += 1
        for name, one in slices.items():
            layers[name] += [one.time_layers(batch, width) for _ in range(OFTEN)]
            heads[name].append(one.time_head(batch * width))
            if batch > 1:
                alone = min(one.time_layers(1, width)[1] for _ in range(OFTEN)) * shape.layers / LAYERS
                small[name].append(alone + one.time_head(width))
    found = {"busy": neighbours.read() if device == "cpu" else 0.0}
    for name in slices:
        forward, whole = (min(values) * shape.layers / LAYERS for values in zip(*layers[name], strict=True))
        head = min(heads[name])
        found[name] = (head + whole) / (batch * width)
        found[f"{name}+checkpointing"] = (head + whole + forward) / (batch * width)
        if small[name]:
            found[f"{name}+small"] = min(small[name]) / width
    found |= {"tokens": batch * width, "small_tokens": width}
    return found


class _Neighbours:
    """What share of the whole processor other programs took since this was made."""

    def __init__(self) -> None:
        self._began = self._used()

    def read(self) -> float:
        total, busy, own = (after - before for before, after in zip(self._began, self._used(), strict=True))
        return max(0.0, (busy - own) / total) if total > 0 else 0.0

    def _used(self) -> tuple[float, float, float]:
        """(all, busy, own) processor seconds so far"""
        import psutil

        times = psutil.cpu_times()._asdict()
        # Linux counts a guest's time in user's, too; waiting for the disk is no work.
        total = sum(value for name, value in times.items() if not name.startswith("guest"))
        return total, total - times["idle"] - times.get("iowait", 0.0), time.process_time()


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

    def time_layers(self, batch: int, width: int) -> tuple[float, float]:
        """(seconds of a forward pass, seconds of that and its backward pass)"""
        size = (batch, width, self.shape.hidden)
        hidden = self.torch.randn(size, device=self.device, dtype=self.head.dtype, requires_grad=True)
        began = self._read_clock()
        states = hidden
        for _ in range(LAYERS):
            states = self._layer(states)
        middle = self._read_clock()
        states.backward(self.torch.ones_like(states))
        return middle - began, self._read_clock() - began

    def time_head(self, tokens: int) -> float:
        """Seconds of the logits, the loss and their backward pass."""
        torch = self.torch
        size = (tokens, self.shape.hidden)
        hidden = torch.randn(size, device=self.device, dtype=self.head.dtype, requires_grad=True)
        labels = torch.randint(0, self.shape.vocabulary, (tokens,), device=self.device)
        began = self._read_clock()
        logits = torch.nn.functional.linear(hidden, self.head).float()
        torch.nn.functional.cross_entropy(logits, labels).backward()
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
