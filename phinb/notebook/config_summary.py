"""A configuration in words, for the panel and for the saved HTML alike: verdict, problems, changes, values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phinb.notebook.html import visible
from phinb.types import Change, Effective, Origin, Problem, Severity
from phinb.workflow.wording import write_bytes, write_duration

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.config.form_fields import FormField
    from phinb.workflow.preflight import Preflight

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
MOST_VALUE = 60


@dataclass(frozen=True)
class Summary:
    """The line that sums a configuration up. `tone` colours `verdict`; `coming`: what the pieces do not have yet."""

    verdict: str
    tone: str
    flow: str
    notes: tuple[str, ...] = ()
    coming: str = ""

    @property
    def told(self) -> str:
        """All that stands beside the verdict."""
        return " · ".join(part for part in (self.flow, *self.notes, self.coming) if part)


def summarize(config: Config, checked: Preflight | None = None) -> Summary:
    """The summary of a configuration; `checked` adds what files, data, disk and memory told."""
    problems = listed_problems(checked.problems if checked else config.problems)
    pieces = max(len(config.pieces), 1)
    coming = _coming(config.problems)
    counts = {severity: sum(problem.severity == severity for problem in problems) for severity in SEVERITIES}
    if counts["error"]:
        verdict, tone = count(counts["error"], "error"), "bad"
    elif coming:
        verdict, tone = count(pieces, "piece"), "dim"
    elif counts["warning"]:
        verdict, tone = count(counts["warning"], "warning"), "warn"
    else:
        verdict, tone = ("ready to run" if checked else "ok"), "ok"
    notes = [count(pieces, "piece")] if pieces > 1 and tone != "dim" else []
    notes += [count(len(config.changes), "change by the upgrade", "changes by the upgrade")] if config.changes else []
    notes += _forecast(checked)
    flow = " → ".join(map(visible, config.passes)) or ("" if coming else "no passes")
    return Summary(verdict, tone, flow, tuple(notes), coming)


def listed_problems(problems: Sequence[Problem]) -> list[Problem]:
    """The problems to be shown, the worst first; what is still to come is none."""
    shown = [problem for problem in problems if problem.code != "incomplete"]
    return sorted(shown, key=lambda problem: SEVERITIES.index(problem.severity))


def place_text(line: int | None, source: str) -> str:
    """`In [4], line 31`, as far as it is known."""
    parts = [visible(source)] if source else []
    parts += [f"line {line}"] if line is not None else []
    return ", ".join(parts)


def origin_text(value: Effective | FormField) -> str:
    """Who decided a value: `you · line 31`, `upgrade of lora_alpha`, `olive`, `phinb`."""
    if value.origin == "upgrade":
        return visible(value.note) or "upgrade"
    if value.origin == "you":
        place = place_text(value.line, value.source)
        return f"you · {place}" if place else "you"
    return value.origin


def tone_of(origin: Origin) -> str:
    """The colour's name of an origin; its words say the same."""
    return {"you": "you", "upgrade": "up"}.get(origin, "rest")


def change_rows(changes: Sequence[Change]) -> list[tuple[str, str, str, str, str]]:
    """Where, path, before, after, why."""
    return [
        (
            place_text(change.line, change.source).removeprefix("line "),
            visible(change.path),
            show_value(change.before),
            show_value(change.after),
            visible(change.why),
        )
        for change in changes
    ]


def show_value(value: Any, most: int = MOST_VALUE) -> str:
    """A value as JSON, short; a dash for what is absent."""
    if value is None:
        return "–"
    text = visible(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= most else f"{text[: most - 2]} …"


def count(number: int, word: str, words: str = "") -> str:
    return f"{number} {word if number == 1 else words or word + 's'}"


def _coming(problems: Sequence[Problem]) -> str:
    """`still to come: passes`, from the one problem that says so."""
    message = next((problem.message for problem in problems if problem.code == "incomplete"), "")
    plain = visible(message.replace('"', "").rstrip("."))
    return plain[:1].lower() + plain[1:]


def _forecast(checked: Preflight | None) -> list[str]:
    """What the run will need, as far as it is known."""
    if checked is None:
        return []
    needs = [("disk", checked.forecast.disk_bytes), ("memory", checked.forecast.memory_bytes)]
    seconds = checked.forecast.seconds
    told = [f"about {write_duration(seconds)}"] if seconds is not None else []
    return told + [f"{write_bytes(size)} {what}" for what, size in needs if size]
