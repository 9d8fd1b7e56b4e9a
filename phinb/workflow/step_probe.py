"""python -m phinb.workflow.step_probe JSON: how fast this machine trains a model of that shape, in about two seconds.

Two decoder layers of the model's own sizes, with LoRA on every linear layer, and the language model's head go through
forward and backward passes; the other layers are counted, not run, and so is what checkpoints compute again. JSON in:
"shape" (ModelShape's fields), "rank", and "passes": the [type, sequences, tokens of each] that are wanted beside.
JSON out: seconds a token for the whole model, by "float32", "bfloat16", each also with "+checkpointing"; of a pass that
was wanted its seconds, under `name_pass`, unless it is too large; "optimizer": seconds of a step for each parameter of
the adapters; and "busy": the share (0 to 1) of the processor that other programs took meanwhile. Loads torch alone, and
uses the GPU where torch finds one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from phinb.models.shape import ModelShape

LAYERS = 2
BATCH, WIDTH = 4, 64
"""Sequences, and tokens of each: about as many as a small training's step has, for a few tokens say nothing."""
BUDGET_S = 2.0
"""Seconds of measuring in all; loading torch comes on top."""
FEWEST, OFTEN = 3, 3
"""Turns at the least, and passes through the layers in each: they take less time than the head, and count for more."""
MOST_FLOPS = 1e11
"""A turn is kept this small by taking fewer tokens, so that a slow machine gets through those of a large model."""


Pass = tuple[str, int, int]
"""The type, the sequences of a batch, the tokens of each."""


def name_pass(one: Pass, *, checkpointing: bool = False) -> str:
    """`bfloat16 4x36`, `bfloat16+checkpointing 4x36`"""
    dtype, batch, width = one
    return f"{dtype}{'+checkpointing' if checkpointing else ''} {batch}x{width}"


def measure(shape: ModelShape, rank: int, passes: Sequence[Pass] = ()) -> dict[str, float]:
    """See above; of the fastest pass of each kind: others were disturbed.

    Kinds take turns, so that whatever else the machine does slows them alike.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens = MOST_FLOPS / (8 * (OFTEN * LAYERS * shape.layer_parameters + shape.embedding))
    batch, width = max(1, min(BATCH, round(tokens / WIDTH))), max(1, min(WIDTH, round(tokens)))
    slices = {name: _Slice(shape, getattr(torch, name), device, rank) for name in ("float32", "bfloat16")}
    usual = [(name, batch, width) for name in slices]
    wanted = [one for one in passes if one[0] in slices and one[1] * one[2] <= tokens]
    layers: dict[Pass, list[tuple[float, float]]] = {one: [] for one in [*usual, *wanted]}
    heads: dict[Pass, list[float]] = {one: [] for one in layers}
    steps: list[float] = []
    neighbours, began, turns = _Neighbours(), time.perf_counter(), 0
    while turns < FEWEST or time.perf_counter() - began < BUDGET_S:
        turns += 1
        for one in layers:
            dtype, many, wide = one
            layers[one] += [slices[dtype].time_layers(many, wide) for _ in range(OFTEN)]
            heads[one].append(slices[dtype].time_head(many * wide))
        steps.append(slices["float32"].time_optimizer())
    found = {"busy": neighbours.read() if device == "cpu" else 0.0, "optimizer": min(steps)}
    for one in layers:
        forward, whole = (min(values) * shape.layers / LAYERS for values in zip(*layers[one], strict=True))
        head = min(heads[one])
        if one in usual:
            found[one[0]] = (head + whole) / (batch * width)
            found[f"{one[0]}+checkpointing"] = (head + whole + forward) / (batch * width)
        if one in wanted:
            found[name_pass(one)] = head + whole
            found[name_pass(one, checkpointing=True)] = head + whole + forward
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

    def __init__(self, shape: ModelShape, dtype: Any, device: str, rank: int) -> None:
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
                torch.randn(rank, i, device=device, requires_grad=True),
                torch.zeros(o, rank, device=device, requires_grad=True),
            )
            for i, o in sizes
        ]
        self._optimizer: Any = None

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

    def time_optimizer(self) -> float:
        """Seconds a parameter of a step of AdamW, gradients clipped, on the adapters of one layer."""
        parameters = [one for pair in self.adapters for one in pair]
        for one in parameters:
            one.grad = self.torch.ones_like(one)
        if self._optimizer is None:
            self._optimizer = self.torch.optim.AdamW(parameters, lr=1e-9)
            self._optimizer.step()  # the first one makes its states
        began = self._read_clock()
        self.torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        self._optimizer.step()
        seconds = self._read_clock() - began
        return seconds / int(sum(one.numel() for one in parameters))

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
    asked = json.loads(sys.argv[1])
    wanted = [(str(dtype), int(batch), int(width)) for dtype, batch, width in asked["passes"]]
    print(json.dumps(measure(ModelShape(**asked["shape"]), asked["rank"], wanted)), flush=True)
    os._exit(0)
