"""Every value that a run will really use, by its dotted path in today's form, with the origin of each.

Where Olive searches, the value of a parameter that it chooses is the list of those that it tries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from phinb.config.document import Node
from phinb.config.phinb_section import PHINB
from phinb.config.schema import Parameter, Schema
from phinb.config.search import searched_values, searches
from phinb.config.sections import (
    ADAPTER_PASSES,
    COMPONENTS,
    PassEntry,
    data_configs,
    is_hf_model,
    members,
    model_task,
    passes,
    text,
)
from phinb.config.training_defaults import training_defaults
from phinb.types import Effective

_FILLED_IN = "taken from input_model"
_SEARCHED = "searched: each of these is tried"
_DEPENDS = "searched: what is tried depends on other parameters"


def effective_values(root: Node, schema: Schema) -> dict[str, Effective]:
    """The effective values of an upgraded tree, in the order of the sections.

    Keys: input_model.*, systems.NAME.*, data_configs.NAME.SECTION.PARAMETER, evaluators.NAME.*, passes.NAME.PARAMETER,
    passes.NAME.training_args.ARGUMENT (what is set, and Olive's own defaults), engine.*, phinb.*. A pass that is a
    list of alternatives has its number after its name.
    """
    found = _Values(schema)
    _model(found, root)
    for name, system in members(root, "systems"):
        group = schema.system(text(system.get("type")))
        found.mapping(f"systems.{name}", system, group.parameters.values() if group else ())
    for config in data_configs(root):
        _data_config(found, root, config)
    for name, evaluator in members(root, "evaluators"):
        parameters = schema.evaluator(text(evaluator.get("type"))).parameters.values()
        found.mapping(f"evaluators.{name}", evaluator, parameters, ["name"])
    for entry in passes(root):
        _pass(found, entry)
        if searches(root):
            _add_searched(found, entry)
    for parameter in schema.engine.parameters.values():
        found.one(f"engine.{parameter.name}", root.get(parameter.name), parameter.default)
    found.values["engine.cache_dir"] = Effective("(in phinb's cache, named by contents)", "phinb")
    section = root.get("phinb") or Node({})
    for parameter in PHINB.parameters.values():
        found.one(f"phinb.{parameter.name}", section.get(parameter.name), parameter.default, origin="phinb")
    _add_training_defaults(found.values)
    return found.values


def _add_training_defaults(values: dict[str, Effective]) -> None:
    """What phinb adds to each training: its seed and its checkpoints."""
    seed = values["phinb.seed"].value
    trained = [path.removesuffix("train_data_config") for path in values if path.endswith(".train_data_config")]
    for prefix in trained:
        start = f"{prefix}training_args."
        given = {path.removeprefix(start): entry.value for path, entry in values.items() if path.startswith(start)}
        for key, value in training_defaults(given, seed).items():
            values[start + key] = Effective(value, "phinb")
        if given.get("output_dir") is None:
            values[f"{start}output_dir"] = Effective("(in phinb's cache, named by contents)", "phinb")


class _Values:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.values: dict[str, Effective] = {}

    def given(self, path: str, node: Node) -> None:
        """What stands in the tree; what an upgrade made of it is told by its node."""
        self.values[path] = Effective(node.plain(), node.origin, node.key_line, node.note, node.source)

    def one(self, path: str, node: Node | None, default: Any, *, origin: str = "olive", note: str = "") -> None:
        if node is not None and node.value != "DEFAULT_VALUE":
            self.given(path, node)
        elif origin == "phinb":
            self.values[path] = Effective(default, "phinb", None, note)
        else:
            self.values[path] = Effective(default, "olive", None, note)

    def mapping(self, path: str, node: Node, parameters: Iterable[Parameter], leave_out: Iterable[str] = ()) -> None:
        """What the mapping holds, then the defaults of what it does not hold."""
        left_out = set(leave_out)
        known = {parameter.name: parameter for parameter in parameters if parameter.name not in left_out}
        for key, member in node.items():
            if key not in left_out:
                default = known[key].default if key in known else None
                self.one(f"{path}.{key}", member, default)
        for name, parameter in known.items():
            if node.get(name) is None and not parameter.required:
                note = f"depends on {', '.join(parameter.conditional)}" if parameter.conditional else ""
                self.one(f"{path}.{name}", None, parameter.default, note=note)


def _model(found: _Values, root: Node) -> None:
    model = root.get("input_model")
    if model is None:
        return
    group = found.schema.input_model(text(model.get("type")))
    found.mapping("input_model", model, group.parameters.values() if group else (), ["load_kwargs"])
    loading = model.get("load_kwargs")
    if loading is not None and loading.is_mapping:
        for key, member in loading.items():
            found.given(f"input_model.load_kwargs.{key}", member)


def _data_config(found: _Values, root: Node, config: Node) -> None:
    """The config's own keys, then each component: its type, what is set, and its defaults."""
    schema, name = found.schema, text(config.get("name"))
    path = f"data_configs.{name}"
    found.mapping(path, config, schema.data_section.parameters.values(), ["name", *COMPONENTS])
    container = text(config.get("type")) or "DataContainer"
    fills = container.lower() == "huggingfacecontainer" and is_hf_model(root, schema.input_models)
    task = model_task(root, schema.default_task) if fills else ""
    for key, section in COMPONENTS.items():
        component = config.get(key)
        node = component if component is not None and component.is_mapping else Node({})
        own_task = next((text(member.get("task")) for _, member in config.items() if text(member.get("task"))), task)
        kind = schema.component_type(container, section, own_task)
        found.one(f"{path}.{key}.type", node.get("type"), kind)
        group = schema.component(section, text(node.get("type")) or kind, text(node.get("data_name")))
        own = schema.data["data"]["components"][section].get((text(node.get("type")) or kind).lower(), {})
        defaults = [group.parameters[name] for name in own.get("parameters", {})] if group else []
        found.mapping(f"{path}.{key}", node, defaults, ["type"])
        if fills:
            _fill_in(found, root, f"{path}.{key}", node, key, own.get("parameters", {}), own_task)


def _fill_in(found: _Values, root: Node, path: str, node: Node, key: str, taken: Mapping[str, Any], task: str) -> None:
    """What RunConfig fills in from the input model: its name, task, and trust in remote code."""
    model = root.get("input_model") or Node({})
    location, loading = model.get("model_path"), model.get("load_kwargs") or Node({})
    trust = loading.get("trust_remote_code")
    filled: dict[str, Any] = {}
    if key in ("pre_process_data_config", "post_process_data_config"):
        filled = {"model_name": location.plain() if location is not None else None, "task": task}
    if key in ("pre_process_data_config", "load_dataset_config") and trust is not None:
        filled["trust_remote_code"] = trust.plain()
    for name, value in filled.items():
        given = node.get(name)
        if value is not None and (given is None or not given.value) and (name in taken or name == "task"):
            found.values[f"{path}.{name}"] = Effective(value, "olive", None, _FILLED_IN)


def _pass(found: _Values, entry: PassEntry) -> None:
    schema = found.schema
    name = schema.pass_name(entry.type)
    parameters = schema.pass_group(name).parameters.values() if name else ()
    found.mapping(entry.path, entry.node, parameters, ["training_args"])
    model = schema.training_model(name) if name else ""
    arguments = entry.node.get("training_args")
    if not model or name not in ADAPTER_PASSES:
        if arguments is not None:
            found.given(f"{entry.path}.training_args", arguments)
        return
    group = schema.training_args(model).parameters
    defaults = [group[key] for key in schema.olive_training_args(model) if key in group]
    node = arguments if arguments is not None and arguments.is_mapping else Node({})
    found.mapping(f"{entry.path}.training_args", node, defaults)


def _add_searched(found: _Values, entry: PassEntry) -> None:
    """With a search, what a pass does not set is searched wherever Olive declares values for it."""
    name = found.schema.pass_name(entry.type)
    for key, parameter in found.schema.pass_group(name).parameters.items() if name else ():
        tried, path = searched_values(entry.node.get(key), parameter), f"{entry.path}.{key}"
        if tried is None:
            continue
        old = found.values[path]
        value = list(tried) if tried else old.value
        found.values[path] = replace(old, value=value, note=_SEARCHED if tried else _DEPENDS)
