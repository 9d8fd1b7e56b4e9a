"""What a first configuration is chosen from, beside the model: the machine, and the rows as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phinb.config.starting.recipe_text import Choice


@dataclass(frozen=True)
class Machine:
    """What a run can use here. gpus: a name each; bf16: the processor has bfloat16 instructions; cuda_runtime: the
    ONNX runtime that is installed runs on CUDA. Sizes in bytes, None where not known."""

    gpus: tuple[str, ...] = ()
    gpu_bytes: int | None = None
    memory_bytes: int | None = None
    bf16: bool = False
    cuda_runtime: bool = False


@dataclass(frozen=True)
class DataConfig:
    """One data config: its name, the reader of the library datasets, the file, the reader's options, the split."""

    name: str
    reader: str
    files: Choice
    split: Choice
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Rows:
    """What is known of the rows. `training` counts those to train on; `longest` is the longest row in tokens, cut the
    number of rows longer than the model's context; None: nobody has looked. `counted` is False for an estimate."""

    configs: tuple[DataConfig, ...]
    training: int | None = None
    total: int | None = None
    longest: int | None = None
    cut: int = 0
    counted: bool = True
    eval_split: Choice | None = None


def write_gb(size: int) -> str:
    """1.2 GB, 15 GB."""
    value = size / 1e9
    return f"{value:.1f} GB" if value < 10 else f"{value:.0f} GB"
