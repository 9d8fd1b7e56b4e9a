"""Measuring variants on the same rows, each in a process of its own.

What was measured before on the same artefact, rows, settings, machine and libraries is taken from the folder and said
to be. How it is done: session.py; what is asked about quality, in parts that are kept apart: quality.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from phinb.data.template import parse_template
from phinb.errors import PhinbError
from phinb.evaluation.latency import LatencySettings
from phinb.evaluation.machine import describe_machine, describe_versions
from phinb.evaluation.parts import Ask, Part
from phinb.evaluation.quality import (
    HARNESS,
    Metrics,
    QualityPlan,
    fill_measurement,
    find_prompts,
    measure_part,
    plan_quality,
)
from phinb.evaluation.results import STAGES, Comparison, Summary, load_comparison
from phinb.evaluation.scoring import fill_parts
from phinb.evaluation.scoring_kinds import Scoring
from phinb.evaluation.session import Session, Subject
from phinb.models.references import HUB_NAME, find_snapshot
from phinb.types import Event, Notice, Variant

__all__ = ["Comparison", "Summary", "compare_variants", "load_comparison"]


def compare_variants(
    variants: Sequence[Variant],
    rows: Sequence[Mapping[str, Any]],
    *,
    template: str,
    answer: str | None = None,
    labels: Sequence[Any] | None = None,
    folder: str | Path,
    add_special_tokens: bool = True,
    train_rows: Sequence[Mapping[str, Any]] = (),
    metrics: Metrics | None = None,
    scoring: Scoring = "sum",
    trained_field: str | None = None,
    max_tokens: int = 1024,
    latency: LatencySettings | None = None,
    fresh: bool = False,
    name: str = "comparison",
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Measure quality, latency, memory and size of `variants` on `rows`; returns when all are done or it is stopped.

    template, add_special_tokens: as in training. answer: the column to be predicted, by default the template's last.
    labels: by default the distinct answers of train_rows and rows. metrics, scoring, trained_field, max_tokens: see
    quality.plan_quality. latency: what is timed. folder: where results are kept; fresh: none of them is taken.
    on_event gets the events of a run, numbered and stamped, with a variant in the place of a pass. should_stop is
    asked ten times a second while a process runs; once true, it is killed with its children, and what is done so far
    is returned. A variant that cannot be measured has its `error` in the result. Raises PhinbError where the request
    itself is wrong: no rows, a row without a field, an answer that is no label, two variants of one name.
    """
    _check_names(variants)
    plan = plan_quality(
        rows,
        template=template,
        answer=answer,
        labels=labels,
        metrics=metrics,
        scoring=scoring,
        train_rows=train_rows,
        add_special_tokens=add_special_tokens,
        trained_field=trained_field,
        max_tokens=max_tokens,
    )
    latency = latency or LatencySettings()
    settings = {
        "n": len(rows),
        "template": template,
        "answer": plan.answer,
        **plan.settings,
        "add_special_tokens": add_special_tokens,
        "latency": {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(latency).items()},
        "machine": describe_machine(),
        "versions": describe_versions(),
        "seed": None,
    }
    parts = parse_template(template)
    whole = tuple(fill_parts(parts, row, number, len(rows)) for number, row in enumerate(rows, 1))
    subject = Subject(
        plan.prompts or whole, whole, lambda ask: _encode_prompts(ask, plan, whole), _parts(plan), latency
    )
    surroundings = [settings["machine"], settings["versions"]]
    session = Session(Path(folder), subject, surroundings, on_event, should_stop or (lambda: False), fresh)
    ordered = [find_folders(variant) for variant in sorted(variants, key=lambda variant: STAGES[variant.kind])]
    notices = [Notice(problem.severity, problem.code, problem.message, problem.hint) for problem in plan.problems]
    measured = tuple(
        one if one.error else fill_measurement(one, plan, answers)
        for one, answers in session.run(ordered, name, notices)
    )
    settings["latency"] |= {"order": session.order}
    return Comparison(
        measured, settings, plan.problems, session.reused, session.stopped, name, plan.prompts, plan.fields
    )


def _parts(plan: QualityPlan) -> tuple[Part, ...]:
    return tuple(Part(part, record, partial(_measure, part, plan)) for part, record in plan.parts.items())


def _measure(part: str, plan: QualityPlan, ask: Ask, variant: Variant) -> Mapping[str, Any]:
    return measure_part(part, plan, ask)


def _encode_prompts(ask: Ask, plan: QualityPlan, whole: Sequence[str]) -> list[list[int]]:
    """The prompts to be timed, in the variant's token ids."""
    for part, record in plan.parts.items():
        if not part.startswith(HARNESS):
            return find_prompts(part, ask("encode", {"part": part, "record": record}))
    return [text["ids"] for text in ask("tokenize", {"texts": list(whole)})["texts"]]


def _check_names(variants: Sequence[Variant]) -> None:
    names = [variant.name for variant in variants]
    if not names:
        raise PhinbError("There is no variant to compare.", "A run has variants once a pass of it has ended.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PhinbError(f"Two variants are called {twice[0]!r}.", "Give each variant a name of its own.")


def find_folders(variant: Variant) -> Variant:
    """A model that was named as on the hub is measured in the hub's cache, where it lies if a run has used it."""
    return replace(variant, path=_find_folder(variant.path), base_path=_find_folder(variant.base_path))


def _find_folder(path: str) -> str:
    found = None if not path or Path(path).exists() or not HUB_NAME.fullmatch(path) else find_snapshot(path)
    return str(found) if found else path
