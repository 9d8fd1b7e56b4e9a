"""From rows to a configuration, from a configuration to a run, and what runs and data leave on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from phinb.config import Config, load_config
from phinb.data.cache import CachedCopy, cached_copies, delete_cached
from phinb.errors import ConfigError, PhinbError
from phinb.folders import Report
from phinb.workflow.advice import Advice
from phinb.workflow.preflight import preflight
from phinb.workflow.runner import Run, open_run, runs
from phinb.workflow.starting import start_run
from phinb.workflow.tidying import Deletion, Usage, choose_runs, delete, measure_usage, read_age

if TYPE_CHECKING:
    from phinb.config.starting.gallery import StartingPoint


def new_config(
    data: str | Path,
    answer: str | None = None,
    recipe: str = "lora",
    model: str = "phinb://demo",
    test: str | Path | None = None,
    *,
    folder: str | Path | None = None,
    progress: Report | None = None,
) -> str:
    """A first configuration for the rows in a file: JSON with comments that say why each value was chosen.

    data: JSON lines, JSON, CSV, TSV, Parquet or text. answer: the column to be predicted; left out, the likeliest
    one is taken, and a comment says why. recipe: lora, qlora, dora, quantize, evaluate or azure. model: what
    model_path may say. test: a file of rows to evaluate and compare on; left out, a share of `data`. folder: where
    the configuration will stand, by default the working directory: its paths are relative to it. progress: hears of
    a demo model that has to be made first, for its tokenizer.

    Raises PhinbError, with what to do, for a file that is missing, empty, not UTF-8 or of a kind that cannot be read,
    a column that is not there or cannot be an answer, rows without text, an unknown recipe, or a model that is not
    there.
    """
    from phinb.data.first_config import compose_config
    from phinb.workflow.devices import look_at_machine

    place = Path(folder) if folder is not None else None
    return compose_config(data, answer, recipe, model, test, folder=place, machine=look_at_machine(), progress=progress)


@overload
def gallery(name: None = None) -> tuple[StartingPoint, ...]: ...


@overload
def gallery(name: str) -> str: ...


def gallery(name: str | None = None) -> tuple[StartingPoint, ...] | str:
    """The starting points there are, each with name, title, purpose and needs; with a name, its text.

    The text is JSON with comments, for load_config or a %%olive_config cell; it speaks of train.jsonl and test.jsonl
    with the columns phrase and tone. Raises PhinbError, naming the nearest, for a name that is not there.
    """
    from phinb.config.starting.gallery import starting_points, starting_text

    return starting_points() if name is None else starting_text(name)


def start(
    config: Config | str | Path | Mapping[str, Any],
    until: str | None = None,
    from_: str | None = None,
    fresh: bool = False,
    on: Literal["local"] = "local",
    anyway: bool = False,
) -> Run:
    """Start a run and return at once; it goes on in a process of its own, whatever becomes of this one.

    config: a Config, or what load_config takes. until: the last pass to run. from_: the pass from which on earlier
    results are not used again. fresh: use none at all, checkpoints included. on: where to run; only "local" so far.
    anyway: also where the forecast says that memory or disk will not do. The rows are looked at for a moment only,
    however many; `preflight` looks at all.

    Raises ConfigError with all problems where the configuration has errors, or where the model, the data, the disk
    or the memory stand in the way.
    """
    if on != "local":
        raise PhinbError(f"phinb cannot run on {on!r} yet.", 'It runs on this machine: on="local".')
    config = config if isinstance(config, Config) else load_config(config)
    return start_run(config, until=until, from_pass=from_, fresh=fresh, anyway=anyway)


def advise(config: Config | str | Path | Mapping[str, Any]) -> tuple[Advice, ...]:
    """Settings that make a configuration's training faster or smaller on this machine without changing what it learns.

    config: a Config, or what load_config takes. `preflight(config).advice` is the same; `apply_advice` writes it.

    Raises ConfigError where the configuration has errors.
    """
    config = config if isinstance(config, Config) else load_config(config)
    if not config.ok:
        raise ConfigError(config.problems)
    return preflight(config).advice


def run(
    config: Config | str | Path | Mapping[str, Any],
    until: str | None = None,
    from_: str | None = None,
    fresh: bool = False,
    on: Literal["local"] = "local",
    anyway: bool = False,
) -> Run:
    """`start`, and wait until the run has ended. Ctrl-C ends the waiting; the run itself goes on."""
    started = start(config, until=until, from_=from_, fresh=fresh, on=on, anyway=anyway)
    started.wait()
    return started


def disk_usage() -> Usage:
    """What the runs take on the disk, in bytes: each, all together, and what only Olive's cache holds besides.

    A run's artefacts share files with that cache and with other runs; in each figure a file counts once.
    """
    return measure_usage(runs())


def delete_runs(
    *which: Run | str | Path,
    keep: int | None = None,
    older: str | None = None,
    cache: bool = False,
    dry_run: bool = False,
) -> Deletion:
    """Delete runs, and those of Olive's results that no other run needs; a run that is going on stays.

    which: runs, or what open_run takes. keep, older: all ended runs behind the newest `keep`, that ended longer ago
    than `older` ("12h", "30d", "8w"); with both, those that meet both. cache: without any of them, delete only results
    that no run needs. dry_run: delete nothing, and tell what would go.

    Raises PhinbError where nothing is asked for, a run is not there, or its folder cannot be moved.
    """
    if not which and keep is None and older is None and not cache:
        raise PhinbError("It is not said which runs to delete.", "Name them, or say keep=5, older='30d' or cache=True.")
    everything = runs()
    chosen = [run if isinstance(run, Run) else open_run(run) for run in which]
    if keep is not None or older is not None:
        chosen += choose_runs(everything, keep, None if older is None else read_age(older))
    return delete(chosen, everything, dry_run=dry_run)


def cached_data() -> tuple[CachedCopy, ...]:
    """The copies of your rows that the library datasets has left on this disk: path, bytes and source of each.

    They come from looking at data that are no JSON lines, and from Olive's training; the largest is first. What lies
    in a cache of your own ($HF_DATASETS_CACHE) is not among them.
    """
    return tuple(cached_copies())


def delete_cached_data() -> int:
    """Delete all that `cached_data` lists; returns the bytes that are free now. Your own files are not touched.

    Raises PhinbError while a run is going on, which may be reading them.
    """
    going_on = [run.id for run in runs() if not run.state.ended]
    if going_on:
        raise PhinbError(
            f"The run {going_on[0]} is going on and may be reading the copies of its rows.",
            "Wait until it has ended, or stop it.",
        )
    return delete_cached()
