"""Comparisons of a run's variants, and what follows from them: choosing, more precisions, taking one home."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from phinb.api.rows import Rows, describe_rows, find_rows, read_recipe, read_train_rows
from phinb.data.preview import find_data_config
from phinb.errors import PhinbError
from phinb.evaluation.latency import LatencySettings
from phinb.types import Event, Variant
from phinb.workflow.runner import Run, open_run

if TYPE_CHECKING:
    from phinb.evaluation.choice import Choice
    from phinb.evaluation.comparison import Comparison
    from phinb.evaluation.constraints import Constraint
    from phinb.evaluation.export import Export
    from phinb.evaluation.precision_search import PrecisionSearch
    from phinb.evaluation.quality import Metrics
    from phinb.evaluation.row_tokens import RowTokens
    from phinb.evaluation.scoring_kinds import Scoring
    from phinb.evaluation.variants import Given


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
    recipe = read_recipe(training, config)
    given, train_rows = find_rows(config, olive, rows), read_train_rows(config, training)
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
    comparison = replace(comparison, settings={**comparison.settings, "rows_from": describe_rows(config, olive, rows)})
    keep_latest(comparison, run.folder)
    return comparison


def load_comparison(path: str | Path) -> Comparison:
    """A comparison that was saved with `comparison.save(path)`. Raises PhinbError where it cannot be read."""
    from phinb.evaluation.comparison import load_comparison as load

    return load(Path(path))


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


def _choose_variants(run: Run, names: Sequence[Given] | None) -> list[Variant]:
    from phinb.evaluation.variants import find_variants

    there = run.variants
    state = run.state
    only_evaluated = state.status == "succeeded" and not state.passes
    if len(there) < 2 and not names and not only_evaluated:
        why = "is still running" if not state.ended else f"ended as {state.status}"
        raise PhinbError(f"Run {run.id} has no model of its own to compare; it {why}.", "Wait, or start it again.")
    return find_variants(run, names if names else list(there))
