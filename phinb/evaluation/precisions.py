"""The precisions that ModelBuilder can build a model in: what they are set by, and what size is to be expected.

Settings are those of Olive 0.13's ModelBuilder with onnxruntime-genai 0.14: int4 in blocks of 128 or 32 weights that
share a scale; k-quant, which has zero points too, with the head of the language model in int8, or that and the more
sensitive layers. Which of them run on a machine is not decided here: the configuration's check knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from phinb.errors import PhinbError
from phinb.models.shape import ModelShape


@dataclass(frozen=True)
class Precision:
    """A way to build the model. settings: the pass's; bits: of a weight in a layer and of one in the head, scales and
    zero points counted; words: what it is."""

    name: str
    settings: Mapping[str, Any] = field(hash=False)
    bits: float = 0.0
    head_bits: float = 0.0
    words: str = ""

    def expected_bytes(self, shape: ModelShape, float_bytes: int) -> int:
        """The weights on disk. The embedding stays in floating point (`float_bytes` a value where the layers are whole
        numbers) beside the head, also where the model ties the two. Within 4 % of what ModelBuilder wrote (demo)."""
        layers = shape.layers * shape.layer_parameters * self.bits / 8
        head = shape.embedding * self.head_bits / 8
        quantized = str(self.settings["precision"]).startswith("int")
        return int(layers + head + shape.embedding * (float_bytes if quantized else self.bits / 8))


def _int4(name: str, words: str, bits: float, head_bits: float, **settings: Any) -> Precision:
    return Precision(name, {"precision": "int4", **settings}, bits, head_bits, words)


# A scale is a float of 32 bits on the CPU: one bit a weight in blocks of 32. k-quant's zero points are of 4 or 8 bits.
PRECISIONS: tuple[Precision, ...] = (
    _int4("int4-128", "int4, blocks of 128", 4.25, 4.25, int4_block_size=128),
    _int4("int4-32", "int4, blocks of 32", 5.0, 5.0, int4_block_size=32),
    _int4("int4-k-last", "int4 by k-quant, the head in int8", 5.125, 9.25, int4_algo_config="k_quant_last"),
    _int4("int4-k-mixed", "int4 by k-quant, the head and half the layers' most sensitive parts in int8", 6.2, 9.25,
          int4_algo_config="k_quant_mixed"),
    Precision("int8", {"precision": "int8"}, 9.0, 9.0, "int8"),
    Precision("fp16", {"precision": "fp16"}, 16.0, 16.0, "16-bit floating point"),
    Precision("bf16", {"precision": "bf16"}, 16.0, 16.0, "bfloat16"),
    Precision("fp32", {"precision": "fp32"}, 32.0, 32.0, "32-bit floating point"),
)  # fmt: skip

OWN_SETTINGS = ("precision", "int4_block_size", "int4_algo_config", "int4_is_symmetric", "int4_accuracy_level")
"""What a precision decides of a ModelBuilder pass; everything else of the pass stays as the user has it."""


def find_precisions(names: Iterable[str] | None) -> tuple[Precision, ...]:
    """Those of that name; all, where None. Raises PhinbError, naming the nearest, for one that is not there."""
    if names is None:
        return PRECISIONS
    known = {one.name: one for one in PRECISIONS}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, 1, 0.5)
            guess = f"Did you mean {near[0]}? " if near else ""
            raise PhinbError(f"There is no precision {name!r} to try.", f"{guess}There are: {', '.join(known)}.")
    if not wanted:
        raise PhinbError("No precision is named.", f"There are: {', '.join(known)}.")
    return tuple(known[name] for name in wanted)


def order(
    precisions: Sequence[Precision], shape: ModelShape | None, float_bytes: int
) -> list[tuple[Precision, int | None]]:
    """The precisions with the bytes to be expected, the smallest first; by their bits where the shape is not known."""
    sized = [(one, one.expected_bytes(shape, float_bytes) if shape else None) for one in precisions]
    return sorted(sized, key=lambda pair: (pair[1] or 0, pair[0].bits))
