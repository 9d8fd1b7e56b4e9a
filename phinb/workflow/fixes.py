"""The remedies that are a change of configuration, ready to be carried out by a button: from a failure to its Fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phinb.config import Config
from phinb.types import Edit, Fix, RunState
from phinb.workflow.checkpoints import is_training
from phinb.workflow.failures import find_code
from phinb.workflow.wording import write_count

USUAL_RATE = 1e-4
"""A learning rate at which LoRA is known to be stable; also Olive's default."""


def offer_fix(state: RunState, config: Config) -> Fix | None:
    """The change to `config` that answers why the run failed; None where there is none, or it did not fail.

    `config` may be another one by now: what is changed is what it says today.
    """
    if state.status != "failed":
        return None
    codes = [find_code(item.cause) for item in state.passes.values() if item.cause]
    codes += [find_code(state.cause), *(notice.code for notice in state.notices if notice.severity == "error")]
    return next((fix for code in codes if code and (fix := find_fix(code, config))), None)


def find_fix(code: str, config: Config) -> Fix | None:
    """The change to `config` that is the remedy of a known failure (failures.KNOWN); None where no change is."""
    if not config.ok:
        return None
    match code:
        case "out_of_memory":
            return _save_memory(config)
        case "diverged":
            return _slow_down(config)
        case "wrong_modules":
            return _drop(config, "target_modules", "Leave target_modules to Olive")
        case "no_sequences":
            return _take_lines(config)
        case "dtype":
            return _use_float32(config)
    return None


def _trainings(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(dotted path, settings) of the passes that train."""
    for name, value in (config.to_olive().get("passes") or {}).items():
        settings = value[0] if isinstance(value, list) else value
        if is_training(str(settings.get("type", ""))):
            yield f"passes.{name}", settings


def _value(config: Config, path: str) -> Any:
    effective = config.effective().get(path)
    return effective.value if effective else None


def _save_memory(config: Config) -> Fix | None:
    """Half the batch at twice the accumulation trains the same; where nothing is left to halve, checkpointing."""
    for path, _ in _trainings(config):
        arguments = f"{path}.training_args"
        batch = _value(config, f"{arguments}.per_device_train_batch_size")
        steps = _value(config, f"{arguments}.gradient_accumulation_steps")
        if isinstance(batch, int) and batch > 1 and batch % 2 == 0:
            steps = steps if isinstance(steps, int) else 1
            return Fix(
                f"Take batches of {write_count(batch // 2, 'row')}, {steps * 2} to a step: it learns the same",
                (
                    Edit("set", f"{arguments}.per_device_train_batch_size", batch // 2),
                    Edit("set", f"{arguments}.gradient_accumulation_steps", steps * 2),
                ),
            )
        if _value(config, f"{arguments}.gradient_checkpointing") is False:
            edit = Edit("set", f"{arguments}.gradient_checkpointing", True)
            return Fix("Turn gradient_checkpointing on: slower, and it learns the same", (edit,))
    return None


def _slow_down(config: Config) -> Fix | None:
    for path, _ in _trainings(config):
        place = f"{path}.training_args.learning_rate"
        rate = _value(config, place)
        if isinstance(rate, int | float) and rate > USUAL_RATE:
            return Fix(f"Set learning_rate to {USUAL_RATE:g}", (Edit("set", place, USUAL_RATE),))
    return None


def _drop(config: Config, key: str, title: str) -> Fix | None:
    edits = tuple(Edit("remove", f"{path}.{key}") for path, settings in _trainings(config) if key in settings)
    return Fix(title, edits) if edits else None


def _take_lines(config: Config) -> Fix | None:
    """Of the data configs that join rows."""
    edits = []
    for path, settings in _trainings(config):
        name = settings.get("train_data_config") or _value(config, f"{path}.train_data_config")
        place = f"data_configs.{name}.pre_process_data_config.strategy"
        if _value(config, place) != "line-by-line":
            edits.append(Edit("set", place, "line-by-line"))
    return Fix("Make a sequence of every row (strategy line-by-line)", tuple(edits)) if edits else None


def _use_float32(config: Config) -> Fix | None:
    edits = []
    for path, settings in _trainings(config):
        if settings.get("torch_dtype") not in (None, "float32"):
            edits.append(Edit("set", f"{path}.torch_dtype", "float32"))
        arguments = settings.get("training_args") or {}
        edits += [Edit("remove", f"{path}.training_args.{key}") for key in ("fp16", "bf16") if arguments.get(key)]
    return Fix("Train in float32", tuple(edits)) if edits else None
