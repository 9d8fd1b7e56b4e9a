"""The template editor as the panel gets it, and what it sends back as edits of the configuration.

`describe_editor` makes a plain dict for the wire, which template_editor.js draws; `editor_edits` takes its messages:

  {action: "template", name, view, version, kind, ...}   name: the data config's; view and version: whose text this is,
      and how many changes it has seen (see `note_answer`); of text, text_cols, turns, chat, message_col, function,
      script and special_tokens those that were changed. looking_for: a part of a column's name, where only some of
      them are sent (the panel keeps it)

Nothing here knows a widget.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phinb.config.schema import load_schema
from phinb.data.columns import list_conversations
from phinb.data.template import check_template, write_field
from phinb.data.template_marks import Mark, find_marks, find_used
from phinb.data.text_form import (
    KEYS,
    TextForm,
    check_kind,
    fill_turns,
    find_chat_template,
    list_parameters,
    read_form,
    switch_form,
)
from phinb.data.turns import ROLES
from phinb.errors import PhinbError
from phinb.models.chat_template import PHI3
from phinb.models.tokenizers import Tokenizer
from phinb.notebook.column_choice import choose_columns
from phinb.notebook.html import visible
from phinb.notebook.wire_values import is_sendable, make_sendable, show_value
from phinb.types import Edit, Effective

if TYPE_CHECKING:
    from phinb.config import Config

KINDS = {
    "text_template": "A text with columns in it",
    "text_cols": "Columns, joined by blanks",
    "turns": "Columns as the turns of a chat",
    "chat_template": "A column of whole chats",
    "text_formatting_func": "A function of your own",
}
CHATS = {"model": "the model's own", "phi3": "Phi-3's", "own": "one of your own"}
MOST_COLUMNS = 100
"""Columns that are sent at once."""

MOST_VIEWS = 20
MOST_PROBLEMS = 6
LINE_ENDS = "Its lines end in \\r: once you change the text, they end in \\n."
EMPTY = "The template is empty: Olive takes text_cols instead."

_LINE_END = re.compile("\r\n?")
"""What a text area makes a line feed of."""


def describe_editor(
    config: Config,
    name: str,
    columns: Sequence[str],
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    tokenizer: Tokenizer | None = None,
    answers: Mapping[str, int] | None = None,
    looking_for: str = "",
) -> dict[str, Any]:
    """The editor of the data config `name`, whose rows have these columns (none where they cannot be read).

    `rows` are a few of them, for examples of what the columns hold; `answers` tells each view of the editor which of
    its versions are in it, those that changed nothing or were refused included: see `note_answer`. Of many columns
    only MOST_COLUMNS are sent: those in use, and those whose names hold what the user is `looking_for`.
    """
    form = read_form({key: entry.value for key, entry in _read_parameters(config, name).items()}, tokenizer)
    written = form.chat_text if form.kind == "chat_template" else form.template
    text = _LINE_END.sub("\n", written)
    templates = form.kind in ("text_template", "turns")
    marks = find_marks(text, columns or None) if templates and is_sendable(text) else ()
    used = _list_used(form)
    choice = choose_columns(columns, MOST_COLUMNS, used or (), looking_for)
    described = {
        "name": name,
        "answers": dict(answers or {}),
        "kind": form.kind,
        "kinds": [{"value": kind, "label": label, "why": _refuse(kind, rows)} for kind, label in KINDS.items()],
        "text": text if is_sendable(text) else visible(text),
        "locked": "" if is_sendable(text) else "It holds half a character: change it in the configuration's text.",
        "marks": [[mark.start, mark.end, mark.kind] for mark in marks],
        "problems": _list_problems(marks, form, columns),
        "columns": [_column(column, used, rows) for column in choice.columns],
        "more": choice.more,
        "looking_for": looking_for,
        "text_cols": list(form.columns),
        "gone": [name for name in form.columns if columns and name not in columns],
        "turns": {role: dict(form.turns).get(role, "") for role in ROLES},
        "chat": form.chat,
        "chats": [
            {"value": chat, "label": label, "why": _missing(chat, tokenizer)}
            for chat, label in CHATS.items()
            if chat != "own" or form.kind == "chat_template"
        ],
        "message_col": form.message_col,
        "function": form.function,
        "script": form.script,
        "special_tokens": form.special_tokens,
        "special": "" if tokenizer is None else f"{visible(str(tokenizer.bos))} … {visible(str(tokenizer.eos))}",
        "notes": [*([LINE_ENDS] if text != written else []), *_notes(form, tokenizer)],
    }
    return {key: make_sendable(value) for key, value in described.items()}


def note_answer(answers: Mapping[str, int], message: Mapping[str, Any]) -> dict[str, int]:
    """The answers with those to this message; of many views, the last few."""
    view, version = message.get("view"), message.get("version")
    if not isinstance(view, str) or not isinstance(version, int):
        return dict(answers)
    kept = [(other, known) for other, known in answers.items() if other != view]
    return dict([*kept, (view, version)][-MOST_VIEWS:])


def editor_edits(
    config: Config,
    message: Mapping[str, Any],
    columns: Sequence[str] = (),
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    tokenizer: Tokenizer | None = None,
) -> tuple[Edit, ...]:
    """The edits that a message of the editor asks for; none where it changes nothing. Arguments as in describe_editor.

    Raises PhinbError where there is no such kind, column or chat template to make a text of.
    """
    name = str(message.get("name"))
    known = _read_parameters(config, name)
    values = {key: entry.value for key, entry in known.items()}
    before = read_form(values, tokenizer)
    form = switch_form(before, check_kind(message.get("kind", before.kind)), columns, rows, tokenizer)
    path = f"data_configs.{name}.pre_process_data_config"
    edits = []
    for key, value in list_parameters(_change(form, message, tokenizer), before).items():
        # bos and eos are Olive's default.
        drop = value is None or (key == "add_special_tokens" and value is True)
        if drop and key in known and known[key].origin in ("you", "upgrade") and known[key].value is not value:
            edits.append(Edit("remove", f"{path}.{key}"))
        elif not drop and values.get(key) != value:
            edits.append(Edit("set", f"{path}.{key}", value))
    # What goes makes room first: of two that contradict each other, no text in between has both.
    return tuple(sorted(edits, key=lambda edit: edit.kind))


def _change(form: TextForm, message: Mapping[str, Any], tokenizer: Tokenizer | None) -> TextForm:
    """The form with what the message says of its own kind."""
    form = replace(
        form,
        message_col=_text(message, "message_col", form.message_col),
        function=_text(message, "function", form.function),
        script=_text(message, "script", form.script),
    )
    if isinstance(message.get("special_tokens"), bool):
        form = replace(form, special_tokens=message["special_tokens"])
    if isinstance(message.get("text_cols"), list):
        if not message["text_cols"]:
            raise PhinbError("A text needs a column.", "Choose one before you take out the last.")
        form = replace(form, columns=tuple(map(str, message["text_cols"])))
    turns, chat, text = message.get("turns"), message.get("chat"), message.get("text")
    if form.kind == "turns" and (isinstance(turns, Mapping) or chat in ("model", "phi3")):
        chosen = dict(form.turns) | {role: str(turns[role]) for role in ROLES if turns and role in turns}
        which = chat if chat in ("model", "phi3") else form.chat
        return fill_turns(replace(form, turns=tuple(chosen.items()), chat=which), tokenizer)
    if form.kind == "chat_template" and chat in CHATS and chat != form.chat:
        # One's own begins as what there was: Phi-3's stays Phi-3's until it is written on.
        known = form.chat_text or find_chat_template(form.chat, tokenizer) or PHI3
        form = replace(form, chat=chat, chat_text={"model": "", "phi3": PHI3}.get(chat, known))
    if isinstance(text, str):
        own = form.kind == "chat_template" and form.chat != "model"
        form = replace(form, chat="own", chat_text=text) if own else replace(form, template=text)
    return form


def _text(message: Mapping[str, Any], key: str, known: str) -> str:
    value = message.get(key)
    return value if isinstance(value, str) else known


def _read_parameters(config: Config, name: str) -> dict[str, Effective]:
    """The pre-process parameters that say what makes the text, as a run would use them, and who decided them.

    Raises PhinbError where there is no such data config.
    """
    effective, path = config.effective(), f"data_configs.{name}"
    if not any(key.startswith(f"{path}.") for key in effective):
        raise PhinbError(f"There is no data config {name}.", "It was renamed or removed: open the preview anew.")
    found = {key: effective.get(f"{path}.pre_process_data_config.{key}") for key in (*KEYS, "add_special_tokens")}
    return {key: entry for key, entry in found.items() if entry is not None}


def _refuse(kind: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Why a kind will not do for these rows; "" where it will, or nobody knows."""
    if kind == "text_formatting_func" and load_schema().defect("text_formatting_func"):
        return "the installed Olive fails on every one"
    if kind == "chat_template" and rows and not list_conversations(rows):
        return "no column holds chats"
    return ""


def _missing(chat: str, tokenizer: Tokenizer | None) -> str:
    return "it has none" if chat == "model" and tokenizer is not None and not tokenizer.chat_template else ""


def _problem(mark: Mark) -> dict[str, Any]:
    return {
        "severity": "info" if mark.kind == "unseen" else "error",
        "message": show_value(mark.message),
        # A name that was mistyped needs no more words than the button that puts it right.
        "hint": "" if mark.remedy and mark.kind == "unknown" else show_value(mark.hint),
        "start": mark.start,
        "end": mark.end,
        "replace": mark.remedy,
    }


def _list_problems(marks: Sequence[Mark], form: TextForm, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The first few of what the marks tell, else what has no place of its own in the text."""
    told = [_problem(mark) for mark in marks if mark.message and mark.kind != "escaped"]
    if len(told) > MOST_PROBLEMS:
        told[MOST_PROBLEMS:] = [{"severity": "error", "message": f"And {len(told) - MOST_PROBLEMS} more."}]
    return told or _problems(form, columns)


def _problems(form: TextForm, columns: Sequence[str]) -> list[dict[str, Any]]:
    """What is wrong with no place of its own in the text."""
    told = []
    if form.kind in ("text_template", "turns"):
        found = check_template(form.template, columns) if form.template and columns else []
        told = [(EMPTY, "Write one.")] if not form.template else [(one.message, one.hint) for one in found]
    elif form.kind == "text_cols" and columns:
        gone = [name for name in form.columns if name not in columns]
        told = [(f"No column has the name {name}.", "Take it out.") for name in gone]
    elif form.kind == "chat_template" and columns and form.message_col not in columns:
        told = [(f"No column has the name {form.message_col}.", "Choose the column that holds the chats.")]
    return [{"severity": "error", "message": show_value(message), "hint": show_value(hint)} for message, hint in told]


def _column(column: str, used: Collection[str] | None, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    written = write_field(column)
    example = next((row[column] for row in rows if row.get(column) not in (None, "")), None)
    return {
        "name": column,
        "label": show_value(column),
        "insert": written,
        "used": used is None or column in used,
        "example": "" if example is None else show_value(example, 120),
        "why": "" if written else "No template can name it: its name has a brace, a dot or the like.",
    }


def _list_used(form: TextForm) -> Collection[str] | None:
    """The columns that the text is made of; None where it may be any of them."""
    if form.kind == "text_cols":
        return frozenset(form.columns)
    if form.kind == "chat_template":
        return (form.message_col,)
    return None if form.kind == "text_formatting_func" else find_used(form.template)


def _notes(form: TextForm, tokenizer: Tokenizer | None) -> list[str]:
    """What is good to know of the form, in a sentence each."""
    notes = []
    template = form.template if form.kind in ("text_template", "turns") else ""
    if form.kind == "chat_template":
        template = form.chat_text or find_chat_template(form.chat, tokenizer)
    if tokenizer is not None and template:
        signs = dict.fromkeys(re.findall(r"<\|[a-z_]+\|>", template))
        unknown = [sign for sign in signs if tokenizer.backend.token_to_id(sign) is None]
        if unknown:
            is_are = "is no token" if len(unknown) == 1 else "are no tokens"
            notes.append(f"{', '.join(unknown)} {is_are} of this model: it reads the signs one by one.")
    if form.kind == "turns":
        notes.append("Values stand in the text as they are; a chat template applied to messages may trim them.")
    if form.kind == "text_formatting_func":
        notes.append("Only the run itself executes it: there is no preview of its texts.")
    if template and "{{" not in template and form.kind == "text_template" and form.special_tokens and tokenizer:
        for sign in (tokenizer.bos, tokenizer.eos):
            if sign and sign in template:
                notes.append(f"{sign} stands in the text, and Olive adds another.")
    return [show_value(note) for note in notes]
