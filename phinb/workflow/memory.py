"""The peak of a worker's memory in each kind of pass, from what it has to hold: weights, activations, logits.

No figure here belongs to a model: the sizes come from its config.json, the rest from what torch keeps for the backward
pass (counted with torch.autograd.graph.saved_tensors_hooks on transformers 5.23's Phi3ForCausalLM under peft 0.21, CPU)
and from what a worker holds with the smallest of models. tests/benchmarks/forecast.py compares it with real runs.
"""

from __future__ import annotations

from phinb.models.shape import BYTES, ModelShape
from phinb.workflow.training_load import TrainingLoad

LOADED_BYTES = 660_000_000
"""A worker with Olive, torch and transformers imported (0.64 GB), and what a first merge adds to it (measured)."""

TRAINING_BYTES = 720_000_000
"""The same once datasets, peft and the trainer are there too (0.75 GB with the tiny model, its own 30 MB taken off)."""

ALLOCATOR = 1.4
"""Activations are aligned blocks of a few MB, between which glibc leaves room that it cannot use again (1.3 to 1.5 seen
in runs of 6 steps, float32 and bfloat16, 50 to 512 tokens wide)."""

NF4 = 0.5 + 4 / 64
"""Bytes a weight in bitsandbytes' four bits: half a byte, and a scale of four bytes for each 64."""

INT4 = 0.5 + (4 + 0.5) / 32
"""Bytes a weight in ONNX' int4: half a byte, and for each 32 a scale of four bytes and a zero point of half a byte."""


def train_memory(shape: ModelShape, load: TrainingLoad) -> int | None:
    """Bytes at the peak of a training on the processor; None where the sequences' width is not known."""
    kept = model_memory(shape, load)
    return None if kept is None else TRAINING_BYTES + kept


def model_memory(shape: ModelShape, load: TrainingLoad) -> int | None:
    """The same without the libraries: what a GPU would have to hold, too."""
    if load.width is None:
        return None
    tokens = load.batch * load.width
    evaluated = (load.eval_batch or 0) * load.width
    logits = max(logit_bytes(shape, load, tokens), logit_bytes(shape, load, evaluated))
    # Of an adapter: weights, gradient and Adam's two means, each of four bytes.
    return int(weights_in_training(shape, load) + 16 * adapter_parameters(shape, load) + logits) + activation_bytes(
        shape, load, tokens
    )


def weights_in_training(shape: ModelShape, load: TrainingLoad) -> float:
    """Bytes of the frozen weights; float16 trains in mixed precision on float32 weights (olive's LoRA pass)."""
    width = 4 if load.dtype == "float16" else BYTES.get(load.dtype, 4)
    if not load.quantized:
        return shape.parameters * width
    linear = shape.layers * shape.layer_parameters
    return linear * NF4 + (shape.parameters - linear) * width


def adapter_parameters(shape: ModelShape, load: TrainingLoad) -> int:
    """r x (inputs + outputs) of each layer that gets an adapter (LoRA's two matrices)."""
    return shape.layers * load.rank * sum(inputs + outputs for inputs, outputs in _adapted(shape, load))


def logit_bytes(shape: ModelShape, load: TrainingLoad, tokens: int) -> int:
    """Logits, their logarithm and their gradient, in float32, and a copy in the model's own type where it is short."""
    short = 2 if BYTES.get(load.dtype, 4) == 2 else 0
    return tokens * shape.vocabulary * (3 * 4 + short)


def activation_bytes(shape: ModelShape, load: TrainingLoad, tokens: int) -> int:
    """What the forward pass keeps for the backward pass."""
    width = BYTES.get(load.dtype, 4)
    # The norms' inputs in float32; queries, keys and values (spread over all heads) and the result; gate, up, product.
    layer = 2 * shape.hidden * 4 + 4 * shape.attention_width * width + 3 * shape.intermediate * width
    for inputs, outputs in _adapted(shape, load):
        # An adapter takes its input in float32, and keeps that and the mask of its dropout.
        copies = 2 if load.dropout > 0 else (1 if width != 4 else 0)
        layer += copies * inputs * 4 + load.rank * 4
        # Beside a layer of four bits peft makes a copy of what it gives (Linear4bit.forward).
        layer += outputs * width if load.quantized else 0
    # With checkpoints each layer keeps its input, and one layer at a time is computed again.
    kept = layer * shape.layers if not load.checkpointing else shape.hidden * width * shape.layers + layer
    return int(ALLOCATOR * tokens * kept)


def merge_memory(shape: ModelShape, adapter: int = 0, *, after_training: bool = False) -> int:
    """The weights in the type they have on disk, changed in place, and the adapter.

    after_training: the libraries that a training loads stay in the process.
    """
    return (TRAINING_BYTES if after_training else LOADED_BYTES) + shape.weight_bytes + 4 * adapter


def build_memory(shape: ModelShape, precision: str, *, after_training: bool = False) -> int:
    """ModelBuilder: the model it reads, the ONNX graph's weights (the head apart from the embedding), for int4 both."""
    graph = (shape.layers * shape.layer_parameters + 2 * shape.embedding) * (2 if precision in ("fp16", "bf16") else 4)
    graph += built_bytes(shape, precision) if precision == "int4" else 0
    return (TRAINING_BYTES if after_training else LOADED_BYTES) + shape.weight_bytes + graph


def built_bytes(shape: ModelShape, precision: str) -> int:
    """The ONNX model on disk; in int4 the embedding stays in float32, the head does not."""
    if precision == "int4":
        return int(INT4 * shape.multiplied + 4 * shape.embedding)
    return (shape.multiplied + shape.embedding) * (2 if precision in ("fp16", "bf16") else 4)


def _adapted(shape: ModelShape, load: TrainingLoad) -> list[tuple[int, int]]:
    """(inputs, outputs) of a decoder layer's layers that get an adapter."""
    sizes = shape.linear_sizes()
    fused = shape.architecture == "phi3"
    names = load.modules or tuple(
        name for name in sizes if fused == (name in ("qkv_proj", "gate_up_proj")) or name in ("o_proj", "down_proj")
    )
    return [sizes[name] for name in names if name in sizes]
