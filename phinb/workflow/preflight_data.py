"""What a configuration's data tell before a run: whether they can be read, and what training would make of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from phinb.config import Config
from phinb.config.azure_forms import lies_in_azure
from phinb.config.checks.data import EVALUATION_NAMES
from phinb.data.component import script_text
from phinb.data.preview import Preview, find_data_config, locate, preview
from phinb.data.prompt_guards import check_same_texts
from phinb.data.recipe import Recipe, read_recipe
from phinb.data.scan import ShouldStop
from phinb.data.source import parameters, read_rows
from phinb.data.template import check_template
from phinb.errors import PhinbError
from phinb.types import Problem
from phinb.workflow.checkpoints import is_training


def look_at_data(
    config: Config, olive: Mapping[str, Any], *, tokenizes: bool, should_stop: ShouldStop | None = None
) -> tuple[tuple[Preview, ...], list[Problem]]:
    """(previews of what training reads, problems of all data that the run and its comparison use, each at its line).

    tokenizes: whether the model's tokenizer is on this machine; without it only the files and the templates' columns
    are looked at. should_stop: ends the counting; the numbers are those of the rows so far then.
    """
    trained = _list_trained(olive)
    remote = _find_remote(olive, (*trained, *EVALUATION_NAMES))
    problems = [
        describe_remote(f"The data {address}", f"data_configs.{name}.load_dataset_config.{key}")
        for name, (key, address) in remote.items()
    ]
    trained = [name for name in trained if name not in remote]
    # The sequences themselves are not asked for, only what is counted and found in them.
    previews = tuple(preview(config, name, limit=0, should_stop=should_stop) for name in trained) if tokenizes else ()
    problems += [problem for seen in previews for problem in seen.problems]
    done = {*remote, *(seen.name for seen in previews)}
    for data_config in olive.get("data_configs") or []:
        if data_config.get("name") in {*trained, *EVALUATION_NAMES} - done:
            problems += _check_rows(config, data_config)
    problems += _check_texts(olive)
    if not any(problem.code == "no_answer" for problem in problems):
        problems += _check_loss(config, olive)
    return previews, [problem if problem.line else locate(problem, config) for problem in problems]


def describe_remote(what: str, path: str) -> Problem:
    """`what` lies in Azure; a run on this machine cannot have it."""
    message = f"{what} lies in Azure and cannot be read on this machine."
    hint = 'Run it there, with on="azure"; or copy it to a folder here and name that.'
    return Problem("error", "in_azure", message, path, hint=hint)


def _list_trained(olive: Mapping[str, Any]) -> list[str]:
    """The names of the data configs that training passes read, in order, each once."""
    named = [name for settings in _training_passes(olive) for name in _data_of(settings)]
    return list(dict.fromkeys(name for name in named if name is not None))


def _data_of(settings: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The data configs that a training pass names: to train, and to evaluate."""
    train, evaluation = settings.get("train_data_config"), settings.get("eval_data_config")
    return train if isinstance(train, str) else None, evaluation if isinstance(evaluation, str) else None


def _training_passes(olive: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for value in (olive.get("passes") or {}).values():
        for body in value if isinstance(value, list) else [value]:
            if is_training(str(body.get("type", ""))):
                yield body.get("config") or body


def _find_remote(olive: Mapping[str, Any], used: Collection[str]) -> dict[str, tuple[str, str]]:
    """Of the data configs that are used those whose rows lie in Azure: the key that says so, and the address."""
    found: dict[str, tuple[str, str]] = {}
    for data_config in olive.get("data_configs") or []:
        name = str(data_config.get("name", ""))
        params = parameters(data_config.get("load_dataset_config"))
        for key in ("data_files", "data_dir") if name in used else ():
            value = params.get(key)
            parts = list(value.values()) if isinstance(value, dict) else [value]
            paths = [path for part in parts for path in (part if isinstance(part, list) else [part])]
            address = next((path for path in paths if isinstance(path, str) and lies_in_azure(path)), None)
            if address is not None:
                found.setdefault(name, (key, address))
    return found


def _check_rows(config: Config, data_config: Mapping[str, Any]) -> list[Problem]:
    """Whether the rows can be read and have the template's columns."""
    read = read_rows(data_config, config.folder, limit=1)
    problems = list(read.problems)
    template = parameters(data_config.get("pre_process_data_config")).get("text_template")
    if read.rows and isinstance(template, str):
        path = f"data_configs.{data_config['name']}.pre_process_data_config.text_template"
        problems += check_template(template, read.columns, path)
    return problems


def _check_texts(olive: Mapping[str, Any]) -> list[Problem]:
    """Whether each training is evaluated on texts that are made as its own are."""
    problems: list[Problem] = []
    for train, evaluation in dict.fromkeys(map(_data_of, _training_passes(olive))):
        ours, theirs = (_read_recipe(olive, name) for name in (train, evaluation))
        if ours is not None and theirs is not None:
            problems += check_same_texts(str(train), ours, str(evaluation), theirs)
    return problems


def _read_recipe(olive: Mapping[str, Any], name: Any) -> Recipe | None:
    """None where nothing is named, or what is wrong with it is told elsewhere."""
    try:
        return read_recipe(parameters(find_data_config(olive, name).get("pre_process_data_config"))) if name else None
    except (PhinbError, ValueError):
        return None


def _check_loss(config: Config, olive: Mapping[str, Any]) -> list[Problem]:
    """Whether the loss can be put where phinb's section wants it."""
    try:
        script_text(olive, config.phinb)
    except PhinbError as error:
        return [Problem("error", "no_answer", error.message, "phinb.loss_on", hint=error.hint)]
    return []
