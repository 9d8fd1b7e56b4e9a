"""Whether the prompt in use is the one of training: differences as problems, and a template that has none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from phinb.data.inference import Difference, Row, compare_prompts, find_first_other
from phinb.data.recipe import Recipe
from phinb.data.remedies import set_values
from phinb.data.template import fields
from phinb.data.texts import make_texts
from phinb.data.wording import agree, write_first, write_part, write_part_of_first
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer
from phinb.types import Fix, Problem

LOOKED_AT, CHARACTERS = 50, 400_000
"""Rows whose prompts are compared, and characters of all of them: each is tokenised twice, which takes half a second.
A row that is too long for what is left is passed over."""


def check_prompts(
    rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, answer: str | None, path: str
) -> list[Problem]:
    """Whether the first rows' prompts are the same in training and in use; `path` is the pre-process's."""
    if answer is None or not (recipe.chat_template or answer in fields(recipe.text_template or "")):
        return []
    first = rows[:LOOKED_AT]
    try:
        lengths = [len(text) for text in make_texts(first, recipe, tokenizer)]
        chosen = _choose_rows(lengths)
        looked_at = [first[number] for number in chosen]
        found = list(compare_prompts(looked_at, recipe, tokenizer, answer))
        if found:
            found = [replace(one, row=chosen[one.row]) for one in found]
            return [_describe(found, len(first), looked_at, recipe, tokenizer, answer, path)]
        told = [] if len(chosen) == len(first) else [_looked_at_some(lengths, chosen, path)]
        if recipe.chat_template:
            return [*_check_generation_prompt(first, recipe, tokenizer, answer, path), *told]
        return [*_check_bos(first, recipe, tokenizer, path), *told]
    except (PhinbError, KeyError, TypeError, ValueError):
        return []  # rows that give no text, or a conversation that stops half way, are told elsewhere


def check_same_texts(name: str, recipe: Recipe, other_name: str, other: Recipe) -> list[Problem]:
    """Whether a model trained on the data config `name` is evaluated on texts of the same make."""
    path = f"data_configs.{other_name}.pre_process_data_config"
    for key in ("chat_template", "text_template", "text_cols", "message_col", "add_special_tokens"):
        ours, theirs = getattr(recipe, key), getattr(other, key)
        relevant = {
            "text_template": not (recipe.chat_template and other.chat_template),
            "text_cols": not (recipe.text_template or other.text_template or recipe.chat_template),
            "message_col": bool(recipe.chat_template),
            "add_special_tokens": not recipe.chat_template,
        }.get(key, True)
        if ours == theirs or not relevant:
            continue
        place = f", from character {find_first_other(ours, theirs) + 1} on" if isinstance(ours, str) and theirs else ""
        message = (
            f"{other_name} makes its texts otherwise than {name}: {key} is {_shorten(theirs)}, and in training "
            f"{_shorten(ours)}{place}. What is measured on it is not what was learnt."
        )
        value = list(ours) if isinstance(ours, tuple) else ours
        fix = set_values(f"Make them as in {name}", path, **{key: value})
        hint = f'Let "{key}" be the same in both.'
        return [Problem("warning", "texts_differ", message, f"{path}.{key}", hint=hint, fix=fix)]
    return []


def _choose_rows(lengths: Sequence[int]) -> list[int]:
    """The rows that are looked at, by the characters of each."""
    chosen, left = [], CHARACTERS
    for number, length in enumerate(lengths):
        if length <= left:
            chosen.append(number)
            left -= length
    return chosen


def _looked_at_some(lengths: Sequence[int], chosen: Sequence[int], path: str) -> Problem:
    longest = max(lengths)
    what = "Whether the prompt in use is the one of training was looked at in "
    if not chosen:
        what = "Whether the prompt in use is the one of training was not looked at in "
    part = write_part_of_first(len(chosen), len(lengths), "row") if chosen else write_first(len(lengths), "row")
    message = f"{what}{part}: {agree(len(lengths) - len(chosen), 'a row is', 'rows are')} too long for that "
    message += f"(row {lengths.index(longest) + 1} has {longest:,} characters)."
    hint = "Nothing is wrong: it would only take long."
    return Problem("info", "prompts_partly", message, path, hint=hint)


def _describe(
    found: Sequence[Difference],
    total: int,
    rows: Sequence[Row],
    recipe: Recipe,
    tokenizer: Tokenizer,
    answer: str,
    path: str,
) -> Problem:
    first = found[0]
    where = f"{path}.chat_template" if recipe.chat_template else f"{path}.text_template"
    begin = max(first.place - 2, 0)
    if first.kind == "text":
        training, sent = (repr(one.text[max(first.place - 20, 0) :][:60]) for one in (first.training, first.sent))
        how = f"from character {first.place + 1} on it is {training} in training, and {sent} in use"
        hint = (
            "The chat template writes a turn otherwise when it asks for it: let add_generation_prompt give its header."
        )
        fix = None
    else:
        training, sent = (_show(one.ids[begin:], tokenizer) for one in (first.training, first.sent))
        how = f"its text is the same, but its tokens end in {training} in training, and in {sent} when it comes alone"
        hint = (
            f"A space before {{{answer}}} becomes a part of the answer's first token: end the prompt with a line break."
        )
        fix = _find_fix(rows, recipe, tokenizer, answer, path)
    left_out = total - len(rows)
    part = write_part_of_first(len(found), total, "row")
    if left_out:
        part = f"{write_part(len(found), len(rows), 'row')} that {agree(len(rows), 'was', 'were')} looked at"
    message = f"The prompt is not the one that the model has learnt, in {part}: in row {first.row + 1}, {how}."
    if left_out:
        rest = f"{left_out:,} others of" if left_out > 1 else "Another of"
        message += f" {rest} {write_first(total, 'row')} {agree(left_out, 'is', 'are')} too long to be looked at here."
    return Problem("warning", "prompt_differs", message, where, hint=hint, fix=fix)


def _find_fix(rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, answer: str, path: str) -> Fix | None:
    """A line break in the place of the spaces before the answer, where that makes the prompts equal."""
    blanks = re.compile(r"[^\S\n]+(\{" + re.escape(answer) + r"[!:}])")
    template = blanks.sub(r"\n\1", recipe.text_template or "", count=1)
    if template == recipe.text_template:
        return None
    changed = replace(recipe, text_template=template)
    if any(compare_prompts(rows, changed, tokenizer, answer)):
        return None
    return set_values("End the prompt with a line break", path, text_template=template)


def _check_generation_prompt(
    rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, answer: str, path: str
) -> list[Problem]:
    """A chat template that does not open the turn that it asks for: then the model has to write its header too."""
    template = recipe.chat_template if isinstance(recipe.chat_template, str) else None
    for row in rows[:1]:
        turns = [index for index, message in enumerate(row[recipe.message_col]) if message.get("role") == answer]
        before = [dict(message) for message in row[recipe.message_col][: turns[-1]]] if turns else []
        with_prompt, without = (
            tokenizer.render_chat(before, template=template, add_generation_prompt=prompts) for prompts in (True, False)
        )
        if before and with_prompt == without:
            message = (
                f"The chat template ignores add_generation_prompt: in use the prompt ends in {without[-30:]!r}, and "
                "the model itself has to write whose turn it is."
            )
            hint = "Let the template end with the header of the next turn where add_generation_prompt is true."
            return [Problem("warning", "no_generation_prompt", message, f"{path}.chat_template", hint=hint)]
    return []


def _check_bos(rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, path: str) -> list[Problem]:
    """What the tokenizer adds by itself where nobody forbids it, as Olive does."""
    if tokenizer.bos_id is None or not rows:
        return []
    if tokenizer.backend.encode("a", add_special_tokens=True).ids[:1] != [tokenizer.bos_id]:
        return []
    where = f"{path}.add_special_tokens"
    if make_texts(rows[:1], recipe, tokenizer)[0].startswith(str(tokenizer.bos)):
        message = (
            f"The training texts begin with {tokenizer.bos}, and this tokenizer puts another before every prompt it "
            "is called with. phinb sends one, as in training."
        )
        hint = "Elsewhere, leave it out of the prompt, or call the tokenizer with add_special_tokens=False."
        return [Problem("info", "bos_twice_in_use", message, where, hint=hint)]
    message = (
        f"The training texts begin without {tokenizer.bos}, which this tokenizer puts before every prompt that it is "
        "called with: whoever uses the model so sends a token that it was not trained with."
    )
    fix = set_values("Let the texts begin with bos and end with eos", path, add_special_tokens=True)
    hint = 'Set "add_special_tokens" to true, or call the tokenizer with add_special_tokens=False.'
    return [Problem("warning", "bos_missing", message, where, hint=hint, fix=fix)]


def _shorten(value: object) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _show(ids: Sequence[int], tokenizer: Tokenizer) -> str:
    return " ".join(repr(tokenizer.text(token)) for token in ids[:6]) or "nothing more"
