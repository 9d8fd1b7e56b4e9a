"""How rows become training sequences: the parameters of Olive's text generation pre-process, and its rules.

Names, defaults and forbidden combinations are those of olive.data.component.text_generation.TextGenParams.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from phinb.types import Problem

STRATEGIES = ("line-by-line", "line-by-line-random", "join", "join-random", "join-sliding-window")
PRE_PROCESS = "text_generation_huggingface_pre_process"
"""Olive's pre-process that this module knows; it is what a HuggingfaceContainer takes for text generation."""


@dataclass(frozen=True)
class Recipe:
    """Olive's parameters under Olive's names; lengths are tokens, `max_samples` counts sequences."""

    max_samples: int | None = None
    max_seq_len: int = 1024
    pad_to_max_len: bool = True
    padding_side: str = "right"
    drop_short_sequences: bool = False
    use_attention_mask: bool = True
    chat_template: bool | str | None = None
    message_col: str = "messages"
    add_special_tokens: bool = True
    text_formatting_func: str | None = None
    text_template: str | None = None
    text_cols: tuple[str, ...] = ("text",)
    strategy: str = "join"
    stride: int | None = None
    joiner: str = "\n\n"
    processing_batch_size: int = 1024
    random_seed: int | None = None
    random_retries: int = 10
    trained_field: str | None = None
    """phinb's own: the column from whose first token on each row is trained on; without it all of a row is."""

    @property
    def joins(self) -> bool:
        """Whether rows are strung together before they are cut into sequences."""
        return self.strategy.startswith("join")

    @property
    def is_random(self) -> bool:
        """Whether sequences are drawn, which takes knowing all texts."""
        return self.strategy.endswith("random")

    @property
    def pads(self) -> bool:
        """Whether each sequence is filled up to max_seq_len. Joined sequences are full without."""
        return self.pad_to_max_len and not self.joins

    @property
    def context(self) -> int | None:
        """Tokens at the beginning of each sequence that are not trained on (sliding window only)."""
        return self.max_seq_len - self.stride if self.strategy == "join-sliding-window" and self.stride else None


def read_recipe(params: Mapping[str, Any]) -> Recipe:
    """The recipe that pre-process parameters mean; what is not named has Olive's default, unknown keys do nothing.

    Whole numbers may be written as text, as pydantic allows. Raises ValueError for anything else that is no number.
    """
    known = {field.name: field.default for field in fields(Recipe) if field.name != "trained_field"}
    values = {name: value for name, value in params.items() if name in known}
    for name in values:
        if isinstance(values[name], str) and (isinstance(known[name], int) or name in ("max_samples", "stride")):
            values[name] = _read_number(name, values[name], isinstance(known[name], bool))
    if "text_cols" in values:
        columns = values["text_cols"] or ()
        values["text_cols"] = (columns,) if isinstance(columns, str) else tuple(columns)
    return Recipe(**values)


def check_kind(data_config: Mapping[str, Any], params: Mapping[str, Any], path: str) -> list[Problem]:
    """Whether the text of this data config is made in a way that is known here."""
    component = data_config.get("pre_process_data_config") or {}
    kind = component.get("type")
    if str(data_config.get("type", "")).lower() != "huggingfacecontainer" and kind != PRE_PROCESS:
        message = "Without a type the data config has no loader: Olive would train on nothing."
        hint = 'Set "type" to "HuggingfaceContainer".'
        return [Problem("error", "container_missing", message, path.rpartition(".")[0] + ".type", hint=hint)]
    task = str(params.get("task", "text-generation")).removesuffix("-with-past")
    own = next((key for key in ("text_formatting_func", "user_script") if params.get(key)), None)
    if own or data_config.get("user_script"):
        message = f"The text is made by code of your own ({own or 'user_script'}); only the run itself executes it."
    elif kind not in (None, PRE_PROCESS):
        message = f"The pre-process {kind} is not one that can be shown before the run."
    elif task != "text-generation":
        message = f"The task {task} is not one that can be shown before the run."
    else:
        return []
    return [Problem("warning", "preview_unavailable", message, path, hint="Nothing is wrong; there is no preview.")]


def check_recipe(recipe: Recipe, path: str) -> list[Problem]:
    """The combinations that Olive refuses or that give other data each time; `path` is the pre-process's own."""
    problems = []

    def report(name: str, code: str, message: str, hint: str, *, warning: bool = False) -> None:
        problems.append(Problem("warning" if warning else "error", code, message, f"{path}.{name}", hint=hint))

    for name in _find_halves(recipe):
        message = f"{name} holds half of a character, which no tokenizer takes."
        report(name, "bad_value", message, "Write the whole character, or take it out.")
    if recipe.strategy not in STRATEGIES:
        report(
            "strategy", "bad_value", f"There is no strategy {recipe.strategy!r}.", f"Known: {', '.join(STRATEGIES)}."
        )
    if recipe.max_seq_len < 1:
        report("max_seq_len", "bad_value", f"max_seq_len is {recipe.max_seq_len}.", "It counts tokens, from 1.")
    if recipe.padding_side not in ("left", "right"):
        report("padding_side", "bad_value", f"padding_side is {recipe.padding_side!r}.", "It is left or right.")
    if recipe.strategy == "join-sliding-window" and not (recipe.stride and recipe.stride > 0):
        report("stride", "stride_missing", "A sliding window needs a stride.", "Set it to a number of tokens.")
    if recipe.strategy.endswith("random"):
        if recipe.max_samples is None:
            hint = 'Set "max_samples" to the number of sequences to draw.'
            report("max_samples", "max_samples_missing", "A random strategy needs max_samples.", hint)
        if recipe.random_seed is None:
            message = "Without random_seed every run draws other sequences than this preview."
            report("random_seed", "not_repeatable", message, 'Set "random_seed" to any number.', warning=True)
    if recipe.pad_to_max_len and recipe.drop_short_sequences:
        hint = 'Set "pad_to_max_len" to false, or leave drop_short_sequences out.'
        report("drop_short_sequences", "contradiction", "Sequences cannot be both padded and dropped.", hint)
    if recipe.pads and not recipe.use_attention_mask:
        hint = 'Set "use_attention_mask" to true, or "pad_to_max_len" to false.'
        report("use_attention_mask", "contradiction", "Padding needs the attention mask.", hint)
    return problems


def _find_halves(recipe: Recipe) -> list[str]:
    """The parameters whose texts have lone surrogates, which JSON can write and UTF-8 cannot; templates apart."""
    texts = {"joiner": recipe.joiner, "chat_template": recipe.chat_template}
    return [name for name, text in texts.items() if isinstance(text, str) and re.search("[\ud800-\udfff]", text)]


def _read_number(name: str, text: str, is_bool: bool) -> int | bool:
    if is_bool:
        if text.lower() in ("true", "1", "yes", "on"):
            return True
        if text.lower() in ("false", "0", "no", "off"):
            return False
        raise ValueError(f"{name} is {text!r}, not true or false")
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a whole number") from None
