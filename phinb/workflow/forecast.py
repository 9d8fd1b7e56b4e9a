"""What a run will take: time, the peak of memory and disk of each pass, each with how it was got."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from phinb.config.search import Search
from phinb.config.training_defaults import KEPT
from phinb.models.shape import ModelShape
from phinb.workflow.checkpoints import is_training
from phinb.workflow.history import Took, find_took
from phinb.workflow.lines import find_shared
from phinb.workflow.machine_speed import Speed, is_disturbed
from phinb.workflow.memory import (
    adapter_parameters,
    build_memory,
    built_bytes,
    merge_memory,
    model_memory,
    train_memory,
)
from phinb.workflow.step_probe import WIDTH, name_pass
from phinb.workflow.training_load import TrainingLoad, find_passes

UNKNOWN_TIME = "unknown until it has run here once"


@dataclass(frozen=True)
class PassForecast:
    """One pass; None where nothing is known. Seconds, bytes; the words beside each say how it was got.

    memory_bytes: the worker's peak while the pass runs. gpu_bytes: what of that a GPU has to hold instead, where there
    is one. key: by which a later run finds this one. step_tokens: tokens a training step, padding counted.
    """

    name: str
    kind: str
    seconds: float | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    gpu_bytes: int | None = None
    time_how: str = UNKNOWN_TIME
    memory_how: str = ""
    disk_how: str = ""
    key: str = ""
    step_tokens: float | None = None


@dataclass(frozen=True)
class Forecast:
    """What a run will need; None where nothing is known. `how` says how each figure was got.

    disk_bytes: written in all. memory_bytes: the peak of the pass with the highest. seconds: of all passes, None where
    one of them is not known. passes: in order, with alternatives of one name each by itself.
    """

    disk_bytes: int | None
    memory_bytes: int | None
    how: str
    seconds: float | None = None
    gpu_bytes: int | None = None
    passes: tuple[PassForecast, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What a run's folder keeps of it (history.py reads it)."""
        return {"how": self.how, "passes": {one.name: asdict(one) for one in self.passes}}


@dataclass(frozen=True)
class Subject:
    """What is forecast. shape: None where the model is not on this machine or of another form. weights: its bytes on
    disk. loads: the training passes. speed: as machine_speed.py measured it. on_gpu: training runs there."""

    olive: Mapping[str, Any]
    model: str
    shape: ModelShape | None
    weights: int | None
    loads: tuple[TrainingLoad, ...] = ()
    speed: Speed | None = None
    on_gpu: bool = False


def forecast(subject: Subject) -> Forecast:
    """Put together what is known. Reads earlier runs (history.py), measures nothing."""
    if subject.weights is None and subject.shape is None:
        return Forecast(None, None, "the model is not on this machine, so its size is not known")
    bodies = list(_passes(subject.olive))
    loads = {load.name: load for load in subject.loads}
    keys = [_key(subject, kind, loads.get(name), body) for name, kind, body in bodies]
    took = find_took(keys)
    passes: list[PassForecast] = []
    for (name, kind, body), key in zip(bodies, keys, strict=True):
        one = PassForecast(name, kind, key=key)
        if is_training(kind) and name in loads:
            one = _training(one, loads[name], subject, took.get(key))
        else:
            one = _other(one, body, subject, took.get(key))
        passes.append(_with_disk(one, body, loads, subject, last=len(passes) == len(bodies) - 1))
    return _sum_up(tuple(passes), subject)


def _sum_up(passes: tuple[PassForecast, ...], subject: Subject) -> Forecast:
    memory = [one.memory_bytes for one in passes if one.memory_bytes is not None]
    gpu = [one.gpu_bytes for one in passes if one.gpu_bytes is not None]
    seconds = [one.seconds for one in passes]
    known = [one for one in seconds if one is not None]
    how = "disk: from the weights' size and what each pass writes; "
    if subject.shape is None:
        how += "memory: the weights once, at the least"
        memory = memory or [subject.weights or 0]
    else:
        exact = all(load.exact for load in subject.loads)
        how += "memory: weights, activations and logits by the model's sizes"
        how += "" if exact else ", sequences as long as the longest seen so far"
    how += "; time: " + "; ".join(f"{one.name} {one.time_how}" for one in passes) if passes else ""
    return Forecast(
        disk_bytes=sum(one.disk_bytes or 0 for one in passes),
        memory_bytes=max(memory, default=None),
        how=how,
        seconds=sum(known) if passes and len(known) == len(seconds) else None,
        gpu_bytes=max(gpu, default=None),
        passes=passes,
    )


def repeat(one: Forecast, search: Search) -> Forecast:
    """What a search takes at most, from the forecast of its passes: those before every choice run once, each other one
    once a trial; of alternatives each in its share of the trials. Memory is that of the largest."""
    names = [item.name for item in one.passes]
    shared = find_shared(search, list(dict.fromkeys(names)))
    if search.most is None:
        return replace(one, seconds=None, how=f"{one.how}; of one trial, how many there will be is not known")
    times = [1.0 if name in shared else search.most / names.count(name) for name in names]
    seconds = [None if item.seconds is None else item.seconds * n for item, n in zip(one.passes, times, strict=True)]
    known = [value for value in seconds if value is not None]
    return replace(
        one,
        seconds=sum(known) if len(known) == len(seconds) else None,
        disk_bytes=int(sum((item.disk_bytes or 0) * n for item, n in zip(one.passes, times, strict=True))),
        how=f"{one.how}; in all for {search.most:,} trials at most, their measurements not counted",
    )


# ------------------------------------------------------------------------------------------------ a pass


def _training(one: PassForecast, load: TrainingLoad, subject: Subject, took: Took | None) -> PassForecast:
    shape = subject.shape
    seconds, how = _training_time(load, took, subject.speed, shape)
    values: dict[str, Any] = {"seconds": seconds, "time_how": how, "step_tokens": load.step_tokens}
    if shape is not None and subject.on_gpu:
        values["gpu_bytes"] = model_memory(shape, load)
        values["memory_how"] = "trains on the GPU; what the processor's memory holds meanwhile is not known"
    elif shape is not None:
        values["memory_bytes"] = train_memory(shape, load)
        values["memory_how"] = (
            f"the libraries, the weights, an adapter of {adapter_parameters(shape, load):,} parameters and "
            f"{load.batch} x {load.width} tokens"
        )
    return replace(one, **values)


def _training_time(
    load: TrainingLoad, took: Took | None, speed: Speed | None, shape: ModelShape | None
) -> tuple[float | None, str]:
    """(seconds, how)"""
    if load.steps is None or load.step_tokens is None:
        return None, "unknown until all rows are counted"
    if took is not None and took.token_s is not None:
        stepping = took.token_s * load.step_tokens * load.steps
        around = 0.0
        if took.seconds is not None and took.steps and took.step_s:
            around = max(took.seconds - took.steps * took.step_s, 0.0)
        return stepping + around, f"by the pace of run {took.run_id}"
    if speed is not None and not is_disturbed(speed) and shape is not None and not load.quantized:
        pass_s = _pass_time(load, speed, shape)
        if pass_s is not None:
            step_s = load.accumulation * pass_s + speed["optimizer"] * adapter_parameters(shape, load)
            return step_s * load.steps, "by two layers measured here for 2 s; loading and evaluating not counted"
    return None, "unknown until the first steps"


def _pass_time(load: TrainingLoad, speed: Speed, shape: ModelShape) -> float | None:
    """Seconds of one batch: its own where such a pass was timed, else by the seconds a token."""
    for own in find_passes(load)[:1]:
        if (name := name_pass(own, checkpointing=load.checkpointing)) in speed:
            return speed[name]
    name = f"{load.dtype}+checkpointing" if load.checkpointing else load.dtype
    if name not in speed or not load.mean_width:
        return None
    # Attention's share grows with the width: width x attention_width multiplications a token and layer.
    further = (load.mean_width - WIDTH) * shape.attention_width / shape.layer_parameters
    return speed[name] * (1 + max(further, 0.0)) * load.batch * load.mean_width


def _other(one: PassForecast, body: Mapping[str, Any], subject: Subject, took: Took | None) -> PassForecast:
    values: dict[str, Any] = {}
    if took is not None and took.seconds is not None:
        values = {"seconds": took.seconds, "time_how": f"as in run {took.run_id}"}
    shape, kind = subject.shape, one.kind.lower()
    if shape is not None and kind == "mergeadapterweights":
        adapter = max((adapter_parameters(shape, load) for load in subject.loads), default=0)
        values["memory_bytes"] = merge_memory(shape, adapter, after_training=bool(subject.loads))
        values["memory_how"] = "the libraries, the weights in their own type and the adapter"
    elif shape is not None and kind == "modelbuilder":
        values["memory_bytes"] = build_memory(shape, str(body.get("precision")), after_training=bool(subject.loads))
        values["memory_how"] = "the libraries, the model that is read, and the ONNX model's weights"
    return replace(one, **values)


def _with_disk(
    one: PassForecast, body: Mapping[str, Any], loads: Mapping[str, TrainingLoad], subject: Subject, *, last: bool
) -> PassForecast:
    size, how = _written(one, body, loads, subject)
    if size is None:
        return one
    if last:
        # Olive saves the last model a second time before phinb removes the copy.
        size, how = 2 * size, f"{how}, twice for a moment"
    return replace(one, disk_bytes=int(size), disk_how=how)


def _written(
    one: PassForecast, body: Mapping[str, Any], loads: Mapping[str, TrainingLoad], subject: Subject
) -> tuple[float | None, str]:
    shape, weights, kind = subject.shape, subject.weights or 0, one.kind.lower()
    if is_training(kind):
        if shape is None or one.name not in loads:
            return 0.05 * weights, "an adapter"
        # A checkpoint holds the adapter and Adam's two means, four bytes each; one more is written before one goes.
        adapter = 4 * adapter_parameters(shape, loads[one.name])
        return adapter * (1 + 3 * (KEPT + 1)), f"the adapter, and {KEPT + 1} checkpoints at most"
    if kind == "mergeadapterweights":
        return (shape.weight_bytes if shape is not None else weights), "the whole model"
    if kind == "modelbuilder":
        precision = str(body.get("precision"))
        if shape is not None:
            return built_bytes(shape, precision), f"the ONNX model in {precision}"
        return weights * (0.4 if precision == "int4" else 1.0), f"the ONNX model in {precision}"
    return None, ""


def _key(subject: Subject, kind: str, load: TrainingLoad | None, body: Mapping[str, Any]) -> str:
    """What makes two passes take equally long, a token or in all."""
    detail = f"{load.dtype} {load.checkpointing}" if load is not None else str(body.get("precision", ""))
    name = Path(subject.model).name if Path(subject.model).is_absolute() else subject.model
    return f"{kind.lower()} {name} {subject.weights} {detail}".strip()


def _passes(olive: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(name, type, settings) of every pass, alternatives too."""
    for name, value in (olive.get("passes") or {}).items():
        for body in value if isinstance(value, list) else [value]:
            yield str(name), str(body.get("type", "")), {**body, **(body.get("config") or {})}
