"""What only files, data, model, memory and disk can tell, asked before a run starts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from phinb import folders
from phinb.config import Config
from phinb.config.azure_forms import lies_in_azure
from phinb.config.azure_section import azure_target
from phinb.data.preview import Preview, locate
from phinb.errors import ConfigError, PhinbError
from phinb.models.references import EMBEDDED, resolve_model
from phinb.types import Problem
from phinb.workflow.checkpoints import is_training
from phinb.workflow.devices import GPU_PROVIDERS, may_have_gpu
from phinb.workflow.preflight_data import describe_remote, look_at_data

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
    problems += _check_compute(config)
    if lies_in_azure(reference):
        problems.append(locate(describe_remote(f"The model {reference}", "input_model.model_path"), config))
    else:
        try:
            size = _model_bytes(reference, config.folder)
        except PhinbError as error:
            problems.append(_problem(config, "model_missing", error, "input_model.model_path"))
    previews, found = look_at_data(config, olive, tokenizes=size is not None or reference in EMBEDDED)
    problems += found
    forecast = _forecast(olive, size)
    problems += _check_devices(config)
    problems += _check_room(forecast)
    return Preflight(tuple(problems), forecast, (), previews)


def _check_compute(config: Config) -> list[Problem]:
    """A configuration for Azure that is about to run here: allowed, and worth saying."""
    section = config.phinb.get("azure") or {}
    compute = azure_target(section).get("compute") if section.get("compute") or section.get("targets") else None
    if not compute:
        return []
    entry = config.effective()["phinb.azure"]
    message = f"This configuration names the Azure compute {compute}; started like this, it runs on this machine."
    hint = 'phinb.start(config, on="azure"), or %olive_run NAME --on azure, sends it there.'
    return [Problem("warning", "azure_compute", message, "phinb.azure", entry.line, hint=hint, source=entry.source)]


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
