"""SweepState -> View: a line a run, what the sweep came to so far, and the buttons. Drawn as a run's view is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from phinb.types import RunState
from phinb.workflow.sweep_results import judge, write_score
from phinb.workflow.sweep_space import write_values
from phinb.workflow.sweep_store import SweepRecord, SweepState, Trial
from phinb.workflow.view import SYMBOLS, TONES, Button, Card, Fact, Line, View, describe_run
from phinb.workflow.wording import write_clock, write_count, write_duration

MOST_LINES = 24
"""Of many runs those that go on are shown, and as many as have room of what ended last and comes next."""

STATUSES = {"measuring": "running", "cancelled": "waiting"}
"""A trial's status as the status of a line, where the two differ."""


def describe_sweep(
    record: SweepRecord, state: SweepState, runs: Mapping[str, RunState], now: float | None = None
) -> View:
    """The view of a sweep. runs: what is known of its runs that go on, by id; now: Unix seconds, where time passes."""
    order = sorted(range(len(state.trials)), key=lambda index: _distance(state, index))[:MOST_LINES]
    lines = tuple(_describe_trial(record, state.trials[index], runs, now) for index in sorted(order))
    hidden = len(state.trials) - len(lines)
    cards = [Card("error" if state.status == "failed" else "info", state.note)] if state.note else []
    told = judge(record, state)
    if told:
        cards.append(Card("info", told[0], " ".join(told[1:])))
    failed = [trial for trial in state.trials if trial.status == "failed"]
    if failed:
        cards.append(Card("warning", f"{write_values(failed[0].values)}, seed {failed[0].seed}: {failed[0].message}"))
    return View(
        name=f"{record.name} swept",
        run_id=record.sweep_id,
        status_text="stopping" if state.stopping and not state.ended else state.status,
        tone="warn" if state.stopping and not state.ended else TONES[state.status],
        lines=lines,
        cards=tuple(cards),
        facts=_facts(record, state, now),
        note=f"{write_count(hidden, 'run')} not shown" if hidden else "" if state.ended else "goes on by itself",
        lost_note=f"the kernel is silent; if it is gone, %olive_sweep {record.sweep_id} shows the sweep",
    )


def describe_sweep_buttons(state: SweepState) -> tuple[Button, ...]:
    """What can be done with a sweep, in the order of the panel's corner."""
    log = Button("log", "Log", "Show the last lines that the sweep printed")
    if not state.ended:
        stop = Button("stop", "Stop", "Begin no further run; those that go on are measured", not state.stopping)
        return (log, stop, Button("cancel", "Cancel", "End the sweep and its runs now; what is measured is kept"))
    if state.status == "succeeded":
        return (log,)
    return (log, Button("resume", "Resume", "Go on with the runs that are left"))


def _describe_trial(record: SweepRecord, trial: Trial, runs: Mapping[str, RunState], now: float | None) -> Line:
    status = STATUSES.get(trial.status, trial.status)
    seed = f"seed\u00a0{trial.seed}" if len(record.seeds) > 1 else ""
    line = Line(write_values(trial.values), seed, status, SYMBOLS[status], None, trial.status)
    if trial.status == "done":
        score = write_score(record.objective, trial.metrics[record.objective])
        text = f"{score} · {write_duration(trial.metrics['seconds'])}" if "seconds" in trial.metrics else score
        return replace(line, fraction=1.0, text=f"{text} · {trial.message}" if trial.message else text)
    run = runs.get(trial.run_id)
    if trial.status != "running" or run is None:
        return line
    # A run's passes are its share: which of them takes how long nobody knows before.
    inner = describe_run(run, now).lines
    share = sum(one.fraction or 0.0 for one in inner) / len(inner) if inner else None
    current = next((one for one in inner if one.status == "running"), None)
    return replace(line, fraction=share, text=f"{current.name} {current.text}" if current else run.status)


def _facts(record: SweepRecord, state: SweepState, now: float | None) -> tuple[Fact, ...]:
    done = [trial for trial in state.trials if trial.status in ("done", "failed")]
    total = record.trials * len(record.seeds)
    facts = [Fact(f"{len(done)} of {total}", "runs")]
    until = state.ended_at if state.ended else now
    if until is not None:
        facts.append(Fact(write_clock(until - record.created), "in all" if state.ended else "so far"))
    took = [trial.metrics["seconds"] for trial in done if "seconds" in trial.metrics]
    left = total - len(done)
    each = sum(took) / len(took) if took else state.expected_s
    if each and left and not state.ended and not state.stopping:
        facts.append(Fact(f"about {write_clock(left * each / record.at_once)}", "left"))
    return tuple(facts)


def _distance(state: SweepState, index: int) -> int:
    """How far a run is from those that go on."""
    going_on = [at for at, trial in enumerate(state.trials) if trial.status in ("running", "measuring")]
    return min((abs(index - at) for at in going_on), default=index)
