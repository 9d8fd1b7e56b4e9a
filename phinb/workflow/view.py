"""RunState -> View: all that a panel says, in words and fractions, before anything draws it.

The live panel, the saved HTML and the plain text draw the same View, so that they cannot tell different stories.
Nothing here knows a notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phinb.types import Notice, PassState, Preparing, RunState, Severity
from phinb.workflow.answers import Answers, describe_samples
from phinb.workflow.chart import Chart, draw_charts
from phinb.workflow.remaining import Remaining, find_remaining
from phinb.workflow.wording import agree, write_bytes, write_clock, write_duration, write_number

SYMBOLS = {"waiting": "○", "running": "●", "done": "✓", "reused": "↺", "failed": "✗"}
SEVERITY_SYMBOLS: dict[Severity, str] = {"error": "■", "warning": "▲", "info": "●"}
TONES = {"queued": "dim", "running": "run", "succeeded": "ok", "stopped": "warn", "cancelled": "warn", "failed": "bad"}
MOST_NOTICES = 5


@dataclass(frozen=True)
class Line:
    """One pass. `fraction` runs from 0 to 1 and is None where no share of the work is known."""

    name: str
    kind: str
    status: str
    symbol: str
    fraction: float | None
    text: str


@dataclass(frozen=True)
class Card:
    """A notice, a problem or a failure; `hint` is the remedy. `symbol` follows from the severity.

    `place` is where a problem stands (line 21, column 7); it takes the weight that the title has otherwise. `fix` is
    what the button of a live panel says, where there is one that carries the remedy out.
    """

    severity: Severity
    title: str
    text: str = ""
    hint: str = ""
    place: str = ""
    fix: str = ""
    symbol: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbol", SEVERITY_SYMBOLS[self.severity])


@dataclass(frozen=True)
class Fact:
    """A figure of the strip at the foot: `1.9 GB` `memory`."""

    value: str
    label: str


@dataclass(frozen=True)
class Button:
    """An action that the panel offers; `title` says what it does before it is pressed."""

    action: str
    label: str
    title: str
    enabled: bool = True


@dataclass(frozen=True)
class View:
    """What a panel shows. `tone` colours `status_text`; `note` stands at the end of the strip.

    `charts` are alternatives, the first the one to begin with; `answers` are what the model says while it trains.
    `lost_note` takes the note's place in a panel whose kernel is silent.
    """

    name: str
    run_id: str
    status_text: str
    tone: str
    lines: tuple[Line, ...] = ()
    cards: tuple[Card, ...] = ()
    facts: tuple[Fact, ...] = ()
    note: str = ""
    lost_note: str = ""
    buttons: tuple[Button, ...] = ()
    charts: tuple[Chart, ...] = ()
    answers: tuple[Answers, ...] = ()


def describe_run(
    state: RunState, now: float | None = None, eta_age: float = 0.0, estimates: Mapping[str, float] | None = None
) -> View:
    """The view of a run. `now` (Unix seconds) makes the time pass; without it the view is a function of the state.

    `eta_age` is how many seconds ago the running pass last said how long it would still take; `estimates` are the
    seconds that a pass was expected to take, where a forecast says so.
    """
    left = find_remaining(state, now, eta_age, estimates or {})
    lines = [_describe_pass(name, item, state, left) for name, item in state.passes.items()]
    if state.preparing and not any(item.status == "running" for item in state.passes.values()):
        lines.insert(0, _describe_preparing(state.preparing))
    return View(
        name=state.name,
        run_id=state.run_id,
        status_text=_status_text(state),
        tone="warn" if state.stopping and not state.ended else TONES[state.status],
        lines=tuple(lines),
        cards=(*_failure(state), *describe_notices(state.notices)),
        facts=_facts(state, now, left),
        note=_note(state, live=now is not None),
        lost_note=f"the kernel is silent; if it is gone, %olive_attach {state.run_id} shows the run",
        charts=draw_charts(state),
        answers=describe_samples(state.samples),
    )


def describe_buttons(state: RunState) -> tuple[Button, ...]:
    """What can be done with a run, in the order of the panel's corner."""
    log = Button("log", "Log", "Show the last lines that Olive printed")
    if not state.ended:
        stop_text = "Stopping …" if state.stopping == "stop" else "Stop and keep"
        cancel_text = "Cancelling …" if state.stopping == "cancel" else "Cancel"
        return (
            log,
            Button(
                "stop",
                stop_text,
                "End training after its current step; what is trained is kept, merged and quantized",
                enabled=not state.stopping,
            ),
            Button(
                "cancel",
                cancel_text,
                "End the run now; its checkpoints are kept, so that it can be resumed",
                enabled=state.stopping != "cancel",
            ),
        )
    if state.status == "succeeded":
        return (log,)
    return (log, Button("resume", "Resume", "Go on from the last checkpoint; finished passes are reused"))


def describe_notices(notices: Sequence[Notice]) -> tuple[Card, ...]:
    """The latest notices, each text once; how many earlier ones there are is said, too."""
    unique = list({(notice.code, notice.message): notice for notice in notices}.values())
    cards = [Card(notice.severity, notice.message, notice.hint) for notice in unique[-MOST_NOTICES:]]
    if len(unique) > MOST_NOTICES:
        earlier = len(unique) - MOST_NOTICES
        cards.insert(
            0, Card("info", f"{earlier} earlier notice{'s are' if earlier > 1 else ' is'} in the run's events.")
        )
    return tuple(cards)


def _describe_pass(name: str, item: PassState, state: RunState, left: Remaining) -> Line:
    fraction = min(1.0, item.done / item.total) if item.done is not None and item.total else None
    amount = _amount(item)
    status: str = item.status
    match item.status:
        case "running":
            text = _describe_running(item, state.preparing, left.passes.get(name))
        case "done" if item.reused:
            status, fraction = "reused", 1.0
            text = f"reused: {item.reason}" if item.reason else "reused"
        case "done":
            text = _parts(_trained(item), write_duration(item.seconds) if item.seconds is not None else "")
            fraction = 1.0
        case "failed":
            text = f"failed at {amount}" if amount else "failed"
        case _ if state.ended:
            text = f"ended at {amount}" if amount else "not run"
        case _:
            expected = left.passes.get(name)
            text, fraction = _parts("waiting", _about(expected) if expected else ""), None
    return Line(name, item.pass_type, status, SYMBOLS[status], fraction, text)


def _trained(item: PassState) -> str:
    """The steps of a finished training, with the planned ones where it was ended early.

    Other passes report in leaps: their last count says less than that they are done.
    """
    if item.unit != "steps" or item.done is None:
        return ""
    return (
        _amount(item)
        if item.total and item.done < item.total
        else f"{write_number(item.done)} {agree(item.done, 'step', 'steps')}"
    )


def _describe_running(item: PassState, preparing: Preparing | None, left: float | None) -> str:
    """Its count and time left, as far as they were told; else what it prepares; else that it runs."""
    if item.done is None:
        return preparing.what if preparing else "running"
    if left is not None and item.eta_s != 0:  # what has done all its steps still saves them: nobody knows how long
        return _parts(_amount(item), f"{write_clock(left)} left")
    return _parts(_amount(item), "running" if item.total is None else "")


def _about(seconds: float) -> str:
    """An estimate, without figures that it does not have."""
    return f"about {max(1, round(seconds))} s" if seconds < 59.5 else f"about {write_clock(round(seconds))}"


def _describe_preparing(event: Preparing) -> Line:
    if event.done is None or not event.total:
        return Line("prepare", event.what, "running", SYMBOLS["running"], None, "running")
    text = f"{write_number(event.done)} / {write_number(event.total)}"
    return Line("prepare", event.what, "running", SYMBOLS["running"], min(1.0, event.done / event.total), text)


def _parts(*texts: str) -> str:
    return " · ".join(text for text in texts if text)


def _amount(item: PassState) -> str:
    """`62 / 100 steps`, `62 steps`, or nothing: only what was said."""
    if item.done is None or (item.total is None and not item.done):
        return ""  # "0 of we do not know how many" tells nothing
    total = f" / {write_number(item.total)}" if item.total is not None else ""
    return f"{write_number(item.done)}{total} {item.unit}".rstrip()


def _status_text(state: RunState) -> str:
    if state.stopping and not state.ended:
        return "stopping" if state.stopping == "stop" else "cancelling"
    return state.status


def _failure(state: RunState) -> tuple[Card, ...]:
    if state.status == "failed":
        failed = [name for name, item in state.passes.items() if item.error]
        message = state.message or "The run failed and did not say why."
        title = f"{failed[0]} failed: {message}" if failed else message
        return (Card("error", title, state.cause, state.remedy),)
    if state.status in ("stopped", "cancelled") and state.message:
        return (Card("info", state.message),)
    return ()


def _facts(state: RunState, now: float | None, left: Remaining) -> tuple[Fact, ...]:
    facts = [_time_left(left)] if now is not None and state.status == "running" else []
    began = state.started_at or state.queued_at
    until = state.ended_at if state.ended else now
    if began is not None and until is not None:
        facts.append(Fact(write_clock(until - began), "in all" if state.ended else "so far"))
    rate = next((rate for metric in reversed(state.metrics) if (rate := metric.values.get("tokens_per_s"))), None)
    if rate is not None:
        facts.append(Fact(f"{rate:,.0f}", "tokens/s"))
    if state.resources and state.ended:
        facts.append(Fact(write_bytes(state.resources.peak_rss_bytes), "memory at most"))
    elif state.resources:
        peak = write_bytes(state.resources.peak_rss_bytes)
        facts.append(Fact(write_bytes(state.resources.rss_bytes), f"memory (at most {peak})"))
        facts += map(_gpu_fact, state.resources.gpu)
    if state.attempt > 1:
        facts.append(Fact(str(state.attempt), "attempts"))
    return tuple(facts)


def _time_left(left: Remaining) -> Fact:
    """The whole pipeline's; of what nobody knows there are three dots, and which passes they stand for."""
    if not left.unknown:
        return Fact(write_clock(left.known), "left")
    label = f"left (not known: {', '.join(left.unknown)})"
    return Fact(f"{write_clock(left.known)} + …" if left.known else "…", label if left.known else "left")


def _gpu_fact(gpu: Mapping[str, Any]) -> Fact:
    """`9.0 GB` `of 15.8 GB on NVIDIA T4, 97 % busy`, as far as it was told."""
    used, total, busy = gpu.get("used_bytes"), gpu.get("total_bytes"), gpu.get("percent")
    words = f"of {write_bytes(total)} on {gpu.get('name', 'the GPU')}" if total else str(gpu.get("name", "GPU"))
    return Fact(
        write_bytes(used) if used is not None else "…", words + (f", {busy:.0f} % busy" if busy is not None else "")
    )


def _note(state: RunState, live: bool) -> str:
    if not state.ended:
        return "goes on if you close this page" if live else f"as it was then; now: %olive_attach {state.run_id}"
    return "" if state.status == "succeeded" or live else f"to go on: %olive_attach {state.run_id}, Resume"
