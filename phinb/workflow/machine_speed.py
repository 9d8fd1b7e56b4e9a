"""How fast this machine trains a model of a shape: measured once (step_probe.py), remembered in the cache."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from phinb import folders
from phinb.models.shape import ModelShape
from phinb.workflow.devices import list_gpus, read_processor
from phinb.workflow.process import worker_environment
from phinb.workflow.reuse import hash_settings
from phinb.workflow.step_probe import Pass
from phinb.workflow.store import write_atomically

TIMEOUT_S = 60.0
"""Loading torch from a cold disk included."""

BUSY = 0.15
"""A share of the processor taken by other programs up to which the seconds are those of this machine."""

TOO_BUSY = 0.6
"""The same up to which two kinds of training, measured in turns, can at least be compared with each other."""

AGAIN_S = 300.0
"""Seconds after which what was disturbed is measured again."""

RANK = 16
"""An adapter's usual rank."""

REVISION = 3
"""Part of what a measurement is remembered by: raise it when step_probe.py measures otherwise."""

Speed = Mapping[str, float]
"""Seconds a token by "float32" and "bfloat16", each also with "+checkpointing": padding counted, forward and backward;
seconds of a pass that was asked for by step_probe.name_pass; "optimizer": seconds of a step for each parameter of the
adapters. "busy": the share of the processor that other programs took meanwhile."""


def find_speed(shape: ModelShape, *, measure: bool, rank: int = RANK, passes: Sequence[Pass] = ()) -> Speed | None:
    """The speed as it was measured here before, with adapters of that rank; with `measure` it is measured where it was
    not (about 5 s, once). passes: those whose own seconds are wanted beside.

    None where it is not known, other programs left too little of the processor, or torch cannot be had.
    """
    key = hash_settings(REVISION, asdict(shape), rank, list(passes), _machine())
    path = folders.cache() / "speed" / f"{key}.json"
    found = _read(path)
    if measure and (found is None or (is_disturbed(found) and time.time() - path.stat().st_mtime > AGAIN_S)):
        found = _measure(shape, rank, passes)
        if found is not None:
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, json.dumps(found))
    return None if found is None or found.get("busy", 0.0) > TOO_BUSY else found


def _read(path: Path) -> Speed | None:
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        return {str(name): float(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}
    return None


def is_disturbed(speed: Speed) -> bool:
    """Whether its seconds are too many; how its kinds compare with each other may hold all the same."""
    return speed.get("busy", 0.0) > BUSY


def _measure(shape: ModelShape, rank: int, passes: Sequence[Pass]) -> Speed | None:
    asked = json.dumps({"shape": asdict(shape), "rank": rank, "passes": list(passes)})
    command = [sys.executable, "-P", "-m", "phinb.workflow.step_probe", asked]
    try:
        done = subprocess.run(
            command, env=worker_environment(), cwd=Path.home(), capture_output=True, timeout=TIMEOUT_S, check=True
        )
        values = json.loads(done.stdout)
        return {str(name): float(value) for name, value in values.items()}
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError):
        return None


def _machine() -> list[object]:
    """What a speed depends on beside the model."""
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = ""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return [platform.node(), read_processor(), os.cpu_count(), threads, torch, list_gpus()]
