"""A configuration, its preflight, plain Olive's reading of it, and the installation: as HTML and text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phinb.notebook.failure import problem_card
from phinb.notebook.html import Html, breakable, card_html, frame, table_html, tag
from phinb.types import Change, Problem, Severity
from phinb.workflow.text import card_text, table_text
from phinb.workflow.view import Card
from phinb.workflow.wording import write_bytes

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.doctor import Finding
    from phinb.workflow.plain_view import PlainRow
    from phinb.workflow.preflight import Preflight

MOST_VALUE = 60
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
FINDING_SIGNS = {"ok": ("✓", "ok"), "warning": ("▲", "warn"), "error": ("■", "bad")}
CHANGE_HEAD = ("line", "where", "you wrote", "runs as", "why")
PLAIN_HEAD = ("", "what", "you wrote", "plain Olive", "phinb")


def config_bundle(config: Config, offset: int, checked: Preflight | None = None) -> dict[str, Any]:
    """A line that sums up, each problem at its line, and the upgrade's changes folded away.

    `offset` is added to every line. `checked` adds what files, data, disk and memory told.
    """
    problems = checked.problems if checked else config.problems
    ordered = sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity))
    cards = [problem_card(problem, offset) for problem in ordered]
    cards += [Card("info", advice) for advice in checked.advice] if checked else []
    word, tone = _verdict(problems, checked is not None)
    flow = " → ".join(config.passes) or "no passes"
    notes = [_count(len(config.changes), "change by the upgrade", "changes by the upgrade")] if config.changes else []
    notes += _forecast(checked)
    head = tag(
        "div",
        tag("b", config.name),
        Html(" "),
        tag("span", word, class_=f"phinb-pill phinb-{tone}"),
        Html(" "),
        tag("span", " · ".join([flow, *notes]), class_="phinb-dim"),
        class_="phinb-head",
    )
    changes = [_changes_html(config.changes, offset)] if config.changes else []
    body = [tag("div", *map(card_html, cards), *changes, class_="phinb-sheet")] if cards or changes else []
    text = [f"{config.name}  {word}  {' · '.join([flow, *notes])}", *(card_text(card, "  ") for card in cards)]
    return {
        "text/html": frame(head, *body, label=f"Configuration {config.name}, {word}"),
        "text/plain": "\n".join(text),
    }


def plain_bundle(name: str, rows: Sequence[PlainRow]) -> dict[str, Any]:
    """What plain Olive makes of the text; a row that differs bears a sign, a word and weight, not only a colour."""
    differing = sum(row.differs for row in rows)
    verdict = (
        "Plain Olive does the same." if not differing else f"Plain Olive differs in {differing} of {len(rows)} rows."
    )
    table = [("≠" if row.differs else "=", row.what, row.you_wrote, row.plain_olive, row.phinb) for row in rows]
    styled = [
        (
            tag("span", sign, class_="phinb-bad" if row.differs else "phinb-dim", role="img", aria_label=_told(row)),
            tag("span", breakable(what), class_="phinb-mono"),
            breakable(wrote),
            tag("b", plain, class_="phinb-bad") if row.differs else plain,
            breakable(phinb),
        )
        for row, (sign, what, wrote, plain, phinb) in zip(rows, table, strict=True)
    ]
    head = tag("div", tag("b", name), Html(" "), tag("span", verdict, class_="phinb-dim"), class_="phinb-head")
    label = f"What plain Olive makes of {name}"
    return {
        "text/html": frame(head, table_html(PLAIN_HEAD, styled, label), label=label),
        "text/plain": f"{name}: {verdict}\n{table_text(PLAIN_HEAD, table)}",
    }


def findings_bundle(findings: Sequence[Finding]) -> dict[str, Any]:
    """What the doctor found; the remedy stands under what needs one."""
    from phinb.doctor import to_text

    rows = []
    for finding in findings:
        sign, tone = FINDING_SIGNS[finding.status]
        remedy = [tag("div", finding.remedy, class_="phinb-mono")] if finding.remedy else []
        mark = tag("span", f"{sign} {finding.status}", class_=f"phinb-{tone}")
        rows.append((finding.name, mark, tag("div", finding.message, *remedy)))
    html = frame(table_html(("what", "state", "found"), rows, "Installation"), label="Installation")
    return {"text/html": html, "text/plain": to_text(findings)}


def _told(row: PlainRow) -> str:
    return "differs" if row.differs else "the same"


def _verdict(problems: Sequence[Problem], checked: bool) -> tuple[str, str]:
    counts = {severity: sum(problem.severity == severity for problem in problems) for severity in SEVERITIES}
    if counts["error"]:
        return _count(counts["error"], "error"), "bad"
    if counts["warning"]:
        return _count(counts["warning"], "warning"), "warn"
    return ("ready to run" if checked else "ok"), "ok"


def _forecast(checked: Preflight | None) -> list[str]:
    """What the run will need, as far as it is known."""
    if checked is None:
        return []
    needs = [("disk", checked.forecast.disk_bytes), ("memory", checked.forecast.memory_bytes)]
    return [f"{write_bytes(size)} {what}" for what, size in needs if size]


def _changes_html(changes: Sequence[Change], offset: int) -> Html:
    rows = [
        (
            str(change.line + offset) if change.line is not None else "",
            tag("span", change.path, class_="phinb-mono"),
            tag("span", _value(change.before), class_="phinb-mono"),
            tag("span", _value(change.after), class_="phinb-mono"),
            change.why,
        )
        for change in changes
    ]
    title = _count(len(changes), "change by the upgrade", "changes by the upgrade")
    return tag("details", tag("summary", title), table_html(CHANGE_HEAD, rows, title), class_="phinb-details")


def _value(value: Any) -> str:
    """A value as JSON, short; nothing for what is absent."""
    if value is None:
        return "–"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_VALUE else f"{text[: MOST_VALUE - 2]} …"


def _count(number: int, word: str, words: str = "") -> str:
    return f"{number} {word if number == 1 else words or word + 's'}"
