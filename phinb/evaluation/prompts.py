"""What a run's models are asked: the training text up to the answer, and where an answer ends.

The prompt has the tokens that training has before the answer, whichever of the training's answers follows. A template's
trailing space is often the beginning of the answer's first token there, and then it is left to the model; text and
special tokens are otherwise the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

from phinb.data.completion import ASSISTANT
from phinb.data.recipe import read_recipe
from phinb.data.source import parameters
from phinb.data.template import Part, fill
from phinb.errors import PhinbError
from phinb.evaluation.scoring import split_template
from phinb.models.tokenizers import Encoding, Tokenizer

if TYPE_CHECKING:
    from phinb.config import Config

USER = "user"
"""The field of a chat's form: what the user says."""

MOST_EXAMPLES = 32
"""Answers of the training data that are looked at to see where a prompt's tokens end."""


@dataclass(frozen=True)
class Prompt:
    """One prompt as it is sent. `stops` are the texts at which an answer ends, beside the model's own end tokens.

    values: what the fields were filled with; None where the text was given whole.
    """

    text: str
    ids: tuple[int, ...]
    stops: tuple[str, ...] = ()
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class PromptForm:
    """How a prompt is made of fields, as the training data config says.

    kind: "template" (parts up to the answer), "chat" (messages under a chat template), "text" (training has no answer
    of its own to cut at: the text is given whole). answer: the column to be predicted, the role of a chat, or "".
    after: what the template has behind the answer, up to where the answer is told once more. examples: answers of the
    training data, as the template writes them.
    """

    kind: Literal["template", "chat", "text"]
    parts: tuple[Part, ...] = ()
    answer: str = ""
    after: tuple[Part, ...] = ()
    add_special_tokens: bool = True
    chat_template: str | None = None
    examples: tuple[str, ...] = ("a",)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names to be asked for, in the template's order; of a chat `user`, of plain text `text`."""
        if self.kind == "template":
            return _names(self.parts)
        return (USER,) if self.kind == "chat" else ("text",)

    @property
    def row_fields(self) -> tuple[str, ...]:
        """What a row of test data needs beyond `fields`: the answer, and columns that only stand behind it."""
        if self.kind != "template":
            return ()
        return (self.answer, *(name for name in _names(self.after) if name not in (*self.fields, self.answer)))

    def write(self, prompt: str | Mapping[str, Any], tokenizer: Tokenizer) -> Prompt:
        """The prompt of these fields, or this text, in the tokens of `tokenizer`.

        prompt: {field: value}, further columns of a row are let be; a text is what the user of a chat says, else it is
        sent as it stands, behind bos where training has it. Of a chat also {"messages": [...]}. Raises PhinbError where
        a field is missing or does not fit, or nothing is left.
        """
        if not isinstance(prompt, str | Mapping):
            raise PhinbError(f"A prompt is a text or a dict of fields, not {type(prompt).__name__}.", self._hint())
        if self.kind == "chat":
            return self._write_chat(prompt, tokenizer)
        lead = f"{tokenizer.bos} " if self.add_special_tokens and tokenizer.bos else ""
        if isinstance(prompt, str) or self.kind == "text":
            return _encode(lead + _whole_text(prompt, self._hint()), None, (), tokenizer)
        text, values, stops = self._fill(prompt)
        return _encode(lead + text, values, stops, tokenizer, self.examples)

    def _fill(self, prompt: Mapping[str, Any]) -> tuple[str, dict[str, Any], tuple[str, ...]]:
        missing = [name for name in self.fields if prompt.get(name) is None]
        if missing:
            raise PhinbError(f"The prompt has no {missing[0]!r}.", self._hint())
        values = {name: prompt[name] for name in self.fields}
        try:
            text = fill(self.parts, values)[0]
        except (ValueError, TypeError) as error:
            raise PhinbError(f"The prompt does not fit the template: {error}.", self._hint()) from None
        known = tuple(takewhile(lambda part: part.field is None or part.field in values, self.after))
        ending = fill(known, values)[0].rstrip(" ")
        return text, values, (ending,) if ending else ()

    def _write_chat(self, prompt: str | Mapping[str, Any], tokenizer: Tokenizer) -> Prompt:
        if isinstance(prompt, str):
            prompt = {USER: prompt}
        messages = prompt.get("messages")
        if messages is None:
            said = prompt.get(USER)
            if not isinstance(said, str):
                raise PhinbError(f"The prompt has no text {USER!r}.", self._hint())
            messages = [{"role": USER, "content": said}]
        turns = [dict(message) for message in messages]
        text = tokenizer.render_chat(turns, template=self.chat_template, add_generation_prompt=True)
        values = {key: prompt[key] for key in (USER, "messages") if key in prompt}
        return _encode(text, values, (), tokenizer)

    def _hint(self) -> str:
        if self.kind == "template":
            names = ", ".join(f'"{name}": ...' for name in self.fields)
            return f"Give the template's fields, {{{names}}}, or the whole prompt as text."
        if self.kind == "chat":
            return 'Give what the user says as text, or {"messages": [{"role": "user", "content": ...}]}.'
        return "Give the prompt as text."


def read_form(config: Config) -> PromptForm:
    """The form of a configuration's training data; without data, plain text. Raises PhinbError for a broken one."""
    from phinb.data.preview import find_data_config

    olive = config.to_olive()
    if not olive.get("data_configs"):
        return PromptForm("text")
    data_config = find_data_config(olive)
    params = parameters(data_config.get("pre_process_data_config"))
    try:
        recipe = read_recipe(params)
    except ValueError as error:
        raise PhinbError(f"The training data's pre-process cannot be read: {error}.", "See %olive_check.") from None
    if recipe.chat_template:
        own = recipe.chat_template if isinstance(recipe.chat_template, str) else None
        return PromptForm("chat", answer=ASSISTANT, chat_template=own)
    if not recipe.text_template or recipe.text_formatting_func:
        return PromptForm("text", add_special_tokens=recipe.add_special_tokens)
    before, slot, after, answer = split_template(recipe.text_template, config.phinb.get("answer"))
    examples = _read_examples(config, data_config, slot, answer)
    return PromptForm("template", before, answer, after, recipe.add_special_tokens, examples=examples)


def _read_examples(config: Config, data_config: Mapping[str, Any], slot: Part, answer: str) -> tuple[str, ...]:
    """Different answers of the first training rows, as the template writes them; "a" where none can be read."""
    from phinb.data.source import read_rows

    found: dict[str, None] = {}
    labels = config.phinb.get("labels")
    rows = [{answer: label} for label in labels] if isinstance(labels, list) else []
    for row in rows or read_rows(data_config, config.folder, limit=500).rows:
        if row.get(answer) not in (None, "") and len(found) < MOST_EXAMPLES:
            with suppress(ValueError, TypeError):
                found[fill((slot,), row)[0][:60]] = None
    return tuple(found) or ("a",)


def _names(parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.field for part in parts if part.field is not None))


def _whole_text(prompt: str | Mapping[str, Any], hint: str) -> str:
    text = prompt if isinstance(prompt, str) else prompt.get("text", prompt.get("prompt"))
    if not isinstance(text, str):
        raise PhinbError("The prompt has no text.", hint)
    return text


def _encode(
    text: str,
    values: dict[str, Any] | None,
    stops: tuple[str, ...],
    tokenizer: Tokenizer,
    examples: tuple[str, ...] = (),
) -> Prompt:
    """examples: what may follow; without, the text is taken as it stands."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        raise PhinbError(
            f"The prompt holds half of a character: {half}.", "Take it out: no tokenizer has it."
        ) from None
    encodings = tokenizer.encode_batch([text + example for example in examples if is_whole(example)])
    found = cut_before_answer(text, encodings)
    if found is None:
        text = text.rstrip(" ") if examples else text
        found = tokenizer.encode(text).ids, len(text)
    ids, end = found
    if not ids:
        raise PhinbError("The prompt is empty.", "Fill a field: a model needs a token to begin with.")
    return Prompt(text[:end], ids, stops, values)


def is_whole(text: str) -> bool:
    """Whether no character of it is a half (a lone surrogate)."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def cut_before_answer(text: str, encodings: Sequence[Encoding]) -> tuple[tuple[int, ...], int] | None:
    """(the tokens that stand wholly before the answer, whichever it is; the character at which they end).

    encodings: of the text with each of some answers behind it. None where there is none, and where nothing but the
    answer itself can tell: its first token has more of the text than the spaces at its end.
    """
    if not encodings:
        return None
    before = [sum(end <= len(text) for _, end in one.offsets) for one in encodings]
    count = min(before)
    ids = encodings[0].ids[:count]
    for one in encodings[1:]:
        count = next((place for place in range(count) if one.ids[place] != ids[place]), count)
    end = encodings[0].offsets[count - 1][1] if count else 0
    return None if text[end:].strip(" ") else (ids[:count], end)
