"""What only files, data, model, memory and disk can tell, asked before a run starts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from phinb.config import Config
from phinb.config.azure_forms import lies_in_azure
from phinb.config.azure_section import azure_target
from phinb.data.preview import Preview, locate
from phinb.data.scan import ShouldStop
from phinb.errors import ConfigError, PhinbError
from phinb.models.references import EMBEDDED, resolve_model
from phinb.types import Problem
from phinb.workflow.advice import Advice, advise
from phinb.workflow.devices import GPU_PROVIDERS, may_have_gpu, memory_free
from phinb.workflow.forecast import Forecast, forecast, repeat
from phinb.workflow.preflight_data import describe_remote, look_at_data
from phinb.workflow.preflight_room import check_room, look_at_work
from phinb.workflow.trackers.packages import check_packages

ROOM_CODES = ("memory_short", "disk_full")
"""Errors that say a run will not fit: a forecast may be wrong, and who knows better may start anyway."""


@dataclass(frozen=True)
class Preflight:
    """The configuration's own problems and those that the world adds, what the run will need, advice, and the data."""

    problems: tuple[Problem, ...]
    forecast: Forecast
    advice: tuple[Advice, ...] = ()
    previews: tuple[Preview, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way of a start."""
        return not any(problem.severity == "error" for problem in self.problems)

    @property
    def fits(self) -> bool:
        """Whether the run will find the memory and the disk that it is expected to need."""
        return not any(problem.code in ROOM_CODES for problem in self.problems)

    @property
    def may_start_anyway(self) -> bool:
        """Whether room is all that stands in the way."""
        errors = [problem for problem in self.problems if problem.severity == "error"]
        return bool(errors) and all(problem.code in ROOM_CODES for problem in errors)


def preflight(config: Config, *, within_s: float | None = None) -> Preflight:
    """Look at the model, the data, memory and disk that `config` needs; nothing is started or changed.

    All rows are counted, and two layers of the model timed where that was never done on this machine (about 5 s, once).
    within_s: seconds for counting instead; what only all rows tell is not said then, and nothing is timed. An embedded
    model that is not there is made, for its tokenizer is needed to count.

    Raises nothing for what it finds: that is in `problems`.
    """
    unknown = Forecast(None, None, "the configuration has errors")
    try:
        olive = config.to_olive()
    except ConfigError as error:
        return Preflight(tuple(error.problems), unknown)
    problems = list(config.problems)
    reference = str(olive.get("input_model", {}).get("model_path", ""))
    here = reference in EMBEDDED
    problems += _check_compute(config)
    if lies_in_azure(reference):
        problems.append(locate(describe_remote(f"The model {reference}", "input_model.model_path"), config))
    elif not here:
        try:
            here = isinstance(resolve_model(reference, folder=config.folder), Path)
        except PhinbError as error:
            problems.append(_problem(config, "model_missing", error, "input_model.model_path"))
    should_stop = None if within_s is None else _stop_after(within_s)
    previews, found = look_at_data(config, olive, tokenizes=here, should_stop=should_stop)
    problems += found
    subject = look_at_work(config, olive, reference if here else "", previews, measure=within_s is None)
    expected = forecast(subject)
    if config.search is not None and expected.passes:
        expected = repeat(expected, config.search)
    advice = advise(
        config,
        subject.loads,
        subject.shape,
        subject.speed,
        memory_bytes=memory_free(),
        on_gpu=subject.on_gpu,
    )
    problems += _check_devices(config)
    problems += check_packages(config)
    problems += check_room(expected, advice)
    return Preflight(tuple(problems), expected, advice, previews)


def _stop_after(seconds: float) -> ShouldStop:
    """True from `seconds` after it was first asked on: until then nothing has been counted."""
    until: list[float] = []

    def should_stop() -> bool:
        now = time.monotonic()
        if not until:
            until.append(now + seconds)
        return now > until[0]

    return should_stop


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
