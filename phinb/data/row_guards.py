"""Mistakes that the rows' own texts show: an answer that the prompt gives away, special tokens where none belong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from phinb.data.recipe import Recipe
from phinb.data.remedies import set_values
from phinb.data.template import fields, parse_template
from phinb.data.texts import make_texts
from phinb.data.wording import agree, begin, write_part_of_first
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer
from phinb.types import Problem

Row = Mapping[str, Any]

LEAKING = 0.9
"""Share of the rows in whose prompt the answer stands, from which it is told."""

LONGEST = 500
"""Characters of an answer that is looked for as a word."""

FEWEST = 10
"""Rows below which a share means nothing."""


def check_leaking_answer(rows: Sequence[Row], recipe: Recipe, answer: str | None, path: str) -> list[Problem]:
    """Columns whose values hold the answer as a word in more than LEAKING of the rows; the template's own text, which
    may list the answers to choose from, does not count."""
    if recipe.chat_template or answer is None or len(rows) < FEWEST:
        return []
    names = fields(recipe.text_template) if recipe.text_template else recipe.text_cols
    answers = [str(row.get(answer) or "").strip() for row in rows]
    if answer not in names or len(set(answers)) < 2:
        return []
    problems = []
    for name in _before(recipe, answer):
        pairs = zip(rows, answers, strict=True)
        found = [number for number, (row, text) in enumerate(pairs, 1) if text and _holds(str(row.get(name)), text)]
        if len(found) <= LEAKING * len(rows):
            continue
        first = rows[found[0] - 1]
        message = (
            f'The column "{name}" holds the answer in {len(found)} of the first {len(rows)} rows '
            f"(row {found[0]}: {_shorten(str(first[name]))} with the answer {_shorten(answers[found[0] - 1])}): "
            "the model learns to copy it."
        )
        hint = f"Where the answer is not in the text when it is used, take {{{name}}} out of the prompt, or mend it."
        problems.append(Problem("warning", "answer_in_prompt", message, f"{path}.text_template", hint=hint))
    return problems


def check_special_texts(rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, path: str) -> list[Problem]:
    """Special tokens that rows spell out in their values, and bos or eos that the template writes beside Olive's."""
    try:
        texts = make_texts(rows, recipe, tokenizer)
    except PhinbError:
        return []
    problems = _check_twice(texts, recipe, tokenizer, path)
    if recipe.chat_template:
        return problems
    names = fields(recipe.text_template) if recipe.text_template else recipe.text_cols
    for word, token in (("ends the sequence", tokenizer.eos), ("begins the sequence", tokenizer.bos)):
        found = [
            number for number, row in enumerate(rows, 1) if token and any(token in str(row.get(name)) for name in names)
        ]
        if found:
            message = (
                f"{begin(write_part_of_first(len(found), len(rows), 'row'))} {agree(len(found), 'has', 'have')} "
                f"{token} in {agree(len(found), 'its', 'their')} values "
                f"({agree(len(found), 'row', 'first: row')} {found[0]}): "
                f"it is not text to the model, but {word}."
            )
            hint = "Take it out of the rows; Olive itself puts it around them."
            problems.append(Problem("warning", "special_in_rows", message, f"{path}.text_template", hint=hint))
    return problems


def _check_twice(texts: Sequence[str], recipe: Recipe, tokenizer: Tokenizer, path: str) -> list[Problem]:
    if recipe.chat_template or not recipe.add_special_tokens or not texts:
        return []
    bos, eos = str(tokenizer.bos), str(tokenizer.eos)
    begins = bos != "None" and all(text.startswith(f"{bos} {bos}") for text in texts)
    ends = eos != "None" and all(text.rstrip().removesuffix(eos).rstrip().endswith(eos) for text in texts)
    if not begins and not ends:
        return []
    what = " and ".join(word for word, found in ((f"begin with {bos}", begins), (f"end with {eos}", ends)) if found)
    message = f"The texts {what} twice: once from the template, and once from add_special_tokens, with a space between."
    fix = set_values("Add no special tokens", path, add_special_tokens=False) if begins and ends else None
    hint = "Take them out of the template" + (', or set "add_special_tokens" to false.' if fix else ".")
    return [Problem("warning", "special_twice", message, f"{path}.text_template", hint=hint, fix=fix)]


def _before(recipe: Recipe, answer: str) -> list[str]:
    """The columns that stand before the answer's first place."""
    if not recipe.text_template:
        return list(recipe.text_cols[: recipe.text_cols.index(answer)])
    names: list[str] = []
    for part in parse_template(recipe.text_template):
        if part.field == answer:
            break
        if part.field is not None and part.field not in names:
            names.append(part.field)
    return names


def _holds(text: str, word: str) -> bool:
    """Whether `word` stands in `text` by itself, in whatever case."""
    if len(word) > LONGEST:
        return word.casefold() in text.casefold()  # a pattern of a megabyte takes seconds to be made
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
