"""Rows as the texts that are tokenised: template, columns or chat template, with bos and eos where asked for.

The counterpart of `get_text` in olive.data.component.text_generation, spaces around bos and eos included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phinb.data.recipe import Recipe
from phinb.data.template import (
    Part,
    Stretch,
    check_template,
    fields,
    fill,
    missing_column,
    parse_template,
    write_field,
)
from phinb.data.wording import agree, write_part
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer
from phinb.types import Problem

Row = Mapping[str, Any]


def make_texts(rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, first: int = 0) -> list[str]:
    """The text of each row, empty ones included; `first` is the number of the first of them. See `check_columns`.

    Raises PhinbError that names the first row (counted from 1) whose values do not suit.
    """
    write = _writer(recipe, tokenizer)
    texts = []
    for number, row in enumerate(rows, start=first + 1):
        try:
            texts.append(write(row))
        except PhinbError as error:
            raise PhinbError(f"Row {number}: {error.message}", error.hint) from error
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
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


def write_contents(rows: Sequence[Row], recipe: Recipe) -> list[str]:
    """What of each row's text is the row's own: its values without the template around them, a line each."""
    if recipe.chat_template:
        return ["\n".join(str(message.get("content")) for message in row[recipe.message_col]) for row in rows]
    names = named_columns(recipe)
    return ["\n".join([str(row[name]) for name in names]) for row in rows]


def named_columns(recipe: Recipe) -> tuple[str, ...]:
    """The columns that a row's text is made of. Raises PhinbError for a template that cannot be read."""
    if recipe.chat_template:
        return (recipe.message_col,)
    return fields(recipe.text_template) if recipe.text_template else recipe.text_cols


def never_empty(recipe: Recipe) -> bool:
    """Whether every row gives a text, whatever its values."""
    if recipe.chat_template:
        return False
    literal = any(part.text for part in parse_template(recipe.text_template)) if recipe.text_template else False
    joined = not recipe.text_template and len(recipe.text_cols) > 1
    return recipe.add_special_tokens or literal or joined


def check_columns(columns: Sequence[str], recipe: Recipe, tokenizer: Tokenizer, path: str) -> list[Problem]:
    """Columns that are not there, and special tokens that the tokenizer lacks."""
    problems = []
    if recipe.chat_template:
        problems = _check_names((recipe.message_col,), columns, f"{path}.message_col")
    elif recipe.text_template:
        problems = check_template(recipe.text_template, columns, f"{path}.text_template")
    elif recipe.text_template == "":
        problems = [_empty_template(recipe, columns, f"{path}.text_template")]
    else:
        problems = _check_names(recipe.text_cols, columns, f"{path}.text_cols")
    readable = not any(problem.severity == "error" for problem in problems)
    if readable and not recipe.chat_template and recipe.add_special_tokens:
        problems += [
            _missing_special(word, f"{path}.add_special_tokens")
            for word, text in (("bos", tokenizer.bos), ("eos", tokenizer.eos))
            if text is None
        ]
    return problems


def missing_values(name: str, count: int, total: int, first: int, path: str) -> Problem:
    """A value that is nothing becomes the word None in a template. `first` is a row, counted from 1."""
    message = (
        f'The column "{name}" has no value in {write_part(count, total, "row")} '
        f'({agree(count, "row", "first: row")} {first}): {agree(count, "its", "their")} text says "None".'
    )
    hint = "Fill the values in, or take these rows out."
    return Problem("warning", "missing_values", message, f"{path}.text_template", hint=hint)


def _writer(recipe: Recipe, tokenizer: Tokenizer) -> Callable[[Row], str]:
    if recipe.chat_template:
        template = recipe.chat_template if isinstance(recipe.chat_template, str) else None
        return lambda row: tokenizer.render_chat(_read_messages(row, recipe.message_col), template=template)
    if recipe.text_template:
        template = recipe.text_template
        parse_template(template)  # refuses what reaches into values
        plain: Callable[[Row], str] = lambda row: template.format(**row)  # noqa: E731
    else:
        plain = lambda row: " ".join([row[name] for name in recipe.text_cols])  # noqa: E731
    if recipe.add_special_tokens:
        return lambda row: f"{tokenizer.bos} {plain(row)} {tokenizer.eos}"
    return plain


def _read_messages(row: Row, column: str) -> Any:
    messages = row[column]
    if messages and not (isinstance(messages, list) and all(isinstance(message, Mapping) for message in messages)):
        hint = 'It has to hold a list of messages, each with "role" and "content".'
        raise PhinbError(f"{column} holds no conversation.", hint)
    return messages


def _check_names(names: Sequence[str], columns: Sequence[str], path: str) -> list[Problem]:
    return [
        Problem("error", "unknown_column", f"No column has the name {name}.", path, hint=missing_column(name, columns))
        for name in names
        if name not in columns
    ]


def _empty_template(recipe: Recipe, columns: Sequence[str], path: str) -> Problem:
    """Olive asks whether there is a template, and an empty one is none to it."""
    if not recipe.text_cols:
        message = "The template is empty, and so is text_cols: nothing makes a text of a row."
        return Problem("error", "template_empty", message, path, hint='Write a template: "{column}".')
    names = ", ".join(recipe.text_cols)
    gone = [name for name in recipe.text_cols if name not in columns]
    example = " ".join(filter(None, map(write_field, columns[:2]))) or "{column}"
    many = agree(len(recipe.text_cols), "column", "columns")
    message = f"The template is empty: Olive takes the text of the {many} {names} instead (text_cols)"
    if not gone:
        hint = 'Take "text_template" out if that is meant, or write one, for example '
        return Problem("warning", "template_empty", f"{message}.", path, hint=f'{hint}"{example}".')
    message += f", and no column has the name {gone[0]}."
    hint = f'Write a template, for example "{example}". {missing_column(gone[0], columns)}'
    return Problem("error", "template_empty", message, path, hint=hint)


def _missing_special(word: str, path: str) -> Problem:
    message = f'The tokenizer has no {word} token: Olive writes the word "None" into every text in its place.'
    return Problem("warning", "no_special_token", message, path, hint='Set "add_special_tokens" to false.')
