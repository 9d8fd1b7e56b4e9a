"""Measuring variants on the same rows, one after the other, each in a process of its own.

One after the other, because a neighbour would disturb the latency. What was measured before on the same artefact,
rows, settings, machine and libraries is taken from the folder and said to be.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import hash_contents, hash_json, hash_one_file
from phinb.evaluation.latency import LatencySettings
from phinb.evaluation.machine import describe_machine, describe_versions
from phinb.evaluation.process import run_measurement
from phinb.evaluation.records import decode_measurement, encode_measurement, encode_request, encode_task_record
from phinb.evaluation.results import STAGES, Comparison, Summary, load_comparison
from phinb.evaluation.scoring import ScoringTask, build_task, split_template
from phinb.models.references import HUB_NAME, find_snapshot
from phinb.types import (
    Event,
    Measurement,
    Notice,
    PassFailed,
    PassFinished,
    PassStarted,
    Preparing,
    Queued,
    RunFinished,
    Variant,
)
from phinb.workflow.standby import settle_standby
from phinb.workflow.store import write_atomically

__all__ = ["Comparison", "Summary", "compare_variants", "load_comparison"]

MEASURES = 1
"""Part of every key of a kept result: raise it when what is measured, or how, changes."""


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
    latency: LatencySettings | None = None,
    name: str = "comparison",
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Measure quality, latency, memory and size of `variants` on `rows`; returns when all are done or it is stopped.

    template, add_special_tokens: as in training. answer: the column to be predicted, by default the template's last.
    labels: by default the distinct answers of train_rows and rows. folder: where results are kept. on_event gets the
    events of a run, numbered and stamped, with a variant in the place of a pass. should_stop is asked ten times a
    second while a process runs; once true, it is killed with its children, and what is done so far is returned.
    A variant that cannot be measured has its `error` in the result. Raises PhinbError where the request itself is
    wrong: no rows, a row without a field, an answer that is no label, two variants of one name.
    """
    _check_names(variants)
    task = build_task(
        rows,
        template=template,
        answer=answer,
        labels=labels,
        train_rows=train_rows,
        add_special_tokens=add_special_tokens,
    )
    latency = latency or LatencySettings()
    settings = {
        "n": len(rows),
        "template": template,
        "answer": split_template(template, answer)[3],
        "labels": list(task.labels),
        "add_special_tokens": add_special_tokens,
        "scores_ending": task.scores_ending,
        "latency": asdict(latency),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "seed": None,
    }
    ordered = [_find_folders(variant) for variant in sorted(variants, key=lambda variant: STAGES[variant.kind])]
    session = _Session(Path(folder), task, latency, settings, on_event, should_stop or (lambda: False))
    return session.run(ordered, name)


def _check_names(variants: Sequence[Variant]) -> None:
    names = [variant.name for variant in variants]
    if not names:
        raise PhinbError("There is no variant to compare.", "A run has variants once a pass of it has ended.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PhinbError(f"Two variants are called {twice[0]!r}.", "Give each variant a name of its own.")


def _find_folders(variant: Variant) -> Variant:
    """A model that was named as on the hub is measured in the hub's cache, where it lies if a run has used it."""
    return replace(variant, path=_find_folder(variant.path), base_path=_find_folder(variant.base_path))


def _find_folder(path: str) -> str:
    found = None if not path or Path(path).exists() or not HUB_NAME.fullmatch(path) else find_snapshot(path)
    return str(found) if found else path


class _Session:
    """One call of compare_variants: what all its variants share."""

    def __init__(
        self,
        folder: Path,
        task: ScoringTask,
        latency: LatencySettings,
        settings: Mapping[str, Any],
        on_event: Callable[[Event], None] | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self._folder = folder
        self._task = task
        self._latency = latency
        self._settings = settings
        self._on_event = on_event
        self._should_stop = should_stop
        self._seq = 0
        self._hashes: dict[Path, str] = {}

    def run(self, variants: Sequence[Variant], name: str) -> Comparison:
        self._folder.mkdir(parents=True, exist_ok=True)
        settle_standby()
        began = time.monotonic()
        self._emit(Queued("", name, tuple(variant.name for variant in variants), platform.node()))
        for problem in self._task.problems:
            self._emit(Notice(problem.severity, problem.code, problem.message, problem.hint))
        measurements: list[Measurement] = []
        reused: list[str] = []
        stopped = False
        for index, variant in enumerate(variants):
            stopped = stopped or self._should_stop()
            measured = None if stopped else self._measure(variant, index, reused)
            stopped = stopped or measured is None
            measurements.append(measured or Measurement(variant, error="It was stopped before it was measured."))
        failed = sum(bool(measurement.error) for measurement in measurements)
        seconds = time.monotonic() - began
        if stopped:
            self._emit(RunFinished("cancelled", seconds, "Stopped early."))
        else:
            message = f"{failed} of {len(measurements)} variants could not be measured." if failed else ""
            self._emit(RunFinished("failed" if failed == len(measurements) else "succeeded", seconds, message))
        return Comparison(tuple(measurements), self._settings, self._task.problems, tuple(reused), stopped, name)

    def _measure(self, variant: Variant, index: int, reused: list[str]) -> Measurement | None:
        """None: stopped."""
        began = time.monotonic()
        self._emit(PassStarted(variant.name, "measure", index))
        try:
            self._emit(Preparing(f"hashing {variant.name}", None, None))
            key = self._key(variant)
        except PhinbError as error:
            return self._failed(Measurement(variant, error=str(error)))
        kept = self._folder / f"{key}.json"
        earlier = _read_kept(kept)
        if earlier is not None:
            reused.append(variant.name)
            reason = "measured before: the same artefact, rows, settings and machine"
            self._emit(PassFinished(variant.name, time.monotonic() - began, True, reason, ""))
            return replace(earlier, variant=variant)
        request = encode_request(variant, self._task, self._latency)
        measured = run_measurement(variant, request, self._folder, self._emit, self._should_stop)
        if measured is None:
            return None
        if measured.error:
            return self._failed(measured)
        write_atomically(kept, json.dumps(encode_measurement(measured), ensure_ascii=False))
        self._emit(PassFinished(variant.name, time.monotonic() - began, False, "", ""))
        return measured

    def _key(self, variant: Variant) -> str:
        content = hash_contents(variant, self._hash_file)
        task = encode_task_record(self._task)
        settings = [self._settings["machine"], self._settings["versions"], asdict(self._latency)]
        return hash_json([MEASURES, content, task, settings])[:40]

    def _hash_file(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = hash_one_file(path)
        return self._hashes[path]

    def _failed(self, measured: Measurement) -> Measurement:
        message, _, remedy = measured.error.partition("\n")
        self._emit(PassFailed(measured.variant.name, "MeasurementFailed", message, message, remedy))
        return measured

    def _emit(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(replace(event, seq=self._seq, time=time.time()))
            self._seq += 1


def _read_kept(path: Path) -> Measurement | None:
    """An earlier result; None where there is none, or none that can be read: then it is measured again."""
    try:
        return decode_measurement(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
