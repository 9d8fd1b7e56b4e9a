"""Which variants can be loaded side by side: what each will take against what is free, said before any is loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from phinb.evaluation.artefacts import base_of, list_files
from phinb.types import Variant
from phinb.workflow.devices import memory_free
from phinb.workflow.wording import agree, write_bytes

PYTORCH_BYTES = 500_000_000
"""What Python, torch and transformers take beside the weights: 420 to 500 MB were seen with the demo model."""

GENAI_BYTES = 100_000_000
"""The same of onnxruntime-genai; 20 to 60 MB were seen on top of the files, key-value cache included."""

ROOM = 0.9
"""The share of the free memory that is used: prompts and other programs need some, too."""


@dataclass(frozen=True)
class MemoryPlan:
    """fits: the names that are loaded at once, in order; later: those for which memory does not do as well.

    needed: estimated bytes of each that is not loaded yet. free: bytes that could be had without another program
    having to give any back.
    """

    fits: tuple[str, ...]
    later: tuple[str, ...]
    needed: Mapping[str, int]
    free: int

    @property
    def told(self) -> str:
        """In words; "" where everything fits."""
        if not self.later:
            return ""
        parts = ", ".join(f"{name} about {write_bytes(size)}" for name, size in self.needed.items())
        beside = agree(len(self.later), "it is", "they are")
        load = f"{', '.join(self.fits)} can be loaded" if self.fits else "None of them can be loaded safely"
        return (
            f"Memory does not do for all at once: {parts}; {write_bytes(self.free)} are free. {load}; "
            f"{', '.join(self.later)} only once there is room: {beside} loaded when asked for, in another's place."
        )


def plan_memory(variants: Iterable[Variant], free: int | None = None) -> MemoryPlan:
    """Which of `variants`, in their order, fit into the free memory; free: bytes, by default what is free now.

    Raises PhinbError for an artefact that is not there.
    """
    free = memory_free() if free is None else free
    needed = {variant.name: estimate_memory(variant) for variant in variants}
    left = free * ROOM
    fits: list[str] = []
    later: list[str] = []
    for name, size in needed.items():
        (fits if size <= left else later).append(name)
        left -= size if size <= left else 0
    return MemoryPlan(tuple(fits), tuple(later), needed, free)


def estimate_memory(variant: Variant) -> int:
    """Bytes that a process with this variant takes: its weights as they are computed with, and its libraries."""
    files = list_files(variant)
    if variant.kind == "onnx":
        return GENAI_BYTES + sum(file.stat().st_size for file in files)
    own = _float32_bytes(files)
    return PYTORCH_BYTES + own + (_float32_bytes(list_files(base_of(variant))) if variant.kind == "adapter" else 0)


def _float32_bytes(files: Sequence[Path]) -> int:
    """Four bytes a parameter. Of weights in pickles, which tell nothing unread, twice the file: most are 16-bit."""
    total = 0
    for file in files:
        if file.suffix == ".safetensors":
            total += 4 * count_parameters(file)
        elif file.suffix == ".bin":
            total += 2 * file.stat().st_size
    return total


def count_parameters(file: Path) -> int:
    """The numbers in a safetensors file, by its header; 0 where that cannot be read (loading will say why)."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, 100_000_000)))
        return sum(prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return 0
