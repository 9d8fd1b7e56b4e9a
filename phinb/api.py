"""The public functions. Magics, panels and the command line call these and nothing beneath them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from phinb.config import Config, load_config
from phinb.config.checks.data import EVALUATION_NAMES
from phinb.data.cache import CachedCopy, cached_copies, delete_cached
from phinb.data.component import export_plain
from phinb.data.preview import Preview, find_data_config, preview
from phinb.errors import ConfigError, PhinbError
from phinb.evaluation.latency import LatencySettings
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
    import pandas

    from phinb.config.starting.gallery import StartingPoint
    from phinb.evaluation.bulk_chat import BulkReplies
    from phinb.evaluation.chat import Chat, Exchange, Reply
    from phinb.evaluation.choice import Choice
    from phinb.evaluation.comparison import Comparison
    from phinb.evaluation.constraints import Constraint
    from phinb.evaluation.export import Export
    from phinb.evaluation.precision_search import PrecisionSearch
    from phinb.evaluation.quality import Metrics
    from phinb.evaluation.row_tokens import RowTokens
    from phinb.evaluation.scoring_kinds import Scoring
    from phinb.evaluation.variants import Given

__all__ = [
    "Advice",
    "CachedCopy",
    "Deletion",
    "LatencySettings",
    "PlainRow",
    "Range",
    "Standby",
    "Sweep",
    "Usage",
    "advise",
    "apply_advice",
    "cached_data",
    "chat",
    "chat_many",
    "check_plain_olive",
    "choose",
    "compare",
    "delete_cached_data",
    "delete_runs",
    "disk_usage",
    "dismiss_standby",
    "export",
    "export_plain",
    "figure",
    "find_standby",
    "gallery",
    "keep_standby",
    "load_comparison",
    "load_config",
    "new_config",
    "open_chat",
    "open_run",
    "open_sweep",
    "preflight",
    "preview",
    "report",
    "row_tokens",
    "run",
    "runs",
    "save_figure",
    "search_precisions",
    "start",
    "sweep",
    "sweeps",
    "table",
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


def compare(
    run: Run | str | Path,
    rows: str | Path | Rows | None = None,
    answer: str | None = None,
    labels: Sequence[str] | None = None,
    metrics: Metrics | None = None,
    variants: Sequence[Given] | None = None,
    *,
    scoring: Scoring = "sum",
    latency: LatencySettings | None = None,
    fresh: bool = False,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Measure a run's variants on the same rows: accuracy, latency, memory, size. What was measured is kept.

    rows: a path to rows (JSON lines, JSON, CSV, Parquet), a data config's name, or a list of dicts; left out, it is
    the configuration's evaluation data: the data config of eval_data_config, else one named eval, test or
    validation. answer: the column to be predicted; by default phinb.answer, else the last field of the template.
    labels: the answers to choose from; by default phinb.labels, else those that the data has; more than 50 are free
    text. metrics: names ("accuracy", "macro_f1", "exact_match", "f1", "rouge1", "rouge2", "rougeL", "perplexity",
    "bits_per_byte", "lm_eval:TASK") and functions of your own, f(predicted, answer, row) -> number; latency is measured
    in any case. scoring: how labels are ranked, "sum", "mean" (a token) or "calibrated" (by the empty prompt).
    variants: by default all of the run; its names, "RUN_ID/NAME" or a Variant of another run, folders of models.
    latency: what is timed; LatencySettings(lengths=(32, 512), batches=(4,)) times more. fresh: take nothing that is
    kept, as where other programs disturbed the times.

    Raises PhinbError while the run has no variant but the base, for a name that it does not have, for a folder that
    holds no model, and for rows that cannot be read or lack the template's fields.
    """
    from phinb.evaluation.comparison import compare_variants
    from phinb.evaluation.history import keep_latest

    if isinstance(labels, str):
        raise PhinbError(f"labels is the text {labels!r}.", "Give a list: labels=['joy', 'fear'].")
    if rows is not None and not isinstance(rows, str | Path) and not all(isinstance(row, Mapping) for row in rows):
        raise PhinbError(
            "rows holds something that is no row.", "Give a list of dicts, a path, or a data config's name."
        )
    run = run if isinstance(run, Run) else open_run(run)
    config = run.config
    olive = config.to_olive()
    training = find_data_config(olive)
    recipe = _read_recipe(training, config)
    given, train_rows = _rows(run, config, olive, rows), _train_rows(config, training)
    comparison = compare_variants(
        _choose_variants(run, variants),
        given,
        template=recipe["text_template"],
        answer=answer or config.phinb.get("answer"),
        labels=labels or config.phinb.get("labels"),
        folder=run.folder / "comparison",
        add_special_tokens=recipe["add_special_tokens"],
        train_rows=train_rows,
        metrics=metrics,
        scoring=scoring,
        trained_field=recipe["trained_field"],
        max_tokens=recipe["max_seq_len"],
        latency=latency,
        fresh=fresh,
        name=run.name,
        on_event=on_event,
        should_stop=should_stop,
    )
    comparison = replace(comparison, settings={**comparison.settings, "rows_from": _rows_from(config, olive, rows)})
    keep_latest(comparison, run.folder)
    return comparison


def load_comparison(path: str | Path) -> Comparison:
    """A comparison that was saved with `comparison.save(path)`. Raises PhinbError where it cannot be read."""
    from phinb.evaluation.comparison import load_comparison as load

    return load(Path(path))


def figure(source: Comparison | Choice | Preview | Run | RunState | Sweep, kind: str) -> Any:
    """A plotly figure of a comparison, a choice, a preview, a run or a sweep.

    kind: of a comparison or a choice "quality_latency"; of a comparison "stages", "latency", "ttft_by_length",
    "confusion"; of a comparison or a run "history" (the runs of the same name); of a preview "lengths" (tokens a row
    and where they are cut), "labels" (rows a label), "padding" (its share of a training step, by how batches are made);
    of a run "loss"; of a sweep "parallel".

    Raises PhinbError, naming the kinds there are, for one that does not fit, and where there is nothing to show.
    """
    from phinb.plots import figure as draw

    return draw(source.state if isinstance(source, Run) else source, kind)


def table(source: Comparison | Preview | Run | RunState | Sweep, kind: str) -> pandas.DataFrame:
    """The figures that `figure(source, kind)` shows, as a pandas frame: what is unknown is NaN or None."""
    from phinb.plots import table as tabulate

    return tabulate(source, kind)


def save_figure(
    source: Comparison | Preview | Run | RunState | Sweep,
    kind: str,
    path: str | Path,
    *,
    dark: bool = False,
    width: int = 820,
    height: int | None = None,
    scale: float = 2.0,
) -> Path:
    """Draw `figure(source, kind)` into a file: .png, .svg, .pdf, .webp or .jpeg. Returns its path.

    width, height: in CSS pixels, the height by default the figure's own; scale: how many pixels there are to one.
    Raises PhinbError for another ending, and where kaleido (`pip install "phinb[pictures]"`) or a Chromium is missing.
    """
    from phinb.plots.pictures import save_figure as save

    return save(source, kind, path, dark=dark, width=width, height=height, scale=scale)


def report(
    source: Comparison | Run | str,
    path: str | Path,
    *,
    rows: str | Path | Rows | None = None,
    overwrite: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Path:
    """Write one HTML file with all of a comparison; it opens offline, in both themes, and prints. Returns its path.

    It holds the table, what changed in words, every plot with its table, settings, machine, versions, problems and
    lineage, in about 2.1 MB.

    source: a comparison, or the file that comparison.save wrote; or a run (or its name), which is compared on `rows`
    (what was measured is kept) and adds its passes and its loss.
    Raises PhinbError where the file is there already, unless `overwrite`, or cannot be written.
    """
    from phinb.plots.report import save_report

    if isinstance(source, str):
        source = load_comparison(source) if Path(source).is_file() else open_run(source)
    if isinstance(source, Run):
        comparison = compare(source, rows=rows, on_event=on_event)
        return save_report(comparison, path, source.state, overwrite=overwrite)
    return save_report(source, path, overwrite=overwrite)


def open_source(
    reference: str,
    kind: str,
    rows: str | Path | Rows | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Comparison | Preview | Run | Sweep:
    """What `figure(source, kind)` takes, by name: for "loss" and "history" a run, for "lengths", "labels" and "padding"
    the preview of a configuration's file, for "parallel" a sweep, else a comparison: that of a run, or a file that
    comparison.save wrote. A run is compared on `rows`, as `compare` does it.

    Raises PhinbError for an unknown kind, and where nothing has that name.
    """
    from phinb.plots.figures import KINDS

    takers = {taker for taker, kinds in KINDS.items() if kind in kinds}
    if not takers:
        every = dict.fromkeys(kind for kinds in KINDS.values() for kind in kinds)
        raise PhinbError(f"There is no figure {kind!r}.", f"The kinds are: {', '.join(every)}.")
    if Preview in takers:
        return preview(load_config(Path(reference)))
    if Sweep in takers:
        return open_sweep(reference)
    if Path(reference).is_file():
        return load_comparison(reference)
    run = open_run(reference)
    return run if RunState in takers else compare(run, rows=rows, on_event=on_event)


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


def choose(
    comparison: Comparison,
    *,
    by: str = "size_bytes",
    over: Sequence[str] = ("accuracy", "ttft_ms_p50", "size_bytes"),
    under: Sequence[Constraint] = (),
    **constraints: str,
) -> Choice:
    """The variant that meets the constraints and is best in `by`: choose(c, accuracy=">=0.8", ttft_ms="<=80").

    Constraints name columns of comparison.frame, or ttft_ms, size, memory, decode and load; "<=400MB", "<=1.5GB",
    ">=80%" have units. by: the smallest on disk wins, unless another figure is named. over: the figures of the Pareto
    front. under: further constraints, read already. An adapter's size holds its base. Where none fits, `relaxations`
    says which constraint is the cheapest to relax; `cautions` says what the 95 % intervals leave open.
    `figure(choice, "quality_latency")` draws it.

    Raises PhinbError for a figure that is not there, a unit that is not its own, or a constraint that cannot be read.
    """
    from phinb.evaluation.choice import choose as decide
    from phinb.evaluation.constraints import read_constraints

    return decide(comparison, (*under, *read_constraints(constraints)), by=by, over=over)


def search_precisions(
    run: Run | str | Path,
    rows: str | Path | Rows | None = None,
    *,
    by: str = "size_bytes",
    candidates: Sequence[str] | None = None,
    under: Sequence[Constraint] = (),
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **constraints: str,
) -> PrecisionSearch:
    """Build a run's model in other precisions and choose among them: search_precisions(run, accuracy=">=0.8").

    Each is an ordinary run of the same configuration with another ModelBuilder pass: training and merge are reused.
    Each is measured on the same rows as by `compare`. The smallest by expectation comes first, and what cannot win any
    more is not built, and said to be. candidates: of int4-128, int4-32, int4-k-last, int4-k-mixed, int8, fp16, bf16
    and fp32, by default all; what does not run on this machine is told. by, under, constraints: as of `choose`.
    should_stop: asked all the time; once true, the run that goes on is cancelled, and what was measured is chosen from.

    Raises PhinbError where the run's configuration searches by itself, a figure or a precision is not there, or none
    was measured.
    """
    from phinb.evaluation.constraints import read_constraints
    from phinb.evaluation.precision_search import Ask, Listen, search

    def measure(built: Run, variant: str, listen: Listen, ask: Ask) -> Comparison:
        return compare(built, rows, variants=[variant], on_event=listen, should_stop=ask)

    run = run if isinstance(run, Run) else open_run(run)
    asked = (*under, *read_constraints(constraints))
    return search(run, asked, measure, by=by, candidates=candidates, on_event=on_event, should_stop=should_stop)


def export(
    run: Run | str | Path,
    variant: str,
    folder: str | Path,
    *,
    comparison: Comparison | None = None,
    overwrite: bool = False,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Export:
    """Write a variant into a folder that runs elsewhere: model, tokenizer, checksums, model card, programs.

    run.py, and for ONNX its C# twin, answer the prompt of the training. The card tells what was measured in
    `comparison`, by default the run's last one; where nothing was, it says so. Nothing is measured here. An adapter
    takes its base along. overwrite: replace a folder that is not empty. No path of this machine goes into the folder.

    Raises PhinbError for a variant that the run does not have or that is incomplete, a comparison of another one, and
    a folder that cannot be written.
    """
    from phinb.evaluation.export import export_variant
    from phinb.evaluation.provenance import describe_origin, find_prompt

    run = run if isinstance(run, Run) else open_run(run)
    (chosen,) = _choose_variants(run, [variant])
    comparison = _find_latest(run) if comparison is None else _comparison_of(comparison, chosen, run)
    load = (run.config.to_olive().get("input_model") or {}).get("load_kwargs") or {}
    return export_variant(
        chosen,
        folder,
        prompt=find_prompt(run.config, chosen),
        origin=describe_origin(run, chosen),
        comparison=comparison,
        how_to_measure=f"To measure it, where the run is: `phinb compare {run.id}`, then export it again.",
        overwrite=overwrite,
        trust_remote_code=bool(load.get("trust_remote_code")),
        on_event=on_event,
        should_stop=should_stop,
    )


def _comparison_of(comparison: Comparison, variant: Variant, run: Run) -> Comparison:
    """The comparison with the variant under its own name: a search over precisions calls it by another.

    Raises PhinbError where it has measured another model, whatever its name.
    """
    own = [
        m for m in comparison.measurements if m.variant.path == variant.path or m.variant.kind == variant.kind == "base"
    ]
    if not own:
        raise PhinbError(
            f"The comparison has not measured {variant.name} of run {run.id}.",
            f"Compare it: phinb.compare({run.id!r}).",
        )
    named = replace(own[0], variant=replace(own[0].variant, name=variant.name))
    others = [m for m in comparison.measurements if m is not own[0] and m.variant.name != variant.name]
    kept = [named if m is own[0] else m for m in comparison.measurements if m is own[0] or m in others]
    return replace(comparison, measurements=tuple(kept))


def row_tokens(
    source: Comparison | Run | str | Path,
    row: int,
    *,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[RowTokens, ...]:
    """A row's tokens (prompt and right answer) with the probability that each compared variant gives each of them.

    source: a comparison, or a run, whose last one is taken and which keeps what is read: it is not read twice. row:
    from 0, as in comparison.rows. Loads one variant after the other; once should_stop() is true, what is read so far
    is returned. A variant that cannot be read has its `error`.

    Raises PhinbError where the run has not been compared, or its comparison does not have the row.
    """
    from phinb.evaluation.comparison import Comparison
    from phinb.evaluation.history import LATEST
    from phinb.evaluation.row_tokens import TokenReader

    folder = None
    if not isinstance(source, Comparison):
        run = source if isinstance(source, Run) else open_run(source)
        if not (run.folder / LATEST).is_file():
            raise PhinbError(f"Run {run.id} has not been compared yet.", f"Compare it: phinb.compare({run.id!r}).")
        source, folder = load_comparison(run.folder / LATEST), (run.folder / LATEST).parent
    with TokenReader(source, folder) as reader:
        return reader.read(row, on_event, should_stop)


def _find_latest(run: Run) -> Comparison | None:
    """The run's last comparison; None where there is none that can be read."""
    from phinb.evaluation.history import LATEST

    with contextlib.suppress(PhinbError):
        return load_comparison(run.folder / LATEST)
    return None


def open_chat(run: Run | str | Path, variants: Sequence[Given] | None = None) -> Chat:
    """A run's variants to be asked one prompt after the other; each is loaded when it is first asked.

        with phinb.open_chat(run, ["base", "int4"]) as chat:
            exchange = chat.ask({"phrase": "I love it"})

    variants: as in `compare`: names, other runs', folders of models; by default all of the run, of which the first four
    are asked. Closing it ends their processes. Raises PhinbError for one that is not there.
    """
    from phinb.evaluation.chat import Chat
    from phinb.evaluation.comparison import find_folders
    from phinb.evaluation.prompts import read_form
    from phinb.evaluation.variants import find_variants

    run = run if isinstance(run, Run) else open_run(run)
    found = find_variants(run, list(variants) if variants else list(run.variants))
    return Chat([find_folders(variant) for variant in found], read_form(run.config), run.name)


def chat(
    run: Run | str | Path,
    prompt: str | Mapping[str, Any],
    variants: Sequence[Given] | None = None,
    *,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int | None = None,
    at_once: bool = False,
    on_reply: Callable[[Reply], None] | None = None,
) -> Exchange:
    """One prompt to two to four of a run's variants: text, tokens, time to the first token and tokens/s of each.

    prompt: a dict of the template's fields, without the answer; or a text: what the user of a chat says, else the whole
    prompt. It is sent as in training, special tokens included, and a reply ends at the model's end token or where the
    template's text behind the answer begins. variants: as in `compare`, by default the first four. temperature 0 is
    greedy. They answer in turn unless at_once, which slows each and is said in the replies. on_reply: called after each
    token. Each call loads the variants anew; `open_chat` keeps them. `exchange["int4"].text`; print(exchange).

    Raises PhinbError for a prompt that lacks a field or a name that is not there; a variant that fails says so in its
    reply's `error`.
    """
    from phinb.evaluation.chat import ChatSettings

    settings = ChatSettings(max_new_tokens, temperature, top_p, seed, at_once)
    with open_chat(run, variants) as opened:
        return opened.ask(prompt, settings, on_reply=on_reply)


def chat_many(
    run: Run | str | Path,
    prompts: str | Path | Sequence[Mapping[str, Any] | str],
    out: str | Path,
    variants: Sequence[Given] | None = None,
    *,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int | None = None,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> BulkReplies:
    """Ask a run's variants many prompts and write each reply, as it is made, as a line of JSON into `out`.

    prompts: a file (JSON lines, JSON, CSV, Parquet, text) whose rows have the template's fields, or a column `prompt`
    or `text` with the whole prompt; or a list of such rows and texts. Replies that `out` has already are not made
    again, so that what was stopped goes on. The result's `replies` are the lines, `sentences()` their figures with n.

    Raises PhinbError for a prompt that cannot be sent, with its row, and where `out` is something else.
    """
    from phinb.evaluation.bulk_chat import chat_many as ask_many
    from phinb.evaluation.chat import ChatSettings

    settings = ChatSettings(max_new_tokens, temperature, top_p, seed)
    rows = _read_prompts(Path(prompts)) if isinstance(prompts, str | Path) else prompts
    with open_chat(run, variants) as opened:
        return ask_many(opened, rows, out, settings, on_event=on_event, should_stop=should_stop)


def _read_prompts(path: Path) -> Rows:
    from phinb.data.source import read_rows

    read = read_rows(_config_of_file(path), Path.cwd())
    for problem in read.problems:
        if problem.severity == "error":
            raise PhinbError(problem.message, problem.hint)
    return read.rows


def _choose_objective(config: Config) -> str:
    """The first of accuracy, eval_loss and loss that these runs will have."""
    if _has_evaluation_data(config):
        with contextlib.suppress(PhinbError):
            _read_recipe(find_data_config(config.to_olive()), config)
            return "accuracy"
    evaluated = (config.effective().get(f"passes.{name}.eval_data_config") for name in config.passes)
    return "eval_loss" if config.phinb.get("eval_split") or any(one and one.value for one in evaluated) else "loss"


def _has_evaluation_data(config: Config) -> bool:
    olive = config.to_olive()
    names = {str(one.get("name")) for one in olive.get("data_configs") or []}
    return any(name in names for name in _evaluation_names(olive))


def _choose_variants(run: Run, names: Sequence[Given] | None) -> list[Variant]:
    from phinb.evaluation.variants import find_variants

    there = run.variants
    state = run.state
    only_evaluated = state.status == "succeeded" and not state.passes
    if len(there) < 2 and not names and not only_evaluated:
        why = "is still running" if not state.ended else f"ended as {state.status}"
        raise PhinbError(f"Run {run.id} has no model of its own to compare; it {why}.", "Wait, or start it again.")
    return find_variants(run, names if names else list(there))


def _read_recipe(data_config: Mapping[str, Any], config: Config) -> dict[str, Any]:
    from phinb.data.completion import find_trained_field
    from phinb.data.source import parameters

    params = parameters(data_config.get("pre_process_data_config"))
    if not params.get("text_template"):
        raise PhinbError(
            f"The data config {data_config.get('name')} has no text_template to cut the prompt from.",
            "Write one: text_template with its fields in braces, the answer last.",
        )
    return {
        "text_template": params["text_template"],
        "add_special_tokens": params.get("add_special_tokens", True),
        "max_seq_len": params.get("max_seq_len", 1024),
        "trained_field": find_trained_field(config.phinb, params),
    }


def _rows(run: Run, config: Config, olive: dict[str, Any], rows: str | Path | Rows | None) -> Rows:
    from phinb.data.source import read_rows

    if rows is not None and not isinstance(rows, str | Path):
        return rows
    read = read_rows(*_rows_config(config, olive, rows))
    for problem in read.problems:
        if problem.severity == "error":
            raise PhinbError(problem.message, problem.hint)
    return read.rows


def _rows_config(config: Config, olive: dict[str, Any], rows: str | Path | None) -> tuple[Mapping[str, Any], Path]:
    """(the data config that the rows are read by, the folder that its paths are relative to)"""
    names = {str(one.get("name")): one for one in olive.get("data_configs") or []}
    if rows is None:
        chosen = next((name for name in _evaluation_names(olive) if name in names), None)
        if chosen is None:
            raise PhinbError(
                "The configuration names no evaluation data.", "Give the rows: rows=PATH, a data config, or a list."
            )
        return names[chosen], config.folder
    if str(rows) in names:
        return names[str(rows)], config.folder
    return _config_of_file(Path(rows)), Path.cwd()


def _rows_from(config: Config, olive: dict[str, Any], rows: str | Path | Rows | None) -> list[dict[str, str]]:
    """Name and SHA-256 of the files that the rows were read from; none for rows that were given as a list."""
    from phinb.evaluation.provenance import describe_files

    if rows is not None and not isinstance(rows, str | Path):
        return []
    return describe_files(*_rows_config(config, olive, rows))


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
