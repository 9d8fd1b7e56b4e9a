"""Whether a run will find the memory and the disk that it needs, and what it is that needs them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phinb import folders
from phinb.config import Config
from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.models.references import resolve_model
from phinb.models.shape import read_shape
from phinb.types import Problem
from phinb.workflow.advice import Advice
from phinb.workflow.devices import list_gpus, memory_free, memory_total
from phinb.workflow.forecast import Forecast, Subject
from phinb.workflow.machine_speed import find_speed
from phinb.workflow.training_load import find_passes, read_loads
from phinb.workflow.wording import write_bytes

TIGHT = 0.9
"""A share of what is free from which on a run is said to be tight: a forecast is right within a quarter."""

ANYWAY = (
    "Where you know better, start it anyway: phinb.start(config, anyway=True), %olive_run NAME --anyway, "
    "phinb run FILE --yes."
)


def look_at_work(
    config: Config, olive: Mapping[str, Any], reference: str, previews: tuple[Preview, ...], *, measure: bool
) -> Subject:
    """What there is to forecast. reference: the model's, where it is on this machine, else "". measure: whether the
    machine's speed may be measured where it is not known."""
    folder = _find_folder(reference, config, previews)
    if folder is None:
        return Subject(olive, reference, None, None)
    shape = read_shape(folder)
    weights = sum(file.stat().st_size for file in folder.glob("*") if file.suffix in (".safetensors", ".bin"))
    loads = tuple(read_loads(config, previews, shape.architecture if shape else ""))
    timed = shape is not None and any(load.mean_width is not None and not load.quantized for load in loads)
    speed = None
    if shape is not None and timed:
        passes = sorted({one for load in loads for one in find_passes(load)})
        speed = find_speed(shape, measure=measure, rank=max(load.rank for load in loads), passes=passes)
    return Subject(olive, reference, shape, weights, loads, speed, on_gpu=bool(list_gpus()))


def check_room(expected: Forecast, advice: tuple[Advice, ...] = ()) -> list[Problem]:
    """What will not fit (an error), and what will only just (a warning)."""
    problems = []
    place = folders.cache()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if expected.disk_bytes and expected.disk_bytes > TIGHT * free:
        text = f"The run will write about {write_bytes(expected.disk_bytes)}; {place} has {write_bytes(free)} left."
        hint = "Free some space, or set PHINB_HOME to a larger disk."
        if expected.disk_bytes > free:
            problems.append(Problem("error", "disk_full", text, hint=f"{hint} {ANYWAY}"))
        else:
            problems.append(Problem("warning", "disk_tight", text, hint=hint))
    needed, total, left = expected.memory_bytes, memory_total(), memory_free()
    if needed and needed > TIGHT * left:
        most = max(expected.passes, key=lambda one: one.memory_bytes or 0, default=None)
        what = f"Pass {most.name}" if most is not None and most.memory_bytes else "The model alone"
        remedy = next((one for one in advice if one.code == "memory" and one.fix), None)
        if most is None or remedy is None or remedy.pass_name != most.name:
            remedy = None
        hint = f"{remedy.title}: {remedy.gain_text}." if remedy else "Take a smaller model, or a larger machine."
        fix = remedy.fix if remedy else None
        if needed > total:
            text = f"{what} takes about {write_bytes(needed)} of memory, and this machine has {write_bytes(total)}."
            problems.append(Problem("error", "memory_short", text, hint=f"{hint} {ANYWAY}", fix=fix))
        else:
            text = f"{what} takes about {write_bytes(needed)} of memory, and of {write_bytes(total)} only "
            text += f"{write_bytes(left)} are free now."
            also = "End what else holds memory, such as other kernels."
            problems.append(
                Problem("warning", "memory_tight", text, hint=f"{also} {hint}" if remedy else also, fix=fix)
            )
    return problems


def _find_folder(reference: str, config: Config, previews: tuple[Preview, ...]) -> Path | None:
    """The model's folder; an embedded one is not made for it, but was where its tokenizer has been used."""
    if not reference or (reference.startswith("phinb://") and not any(seen.scan is not None for seen in previews)):
        return None
    try:
        found = resolve_model(reference, folder=config.folder)
    except PhinbError:
        return None
    return found if isinstance(found, Path) and found.is_dir() else None
