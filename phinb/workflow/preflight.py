"""What only files, data, model, memory and disk can tell, asked before a run starts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from phinb import folders
from phinb.config import Config
from phinb.config.check_data import EVALUATION_NAMES
from phinb.data.preview import Preview, locate, preview
from phinb.data.source import parameters, read_rows
from phinb.data.template import check_template
from phinb.errors import ConfigError, PhinbError
from phinb.models.references import EMBEDDED, resolve_model
from phinb.types import Problem
from phinb.workflow.checkpoints import is_training
from phinb.workflow.devices import GPU_PROVIDERS, may_have_gpu

DEMO_BYTES = 538_000_000
"""The demo model as it lies in the cache, float32 (134,515,008 parameters of 4 bytes)."""
INT4_SHARE = 0.4
"""int4 against float32 on disk: the embeddings stay wider (198 of 517 MB for the demo model)."""


@dataclass(frozen=True)
class Forecast:
    """What a run will need; None where nothing is known. `how` says how each figure was got."""

    disk_bytes: int | None
    memory_bytes: int | None
    how: str


@dataclass(frozen=True)
class Preflight:
    """The configuration's own problems and those that the world adds, what the run will need, and the data."""

    problems: tuple[Problem, ...]
    forecast: Forecast
    advice: tuple[str, ...] = ()
    previews: tuple[Preview, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way of a start."""
        return not any(problem.severity == "error" for problem in self.problems)


def preflight(config: Config) -> Preflight:
    """Look at the model, the data, memory and disk that `config` needs; nothing is started or changed.

    An embedded model is not made for it. Raises nothing for what it finds: that is in `problems`.
    """
    unknown = Forecast(None, None, "the configuration has errors")
    try:
        olive = config.to_olive()
    except ConfigError as error:
        return Preflight(tuple(error.problems), unknown)
    problems = list(config.problems)
    reference = str(olive.get("input_model", {}).get("model_path", ""))
    size = None
    try:
        size = _model_bytes(reference, config.folder)
    except PhinbError as error:
        problems.append(_problem(config, "model_missing", error, "input_model.model_path"))
    previews: list[Preview] = []
    training = _training_data(olive)
    if size is not None or reference in EMBEDDED:
        previews = [preview(config, name, limit=0) for name in training]
        problems += [problem for seen in previews for problem in seen.problems]
        training = []
    for data_config in olive.get("data_configs") or []:
        # What no tokenizer is needed for: the files themselves, and the template's fields.
        if data_config.get("name") in (*training, *EVALUATION_NAMES):
            problems += _check_rows(config, data_config)
    forecast = _forecast(olive, size)
    problems += _check_devices(config)
    problems += _check_room(forecast)
    return Preflight(tuple(problems), forecast, (), tuple(previews))


def _check_rows(config: Config, data_config: dict[str, Any]) -> list[Problem]:
    """Whether the rows can be read and have the template's columns."""
    name = data_config["name"]
    read = read_rows(data_config, config.folder, limit=1000)
    problems = list(read.problems)
    params = parameters(data_config.get("pre_process_data_config"))
    template = params.get("text_template")
    if read.rows and isinstance(template, str):
        path = f"data_configs.{name}.pre_process_data_config.text_template"
        problems += check_template(template, read.columns, path)
    return [locate(problem, config) for problem in problems]


def _training_data(olive: dict[str, Any]) -> list[str]:
    """The names of the data configs that training passes read, in order, each once."""
    names: dict[str, None] = {}
    for value in olive.get("passes", {}).values():
        for body in value if isinstance(value, list) else [value]:
            if is_training(str(body.get("type", ""))):
                settings = body.get("config") or body
                chosen = [settings.get("train_data_config"), settings.get("eval_data_config")]
                names |= {name: None for name in chosen if isinstance(name, str)}
    return list(names)


def _model_bytes(reference: str, folder: Path) -> int | None:
    """The weights' size on disk; None for a model that the hub would have to send first."""
    if reference == "phinb://demo":
        return DEMO_BYTES
    path = resolve_model(reference, folder=folder)
    if isinstance(path, str):
        return None
    return sum(file.stat().st_size for file in path.glob("*") if file.suffix in (".safetensors", ".bin"))


def _forecast(olive: dict[str, Any], size: int | None) -> Forecast:
    """Disk: what the passes will write. Memory: what holding the model takes at the least; training adds to it."""
    if size is None:
        return Forecast(None, None, "the model is not on this machine, so its size is not known")
    disk = 0.0
    for value in olive.get("passes", {}).values():
        for body in value if isinstance(value, list) else [value]:
            kind = str(body.get("type", "")).lower()
            if kind == "mergeadapterweights":
                disk += size
            elif kind == "modelbuilder":
                precision = (body.get("config") or body).get("precision")
                # Olive saves the last model a second time before phinb removes the copy.
                disk += 2 * size * (INT4_SHARE if precision == "int4" else 1.0)
            elif is_training(kind):
                disk += 0.05 * size
    how = "disk: from the weights' size and what each pass writes; memory: the weights once, at the least"
    return Forecast(int(disk), size, how)


def _check_room(forecast: Forecast) -> list[Problem]:
    problems = []
    place = folders.cache()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if forecast.disk_bytes and forecast.disk_bytes > free:
        problems.append(
            Problem(
                "error",
                "disk_full",
                f"The run will write about {forecast.disk_bytes / 1e9:.1f} GB; {place} has {free / 1e9:.1f} GB left.",
                hint="Free some space, or set PHINB_HOME to a larger disk.",
            )
        )
    memory = psutil.virtual_memory().total
    if forecast.memory_bytes and forecast.memory_bytes > 0.9 * memory:
        problems.append(
            Problem(
                "error",
                "memory_short",
                f"The model alone takes {forecast.memory_bytes / 1e9:.1f} GB of memory, and this machine has "
                f"{memory / 1e9:.1f} GB.",
                hint="Take a smaller model, or a larger machine.",
            )
        )
    return problems


def _check_devices(config: Config) -> list[Problem]:
    """A system that names a GPU where there is none: Olive trains on the processor all the same, without a word, and
    builds an int4 model that this machine cannot run."""
    if may_have_gpu():
        return []
    for path, entry in config.effective().items():
        if path.startswith("systems.") and isinstance(entry.value, list) and path.endswith("accelerators"):
            for accelerator in entry.value:
                device = str(accelerator.get("device", "")).lower() if isinstance(accelerator, dict) else ""
                providers = (accelerator.get("execution_providers") or []) if isinstance(accelerator, dict) else []
                if device == "gpu" or any(provider in GPU_PROVIDERS for provider in providers):
                    message = "The system names a GPU, and this machine has none that can be found."
                    hint = 'Set "device" to "cpu" and "execution_providers" to ["CPUExecutionProvider"].'
                    return [Problem("error", "device_missing", message, path, entry.line, hint=hint)]
    return []


def _problem(config: Config, code: str, error: PhinbError, path: str) -> Problem:
    entry = config.effective().get(path)
    return Problem("error", code, error.message, path, entry.line if entry else None, hint=error.hint)
