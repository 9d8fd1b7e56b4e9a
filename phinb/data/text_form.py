"""How the rows of a data config become texts: read from Olive's parameters, changed, and given back as parameters.

Olive takes the first of chat_template, text_formatting_func, text_template and text_cols that is set
(olive.data.component.text_generation.get_text), so whoever changes from one to another takes the other away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from phinb.data.columns import describe_columns, list_conversations
from phinb.data.recipe import Recipe
from phinb.data.template import fields, write_field
from phinb.data.turns import read_turns, write_turns
from phinb.errors import PhinbError
from phinb.models.chat_template import PHI3
from phinb.models.tokenizers import Tokenizer

Kind = Literal["text_template", "text_cols", "turns", "chat_template", "text_formatting_func"]
"""Olive's names; turns is a text_template that a chat template wrote with columns as its turns."""

Chat = Literal["model", "phi3", "own"]
"""The model's own chat template, Phi-3's, or a text of the user's."""

KEYS = ("text_template", "text_cols", "chat_template", "message_col", "text_formatting_func", "user_script")
"""Olive's parameters that say what makes the text."""

_OWN: Mapping[Kind, tuple[str, ...]] = {
    "text_template": ("text_template",),
    "text_cols": ("text_cols",),
    "turns": ("text_template",),
    "chat_template": ("chat_template", "message_col"),
    "text_formatting_func": ("text_formatting_func", "user_script"),
}
"""What each kind needs of KEYS."""

DEFAULT = Recipe()

MOST_TAKEN = 50
"""Columns that are put into a text where nobody has named any."""


@dataclass(frozen=True)
class TextForm:
    """What makes the text, and all that belongs to it; of the other kinds, Olive's defaults.

    template: of text_template and turns. turns: role -> column. chat: which chat template, of turns and chat_template;
    chat_text: the text of the user's own. special_tokens: whether Olive puts bos before, and eos behind the text.
    """

    kind: Kind
    template: str = ""
    columns: tuple[str, ...] = DEFAULT.text_cols
    turns: tuple[tuple[str, str], ...] = ()
    chat: Chat = "model"
    chat_text: str = ""
    message_col: str = DEFAULT.message_col
    function: str = ""
    script: str = ""
    special_tokens: bool = True


def read_form(params: Mapping[str, Any], tokenizer: Tokenizer | None) -> TextForm:
    """The form that pre-process parameters mean; without a `tokenizer`, the model's own chat template is not known."""
    columns = params.get("text_cols") or DEFAULT.text_cols
    form = TextForm(
        "text_cols",
        columns=(columns,) if isinstance(columns, str) else tuple(map(str, columns)),
        message_col=str(params.get("message_col") or DEFAULT.message_col),
        special_tokens=params.get("add_special_tokens") is not False,
    )
    chat, template, function = (params.get(key) for key in ("chat_template", "text_template", "text_formatting_func"))
    if chat:
        own = chat if isinstance(chat, str) else ""
        which: Chat = "phi3" if own == PHI3 else "own" if own else "model"
        return replace(form, kind="chat_template", chat=which, chat_text=own)
    if function:
        return replace(
            form, kind="text_formatting_func", function=str(function), script=str(params.get("user_script") or "")
        )
    if not isinstance(template, str):
        return form
    for known in ("model", "phi3"):
        text = find_chat_template(known, tokenizer)
        turns = read_turns(template, text, _special(tokenizer)) if text else None
        if turns:
            return replace(form, kind="turns", template=template, turns=tuple(turns.items()), chat=known)
    return replace(form, kind="text_template", template=template)


def switch_form(
    form: TextForm, kind: Kind, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], tokenizer: Tokenizer | None
) -> TextForm:
    """The same rows in another kind of form, as like the one before as can be; `rows` are a few of them.

    Raises PhinbError where no column suits, or the model has no chat template for it.
    """
    if kind == form.kind:
        return form
    names = _list_columns(form, columns, rows)
    if kind == "text_template" and form.kind == "turns":
        return replace(form, kind="text_template")  # the same text, to be written on by hand
    if kind == "text_template":
        between = " " if form.kind == "text_cols" else "\n"
        return replace(form, kind=kind, template=between.join(map(_name, names)))
    if kind == "text_cols":
        special = form.special_tokens or form.kind == "turns"
        return replace(form, kind=kind, columns=tuple(names), special_tokens=special)
    if kind == "turns":
        turns = tuple(zip(("user", "assistant"), (names[0], names[-1]), strict=True)) if len(names) > 1 else ()
        chat: Chat = "model" if find_chat_template("model", tokenizer) else "phi3"
        return fill_turns(replace(form, kind=kind, turns=turns, chat=chat), tokenizer)
    if kind == "chat_template":
        found = list_conversations(rows) or [form.message_col]
        return replace(form, kind=kind, chat="model", chat_text="", message_col=found[0])
    return replace(form, kind=kind, function=form.function or "format_row", script=form.script or "format_row.py")


def fill_turns(form: TextForm, tokenizer: Tokenizer | None) -> TextForm:
    """The template that its turns and chat template give. Raises PhinbError where there is none."""
    if tokenizer is None:
        raise PhinbError(
            "The model is not on this machine: what ends its texts is not known.",
            "Start the run once, which fetches it.",
        )
    text = find_chat_template(form.chat, tokenizer)
    if not text:
        raise PhinbError("The model has no chat template of its own.", "Choose Phi-3's.")
    template = write_turns(dict(form.turns), text, _special(tokenizer))
    return replace(form, kind="turns", template=template, special_tokens=False)


def find_chat_template(chat: Chat, tokenizer: Tokenizer | None) -> str:
    """The text of the model's own, or of Phi-3's; "" where it has none, or is not on this machine."""
    if chat == "phi3":
        return PHI3
    return (tokenizer.chat_template or "") if chat == "model" and tokenizer is not None else ""


def list_parameters(form: TextForm, before: TextForm) -> dict[str, Any]:
    """Olive's parameters for the form; None for those that have to go, as they would win or be ignored beside it."""
    values: dict[str, Any] = {
        "text_template": form.template,
        "text_cols": list(form.columns),
        "chat_template": form.chat_text or (PHI3 if form.chat == "phi3" else True),
        "message_col": form.message_col,
        "text_formatting_func": form.function,
        "user_script": form.script,
    }
    needed = _OWN[form.kind]
    # Beside a text_template, text_cols do nothing: they are the user's to keep.
    kept = ("text_cols",) if "text_template" in needed and before.kind != "text_cols" else ()
    wanted = {key: values[key] if key in needed else None for key in KEYS if key not in kept}
    if form.kind != "chat_template":
        wanted["add_special_tokens"] = form.special_tokens
    return wanted


def check_kind(kind: Any) -> Kind:
    """Raises PhinbError for what is none."""
    if kind not in get_args(Kind):
        raise PhinbError(f"There is no kind of text {kind!r}.", f"There are: {', '.join(get_args(Kind))}.")
    return kind  # type: ignore[no-any-return]


def _list_columns(form: TextForm, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of the form in their order; where it has none, those that hold plain values."""
    try:
        named = list(fields(form.template)) if form.kind in ("text_template", "turns") else []
    except PhinbError:
        named = []
    if form.kind == "text_cols":
        named = list(form.columns)
    named = [name for name in named if not columns or name in columns]
    if named:
        return named
    plain = [column.name for column in describe_columns(rows) if column.kind in ("text", "number")] if rows else []
    wanted = [name for name in plain or columns if write_field(name)] or list(columns) or list(DEFAULT.text_cols)
    return wanted[:MOST_TAKEN]


def _name(column: str) -> str:
    written = write_field(column)
    if not written:
        raise PhinbError(
            f"No template can name the column {column!r}.",
            "Rename it in the file, with letters, digits, blanks and _ only.",
        )
    return written


def _special(tokenizer: Tokenizer | None) -> Mapping[str, str]:
    return tokenizer.special if tokenizer is not None else {"bos_token": "", "eos_token": ""}
