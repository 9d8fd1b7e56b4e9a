"""Puts the loss on the completion, and held-out sequences, into a configuration that Olive alone can run.

Olive has neither, and rejects a section of phinb's. So the data configs that training reads get a pre-process of
their own, and a script that brings it (completion_loss.py): the run's worker and plain `olive run` do the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from phinb.config.training_defaults import training_defaults
from phinb.data.completion import find_trained_field
from phinb.data.completion_loss import NAME, TEXT_GENERATION
from phinb.data.files import find_files
from phinb.data.preview import Configuration, find_data_config
from phinb.data.source import parameters
from phinb.errors import PhinbError
from phinb.models.references import resolve_model

SCRIPT = "completion_loss.py"
CONFIGURATION = "olive.json"
TRAINED_ON = ("train_data_config", "eval_data_config")
"""The keys of a training pass that name its data."""


def export_plain(config: Configuration, folder: Path | str) -> Path:
    """Write what plain Olive needs to train as phinb does; returns the configuration: `olive run --config PATH`.

    `folder` gets olive.json, with all paths absolute, and completion_loss.py where the loss is on the completion or
    sequences are held out. Two things Olive cannot be told: it starts the adapter's first weights from no seed, and
    it does not notice in its cache that data have changed.

    Raises ConfigError where the configuration has errors, PhinbError where the loss cannot be put into its data or
    an embedded model cannot be made.
    """
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    olive = config.to_olive()
    _make_absolute(olive, config.folder.absolute())
    model = olive["input_model"]
    model["model_path"] = str(resolve_model(str(model["model_path"]), folder=config.folder))
    for settings in _training_passes(olive):
        arguments = dict(settings.get("training_args") or {})
        seed = training_defaults(arguments, int(config.phinb["seed"])).get("seed")
        settings["training_args"] = arguments | ({} if seed is None else {"seed": seed})
    olive.setdefault("cache_dir", str(folder / "cache"))
    olive.setdefault("output_dir", str(folder / "output"))
    place_component(olive, config.phinb, folder)
    path = folder / CONFIGURATION
    path.write_text(json.dumps(olive, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def place_component(olive: dict[str, Any], phinb_section: Mapping[str, Any], folder: Path) -> Path | None:
    """Let the training data of `olive` have the loss and the held-out share that phinb's section asks for, in place.

    The script that does it is written to `folder`; its path is returned, or None where Olive's own data are right.

    Raises PhinbError where a data config makes its text by code that tells no answer apart.
    """
    text = script_text(olive, phinb_section)
    if text is None:
        return None
    script = folder / SCRIPT
    script.write_text(text, encoding="utf-8")
    uses = list(_list_uses(olive, phinb_section))
    kept = {*_names_elsewhere(olive), *(use.name for use in uses if not use.params)}
    given: dict[str, str] = {}
    for use in (use for use in uses if use.params):
        key = json.dumps([use.name, use.params], sort_keys=True)
        if key not in given:
            given[key] = _add_data_config(olive, use, script, in_place=use.name not in kept)
            kept.add(use.name)
        use.settings[use.key] = given[key]
    return script


def script_text(olive: Mapping[str, Any], phinb_section: Mapping[str, Any]) -> str | None:
    """The script that `place_component` writes, as one text: what is trained depends on it. None if none is needed.

    A data config takes one user_script; where it has one of its own already, the script loads that. Raises
    PhinbError where a data config makes its text by code that tells no answer apart.
    """
    uses = [use for use in _list_uses(olive, phinb_section) if use.params]
    if not uses:
        return None
    source = files("phinb.data").joinpath(SCRIPT).read_text(encoding="utf-8")
    lines = ["", "", "register()"]
    configs = [use.data_config for use in uses if use.data_config.get("user_script")]
    own = {(str(one["user_script"]), one.get("script_dir")) for one in configs}
    if own:
        lines += ["", "from olive.common.import_lib import import_user_module  # noqa: E402", ""]
        lines += [f"import_user_module({path!r}, {place!r})" for path, place in sorted(own, key=str)]
    return source + "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Use:
    """That a training pass names a data config; `params` are what the component has to be told, if anything."""

    settings: dict[str, Any]
    key: str
    name: str
    data_config: Mapping[str, Any]
    params: dict[str, Any]


def _list_uses(olive: Mapping[str, Any], phinb_section: Mapping[str, Any]) -> Iterator[_Use]:
    for settings in _training_passes(olive):
        train, evaluation = (settings.get(key) for key in TRAINED_ON)
        share = phinb_section.get("eval_split") if evaluation is None else None
        parts: dict[str, dict[str, Any]] = {"train_data_config": {}, "eval_data_config": {}}
        if share is not None:
            parts["train_data_config"] = {"held_out_share": share, "held_out": False}
            parts["eval_data_config"] = {"held_out_share": share, "held_out": True}
            evaluation = train
        for key, name in zip(TRAINED_ON, (train, evaluation), strict=True):
            if isinstance(name, str):
                data_config = find_data_config(olive, name)
                yield _Use(settings, key, name, data_config, _trained(data_config, phinb_section) | parts[key])


def _trained(data_config: Mapping[str, Any], phinb_section: Mapping[str, Any]) -> dict[str, Any]:
    """What the component has to know of the answers; nothing where the loss is on all."""
    component = data_config.get("pre_process_data_config") or {}
    params = parameters(component)
    field = find_trained_field(phinb_section, params)
    if field is None:
        return {}
    if not field or params.get("text_formatting_func") or component.get("type") not in (None, TEXT_GENERATION):
        raise PhinbError(
            f"The loss cannot be on the completion in the data config {data_config.get('name')}: nothing tells prompt "
            "and answer apart there.",
            'Let a text_template or a chat_template make the text, or set "loss_on" to "all".',
        )
    return {"trained_role" if params.get("chat_template") else "trained_field": field}


def _add_data_config(olive: dict[str, Any], use: _Use, script: Path, *, in_place: bool) -> str:
    """Let `olive` have the data config that a use needs, in the place of the old one or beside it; returns its name."""
    component = use.data_config.get("pre_process_data_config") or {}
    params = parameters(component) | use.params | {"pre_process": component.get("type") or TEXT_GENERATION}
    made = {key: value for key, value in use.data_config.items() if key != "script_dir"}
    made |= {"user_script": str(script), "pre_process_data_config": {"type": NAME, "params": params}}
    there = olive["data_configs"]
    if in_place:
        olive["data_configs"] = [made if one.get("name") == use.name else one for one in there]
        return use.name
    taken = {one.get("name") for one in there}
    name = f"{use.name}_held_out" if use.params.get("held_out") else f"{use.name}_completion"
    while name in taken:
        name += "_"
    olive["data_configs"] = [*there, made | {"name": name}]
    return name


def _training_passes(olive: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The settings of each pass that trains, to be changed in place."""
    for value in (olive.get("passes") or {}).values():
        for body in value if isinstance(value, list) else [value]:
            settings = body.get("config") or body
            if settings.get("train_data_config") is not None:
                yield settings


def _names_elsewhere(olive: Mapping[str, Any]) -> Iterator[str]:
    """The data configs that something else than a training names: an evaluator's metric, a calibration."""
    trainings = [id(settings) for settings in _training_passes(olive)]

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            for key, item in value.items():
                if str(key).endswith("data_config") and isinstance(item, str):
                    if not (id(value) in trainings and key in TRAINED_ON):
                        yield item
                else:
                    yield from walk(item)
        elif isinstance(value, list):
            for item in value:
                yield from walk(item)

    yield from walk({key: value for key, value in olive.items() if key != "data_configs"})


def _make_absolute(olive: dict[str, Any], base: Path) -> None:
    """Every path that Olive would take from its working directory, from `base` instead; in place."""
    for data_config in olive.get("data_configs") or []:
        component = data_config.get("load_dataset_config")
        params = parameters(component)
        if component and isinstance(params.get("data_name"), str):
            found = find_files(params["data_name"], params, base).arguments
            places = {key: found[key] for key in ("data_files", "data_dir") if found.get(key) is not None}
            inner = component["params"] if component.get("params") else component
            inner |= places | {"data_name": found["path"]}
    _resolve_scripts(olive, base)
    for settings in _training_passes(olive):
        arguments = settings.get("training_args") or {}
        if arguments.get("output_dir"):
            arguments["output_dir"] = str(base / arguments["output_dir"])
    for key in ("cache_dir", "output_dir"):
        if olive.get(key):
            olive[key] = str(base / olive[key])


def _resolve_scripts(value: Any, base: Path) -> None:
    """Each user_script and script_dir, wherever it stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("user_script", "script_dir") and isinstance(item, str):
                value[key] = str(base / item)
            else:
                _resolve_scripts(item, base)
    elif isinstance(value, list):
        for item in value:
            _resolve_scripts(item, base)
