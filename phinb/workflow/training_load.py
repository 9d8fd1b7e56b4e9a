"""What a training pass has to carry: its settings, and the sequences as its data config makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from phinb.data.padding import share_padding
from phinb.data.preview import Preview
from phinb.data.statistics import count_held_out, count_steps
from phinb.data.trainer import find_trainer
from phinb.types import Effective
from phinb.workflow.checkpoints import is_training
from phinb.workflow.step_probe import Pass

DEFAULT_MODULES: Mapping[str, tuple[str, ...]] = {"phi3": ("o_proj", "qkv_proj")}
"""What Olive takes where target_modules is not given (olive.common.hf.mappings); for all others q_proj and v_proj."""

ALL_LINEAR = ("QLoRA", "LoftQ")
"""Passes that train every linear layer, whatever target_modules says."""


@dataclass(frozen=True)
class TrainingLoad:
    """One training pass. `path` is the pass's (passes.lora), `data` its data config's name.

    dtype: float32, float16 or bfloat16. modules: the layers with an adapter, None for all linear ones. batch,
    eval_batch: sequences a batch. width: tokens of the widest batch; mean_width: tokens a sequence, padding counted;
    grouped_width, random_width: the same with each batch as wide as its longest, grouped by length or drawn;
    full_width: without padding; merged_random, merged_grouped: as random_width and grouped_width, were the batches that
    are accumulated one. steps: optimizer steps in all. Where nobody knows, None. exact: whether all rows were counted.
    """

    path: str
    kind: str
    data: str
    dtype: str
    checkpointing: bool
    batch: int
    accumulation: int
    rank: int
    dropout: float
    modules: tuple[str, ...] | None
    sampling: str = "random"
    eval_batch: int | None = None
    width: int | None = None
    mean_width: float | None = None
    grouped_width: float | None = None
    random_width: float | None = None
    full_width: float | None = None
    merged_random: float | None = None
    merged_grouped: float | None = None
    steps: int | None = None
    exact: bool = False

    @property
    def name(self) -> str:
        return self.path.removeprefix("passes.")

    @property
    def step_tokens(self) -> float | None:
        """Tokens that one optimizer step computes, padding counted."""
        return None if self.mean_width is None else self.batch * self.accumulation * self.mean_width

    @property
    def quantized(self) -> bool:
        return self.kind in ALL_LINEAR

    @property
    def merged(self) -> TrainingLoad:
        """The load, were the batches that are accumulated one."""
        width = self.merged_grouped if self.sampling == "group_by_length" else self.merged_random
        return replace(
            self,
            batch=self.batch * self.accumulation,
            accumulation=1,
            mean_width=width or self.mean_width,
            random_width=self.merged_random or self.random_width,
            grouped_width=self.merged_grouped or self.grouped_width,
        )


def find_passes(load: TrainingLoad) -> tuple[Pass, ...]:
    """The passes that are worth timing for themselves: a batch as it is now and, where batches are accumulated, all of
    a step's as one. Widths are rounded: what was timed serves other data of about the same lengths."""
    loads = (load,) if load.accumulation < 2 else (load, load.merged)
    if load.quantized or not all(one.mean_width for one in loads):
        return ()
    return tuple((one.dtype, one.batch, max(4, 4 * round((one.mean_width or 0.0) / 4))) for one in loads)


def read_loads(config: Any, previews: tuple[Preview, ...], architecture: str = "") -> list[TrainingLoad]:
    """The training passes of a Config in order, with what `previews` tell of their data."""
    effective: Mapping[str, Effective] = config.effective()
    found = []
    for name, kind in config.passes.items():
        path = f"passes.{name}"
        if isinstance(kind, str) and is_training(kind) and f"{path}.train_data_config" in effective:
            found.append(_read(config, effective, path, kind, previews, architecture))
    return found


def _read(
    config: Any, effective: Mapping[str, Effective], path: str, kind: str, previews: tuple[Preview, ...], arch: str
) -> TrainingLoad:
    def value(key: str, default: Any) -> Any:
        entry = effective.get(f"{path}.{key}")
        return default if entry is None or entry.value is None else entry.value

    data = str(value("train_data_config", ""))
    modules: Any = value("target_modules", None)
    if kind in ALL_LINEAR:
        modules = None
    elif not isinstance(modules, list):
        modules = DEFAULT_MODULES.get(arch, ("q_proj", "v_proj"))
    load = TrainingLoad(
        path=path,
        kind=kind,
        data=data,
        dtype=str(value("torch_dtype", "bfloat16")),
        checkpointing=value("training_args.gradient_checkpointing", True) is not False,
        batch=_whole(value("training_args.per_device_train_batch_size", 8), 8),
        accumulation=_whole(value("training_args.gradient_accumulation_steps", 1), 1),
        rank=_largest(value("r", 64), 64),
        dropout=float(value("lora_dropout", 0.05)),
        modules=None if modules is None else tuple(map(str, modules)),
        sampling=str(value("training_args.train_sampling_strategy", "random")),
        eval_batch=_whole(value("training_args.per_device_eval_batch_size", 8), 8)
        if value("eval_data_config", "")
        else None,
    )
    seen = next((one for one in previews if one.name == data), None)
    if seen is None or not seen.stats.sequences:
        return load
    return _with_data(load, seen, steps=_count_steps(config, load, seen))


def _with_data(load: TrainingLoad, seen: Preview, steps: int | None) -> TrainingLoad:
    stats, recipe = seen.stats, seen.scan.recipe if seen.scan else None
    filled = recipe is not None and (recipe.pads or recipe.joins)
    widest = stats.max_seq_len if filled or not stats.lengths else min(max(stats.lengths), stats.max_seq_len or 10**9)
    full = stats.tokens / stats.sequences

    def padded(how: str) -> float | None:
        share = stats.padding.get(how)
        return None if share is None else full / (1 - share)

    merged: Mapping[str, float] = {}
    if load.accumulation > 1 and not filled and stats.lengths:
        lengths = np.minimum(np.array(stats.lengths, dtype=np.int64), stats.max_seq_len or 10**9)
        merged = share_padding(lengths, int(lengths.max()), fills=False, batch_size=load.batch * load.accumulation)
    # A batch has no more sequences than there are; some may be held out of them, which is not worth a guess.
    batch = min(load.batch, stats.sequences) if stats.exact else load.batch
    return replace(
        load,
        batch=batch,
        width=widest,
        mean_width=padded("configured") or (float(stats.max_seq_len) if filled and stats.max_seq_len else full),
        grouped_width=padded("grouped"),
        random_width=padded("random"),
        full_width=full,
        merged_random=full / (1 - merged["random"]) if "random" in merged else None,
        merged_grouped=full / (1 - merged["grouped"]) if "grouped" in merged else None,
        steps=steps,
        exact=stats.exact,
    )


def _count_steps(config: Any, load: TrainingLoad, seen: Preview) -> int | None:
    """max_steps, else the epochs' steps, which only all rows tell."""
    trainer = find_trainer(config, load.data)
    if trainer is None:
        return None
    if trainer.max_steps is not None:
        return trainer.max_steps
    if not seen.stats.exact:
        return None
    training = seen.stats.sequences - count_held_out(seen.stats.sequences, trainer.eval_split)
    an_epoch = count_steps(training, trainer.batch_size, trainer.accumulation, drops_last=trainer.drops_last)
    return ceil(trainer.epochs * max(an_epoch or 0, 1))


def _largest(value: Any, default: int) -> int:
    """Of the values that a search tries, the one that takes the most."""
    return (
        max((_whole(one, default) for one in value), default=default)
        if isinstance(value, list)
        else _whole(value, default)
    )


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default
