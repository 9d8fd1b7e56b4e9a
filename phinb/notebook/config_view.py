"""A configuration as the panel gets it: plain dicts for the wire, and what a control sends back as a value.

What stays (`describe_outline`) and what changes with every edit (`describe_values`, `describe_state`) are apart: little
is sent. Nothing here knows a widget; config_panel.js draws it and computes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from phinb.config.difference import same_value
from phinb.errors import PhinbError
from phinb.notebook.config_summary import (
    SEVERITIES,
    change_rows,
    count,
    listed_problems,
    origin_text,
    place_text,
    show_value,
    summarize,
    tone_of,
)
from phinb.notebook.failure import problem_card
from phinb.notebook.html import visible
from phinb.types import Edit

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.config.form import Form, FormSection
    from phinb.config.form_fields import FormField


def describe_outline(form: Form, primary: Collection[str]) -> dict[str, Any]:
    """The sections, groups and fields, without their values. `primary`: the paths that stand before "more"."""
    return {
        "sections": [
            {
                "title": section.title,
                "groups": [
                    {
                        "title": visible(group.title),
                        "detail": visible(group.detail),
                        "path": visible(group.path),
                        "fields": [_outline_field(field, field.path in primary) for field in group.fields],
                    }
                    for group in section.groups
                    if group.fields
                ],
            }
            for section in form.sections
        ]
    }


def _outline_field(field: FormField, primary: bool) -> dict[str, Any]:
    described = {
        "path": field.path,
        "label": visible(field.label),
        "word": field.word,
        "part": field.part,
        "kind": field.kind,
        "choices": [choice_text(choice) for choice in field.choices],
        "low": field.low,
        "high": field.high,
        "unit": field.unit,
        "help": field.help,
        "optional": field.optional,
        "placeholder": field.placeholder,
        "primary": primary,
    }
    return {key: value for key, value in described.items() if value not in ("", None, [], False)}


def choice_text(value: Any) -> str:
    """What a choice is called: text without quotes, a list of one as its entry, anything else as JSON."""
    if isinstance(value, list) and len(value) == 1:
        return choice_text(value[0])
    return visible(value) if isinstance(value, str) else show_value(value)


def describe_values(form: Form) -> dict[str, dict[str, Any]]:
    """What each field holds, by path: the control's value, its origin, whether it differs, and its problem."""
    return {path: _value(field) for path, field in form.fields.items()}


def _value(field: FormField) -> dict[str, Any]:
    described: dict[str, Any] = {"value": to_control(field), "origin": origin_text(field)}
    described["tone"] = tone_of(field.origin)
    if field.origin == "upgrade" and field.line is not None:
        described["title"] = place_text(field.line, field.source)
    elif field.note:
        described["title"] = visible(field.note)
    if field.differs:
        described["default"] = "not set" if field.default is None else choice_text(field.default)
    if field.optional and field.origin in ("you", "upgrade"):
        described["written"] = True
    if field.problem is not None:
        described["problem"] = field.problem.severity
        described["told"] = visible(field.problem.message)
    return described


def to_control(field: FormField) -> Any:
    """The value as its control holds it: a number, a truth value, a text, or the number of a choice (-1: none)."""
    value = field.value
    if field.kind == "choice":
        return next((at for at, choice in enumerate(field.choices) if same_value(choice, value)), -1)
    if field.kind in ("json", "long_json"):
        return "" if value is None else _as_json(value, indent=2 if field.kind == "long_json" else None)
    if field.kind == "words":
        return "" if value is None else ", ".join(value)
    if field.kind in ("text", "long"):
        return "" if value is None else value
    return value


def from_control(field: FormField, given: Any) -> Edit | None:
    """The edit that a control asks for; None where it changes nothing.

    Nothing, or the default where there is one, takes the key out of the text.

    Raises PhinbError for what is no value of the field's kind.
    """
    value = _read(field, given)
    written = field.origin in ("you", "upgrade")
    if same_value(value, field.value):
        return None
    if value is None or (field.optional and same_value(value, field.default)):
        if not field.optional:
            raise PhinbError(f'"{field.label}" needs a value.', "Without it the configuration cannot run.")
        return Edit("remove", field.path) if written else None
    return Edit("set", field.path, value)


def _read(field: FormField, given: Any) -> Any:
    if given is None or given == "":
        return None
    if field.kind == "choice":
        known = isinstance(given, int) and 0 <= given < len(field.choices)
        return field.choices[given] if known else None
    if field.kind in ("json", "long_json"):
        try:
            return json.loads(str(given))
        except ValueError as error:
            hint = 'Texts stand in double quotes: "like this". Lists in [ ], mappings in { }.'
            raise PhinbError(f'"{field.label}" is not JSON: {error}.', hint) from None
    if field.kind == "words":
        return [word.strip() for word in str(given).split(",") if word.strip()]
    if field.kind == "int" and isinstance(given, float) and given.is_integer():
        return int(given)
    return given


def _as_json(value: Any, indent: int | None) -> str:
    """JSON on one line or several, in which every sign can be seen."""
    text = json.dumps(value, ensure_ascii=False, default=str, indent=indent)
    return "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)


def describe_state(config: Config, form: Form) -> dict[str, Any]:
    """The line that sums up, the problems as cards, the upgrade's changes, and how many problems each section has."""
    summary = summarize(config)
    places = _fields_by_problem(form)
    cards = []
    for number, problem in enumerate(listed_problems(config.problems)):
        card = asdict(problem_card(problem))
        card["fix"] = {"title": visible(problem.fix.title), "number": number} if problem.fix else None
        card["field"] = places.get(id(problem), "")
        cards.append(card)
    return {
        "name": config.name,
        "verdict": summary.verdict,
        "tone": summary.tone,
        "told": summary.told,
        "cards": cards,
        "changes": change_rows(config.changes),
        "changes_title": count(len(config.changes), "change by the upgrade", "changes by the upgrade"),
        "badges": {section.title: _badge(section) for section in form.sections},
    }


def _fields_by_problem(form: Form) -> Mapping[int, str]:
    return {id(field.problem): path for path, field in form.fields.items() if field.problem is not None}


def _badge(section: FormSection) -> dict[str, Any] | None:
    """The worst severity of a section's fields and how many have a problem."""
    found = [field.problem for group in section.groups for field in group.fields if field.problem is not None]
    told = [problem for problem in found if problem.severity != "info"]
    if not told:
        return None
    worst = min((problem.severity for problem in told), key=SEVERITIES.index)
    return {"severity": worst, "count": len(told), "text": count(len(told), "problem")}
