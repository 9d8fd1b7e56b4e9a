"""Where training leaves its checkpoints, and which of them can be trusted.

Olive goes on from the last checkpoint in `output_dir`, whatever has changed since. So each training gets a folder
of its own, named by the hash of all that it depends on: the inputs' key (data, model, versions) and the passes so
far. Where the user names an output_dir, that folder lies in it. Nothing but such folders is ever deleted.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from phinb.config.training_defaults import training_defaults
from phinb.workflow.reuse import hash_settings

TRAINING_PASSES = ("LoRA", "QLoRA", "DoRA", "LoHa", "LoKr", "LoftQ")
ARCHIVES = ("optimizer.pt", "scheduler.pt")
"""What the trainer writes beside the weights and trainer_state.json; torch makes zip archives of them."""
MOST_HEADER = 100_000_000
"""Bytes; the limit of safetensors itself."""


def is_training(pass_type: str) -> bool:
    """Whether a pass of this type trains (Olive compares types without case)."""
    return pass_type.lower() in {name.lower() for name in TRAINING_PASSES}


def place_checkpoints(
    olive: dict[str, Any], key: str, root: Path, base: Path, *, seed: int, anew: Collection[str] = ()
) -> int | None:
    """Give each training pass its checkpoint folder, in place; return the step that can be resumed.

    Where Olive searches, a training that differs from trial to trial is given another one when its trial begins.

    root: where the folders lie, unless the user set output_dir (relative to `base`). anew: passes whose checkpoints
    are deleted. What else phinb adds to training_args: config/training_defaults.py.
    """
    step: int | None = None
    passes: dict[str, Any] = olive["passes"]
    for index, (name, value) in enumerate(passes.items()):
        own_hash = hash_settings(key, list(passes.items())[: index + 1])
        for settings in _trainings(value):
            arguments = dict(settings.get("training_args") or {})
            place = base / arguments["output_dir"] if arguments.get("output_dir") else root
            folder = place / f"{name}-{own_hash}"
            if name in anew:
                shutil.rmtree(folder, ignore_errors=True)
            step = clean_checkpoints(folder) or step
            arguments["output_dir"] = str(folder)
            arguments |= training_defaults(arguments, seed)
            settings["training_args"] = arguments
    return step


def drop_checkpoints(olive: dict[str, Any], names: Collection[str] | None = None) -> None:
    """Delete the checkpoint folders that `place_checkpoints` gave, of all passes or of those named."""
    for name, value in olive["passes"].items():
        for settings in _trainings(value) if names is None or name in names else ():
            shutil.rmtree(settings["training_args"]["output_dir"], ignore_errors=True)


def _trainings(value: Any) -> list[dict[str, Any]]:
    """The settings of a pass that trains; of all such alternatives, where it is a list of passes."""
    alternatives: list[dict[str, Any]] = value if isinstance(value, list) else [value]
    return [settings for settings in alternatives if is_training(str(settings.get("type", "")))]


def clean_checkpoints(folder: Path) -> int | None:
    """Delete checkpoints that were cut off while being written; return the step of the last whole one.

    `folder` must be one that place_checkpoints named. Without any whole checkpoint it is deleted: Olive refuses an
    output_dir that holds something else.
    """
    steps = []
    for path in folder.glob("checkpoint-*"):
        number = re.fullmatch(r"checkpoint-(\d+)", path.name)
        if number and _is_whole(path):
            steps.append(int(number[1]))
        else:
            shutil.rmtree(path, ignore_errors=True)
    if not steps:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return max(steps)


def _is_whole(path: Path) -> bool:
    """Whether a checkpoint can be loaded, as far as its files' ends show: a machine that goes off cuts them short."""
    try:
        json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        archives = all(zipfile.is_zipfile(path / name) for name in ARCHIVES)
        weights = list(path.glob("adapter_model.*"))
        return archives and bool(weights) and all(_weights_are_whole(file) for file in weights)
    except (OSError, ValueError):
        return False


def _weights_are_whole(file: Path) -> bool:
    """A file of safetensors begins with the length of a header that says where the last tensor ends."""
    if file.suffix != ".safetensors":
        return zipfile.is_zipfile(file)
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        header = content.read(min(length, MOST_HEADER))
    entries = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
    return file.stat().st_size == 8 + length + max((entry["data_offsets"][1] for entry in entries), default=0)
