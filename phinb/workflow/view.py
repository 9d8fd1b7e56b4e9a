"""RunState -> View: all that a panel says, in words and fractions, before anything draws it.

The live panel, the saved HTML and the plain text draw the same View, so that they cannot tell different stories.
Nothing here knows a notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phinb.types import Notice, PassState, Preparing, RunState, Severity
from phinb.workflow.chart import Chart, draw_losses
from phinb.workflow.wording import write_bytes, write_clock, write_duration, write_number

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

    `place` is where a problem stands (line 21, column 7); it takes the weight that the title has otherwise.
    """

    severity: Severity
    title: str
    text: str = ""
    hint: str = ""
    place: str = ""
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
    """What a panel shows. `tone` colours `status_text`; `note` stands at the end of the strip."""

    name: str
    run_id: str
    status_text: str
    tone: str
    lines: tuple[Line, ...] = ()
    cards: tuple[Card, ...] = ()
    facts: tuple[Fact, ...] = ()
    note: str = ""
    buttons: tuple[Button, ...] = ()
    chart: Chart | None = None


def describe_run(state: RunState, now: float | None = None, eta_age: float = 0.0) -> View:
    """The view of a run. `now` (Unix seconds) makes the time pass; without it the view is a function of the state.

    `eta_age` is how many seconds ago the running pass last said how long it would still take.
    """
    lines = [_describe_pass(name, item, state, eta_age) for name, item in state.passes.items()]
    if state.preparing and not any(item.status == "running" for item in state.passes.values()):
        lines.insert(0, _describe_preparing(state.preparing))
    return View(
        name=state.name,
        run_id=state.run_id,
        status_text=_status_text(state),
        tone="warn" if state.stopping and not state.ended else TONES[state.status],
        lines=tuple(lines),
        cards=(*_failure(state), *describe_notices(state.notices)),
        facts=_facts(state, now, eta_age),
        note=_note(state, live=now is not None),
        chart=draw_losses(state),
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


def _describe_pass(name: str, item: PassState, state: RunState, eta_age: float) -> Line:
    fraction = min(1.0, item.done / item.total) if item.done is not None and item.total else None
    amount = _amount(item)
    status: str = item.status
    match item.status:
        case "running":
            text = _describe_running(item, state.preparing, eta_age)
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
            text, fraction = "waiting", None
    return Line(name, item.pass_type, status, SYMBOLS[status], fraction, text)


def _trained(item: PassState) -> str:
    """The steps of a finished training, with the planned ones where it was ended early.

    Other passes report in leaps: their last count says less than that they are done.
    """
    if item.unit != "steps" or item.done is None:
        return ""
    return _amount(item) if item.total and item.done < item.total else f"{write_number(item.done)} steps"


def _describe_running(item: PassState, preparing: Preparing | None, eta_age: float) -> str:
    """Its count and time left, as far as they were told; else what it prepares; else that it runs."""
    if item.done is None:
        return preparing.what if preparing else "running"
    if item.eta_s:
        return _parts(_amount(item), f"{write_clock(item.eta_s - eta_age)} left")
    return _parts(_amount(item), "running" if item.total is None else "")


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


def _facts(state: RunState, now: float | None, eta_age: float) -> tuple[Fact, ...]:
    facts = []
    running = [(name, item) for name, item in state.passes.items() if item.status == "running"]
    if now is not None and running and running[0][1].eta_s:
        name, item = running[0]
        facts.append(Fact(write_clock(max(0.0, (item.eta_s or 0.0) - eta_age)), f"left in {name}"))
    began = state.started_at or state.queued_at
    until = state.ended_at if state.ended else now
    if began is not None and until is not None:
        facts.append(Fact(write_clock(until - began), "in all" if state.ended else "so far"))
    rates = [rate for metric in state.metrics if (rate := metric.values.get("tokens_per_s")) is not None]
    if rates:
        facts.append(Fact(f"{rates[-1]:,.0f}", "tokens/s"))
    if state.resources and state.ended:
        facts.append(Fact(write_bytes(state.resources.peak_rss_bytes), "memory at most"))
    elif state.resources:
        peak = write_bytes(state.resources.peak_rss_bytes)
        facts.append(Fact(write_bytes(state.resources.rss_bytes), f"memory (at most {peak})"))
    if state.attempt > 1:
        facts.append(Fact(str(state.attempt), "attempts"))
    return tuple(facts)


def _note(state: RunState, live: bool) -> str:
    if not state.ended:
        return "goes on if you close this page" if live else f"as it was then; now: %olive_attach {state.run_id}"
    return "" if state.status == "succeeded" or live else f"to go on: %olive_attach {state.run_id}, Resume"
