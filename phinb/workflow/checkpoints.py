"""Where training leaves its checkpoints, and which of them can be trusted.

Olive goes on from the last checkpoint in `output_dir`, whatever has changed since; so phinb names that folder by
the hash of all that the training depends on: the cache folder (data, model, versions) and the passes so far.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from phinb.workflow.reuse import hash_settings

TRAINING_PASSES = ("LoRA", "QLoRA", "DoRA", "LoHa", "LoKr", "LoftQ")
KEPT = 2
"""Checkpoints that stay on disk: the last whole one, and the one before in case that was being written."""
PER_TRAINING = 5
DEFAULT_STEPS = 100
# Written by the trainer in this order of importance; the state comes last, so a checkpoint with it is whole.
NEEDED = ("optimizer.pt", "scheduler.pt", "trainer_state.json")


def is_training(pass_type: str) -> bool:
    """Whether a pass of this type trains (Olive compares types without case)."""
    return pass_type.lower() in {name.lower() for name in TRAINING_PASSES}


def place_checkpoints(olive: dict[str, Any], root: Path, *, fresh: bool = False) -> int | None:
    """Give each training pass its checkpoint folder under `root`, in place; return the step that can be resumed.

    What the user set himself (output_dir, save_steps, save_strategy) is left as it is.
    """
    step: int | None = None
    passes: dict[str, Any] = olive["passes"]
    for index, (name, value) in enumerate(passes.items()):
        body = value[0] if isinstance(value, list) else value
        if not is_training(str(body.get("type", ""))):
            continue
        settings = body["config"] if isinstance(body.get("config"), dict) else body
        arguments = settings.get("training_args") or {}
        if not arguments.get("output_dir"):
            folder = root / f"{name}-{hash_settings(list(passes.items())[: index + 1])}"
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            step = clean_checkpoints(folder) or step
            arguments = {**arguments, "output_dir": str(folder)}
        arguments.setdefault("save_total_limit", KEPT)
        if "save_strategy" not in arguments and "save_steps" not in arguments:
            arguments |= {"save_strategy": "steps", "save_steps": _save_steps(arguments)}
        settings["training_args"] = arguments
    return step


def last_checkpoint(olive_json: Path) -> int | None:
    """The step that a run's training would go on from, by the dict that its last attempt gave to Olive."""
    try:
        passes = json.loads(olive_json.read_text(encoding="utf-8"))["passes"]
    except (OSError, ValueError, KeyError):
        return None
    step = None
    for value in passes.values():
        body = value[0] if isinstance(value, list) else value
        arguments = (body.get("config") or body).get("training_args") or {}
        if output := arguments.get("output_dir"):
            step = clean_checkpoints(Path(output)) or step
    return step


def clean_checkpoints(folder: Path) -> int | None:
    """Delete checkpoints that were cut off while being written; return the step of the last whole one.

    A folder without any is deleted whole: Olive refuses an output_dir that holds something else.
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
    try:
        json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all((path / name).is_file() for name in NEEDED) and any(path.glob("adapter_model.*"))


def _save_steps(arguments: dict[str, Any]) -> int:
    steps = arguments.get("max_steps")
    return max(1, steps // PER_TRAINING) if isinstance(steps, int) and steps > 0 else DEFAULT_STEPS
