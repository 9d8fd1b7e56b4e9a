"""A data config as training will see it: its first sequences, its numbers, and what is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from phinb.data.recipe import PRE_PROCESS, Recipe, check_recipe, read_recipe
from phinb.data.sequences import Tokenized, tokenize
from phinb.data.source import parameters, read_rows
from phinb.data.statistics import count_held_out, count_steps, summarize
from phinb.data.template import answer_field, fields
from phinb.data.texts import check_columns
from phinb.errors import PhinbError
from phinb.folders import Report
from phinb.models.references import resolve_model
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.types import DataStats, Effective, Problem, Sequence

MOST_ROWS = 200_000
"""Rows that are tokenised; of larger data the numbers are those of the first so many, and `exact` is False."""

NOTHING = DataStats(0, 0, 0, 0, 0, 0, 0, exact=False)


class Configuration(Protocol):
    """What a preview needs of phinb.config's Config."""

    @property
    def folder(self) -> Path: ...

    def to_olive(self) -> dict[str, Any]: ...

    @property
    def phinb(self) -> Mapping[str, Any]: ...

    def effective(self) -> Mapping[str, Effective]: ...


@dataclass(frozen=True)
class Preview:
    """What training gets from the data config `name`.

    `sequences` are the first ones, in the order of the data (the trainer shuffles them); `stats` counts all.
    With an error among `problems` there may be neither.
    """

    name: str
    sequences: tuple[Sequence, ...]
    stats: DataStats
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing keeps training from getting its data."""
        return not any(problem.severity == "error" for problem in self.problems)


def preview(
    config: Configuration, data: str | None = None, limit: int = 200, *, progress: Report | None = None
) -> Preview:
    """Show what training gets from a configuration's data: the config named `data`, by default the training data.

    At most `limit` sequences are given in full. `progress` hears of a demo model that has to be made first.

    Raises ConfigError where the configuration has errors, PhinbError where no data config has that name.
    """
    olive = config.to_olive()
    data_config = find_data_config(olive, data)
    name = str(data_config["name"])
    params = parameters(data_config.get("pre_process_data_config"))
    try:
        model = params.get("model_name") or olive["input_model"]["model_path"]
        folder = resolve_model(str(model), folder=config.folder, progress=progress)
        if isinstance(folder, str):
            raise PhinbError(
                f"The model {folder} is not on this machine, so its tokenizer cannot be read.",
                "Start the run once, which fetches it, or name a local folder.",
            )
        tokenizer = load_tokenizer(folder)
    except PhinbError as error:
        problem = _from_error(error, "tokenizer_missing", "input_model.model_path")
        return Preview(name, (), NOTHING, (locate(problem, config),))
    batch_size, accumulation = find_batch(config, name)
    trained_field = find_trained_field(config.phinb, params)
    share = config.phinb.get("eval_split") if batch_size is not None else None
    found = preview_data(
        data_config,
        tokenizer,
        config.folder,
        limit=limit,
        batch_size=batch_size,
        accumulation=accumulation,
        eval_split=float(share) if share is not None else None,
        trained_field=trained_field,
    )
    return dataclasses.replace(found, problems=tuple(locate(problem, config) for problem in found.problems))


def preview_data(
    data_config: Mapping[str, Any],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    limit: int | None = 200,
    batch_size: int | None = None,
    accumulation: int | None = None,
    eval_split: float | None = None,
    trained_field: str | None = None,
) -> Preview:
    """The same for one data config as Olive gets it, without a configuration around it. Never raises for bad data.

    `batch_size` and `accumulation` are the trainer's; `eval_split` is the share of the sequences that training
    does not get; `trained_field` the column that the loss is on, with what follows it (None: every token).
    """
    name = str(data_config.get("name", ""))
    path = f"data_configs.{name}.pre_process_data_config"
    params = parameters(data_config.get("pre_process_data_config"))
    problems = _check_kind(data_config, params, path)
    try:
        recipe = read_recipe(params)
    except ValueError as error:
        problems.append(Problem("error", "bad_value", f"{error}.", path, hint="Write a value of the right kind."))
        return Preview(name, (), NOTHING, tuple(problems))
    problems += check_recipe(recipe, path)
    if trained_field is not None:
        recipe = dataclasses.replace(recipe, trained_field=trained_field)
        problems += _check_trained_field(recipe, path)
    if any(problem.severity == "error" or problem.code == "preview_unavailable" for problem in problems):
        return Preview(name, (), NOTHING, tuple(problems))
    read = read_rows(data_config, folder, limit=MOST_ROWS)
    problems += read.problems
    if read.rows:
        problems += check_columns(read.rows, recipe, tokenizer, path)
    if any(problem.severity == "error" for problem in problems):
        return Preview(name, (), dataclasses.replace(NOTHING, rows=len(read.rows)), tuple(problems))
    try:
        tokenized = tokenize(read.rows, recipe, tokenizer)
        sequences = tuple(tokenized.sequences(limit))
    except PhinbError as error:
        problems.append(_from_error(error, "row_unreadable", path))
        return Preview(name, (), dataclasses.replace(NOTHING, rows=len(read.rows)), tuple(problems))
    exact = read.total == len(read.rows)
    held_out = count_held_out(len(tokenized.blocks), eval_split)
    steps = count_steps(len(tokenized.blocks) - held_out, batch_size, accumulation)
    stats = summarize(tokenized, steps_per_epoch=steps, exact=exact)
    problems += _check_result(tokenized, stats, path)
    if held_out:
        message = (
            f"{held_out} of the {stats.sequences} sequences are held out for evaluation (eval_split {eval_split}), "
            f"drawn at random; training gets the other {stats.sequences - held_out}."
        )
        problems.append(Problem("info", "held_out", message, "phinb.eval_split"))
    return Preview(name, sequences, stats, tuple(problems))


def find_trained_field(phinb_section: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """The column that the loss is on: None for all tokens; "" where a completion is asked for and there is no answer.

    It is phinb.answer, else the last field of the template.
    """
    if phinb_section.get("loss_on", "all") == "all":
        return None
    template = params.get("text_template")
    return phinb_section.get("answer") or (answer_field(template) if isinstance(template, str) else None) or ""


def _check_trained_field(recipe: Recipe, path: str) -> list[Problem]:
    """A loss on the completion needs a template that tells prompt and answer apart."""
    if recipe.chat_template or not recipe.text_template:
        message = "loss_on: completion needs a text_template: without one, nothing tells the prompt from the answer."
        return [Problem("error", "no_answer", message, path, hint='Write "text_template", the answer last.')]
    if recipe.trained_field not in fields(recipe.text_template):
        named = f"the answer {recipe.trained_field!r}" if recipe.trained_field else "an answer"
        message = f"loss_on: completion, but the text_template has no field for {named}: nothing would be trained on."
        hint = f"Its fields are: {', '.join(fields(recipe.text_template)) or 'none'}."
        return [Problem("error", "no_answer", message, f"{path}.text_template", hint=hint)]
    return []


def find_data_config(olive: Mapping[str, Any], name: str | None = None) -> Mapping[str, Any]:
    """The data config of that name, by default the one that the first training pass names, else the first.

    Raises PhinbError where there is none.
    """
    from rapidfuzz import process

    by_name: dict[str, Mapping[str, Any]] = {str(one.get("name")): one for one in olive.get("data_configs") or []}
    if name is None:
        for settings in _list_passes(olive):
            chosen = settings.get("train_data_config")
            if isinstance(chosen, Mapping):
                return dict(chosen)
            if chosen in by_name:
                return by_name[str(chosen)]
        if by_name:
            return next(iter(by_name.values()))
        raise PhinbError("The configuration has no data.", 'Add a data config under "data_configs".')
    if name not in by_name:
        nearest = process.extractOne(name, list(by_name))
        guess = f"Did you mean {nearest[0]}? " if nearest else ""
        raise PhinbError(f"There is no data config {name}.", f"{guess}There are: {', '.join(by_name) or 'none'}.")
    return by_name[name]


def find_batch(config: Configuration, name: str) -> tuple[int | None, int | None]:
    """Sequences a batch and batches a step of the first pass that trains on the data config; None if unknown."""
    effective = config.effective()
    for path, entry in effective.items():
        if path.endswith(".train_data_config") and entry.value == name:
            arguments = path.removesuffix("train_data_config") + "training_args."
            values = [
                effective[arguments + key].value if arguments + key in effective else default
                for key, default in (("per_device_train_batch_size", 8), ("gradient_accumulation_steps", 1))
            ]  # the defaults are those of transformers.TrainingArguments
            if all(isinstance(value, int) for value in values):
                return values[0], values[1]
    return None, None


def _list_passes(olive: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The settings of every pass in order, whether they stand in it, in its `config`, or in a list of alternatives."""
    settings: list[Mapping[str, Any]] = []
    for entry in (olive.get("passes") or {}).values():
        for one in entry if isinstance(entry, list) else [entry]:
            settings.append({**one, **(one.get("config") or {})})
    return settings


def _check_kind(data_config: Mapping[str, Any], params: Mapping[str, Any], path: str) -> list[Problem]:
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


def _check_result(tokenized: Tokenized, stats: DataStats, path: str) -> list[Problem]:
    recipe = tokenized.recipe
    if not stats.sequences:
        return [_no_sequences(recipe, stats, path)]
    if not stats.truncated_rows:
        return []
    longest = max(stats.lengths)
    end = "beginning" if tokenized.tokenizer.cuts_left else "end"
    message = (
        f"{stats.truncated_rows} of {stats.rows} rows are longer than max_seq_len {recipe.max_seq_len} "
        f"(the longest has {longest} tokens): their {end} is cut off and never learnt."
    )
    hint = f'Set "max_seq_len" to {longest}, or shorten the rows.'
    return [Problem("warning", "truncated_rows", message, f"{path}.max_seq_len", hint=hint)]


def _no_sequences(recipe: Recipe, stats: DataStats, path: str) -> Problem:
    """Olive would go on to a training error that it swallows."""
    longest = max(stats.lengths, default=0)
    where, hint = f"{path}.max_seq_len", f'Set "strategy" to "line-by-line" and "max_seq_len" to {longest}.'
    if not longest:
        why, hint = "no row has any text", "Look at the columns that the text is made of."
    elif recipe.max_samples is not None and recipe.max_samples < 1:
        why, where, hint = "max_samples is 0", f"{path}.max_samples", "Leave max_samples out."
    elif recipe.joins:
        why = (
            f"all {stats.rows} rows joined have {sum(stats.lengths)} tokens of text, "
            f"not enough for one sequence of {recipe.max_seq_len}"
        )
    else:
        why = f"every row is shorter than max_seq_len {recipe.max_seq_len} and dropped (the longest has {longest})"
        hint = 'Leave drop_short_sequences out, or set "max_seq_len" lower.'
    return Problem("error", "no_sequences", f"There is no training sequence: {why}.", where, hint=hint)


def _from_error(error: PhinbError, code: str, path: str) -> Problem:
    return Problem("error", code, error.message, path, hint=error.hint)


def locate(problem: Problem, config: Configuration) -> Problem:
    """The line of the value that a problem speaks of, or of the nearest one above it that the user wrote."""
    effective = config.effective()
    path = problem.path
    while path:
        entry = effective.get(path)
        if entry is not None and entry.line is not None:
            return dataclasses.replace(problem, line=entry.line)
        path = path.rpartition(".")[0]
    return problem
