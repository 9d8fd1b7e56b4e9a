"""Settings that make a training faster or smaller on this machine without changing what it learns.

Same rows, same number of steps, same effective batch. What is not the same to the bit says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psutil

from phinb.errors import PhinbError
from phinb.models.shape import ModelShape
from phinb.types import Edit, Fix
from phinb.workflow.devices import has_bf16
from phinb.workflow.machine_speed import Speed
from phinb.workflow.memory import adapter_parameters, train_memory
from phinb.workflow.step_probe import name_pass
from phinb.workflow.training_load import TrainingLoad, find_passes
from phinb.workflow.wording import write_count

LEAST = 0.03
"""A share of the time below which a setting is not worth a change."""

ROOM = 0.7
"""Advice for speed takes at most this share of the memory that is free."""


@dataclass(frozen=True)
class Advice:
    """One setting. gain: the share of the training's time (0 to 1) that it saves, None where that is not known or it
    saves memory instead; gain_text says it in words. fix: None for what stands in no configuration, or cannot be had.
    """

    code: str
    title: str
    why: str
    gain: float | None
    gain_text: str
    fix: Fix | None = None
    pass_name: str = ""


def advise(
    config: Any,
    loads: tuple[TrainingLoad, ...],
    shape: ModelShape | None,
    speed: Speed | None,
    *,
    memory_bytes: int,
    on_gpu: bool = False,
) -> tuple[Advice, ...]:
    """The advice on a Config, for each training pass. memory_bytes: what a run may take. Measures nothing."""
    found: list[Advice] = []
    for load in loads:
        found += (merged := list(_on_accumulation(load, shape, speed, memory_bytes, on_gpu=on_gpu)))
        if merged:
            # The rest is about batches as they will be then.
            load = load.merged
        found += _on_type(load, speed, on_gpu=on_gpu)
        found += _on_padding(config, load)
        found += _on_grouping(load)
        found += _on_checkpoints(load, shape, speed, memory_bytes, on_gpu=on_gpu)
        found += _on_memory(load, shape, memory_bytes, on_gpu=on_gpu)
    found += _on_threads() if loads and not on_gpu else []
    return tuple(found)


def total_gain(advice: tuple[Advice, ...]) -> float:
    """The share of the time that following all of it saves: each works on what the others leave."""
    left = 1.0
    for one in advice:
        left *= 1 - (one.gain or 0.0)
    return 1 - left


def apply_advice(config: Any, advice: tuple[Advice, ...]) -> tuple[Any, tuple[Advice, ...]]:
    """The Config with the advice written into its text, and what of it was; an edit that finds no place is left out."""
    done = []
    for one in advice:
        if one.fix is None:
            continue
        try:
            changed = config.edit(*one.fix.edits)
        except PhinbError:
            continue
        if changed.ok or not config.ok:
            config = changed
            done.append(one)
    return config, tuple(done)


# ------------------------------------------------------------------------------------------------ each kind


def _on_accumulation(
    load: TrainingLoad, shape: ModelShape | None, speed: Speed | None, memory: int, *, on_gpu: bool
) -> Iterator[Advice]:
    """Small batches whose gradients are summed up, where memory has room for all of them at once.

    A pass reads the weights whatever its tokens. Both sizes were timed, with the optimizer's step, which stays. Olive
    turns num_items_in_batch off (accepts_loss_kwargs), so that a step's loss is the mean of its batches' means: taken
    at once, each token counts the same instead of each batch.
    """
    merged, passes = load.merged, find_passes(load)
    if len(passes) < 2 or shape is None or on_gpu or speed is None:
        return
    needed = train_memory(shape, merged)
    names = [name_pass(one, checkpointing=load.checkpointing) for one in passes]
    if needed is None or needed > ROOM * memory or not all(name in speed for name in names):
        return
    part, whole = (speed[name] for name in names)
    step = speed["optimizer"] * adapter_parameters(shape, load)
    gain = 1 - (whole + step) / (load.accumulation * part + step)
    if gain < LEAST:
        return
    times = load.accumulation
    why = f"Each step computes {times} batches of {write_count(load.batch, 'sequence')} one after the other and sums "
    why += f"them up: the weights are read {times} times. All at once take about {needed / 1e9:.1f} GB, and "
    why += (
        f"{memory / 1e9:.1f} GB are free. Same rows, same steps; each token counts the same then, now each batch does."
    )
    arguments = f"{load.path}.training_args"
    title = f"Take {merged.batch} sequences at once"
    edits = (
        Edit("set", f"{arguments}.per_device_train_batch_size", merged.batch),
        Edit("set", f"{arguments}.gradient_accumulation_steps", 1),
    )
    yield Advice("accumulation", title, why, gain, _say(gain), Fix(title, edits), load.name)


def _on_type(load: TrainingLoad, speed: Speed | None, *, on_gpu: bool) -> Iterator[Advice]:
    """bfloat16 where the hardware has it and two layers that were timed agree; float32 where bfloat16 is slower."""
    if load.quantized or load.dtype not in ("float32", "bfloat16"):
        return
    other = "bfloat16" if load.dtype == "float32" else "float32"
    where = "The GPU" if on_gpu else "The processor"
    again = "+checkpointing" if load.checkpointing else ""
    if speed is None or f"{other}{again}" not in speed:
        if load.dtype == "float32" and has_bf16() and not on_gpu:
            why = f"{where} has bfloat16 instructions, but how fast they are here could not be measured: other "
            why += "programs were at work. Ask again when the machine is quiet."
            yield Advice("bfloat16", "bfloat16 may be faster", why, None, "not measured", pass_name=load.name)
        return
    ratio = speed[f"{other}{again}"] / speed[f"{load.dtype}{again}"]
    if load.dtype == "float32" and not on_gpu and not has_bf16():
        why = "The processor has no bfloat16 instructions (avx512_bf16 or amx_bf16): float32 stays."
        yield Advice("bfloat16", "No bfloat16 on this processor", why, None, "nothing to gain", pass_name=load.name)
    elif 1 - ratio >= LEAST:
        why = f"{where} computed two layers of this model in {ratio:.2f} of the time that {load.dtype} takes. "
        why += "Same rows, same steps; only the rounding differs."
        yield Advice(
            other,
            f"Train in {other}",
            why,
            1 - ratio,
            _say(1 - ratio),
            _set(f"Set torch_dtype to {other}", f"{load.path}.torch_dtype", other),
            load.name,
        )


def _on_padding(config: Any, load: TrainingLoad) -> Iterator[Advice]:
    """Sequences that are filled up to max_seq_len although a batch needs no more than its longest."""
    path = f"data_configs.{load.data}.pre_process_data_config"
    effective = config.effective()
    entry, strategy = effective.get(f"{path}.pad_to_max_len"), effective.get(f"{path}.strategy")
    fills = entry is not None and entry.value is True and strategy is not None
    if not fills or str(strategy.value).startswith("join") or load.random_width is None or not load.mean_width:
        return
    gain = 1 - load.random_width / load.mean_width
    if gain >= LEAST:
        why = f"Every sequence is filled up to {load.mean_width:.0f} tokens; a batch's longest has "
        why += f"{load.random_width:.0f} on average. Padding is not learnt from."
        fix = _set("Set pad_to_max_len to false", f"{path}.pad_to_max_len", False)
        yield Advice("padding", "Do not fill up to max_seq_len", why, gain, _say(gain), fix, load.name)


def _on_grouping(load: TrainingLoad) -> Iterator[Advice]:
    """Batches of sequences of about the same length."""
    now = load.random_width if load.random_width is not None else load.mean_width
    if load.sampling != "random" or load.grouped_width is None or not now or load.batch < 2:
        return
    gain = 1 - load.grouped_width / now
    if gain >= LEAST:
        why = f"A batch is as wide as its longest sequence: {now:.0f} tokens in random order, {load.grouped_width:.0f} "
        why += "when sequences of like length go together. Same rows, same steps; the order differs."
        fix = _set(
            'Set train_sampling_strategy to "group_by_length"',
            f"{load.path}.training_args.train_sampling_strategy",
            "group_by_length",
        )
        yield Advice("grouping", "Group sequences by length", why, gain, _say(gain), fix, load.name)


def _on_checkpoints(
    load: TrainingLoad, shape: ModelShape | None, speed: Speed | None, memory: int, *, on_gpu: bool
) -> Iterator[Advice]:
    """Gradient checkpointing, Olive's default, computes each layer twice; where memory allows it is not needed."""
    if not load.checkpointing or shape is None or on_gpu:
        return
    needed = train_memory(shape, replace(load, checkpointing=False))
    if needed is None or needed > ROOM * memory:
        return
    kinds = (load.dtype, f"{load.dtype}+checkpointing")
    gain = 1 - speed[kinds[0]] / speed[kinds[1]] if speed is not None and all(kind in speed for kind in kinds) else None
    if gain is not None and gain < LEAST:
        return
    why = "It computes every layer a second time to save memory; without it the training takes about "
    why += f"{needed / 1e9:.1f} GB, and {memory / 1e9:.1f} GB are free. What it learns is the same."
    fix = _set("Set gradient_checkpointing to false", f"{load.path}.training_args.gradient_checkpointing", False)
    said = "saves up to a third of the time; not measured" if gain is None else _say(gain)
    yield Advice("checkpointing", "Turn gradient checkpointing off", why, gain, said, fix, load.name)


def _on_memory(load: TrainingLoad, shape: ModelShape | None, memory: int, *, on_gpu: bool) -> Iterator[Advice]:
    """Where memory is short: gradient checkpointing, then smaller batches that are summed up."""
    needed = train_memory(shape, load) if shape is not None and not on_gpu else None
    if shape is None or needed is None or needed <= memory:
        return
    arguments = f"{load.path}.training_args"
    smaller, edits = load, []
    if not load.checkpointing:
        smaller = replace(load, checkpointing=True)
        edits.append(Edit("set", f"{arguments}.gradient_checkpointing", True))
    while (train_memory(shape, smaller) or 0) > memory and smaller.batch % 2 == 0:
        smaller = replace(smaller, batch=smaller.batch // 2, accumulation=smaller.accumulation * 2)
    if smaller.batch != load.batch:
        edits.append(Edit("set", f"{arguments}.per_device_train_batch_size", smaller.batch))
        edits.append(Edit("set", f"{arguments}.gradient_accumulation_steps", smaller.accumulation))
    takes = train_memory(shape, smaller) or 0
    if takes >= needed:
        return
    why = f"The training takes about {needed / 1e9:.1f} GB, and {memory / 1e9:.1f} GB are free. "
    why += "The same sequences go into each step; where a batch is cut, the loss is averaged by part."
    title = (
        f"Take {write_count(smaller.batch, 'sequence')} at a time"
        if smaller.batch != load.batch
        else "Turn gradient checkpointing on"
    )
    said = f"{(needed - takes) / 1e9:.1f} GB less, {'' if takes <= memory else 'still too much, '}and slower"
    yield Advice("memory", title, why, None, said, Fix(title, tuple(edits)), load.name)


def _on_threads() -> Iterator[Advice]:
    """A limit on threads below what the processor has, set for this session and inherited by every run."""
    limit, cores = os.environ.get("OMP_NUM_THREADS", ""), psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if limit.isdigit() and 0 < int(limit) < cores:
        why = f"OMP_NUM_THREADS is {limit}, and the processor has {cores} cores. It is a variable of the environment: "
        why += "unset it where the notebook or the shell is started."
        yield Advice("threads", f"Use all {cores} cores", why, None, f"up to {cores / int(limit):.1f} times as fast")


def _set(title: str, path: str, value: Any) -> Fix:
    return Fix(title, (Edit("set", path, value),))


def _say(gain: float) -> str:
    return f"saves about {100 * gain:.0f} % of the training's time"
