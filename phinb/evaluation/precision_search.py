"""The smallest precision that still meets the constraints: built by ordinary runs, measured, held against them.

A run differs from the given one in its ModelBuilder pass alone, so that training and merge are reused. Only what could
still win is built. Everything that is built and measured is kept: the same search goes on where it was stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from phinb.config import Config, load_config
from phinb.errors import ConfigError, PhinbError
from phinb.evaluation.choice import Choice, choose
from phinb.evaluation.constraints import Constraint
from phinb.evaluation.figures import find_figure
from phinb.evaluation.precisions import OWN_SETTINGS, Precision, find_precisions, order
from phinb.evaluation.results import Comparison
from phinb.evaluation.wording import size
from phinb.models.shape import read_shape
from phinb.types import (
    Edit,
    Event,
    Measurement,
    Notice,
    PassFailed,
    PassFinished,
    PassStarted,
    Preparing,
    Progress,
    Queued,
    RunFinished,
    RunState,
    Variant,
)
from phinb.workflow.contents import hash_file
from phinb.workflow.inputs import NAME as INPUTS
from phinb.workflow.reuse import installed_versions
from phinb.workflow.runner import Run, runs
from phinb.workflow.starting import start_run
from phinb.workflow.store import read_json

POLL_S = 0.2
NEW_PASS = "precision"
SURE = 1.05
"""By so much an expected size has to exceed a limit before a precision is not even built."""

Outcome = Literal["measured", "failed", "not built", "does not run here", "stopped"]
Listen = Callable[[Event], None]
Ask = Callable[[], bool]
Measure = Callable[[Run, str, Listen, Ask], Comparison]
"""The comparison of one variant of a run; events and the wish to stop are passed on."""


@dataclass(frozen=True)
class Tried:
    """What became of a precision: `reason` in words, the run that built it, the size that was expected (bytes)."""

    name: str
    words: str
    outcome: Outcome
    reason: str = ""
    run_id: str = ""
    expected_bytes: int | None = None


@dataclass(frozen=True)
class PrecisionSearch:
    """`choice` among all that was measured, `comparison` of these on the same rows, `tried` in the order of trial.

    runs: the id of the run that holds each measured precision, for phinb.export(run, variant, folder); `variants`: its
    variant's name there. stopped: ended early.
    """

    choice: Choice
    comparison: Comparison
    tried: tuple[Tried, ...]
    runs: Mapping[str, str]
    variants: Mapping[str, str]
    stopped: bool = False

    def sentences(self) -> tuple[str, ...]:
        """The choice, where it lies, and what was not built and why."""
        said = [self.choice.reason, *self.choice.cautions]
        if self.choice.variant:
            name = self.choice.variant
            said.append(f"{name} is the variant {self.variants[name]} of run {self.runs[name]}.")
        said += [f"{one.name}: {one.outcome}. {one.reason}".strip() for one in self.tried if one.outcome != "measured"]
        return (*said, *(["Stopped early; the same search goes on from here."] if self.stopped else []))

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def search(
    run: Run,
    constraints: Sequence[Constraint],
    measure: Measure,
    *,
    by: str = "size_bytes",
    candidates: Sequence[str] | None = None,
    on_event: Listen | None = None,
    should_stop: Ask | None = None,
) -> PrecisionSearch:
    """See phinb.search_precisions. Raises PhinbError where the run has no model to build from, or a figure or a
    precision is not there; a precision that fails is told, and the others go on."""
    find_figure(by)
    session = _Session(run, constraints, measure, by, on_event or (lambda _: None), should_stop or (lambda: False))
    return session.run(order(find_precisions(candidates), *session.expectation()))


class _Session:
    """One call of `search`: what it has measured so far, and the events it tells."""

    def __init__(
        self, run: Run, constraints: Sequence[Constraint], measure: Measure, by: str, on_event: Listen, should_stop: Ask
    ) -> None:
        self._run, self._constraints, self._measure, self._by = run, constraints, measure, by
        self._on_event, self._should_stop = on_event, should_stop
        self._config = run.config
        self._pass = _find_pass(self._config)
        self._seq = 0
        self._measured: list[Measurement] = []
        self._first: Comparison | None = None
        self._runs: dict[str, str] = {}
        self._variants: dict[str, str] = {}
        self._expected: dict[str, int | None] = {}
        self._besides = 0

    def expectation(self) -> tuple[Any, int]:
        """(the base model's shape or None, bytes of a floating-point value where this is built for)"""
        base = self._run.variants.get("base")
        shape = read_shape(Path(base.path)) if base is not None else None
        providers = json.dumps(self._config.to_olive().get("systems") or {})
        return shape, 2 if "CUDA" in providers or "Dml" in providers else 4

    def run(self, ordered: Sequence[tuple[Precision, int | None]]) -> PrecisionSearch:
        began = time.monotonic()
        self._tell(Queued(self._run.id, f"precisions of {self._run.name}", tuple(one.name for one, _ in ordered), ""))
        tried = []
        for index, (precision, weights) in enumerate(ordered):
            # What all have besides their weights (graph, tables of positions) is known from the first that was built.
            expected = None if weights is None else weights + self._besides
            self._expected[precision.name] = expected
            tried.append(replace(self._judge(precision, index, expected), expected_bytes=expected))
            result = tried[-1]
            if result.outcome in ("not built", "does not run here"):
                self._tell(Notice("info", result.outcome.replace(" ", "_"), f"{precision.name}: {result.reason}"))
        stopped = any(one.outcome == "stopped" for one in tried)
        if self._first is None:
            self._tell(RunFinished("cancelled" if stopped else "failed", time.monotonic() - began, ""))
            reasons = " ".join(f"{one.name}: {one.reason}" for one in tried if one.reason)
            raise PhinbError("No precision was measured.", reasons or "It was stopped before the first.")
        self._tell(RunFinished("cancelled" if stopped else "succeeded", time.monotonic() - began, ""))
        comparison = self._comparison()
        choice = choose(comparison, self._constraints, by=self._by)
        return PrecisionSearch(choice, comparison, tuple(tried), self._runs, self._variants, stopped)

    def _judge(self, precision: Precision, index: int, expected: int | None) -> Tried:
        """What becomes of a precision: built and measured, unless that is not possible or would be in vain."""
        if self._should_stop():
            return Tried(precision.name, precision.words, "stopped")
        config = make_config(self._config, self._pass, precision, f"{self._run.name}-{precision.name}")
        if not config.ok:
            first = next(problem for problem in config.problems if problem.severity == "error")
            why = f"{first.message} {first.hint}".strip()
            return Tried(precision.name, precision.words, "does not run here", why)
        if reason := self._beaten(expected):
            return Tried(precision.name, precision.words, "not built", reason)
        self._tell(PassStarted(precision.name, "precision", index))
        return self._try(precision, config)

    def _comparison(self) -> Comparison:
        assert self._first is not None
        return replace(self._first, measurements=tuple(self._measured), name=f"precisions of {self._run.name}")

    # ------------------------------------------------------------------------------------------ what could still win

    def _beaten(self, expected: int | None) -> str:
        """Why a precision cannot win any more; "" where it may."""
        for limit in self._constraints:
            bounds_size = limit.figure.name == "size_bytes" and not limit.is_lower_bound
            if bounds_size and expected and expected > SURE * limit.bound:
                return f"About {size(expected)} are expected, and {limit} was asked for."
        if self._first is None:
            return ""
        best = choose(self._comparison(), self._constraints, by=self._by)
        if best.variant is None:
            return ""
        if self._by_name() == "accuracy":
            summary = next(s for s in self._comparison().summaries if s.name == best.variant)
            return f"{best.variant} fits and is right on all {summary.n} rows." if summary.accuracy == 1 else ""
        if self._by_name() != "size_bytes":
            return ""
        summary = next(s for s in self._comparison().summaries if s.name == best.variant)
        known = self._expected.get(best.variant)
        if expected is not None and known is not None and expected > known:
            actual = size(summary.size_bytes)
            return f"{best.variant} fits with {actual}; about {size(expected)} are expected of this one."
        if expected is None:
            return f"{best.variant} fits, and this one has more bits a weight."
        return ""

    def _by_name(self) -> str:
        return find_figure(self._by).name

    # ------------------------------------------------------------------------------------------ building and measuring

    def _try(self, precision: Precision, config: Config) -> Tried:
        began = time.monotonic()
        found = find_earlier(config, self._pass, [self._run, *runs()])
        try:
            built = found if found is not None else start_run(config, until=self._pass)
        except ConfigError as error:
            told = " ".join(problem.message for problem in error.problems if problem.severity == "error")
            return Tried(precision.name, precision.words, "not built", told)
        state = self._wait(precision, built)
        if state is None:
            return Tried(precision.name, precision.words, "stopped", run_id=built.id)
        variant = _find_variant(built, self._pass)
        if variant is None:
            return self._failed(precision, built, state.cause or state.message or "It made no model.", state.remedy)
        comparison = self._measure(built, variant.name, self._relay(precision), self._should_stop)
        (measured,) = comparison.measurements
        if comparison.stopped:
            return Tried(precision.name, precision.words, "stopped", run_id=built.id)
        if measured.error:
            message, _, hint = measured.error.partition("\n")
            return self._failed(precision, built, message, hint)
        expected = self._expected[precision.name]
        if self._first is None and expected is not None and measured.size_bytes is not None:
            self._besides = measured.size_bytes - expected
            self._expected[precision.name] = measured.size_bytes
        self._first = self._first or comparison
        self._measured.append(replace(measured, variant=replace(measured.variant, name=precision.name)))
        self._runs[precision.name], self._variants[precision.name] = built.id, variant.name
        reason = f"built by run {built.id}" if found is not None else ""
        self._tell(PassFinished(precision.name, time.monotonic() - began, found is not None, reason, ""))
        return Tried(precision.name, precision.words, "measured", reason, built.id)

    def _wait(self, precision: Precision, built: Run) -> RunState | None:
        """The state in which the run ended; None where it was cancelled because of the wish to stop."""
        told = ""
        try:
            while not (state := built.state).ended:
                if self._should_stop():
                    built.cancel()
                    return None
                now = next((name for name, one in state.passes.items() if one.status == "running"), "")
                if now and now != told:
                    self._tell(Preparing(f"{precision.name}: {now}", None, None))
                    told = now
                time.sleep(POLL_S)
        except BaseException:
            built.cancel()
            raise
        return state

    def _failed(self, precision: Precision, built: Run, message: str, remedy: str) -> Tried:
        self._tell(PassFailed(precision.name, "PrecisionFailed", message, message, remedy))
        return Tried(precision.name, precision.words, "failed", message, built.id)

    def _relay(self, precision: Precision) -> Listen:
        """A comparison's progress as that of the precision; its beginning and end are the search's own to tell."""

        def listen(event: Event) -> None:
            if isinstance(event, Progress):
                self._tell(replace(event, pass_name=precision.name))
            elif isinstance(event, Preparing | Notice):
                self._tell(event)

        return listen

    def _tell(self, event: Event) -> None:
        self._on_event(replace(event, seq=self._seq, time=time.time()))
        self._seq += 1


# ------------------------------------------------------------------------------------------------- the runs


def _find_pass(config: Config) -> str:
    """The name of the ModelBuilder pass, or of the one to be added. Raises PhinbError where that is not to be known."""
    if config.search is not None:
        raise PhinbError(
            "The run's configuration searches by itself.",
            "Give a run without search_strategy: the precisions are tried here.",
        )
    for name, kind in config.passes.items():
        if not isinstance(kind, str):
            raise PhinbError(f"Pass {name!r} is a list of alternatives.", "Give a run whose passes are one each.")
    found = [name for name, kind in config.passes.items() if kind == "ModelBuilder"]
    return found[0] if found else NEW_PASS


def make_config(config: Config, name: str, precision: Precision, run_name: str) -> Config:
    """The configuration with the ModelBuilder pass `name` in that precision; it may have problems."""
    body = dict((config.to_olive().get("passes") or {}).get(name) or {"type": "ModelBuilder"})
    inner = body.get("config")
    settings = {**body, **inner} if isinstance(inner, Mapping) else body
    kept = {key: value for key, value in settings.items() if key not in (*OWN_SETTINGS, "config")}
    changed = config.edit(Edit("set", f"passes.{name}", {**kept, **precision.settings}))
    return load_config(changed.dumps("json"), name=run_name, folder=config.folder)


def find_earlier(config: Config, until: str, known: Sequence[Run]) -> Run | None:
    """A run that has made the same with the same data and versions; None where there is none."""
    wanted = _what_counts(config, until)
    for run in known:
        if run.state.status != "succeeded" or not run.config.ok:
            continue
        if _what_counts(run.config, until) == wanted and _is_current(run):
            return run
    return None


def _what_counts(config: Config, until: str) -> Any:
    olive = config.to_olive()
    passes = list((olive.get("passes") or {}).items())
    names = [name for name, _ in passes]
    olive["passes"] = passes[: names.index(until) + 1] if until in names else None
    return [
        olive,
        str(config.folder),
        {key: config.phinb.get(key) for key in ("loss_on", "eval_split", "seed", "answer")},
    ]


def _is_current(run: Run) -> bool:
    """Whether the run's data and libraries are those of now."""
    try:
        inputs = read_json(run.folder / INPUTS)
        same = all(hash_file(Path(entry["path"])) == entry["sha256"] for entry in inputs["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    installed = installed_versions()
    return same and all(inputs["versions"].get(name) == version for name, version in installed.items())


def _find_variant(run: Run, name: str) -> Variant | None:
    return next((one for one in run.variants.values() if one.from_pass == name and one.kind == "onnx"), None)
