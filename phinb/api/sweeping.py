"""Sweeps: many settings of one configuration, each an ordinary run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phinb.api.comparing import compare
from phinb.api.rows import find_evaluation_names, read_recipe
from phinb.config import Config, load_config
from phinb.data.preview import find_data_config
from phinb.errors import ConfigError, PhinbError
from phinb.workflow.runner import Run
from phinb.workflow.sweep import Sweep, launch_sweep
from phinb.workflow.sweep_results import WORDS, summarize_training
from phinb.workflow.sweep_space import SEED, read_space
from phinb.workflow.sweep_store import Sampler, SweepRecord


def sweep(
    config: Config | str | Path | Mapping[str, Any],
    space: Mapping[str, Any],
    repeats: int = 1,
    *,
    sampler: Sampler = "grid",
    trials: int | None = None,
    objective: str | None = None,
    variant: str | None = None,
    until: str | None = None,
    at_once: int = 1,
) -> Sweep:
    """Run a configuration with other settings, each trial an ordinary run, and return at once.

    space: path -> the values to try, in the form of config.effective(): {"passes.lora.r": [8, 16, 32]}. Values may be
    the text "8,16,32" too, and for a sampler that draws a Range or "1e-5..1e-3". repeats: runs a setting, each with
    another seed. sampler: "grid" tries all combinations, "tpe" and "random" draw `trials` settings (Optuna).
    objective: what trials are compared by: "accuracy" and other figures of comparison.frame, "eval_loss", or "loss"
    (the mean of the last tenth of the training); by default the first of accuracy, eval_loss and loss that can be had.
    variant: the model it is measured on, by default the last that the run makes. until: the last pass to run. at_once:
    runs at the same time, as far as the forecast says that memory will do.

    Raises ConfigError where the configuration has errors, PhinbError where a path leads nowhere, a value would be
    refused, or the figure cannot be had of these runs.
    """
    config = config if isinstance(config, Config) else load_config(config)
    if not config.ok:
        raise ConfigError(config.problems)
    if repeats < 1 or at_once < 1:
        raise PhinbError("repeats and at_once count runs.", "Give 1 or more.")
    if objective is not None and objective not in WORDS:
        raise PhinbError(f"There is no figure {objective!r} to compare trials by.", f"There are: {', '.join(WORDS)}.")
    if sampler not in ("grid", "tpe", "random"):
        raise PhinbError(f"There is no sampler {sampler!r}.", "There are: grid, tpe, random.")
    if objective not in (None, "loss", "eval_loss") and not _has_evaluation_data(config):
        raise PhinbError(
            f"{objective} is measured on evaluation rows, and the configuration names no evaluation data.",
            'Add a data config with the name "eval", or compare by "loss".',
        )
    seed = int(config.phinb.get(SEED.rpartition(".")[2]) or 0)
    return launch_sweep(
        config,
        read_space(space),
        seeds=range(seed, seed + repeats),
        sampler=sampler,
        trials=trials,
        objective=objective or _choose_objective(config),
        variant=variant or "",
        until=until,
        at_once=at_once,
    )


def measure_trial(run: Run, record: SweepRecord) -> dict[str, float]:
    """The figures of a sweep's trial: loss, eval_loss, seconds, and the objective on the record's variant.

    Raises PhinbError where the objective cannot be had.
    """
    state = run.state
    found = summarize_training(state)
    if record.objective in ("loss", "eval_loss"):
        if record.objective not in found:
            raise PhinbError(
                f"The run logged no {record.objective}.", "Give it eval data and eval_steps, or log steps."
            )
        return found
    there = run.variants
    name = record.variant or next(reversed(there), "base")
    comparison = compare(run, variants=[name])
    (summary,) = comparison.summaries
    value = getattr(summary, record.objective)
    if summary.error or value is None:
        raise PhinbError(f"{name} has no {record.objective}.", summary.error)
    figures = {"accuracy": summary.accuracy, "n": summary.n, record.objective: value}
    return found | {key: float(figure) for key, figure in figures.items() if figure is not None}


def _choose_objective(config: Config) -> str:
    """The first of accuracy, eval_loss and loss that these runs will have."""
    if _has_evaluation_data(config):
        with contextlib.suppress(PhinbError):
            read_recipe(find_data_config(config.to_olive()), config)
            return "accuracy"
    evaluated = (config.effective().get(f"passes.{name}.eval_data_config") for name in config.passes)
    return "eval_loss" if config.phinb.get("eval_split") or any(one and one.value for one in evaluated) else "loss"


def _has_evaluation_data(config: Config) -> bool:
    olive = config.to_olive()
    names = {str(one.get("name")) for one in olive.get("data_configs") or []}
    return any(name in names for name in find_evaluation_names(olive))
