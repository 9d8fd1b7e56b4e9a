"""From a file of rows to a first configuration: look at the columns and the lengths, choose, and say why.

The text is a recipe of the gallery (config/starting/), filled with what the rows, the model and the machine ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from phinb.config.starting.facts import Machine, Rows
from phinb.config.starting.gallery import RECIPES, find_recipe, write_recipe
from phinb.config.starting.prompt_text import Prompt, use_conversation, write_prompt
from phinb.config.starting.training import advise
from phinb.data.columns import Column, check_name, choose_answer, choose_inputs, describe_columns, find_column
from phinb.data.held_out import plan_rows, relative_path
from phinb.data.recipe import read_recipe
from phinb.data.row_file import RowFile, read_file
from phinb.data.texts import make_texts
from phinb.data.wording import agree, write_count
from phinb.errors import PhinbError
from phinb.folders import Report
from phinb.models.facts import ModelFacts, find_facts
from phinb.models.references import resolve_model
from phinb.models.tokenizers import Tokenizer, load_tokenizer

BYTES_A_TOKEN = 3
"""What an estimate goes by where there is no tokenizer: English has about four, and it had better be too many."""


def compose_config(
    data: str | Path,
    answer: str | None = None,
    recipe: str = "lora",
    model: str = "phinb://demo",
    test: str | Path | None = None,
    *,
    folder: Path | None = None,
    machine: Machine | None = None,
    progress: Report | None = None,
) -> str:
    """The text of a first configuration for the rows in the file `data`; JSON with comments.

    answer: the column to be predicted; left out, the likeliest. test: a file of rows to evaluate on; left out, a
    share of `data`. folder: where the configuration will stand, by default here; its paths are relative to it.
    machine: what it will run on. progress: hears of a demo model that has to be made for its tokenizer.

    Raises PhinbError for a file that is missing, empty, not UTF-8 or of an unknown kind, for a column that is not there
    or cannot be an answer, where there is no text to learn from, and for a recipe or model that is not known.
    """
    find_recipe(recipe)
    folder = (folder or Path.cwd()).absolute()
    machine = machine or Machine()
    model = relative_path(Path(model), folder) if Path(model).expanduser().exists() else model
    facts = find_facts(model, folder=folder)
    source = read_file(Path(data))
    tested = read_file(Path(test)) if test is not None else None
    columns = describe_columns(source.rows)
    prompt, notes = _choose_prompt(columns, source, answer, facts)
    if tested is not None:
        _check_test(tested, _columns_of(prompt, columns))
    rows, found = plan_rows(source, tested, prompt.answer, folder, trains=RECIPES[recipe].trains)
    rows = _measure(rows, [*source.rows, *(tested.rows if tested else ())], prompt, facts, folder, progress)
    head = [f"{source.path.name}: {write_count(source.total, 'row')}.", *notes, *found, *advise(recipe, facts, machine)]
    return write_recipe(recipe, facts, rows, prompt, machine, tuple(head))


def _choose_prompt(
    columns: Sequence[Column], source: RowFile, answer: str | None, facts: ModelFacts
) -> tuple[Prompt, list[str]]:
    """The prompt, and a note on every column: what it holds, and what becomes of it."""
    count = len(source.rows)
    conversation = next((column for column in columns if column.kind == "conversation"), None)
    if conversation is not None and answer in (None, conversation.name):
        return use_conversation(conversation.name, facts), [column.describe(count) + "." for column in columns]
    chosen, why = (find_column(columns, answer), "the answer") if answer else choose_answer(columns, count)
    if chosen is not None:
        _check_answer(chosen, count)
    inputs = choose_inputs(columns, chosen)
    labels = chosen.values if chosen and chosen.has_classes(count) else ()
    prompt = write_prompt([column.name for column in inputs], chosen.name if chosen else None, sorted(labels), facts)
    notes = []
    for column in columns:
        use = "left out" if column.can_be_named else "left out: no template can name it, rename it"
        if column is chosen or (chosen is None and column in inputs):
            use = why
        elif column in inputs:
            use = "in the prompt"
        notes.append(f"{column.describe(count)}; {use}.")
    notes += [f"Beware: {problem.message}" for problem in source.read.problems if problem.severity == "warning"]
    return prompt, notes


def _check_answer(column: Column, rows: int) -> None:
    check_name(column)
    if column.kind not in ("text", "number"):
        holds = "nothing" if column.kind == "empty" else "no text"
        raise PhinbError(
            f"The column {column.name} cannot be the answer: it holds {holds}.", "Name a column with texts or numbers."
        )
    if column.distinct < 2:
        raise PhinbError(
            f"The column {column.name} has the same value in {agree(rows, 'its only row', f'all {rows:,} rows')}: "
            "there is nothing to learn.",
            "Name another column, or add rows with other answers.",
        )


def _check_test(tested: RowFile, needed: Sequence[Column]) -> None:
    there = describe_columns(tested.rows)
    for column in needed:
        try:
            find_column(there, column.name)
        except PhinbError as error:
            raise PhinbError(f"{tested.path.name} does not fit: {error.message}", error.hint) from error


def _columns_of(prompt: Prompt, columns: Sequence[Column]) -> list[Column]:
    """The columns that the rows must have for this prompt."""
    if prompt.message_col is not None:
        return [column for column in columns if column.name == prompt.message_col.value]
    template = str(prompt.template.value) if prompt.template else ""
    return [column for column in columns if f"{{{column.name}}}" in template]


def _measure(
    rows: Rows,
    every: Sequence[Mapping[str, Any]],
    prompt: Prompt,
    facts: ModelFacts,
    folder: Path,
    progress: Report | None,
) -> Rows:
    """The same, with the length of the longest row."""
    tokenizer = _find_tokenizer(facts, folder, progress)
    lengths = _count_tokens(every, prompt, tokenizer) if tokenizer else _estimate_tokens(every, prompt)
    context = facts.context or 2**31
    return replace(
        rows,
        longest=max(lengths, default=0),
        cut=sum(length > context for length in lengths),
        counted=tokenizer is not None,
    )


def _find_tokenizer(facts: ModelFacts, folder: Path, progress: Report | None) -> Tokenizer | None:
    """None where the model has to be fetched from the hub first, or the demo model cannot be made now."""
    try:
        place = resolve_model(facts.reference, folder=folder, progress=progress)
        return load_tokenizer(place) if isinstance(place, Path) else None
    except PhinbError:
        if facts.embedded:
            return None
        raise


def _count_tokens(every: Sequence[Mapping[str, Any]], prompt: Prompt, tokenizer: Tokenizer) -> list[int]:
    params: dict[str, Any] = {"strategy": "line-by-line", "add_special_tokens": prompt.special_tokens.value}
    if prompt.message_col is not None:
        params |= {"chat_template": True, "message_col": prompt.message_col.value}
    elif prompt.template is not None:
        params["text_template"] = prompt.template.value
    texts = make_texts(every, read_recipe(params), tokenizer)
    return [len(one.ids) for one in tokenizer.encode_batch(texts)]


def _estimate_tokens(every: Sequence[Mapping[str, Any]], prompt: Prompt) -> list[int]:
    if prompt.template is not None:
        texts = [str(prompt.template.value).format(**row) for row in every]
    else:
        column = prompt.message_col.value if prompt.message_col else ""
        texts = ["".join(str(turn) for turn in row[column] or ()) for row in every]
    return [len(text.encode("utf-8", errors="replace")) // BYTES_A_TOKEN + 1 for text in texts]
