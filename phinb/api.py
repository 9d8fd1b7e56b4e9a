"""The public functions. Magics, panels and the command line call these and nothing beneath them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from phinb.config import Config, load_config
from phinb.config.checks.data import EVALUATION_NAMES
from phinb.data.cache import CachedCopy, cached_copies, delete_cached
from phinb.data.component import export_plain
from phinb.data.preview import Preview, find_data_config, preview
from phinb.errors import ConfigError, PhinbError
from phinb.folders import Report
from phinb.types import Event, RunState, Variant
from phinb.workflow.advice import Advice, apply_advice
from phinb.workflow.plain_view import PlainRow, check_plain_olive
from phinb.workflow.preflight import preflight
from phinb.workflow.runner import Run, open_run, runs
from phinb.workflow.standby import Standby, dismiss_standby, find_standby, keep_standby
from phinb.workflow.starting import start_run
from phinb.workflow.sweep import Sweep, launch_sweep, open_sweep, sweeps
from phinb.workflow.sweep_results import WORDS, summarize_training
from phinb.workflow.sweep_space import SEED, Range, read_space
from phinb.workflow.sweep_store import Sampler, SweepRecord
from phinb.workflow.tidying import Deletion, Usage, choose_runs, delete, measure_usage, read_age

if TYPE_CHECKING:
    from phinb.config.starting.gallery import StartingPoint
    from phinb.evaluation.choice import Choice
    from phinb.evaluation.comparison import Comparison

__all__ = [
    "Advice",
    "CachedCopy",
    "Deletion",
    "PlainRow",
    "Range",
    "Standby",
    "Sweep",
    "Usage",
    "advise",
    "apply_advice",
    "cached_data",
    "check_plain_olive",
    "choose",
    "compare",
    "delete_cached_data",
    "delete_runs",
    "disk_usage",
    "dismiss_standby",
    "export_plain",
    "figure",
    "find_standby",
    "gallery",
    "keep_standby",
    "load_comparison",
    "load_config",
    "new_config",
    "open_run",
    "open_sweep",
    "preflight",
    "preview",
    "run",
    "runs",
    "start",
    "sweep",
    "sweeps",
]

Rows = Sequence[Mapping[str, Any]]


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
        seeds=[seed + number for number in range(repeats)],
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


def compare(
    run: Run | str | Path,
    rows: str | Path | Rows | None = None,
    answer: str | None = None,
    labels: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Measure a run's variants on the same rows: accuracy, latency, memory, size. What was measured is kept.

    rows: a path to rows (JSON lines, JSON, CSV, Parquet), a data config's name, or a list of dicts; left out, it is
    the configuration's evaluation data: the data config of eval_data_config, else one named eval, test or
    validation. answer: the column to be predicted; by default phinb.answer, else the last field of the template.
    labels: the answers to choose from; by default phinb.labels, else those that the data has. metrics: "accuracy"
    and "latency" are measured in any case and nothing else can be asked for yet. variants: names; by default all.

    Raises PhinbError while the run has no variant but the base, for a name that it does not have, and for rows
    that cannot be read or lack the template's fields.
    """
    from phinb.evaluation.comparison import compare_variants

    if isinstance(labels, str):
        raise PhinbError(f"labels is the text {labels!r}.", "Give a list: labels=['joy', 'fear'].")
    if rows is not None and not isinstance(rows, str | Path) and not all(isinstance(row, Mapping) for row in rows):
        raise PhinbError(
            "rows holds something that is no row.", "Give a list of dicts, a path, or a data config's name."
        )
    run = run if isinstance(run, Run) else open_run(run)
    unknown = sorted(set(metrics or ()) - {"accuracy", "latency"})
    if unknown:
        raise PhinbError(f"There is no metric {unknown[0]!r}.", "There are: accuracy, latency.")
    config = run.config
    olive = config.to_olive()
    training = find_data_config(olive)
    recipe = _read_recipe(training)
    given, train_rows = _rows(run, config, olive, rows), _train_rows(config, training)
    return compare_variants(
        _choose_variants(run, variants),
        given,
        template=recipe["text_template"],
        answer=answer or config.phinb.get("answer"),
        labels=labels or config.phinb.get("labels"),
        folder=run.folder / "comparison",
        add_special_tokens=recipe["add_special_tokens"],
        train_rows=train_rows,
        name=run.name,
        on_event=on_event,
        should_stop=should_stop,
    )


def load_comparison(path: str | Path) -> Comparison:
    """A comparison that was saved with `comparison.save(path)`. Raises PhinbError where it cannot be read."""
    from phinb.evaluation.comparison import load_comparison as load

    return load(Path(path))


def figure(source: Comparison | Preview | Run | RunState | Sweep, kind: str) -> Any:
    """A plotly figure of a comparison, a preview, a run or a sweep.

    kind: of a comparison "quality_latency", "stages", "latency", "confusion"; of a preview "lengths" (tokens a row and
    where they are cut), "labels" (rows a label), "padding" (its share of a training step, by how batches are made); of
    a run "loss"; of a sweep "parallel".

    Raises PhinbError, naming the kinds there are, for one that does not fit, and where there is nothing to show.
    """
    from phinb.plots import figure as draw

    return draw(source.state if isinstance(source, Run) else source, kind)


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


def choose(comparison: Comparison, **constraints: str) -> Choice:
    """The variant that meets the constraints best: choose(c, accuracy=">=0.8", ttft_ms_p50="<=80").

    Constraints name columns of comparison.frame. Among those that meet all, the smallest on disk wins. Raises
    PhinbError for a column that is not there or a constraint that cannot be read.
    """
    from phinb.evaluation.choice import choose as decide

    return decide(comparison, constraints)


def _choose_objective(config: Config) -> str:
    """The first of accuracy, eval_loss and loss that these runs will have."""
    if _has_evaluation_data(config):
        with contextlib.suppress(PhinbError):
            _read_recipe(find_data_config(config.to_olive()))
            return "accuracy"
    evaluated = (config.effective().get(f"passes.{name}.eval_data_config") for name in config.passes)
    return "eval_loss" if config.phinb.get("eval_split") or any(one and one.value for one in evaluated) else "loss"


def _has_evaluation_data(config: Config) -> bool:
    olive = config.to_olive()
    names = {str(one.get("name")) for one in olive.get("data_configs") or []}
    return any(name in names for name in _evaluation_names(olive))


def _choose_variants(run: Run, names: Sequence[str] | None) -> list[Variant]:
    there = run.variants
    state = run.state
    only_evaluated = state.status == "succeeded" and not state.passes
    if len(there) < 2 and not names and not only_evaluated:
        why = "is still running" if not state.ended else f"ended as {state.status}"
        raise PhinbError(f"Run {run.id} has no model of its own to compare; it {why}.", "Wait, or start it again.")
    for name in names or ():
        if name not in there:
            raise PhinbError(f"Run {run.id} has no variant {name!r}.", f"It has: {', '.join(there)}.")
    return [there[name] for name in (names or there)]


def _read_recipe(data_config: Mapping[str, Any]) -> dict[str, Any]:
    from phinb.data.source import parameters

    params = parameters(data_config.get("pre_process_data_config"))
    if not params.get("text_template"):
        raise PhinbError(
            f"The data config {data_config.get('name')} has no text_template to cut the prompt from.",
            "Write one: text_template with its fields in braces, the answer last.",
        )
    return {"text_template": params["text_template"], "add_special_tokens": params.get("add_special_tokens", True)}


def _rows(run: Run, config: Config, olive: dict[str, Any], rows: str | Path | Rows | None) -> Rows:
    from phinb.data.source import read_rows

    if rows is not None and not isinstance(rows, str | Path):
        return rows
    names = {str(one.get("name")): one for one in olive.get("data_configs") or []}
    if rows is None:
        chosen = next((name for name in _evaluation_names(olive) if name in names), None)
        if chosen is None:
            raise PhinbError(
                "The configuration names no evaluation data.", "Give the rows: rows=PATH, a data config, or a list."
            )
        data_config: Mapping[str, Any] = names[chosen]
    elif str(rows) in names:
        data_config = names[str(rows)]
    else:
        data_config = _config_of_file(Path(rows))
    read = read_rows(data_config, Path.cwd() if rows is not None and str(rows) not in names else config.folder)
    for problem in read.problems:
        if problem.severity == "error":
            raise PhinbError(problem.message, problem.hint)
    return read.rows


def _train_rows(config: Config, training: Mapping[str, Any]) -> Rows:
    """The rows of training, only to know its labels; data that cannot be read any more does not matter here."""
    from phinb.data.source import read_rows

    return read_rows(training, config.folder).rows


def _evaluation_names(olive: dict[str, Any]) -> list[str]:
    names = []
    for value in (olive.get("passes") or {}).values():
        for body in value if isinstance(value, list) else [value]:
            settings = body.get("config") or body
            if isinstance(settings.get("eval_data_config"), str):
                names.append(settings["eval_data_config"])
    return [*names, *EVALUATION_NAMES]


def _config_of_file(path: Path) -> dict[str, Any]:
    """A data config for a path, by its ending. Raises PhinbError for an ending that `datasets` has no reader for."""
    kinds = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise PhinbError(f"Rows cannot be read from {path}.", f"Give a file that ends in {', '.join(kinds)}.")
    loading = {"type": "huggingface_dataset", "data_name": kind, "data_files": str(path), "split": "train"}
    return {"name": path.stem, "type": "HuggingfaceContainer", "load_dataset_config": loading}
