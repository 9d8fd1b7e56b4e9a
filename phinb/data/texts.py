"""Rows as the texts that are tokenised: template, columns or chat template, with bos and eos where asked for.

The counterpart of `get_text` in olive.data.component.text_generation, spaces around bos and eos included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phinb.data.recipe import Recipe
from phinb.data.template import Part, Stretch, check_template, fields, fill, missing_column, parse_template
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer
from phinb.types import Problem

Row = Mapping[str, Any]


def make_texts(rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer) -> list[str]:
    """The text of each row, empty ones included. Call `check_columns` first.

    Raises PhinbError that names the first row (from 1) whose values do not suit.
    """
    write = _writer(recipe, tokenizer)
    texts = []
    for number, row in enumerate(rows, start=1):
        try:
            texts.append(write(row))
        except PhinbError as error:
            raise PhinbError(f"Row {number}: {error.message}", error.hint) from error
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            hint = "Every value of a text column has to be text; a template takes numbers too."
            raise PhinbError(f"Row {number} gives no text: {error}", hint) from error
    return texts


def trace_text(row: Row, recipe: Recipe, tokenizer: Tokenizer) -> tuple[str, list[Stretch]]:
    """A row's text, and the field that each stretch of it comes from (None for bos and eos)."""
    if recipe.chat_template:
        text = _writer(recipe, tokenizer)(row)
        return text, [Stretch(0, len(text), recipe.message_col)]
    if recipe.text_template:
        text, stretches = fill(parse_template(recipe.text_template), row)
    else:
        columns = [part for name in recipe.text_cols for part in (Part(text=" "), Part(field=name))]
        text, stretches = fill(tuple(columns[1:]), row)
    if not recipe.add_special_tokens:
        return text, stretches
    bos, eos = str(tokenizer.bos), str(tokenizer.eos)
    begin, end = len(bos) + 1, len(bos) + 1 + len(text)
    moved = [Stretch(one.start + begin, one.end + begin, one.field) for one in stretches]
    around = [Stretch(0, len(bos), None), *moved, Stretch(end + 1, end + 1 + len(eos), None)]
    return f"{bos} {text} {eos}", around


def check_columns(rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, path: str) -> list[Problem]:
    """Columns that are not there, values that are nothing, and special tokens that the tokenizer lacks."""
    columns = tuple(rows[0]) if rows else ()
    problems = []
    if recipe.chat_template:
        names: tuple[str, ...] = (recipe.message_col,)
        problems = _check_names(names, columns, f"{path}.message_col")
    elif recipe.text_template:
        problems = check_template(recipe.text_template, columns, f"{path}.text_template")
        names = () if problems else fields(recipe.text_template)
    else:
        names = recipe.text_cols
        problems = _check_names(names, columns, f"{path}.text_cols")
    if problems:
        return problems
    if not recipe.chat_template and recipe.add_special_tokens:
        problems += [
            _missing_special(word, f"{path}.add_special_tokens")
            for word, text in (("bos", tokenizer.bos), ("eos", tokenizer.eos))
            if text is None
        ]
    return problems + [problem for name in names for problem in _check_values(rows, name, recipe, path)]


def _writer(recipe: Recipe, tokenizer: Tokenizer) -> Callable[[Row], str]:
    if recipe.chat_template:
        template = recipe.chat_template if isinstance(recipe.chat_template, str) else None
        return lambda row: tokenizer.render_chat(row[recipe.message_col], template=template)
    if recipe.text_template:
        template = recipe.text_template
        parse_template(template)  # refuses what reaches into values
        plain: Callable[[Row], str] = lambda row: template.format(**row)  # noqa: E731
    else:
        plain = lambda row: " ".join([row[name] for name in recipe.text_cols])  # noqa: E731
    if recipe.add_special_tokens:
        return lambda row: f"{tokenizer.bos} {plain(row)} {tokenizer.eos}"
    return plain


def _check_names(names: Sequence[str], columns: Sequence[str], path: str) -> list[Problem]:
    return [
        Problem("error", "unknown_column", f"No column has the name {name}.", path, hint=missing_column(name, columns))
        for name in names
        if name not in columns
    ]


def _check_values(rows: Sequence[Row], name: str, recipe: Recipe, path: str) -> list[Problem]:
    """A value that is nothing becomes the word None in a template."""
    empty = [number for number, row in enumerate(rows, start=1) if row.get(name) is None]
    if not empty or not recipe.text_template or recipe.chat_template:
        return []
    message = (
        f'The column "{name}" has no value in {len(empty)} of {len(rows)} rows (first: row {empty[0]}): '
        f'their text says "None".'
    )
    hint = "Fill the values in, or take these rows out."
    return [Problem("warning", "missing_values", message, f"{path}.text_template", hint=hint)]


def _missing_special(word: str, path: str) -> Problem:
    message = f'The tokenizer has no {word} token: Olive writes the word "None" into every text in its place.'
    return Problem("warning", "no_special_token", message, path, hint='Set "add_special_tokens" to false.')
