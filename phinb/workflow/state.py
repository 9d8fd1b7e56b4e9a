"""reduce(state, event) -> state: everything that a view shows of a run is computed here, and nowhere else.

extension/src/reducer.ts does the same; tests/golden/ holds the files that both must agree on. An event that
comes twice (a seq that was seen) changes nothing, so that a reader may start over or overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from phinb.types import (
    AttemptStarted,
    Event,
    Metric,
    MetricLogged,
    Notice,
    PassFailed,
    PassFinished,
    PassStarted,
    PassState,
    Preparing,
    Progress,
    Queued,
    Resources,
    ResourcesMeasured,
    RunFinished,
    RunState,
    Sample,
    StopRequested,
    WorkerLost,
)


def reduce(state: RunState, event: Event) -> RunState:
    """Return the state after `event`. Events of a later format version than 1 are taken as far as they are known."""
    if 0 <= event.seq <= state.last_seq:
        return state
    state = replace(state, last_seq=max(event.seq, state.last_seq))
    # A worker that is being cancelled may still write a line: the first ending of an attempt is the one that counts.
    if state.ended and not isinstance(event, Queued | AttemptStarted):
        return state
    return _apply(state, event)


def _apply(state: RunState, event: Event) -> RunState:
    match event:
        case Queued():
            return _queue(state, event)
        case AttemptStarted():
            return _start_attempt(state, event)
        case Preparing():
            return replace(state, preparing=event)
        case PassStarted() | Progress() | PassFinished() | PassFailed():
            return _change_pass(state, event)
        case MetricLogged():
            return replace(state, metrics=_add_metric(state.metrics, event))
        case ResourcesMeasured():
            peak = max(event.rss_bytes, state.resources.peak_rss_bytes if state.resources else 0)
            return replace(state, resources=Resources(event.rss_bytes, event.cpu_percent, peak, tuple(event.gpu)))
        case Sample():
            return replace(state, samples=(*state.samples, event))
        case Notice():
            return replace(state, notices=(*state.notices, event))
        case StopRequested():
            return replace(state, stopping=event.how)
        case WorkerLost() | RunFinished():
            return _end(state, event)
    return state


def reduce_all(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Fold `events` into `state` (a new one by default)."""
    state = state or RunState()
    for event in events:
        state = reduce(state, event)
    return state


def _queue(state: RunState, event: Queued) -> RunState:
    """The run's beginning, or its beginning again: resuming appends a second one, and what was measured stays."""
    old = state.passes
    return replace(
        state,
        run_id=event.run_id,
        name=event.name,
        passes={name: PassState(pass_type=old[name].pass_type if name in old else "") for name in event.passes},
        host=event.host,
        queued_at=event.time if state.queued_at is None else state.queued_at,
        status="queued",
        ended_at=None,
        stopping="",
        message="",
        cause="",
        remedy="",
    )


def _start_attempt(state: RunState, event: AttemptStarted) -> RunState:
    """A new attempt: what was done stays in sight as waiting until the worker says that it is reused."""
    passes = {name: PassState(pass_type=old.pass_type) for name, old in state.passes.items()}
    return replace(
        state,
        status="running",
        attempt=event.attempt,
        pid=event.pid,
        versions=dict(event.versions),
        seed=event.seed,
        passes=passes,
        preparing=None,
        stopping="",
        message="",
        cause="",
        remedy="",
        started_at=event.time,
        ended_at=None,
    )


def _add_metric(metrics: tuple[Metric, ...], event: MetricLogged) -> tuple[Metric, ...]:
    """A resumed attempt logs steps again that an earlier one logged after its last checkpoint: those give way.

    At one step a trainer logs several things (loss, eval_loss, a summary): only what says the same again gives way.
    Steps only grow otherwise, so that what gives way stands at the end, and 10,000 steps stay cheap.
    """
    new, end = Metric(event.pass_name, event.step, dict(event.values)), len(metrics)
    while end and metrics[end - 1].pass_name == new.pass_name and metrics[end - 1].step > new.step:
        end -= 1
    start = end
    while start and metrics[start - 1].pass_name == new.pass_name and metrics[start - 1].step == new.step:
        start -= 1
    same = (old for old in metrics[start:end] if not set(old.values) <= set(new.values))
    return (*metrics[:start], *same, new)


def _change_pass(state: RunState, event: PassStarted | Progress | PassFinished | PassFailed) -> RunState:
    old = state.passes.get(event.pass_name, PassState())
    new: PassState
    changes: dict[str, Any] = {}
    match event:
        case PassStarted():
            new = PassState(status="running", pass_type=event.pass_type, started=event.time)
            changes["preparing"] = None
        case Progress():
            new = replace(old, status="running", done=event.done, total=event.total, unit=event.unit, eta_s=event.eta_s)
        case PassFinished():
            new = replace(
                old,
                status="done",
                seconds=event.seconds,
                reused=event.reused,
                reason=event.reason,
                artefact=event.artefact,
                eta_s=0.0,
            )
        case PassFailed():
            new = replace(old, status="failed", error=event.error, cause=event.cause, remedy=event.remedy, eta_s=None)
            changes.update(message=event.message, cause=event.cause, remedy=event.remedy)
    return replace(state, passes={**state.passes, event.pass_name: new}, **changes)


def _end(state: RunState, event: WorkerLost | RunFinished) -> RunState:
    """A pass that was running when the run ended did not finish, whatever ended it."""
    cancelled = isinstance(event, RunFinished) and event.status == "cancelled"
    passes = {
        name: replace(old, status="waiting" if cancelled else "failed", eta_s=None) if old.status == "running" else old
        for name, old in state.passes.items()
    }
    state = replace(state, passes=passes, ended_at=event.time, preparing=None)
    if isinstance(event, RunFinished):
        return replace(state, status=event.status, message=event.message or state.message)
    return replace(
        state,
        status="failed",
        message="The worker process is gone.",
        cause=event.cause,
        remedy="Resume the run: it goes on from the last checkpoint.",
    )
