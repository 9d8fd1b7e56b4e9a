"""A configuration, its preflight, plain Olive's reading of it, two side by side, the installation: as HTML and text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phinb.notebook.advice_html import advice_card
from phinb.notebook.config_summary import (
    change_rows,
    count,
    listed_problems,
    origin_text,
    show_value,
    summarize,
    tone_of,
)
from phinb.notebook.failure import problem_card
from phinb.notebook.html import Html, Part, breakable, card_html, frame, table_html, tag, visible
from phinb.types import Effective
from phinb.workflow.text import card_text, table_text
from phinb.workflow.wording import write_part

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.doctor import Finding
    from phinb.workflow.plain_view import PlainRow
    from phinb.workflow.preflight import Preflight

FINDING_SIGNS = {"ok": ("✓", "ok"), "warning": ("▲", "warn"), "error": ("■", "bad")}
CHANGE_HEAD = ("line", "where", "you wrote", "runs as", "why")
VALUE_HEAD = ("what", "value", "default", "from")
PLAIN_HEAD = ("", "what", "you wrote", "plain Olive", "phinb")


def config_bundle(config: Config, checked: Preflight | None = None, *, above_panel: bool = False) -> dict[str, Any]:
    """A line that sums up, each problem at its line; folded: the upgrade's changes, and what differs from the defaults.

    `checked` adds what files, data, disk and memory told. `above_panel`: a live panel
    follows in the next output and shows the same; while it is alive the style hides this one (panel.css).
    """
    summary = summarize(config, checked)
    cards = [problem_card(problem) for problem in listed_problems(checked.problems if checked else config.problems)]
    cards += [advice_card(advice) for advice in checked.advice] if checked else []
    head = _head(config.name, summary.verdict, summary.tone, summary.told)
    folded = [*_changes_html(config), *_values_html(config)]
    body = [tag("div", *map(card_html, cards), *folded, class_="phinb-sheet")] if cards or folded else []
    text = [f"{config.name}  {summary.verdict}  {summary.told}", *(card_text(card, "  ") for card in cards)]
    kind = "phinb-twin" if above_panel else ""
    return {
        "text/html": frame(head, *body, label=f"Configuration {config.name}, {summary.verdict}", kind=kind),
        "text/plain": visible("\n".join(text)),
    }


def moved_bundle(name: str, told: str) -> dict[str, Any]:
    """What is left in a cell once a later one shows the whole: the name, and where."""
    head = tag("div", tag("b", name), Html(" "), tag("span", told, class_="phinb-dim"), class_="phinb-head")
    html = frame(head, label=f"Configuration {name}, {told}", kind="phinb-twin")
    return {"text/html": html, "text/plain": f"{name}  {told}"}


def difference_bundle(a: Config, b: Config) -> dict[str, Any]:
    """Two configurations side by side: the effective values that differ, and who decided each."""
    from phinb.config.difference import compare_effective

    names = (a.name, b.name) if a.name != b.name else (f"{a.name} (1)", f"{b.name} (2)")
    found = compare_effective(a, b)
    told = count(len(found), "value differs", "values differ") if found else "no value differs: both run the same"
    rows, styled = [], []
    for one in found:
        rows.append((one.path, _side_text(one.a), _side_text(one.b)))
        styled.append((breakable(one.path), _side_html(one.a), _side_html(one.b)))
    head = tag(
        "div",
        tag("b", names[0]),
        " against ",
        tag("b", names[1]),
        " ",
        tag("span", told, class_="phinb-dim"),
        class_="phinb-head",
    )
    label = f"{names[0]} against {names[1]}: {told}"
    table = [table_html(("what", *names), styled, label)] if found else []
    text = table_text(("what", *names), rows) if found else ""
    return {
        "text/html": frame(head, *table, label=label),
        "text/plain": visible(f"{label}\n{text}".rstrip()),
    }


def plain_bundle(name: str, rows: Sequence[PlainRow]) -> dict[str, Any]:
    """What plain Olive makes of the text; a row that differs bears a sign, a word and weight, not only a colour."""
    differing = sum(row.differs for row in rows)
    verdict = (
        "Plain Olive does the same."
        if not differing
        else f"Plain Olive differs in {write_part(differing, len(rows), 'row')}."
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


def _head(name: str, verdict: str, tone: str, told: str) -> Html:
    pill = tag("span", verdict, class_=f"phinb-pill phinb-{tone}")
    rest = tag("span", told, class_="phinb-dim")
    return tag("div", tag("b", name), Html(" "), pill, Html(" "), rest, class_="phinb-head")


def _changes_html(config: Config) -> list[Html]:
    if not config.changes:
        return []
    title = count(len(config.changes), "change by the upgrade", "changes by the upgrade")
    rows = [
        (
            tag("span", line, class_="phinb-whole"),
            breakable(path),
            *(tag("span", value, class_="phinb-mono") for value in (before, after)),
            why,
        )
        for line, path, before, after, why in change_rows(config.changes)
    ]
    return [_folded(title, table_html(CHANGE_HEAD, rows, title))]


def _values_html(config: Config) -> list[Html]:
    """The effective values that are not the defaults."""
    from phinb.config.form import describe_form

    fields = [field for field in describe_form(config).fields.values() if field.differs]
    if not fields:
        return []
    title = count(len(fields), "value differs from its default", "values differ from their defaults")
    rows = [
        (
            breakable(field.path),
            tag("span", show_value(field.value), class_="phinb-mono"),
            tag("span", show_value(field.default), class_="phinb-mono phinb-dim"),
            _origin_html(field),
        )
        for field in fields
    ]
    return [_folded(title, table_html(VALUE_HEAD, rows, title))]


def _folded(title: str, table: Html) -> Html:
    return tag("details", tag("summary", title), table, class_="phinb-details")


def _origin_html(value: Any) -> Html:
    return tag("span", origin_text(value), class_=f"phinb-origin phinb-from-{tone_of(value.origin)}")


def _side_text(value: Effective | None) -> str:
    return "–" if value is None else f"{show_value(value.value)} ({origin_text(value)})"


def _side_html(value: Effective | None) -> Part:
    if value is None:
        return "–"
    shown = tag("span", show_value(value.value), class_="phinb-mono")
    return tag("span", shown, Html(" "), _origin_html(value))
