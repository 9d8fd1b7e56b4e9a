"""A configuration as a form: sections, groups and fields, each with what it is, where it comes from, what it may be.

Everything is derived: which fields there are and which values they take from the schema and checks/rules.py, the
values and their origins from the effective configuration, the problems from the checks. Whatever draws a form (the
panel, the saved HTML, the documentation) needs these records only. A change of a field is
`config.edit(Edit("set", path, value))`, or `Edit("remove", path)` for the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phinb.config.checks.rules import ADAPTER, DATA, ENGINE, MODEL_BUILDER_PRECISIONS, PASS_CHOICES, TRAINING, Bounds
from phinb.config.checks.rules import PHINB as PHINB_BOUNDS
from phinb.config.config import Config
from phinb.config.document import Node
from phinb.config.form_fields import Fields, FormField
from phinb.config.form_hints import FIRST
from phinb.config.phinb_section import PHINB
from phinb.config.schema import Parameter, Schema, load_schema
from phinb.config.sections import ADAPTER_PASSES, COMPONENTS, PassEntry, data_configs, members, passes, text
from phinb.config.training_defaults import training_defaults

_NO_BOUNDS: Mapping[str, Bounds] = {}
_COMPUTE = ("host", "target")
"""Keys of the engine that say where the work is done."""

_DATA_KEYS = ("loss_on", "eval_split", "answer", "labels")
"""Keys of phinb's section that say how the data is used."""


@dataclass(frozen=True)
class FormGroup:
    """What stands together: a pass, a data config, a system. `detail` is its type."""

    title: str
    path: str
    detail: str = ""
    fields: tuple[FormField, ...] = ()


@dataclass(frozen=True)
class FormSection:
    """Data, Model, Compute, Passes or Engine."""

    title: str
    groups: tuple[FormGroup, ...] = ()


@dataclass(frozen=True)
class Form:
    """The whole configuration; its sections are there even where nothing could be read."""

    sections: tuple[FormSection, ...]

    @property
    def fields(self) -> dict[str, FormField]:
        """Every field by its path."""
        return {field.path: field for section in self.sections for group in section.groups for field in group.fields}


def describe_form(config: Config) -> Form:
    """The form of a configuration, with the values that a run will use. What cannot be read has no groups."""
    tree = config._tree
    if tree is None:
        return Form(tuple(FormSection(title) for title in ("Data", "Model", "Compute", "Passes", "Engine")))
    build = _Groups(config, tree, load_schema())
    ours = {parameter.name: parameter for parameter in PHINB.parameters.values()}
    later = [name for name in ours if name not in (*_DATA_KEYS, "azure")]
    engine = [name for name in build.schema.engine.names if name not in _COMPUTE]
    return Form(
        (
            FormSection("Data", (*build.data(), build.phinb(_DATA_KEYS))),
            FormSection("Model", build.model()),
            FormSection("Compute", (*build.systems(), build.engine(_COMPUTE, "compute"), build.phinb(("azure",)))),
            FormSection("Passes", build.passes()),
            FormSection("Engine", (build.engine(engine, "engine"), *build.evaluators(), build.phinb(later))),
        )
    )


class _Groups:
    """Makes the groups of a form."""

    def __init__(self, config: Config, root: Node, schema: Schema) -> None:
        self.root, self.schema = root, schema
        self.fields = Fields(config, root, schema)
        self.values = self.fields.values

    def data(self) -> tuple[FormGroup, ...]:
        return tuple(self._data_config(config) for config in data_configs(self.root))

    def _data_config(self, config: Node) -> FormGroup:
        name, kind = text(config.get("name")), text(config.get("type"))
        path = f"data_configs.{name}"
        own = [self.schema.data_section.parameters[key] for key in ("type", "user_script", "script_dir")]
        fields = self.fields.of(
            path, config, own, leave_out=("name", *COMPONENTS), choices={"type": self.schema.containers}
        )
        for key, section in COMPONENTS.items():
            node = config.get(key)
            chosen = self.values.get(f"{path}.{key}.type")
            component = self.schema.component(section, str(chosen.value) if chosen else "")
            parameters = [Parameter("type", "str"), *(component.parameters.values() if component else ())]
            # What a reader hands on to others has dozens of options; those that are set, or its own, are shown.
            shown = [parameter for parameter in parameters if f"{path}.{key}.{parameter.name}" in self.values]
            given = [name.removeprefix(f"{path}.{key}.") for name in self.values if name.startswith(f"{path}.{key}.")]
            known = {parameter.name for parameter in shown}
            shown += [Parameter(name, "any") for name in given if name not in known]
            fields += self.fields.of(
                f"{path}.{key}",
                node,
                shown,
                part=key,
                first=FIRST.get(key, ()),
                bounds=DATA,
                choices={"type": self.schema.component_names(section)},
            )
        return FormGroup(name, path, kind, tuple(fields))

    def model(self) -> tuple[FormGroup, ...]:
        model = self.root.get("input_model")
        if model is None:
            return ()
        kind = text(model.get("type"))
        group = self.schema.input_model(kind)
        parameters = [Parameter("type", "str"), *(group.parameters.values() if group else ())]
        choices = {"type": self.schema.input_models}
        fields = self.fields.of(
            "input_model", model, parameters, ("load_kwargs",), FIRST["input_model"], choices=choices
        )
        loading = model.get("load_kwargs")
        if loading is not None and loading.is_mapping:
            known = self.schema.load_kwargs.parameters
            given = [known.get(key, Parameter(key, "any")) for key, _ in loading.items()]
            fields += self.fields.of("input_model.load_kwargs", loading, given, part="load_kwargs", first=known)
        return (FormGroup("input_model", "input_model", kind, tuple(fields)),)

    def systems(self) -> tuple[FormGroup, ...]:
        return tuple(self._system(name, node) for name, node in members(self.root, "systems"))

    def _system(self, name: str, node: Node) -> FormGroup:
        path, kind = f"systems.{name}", text(node.get("type"))
        group = self.schema.system(kind)
        parameters = [Parameter("type", "str"), *(group.parameters.values() if group else ())]
        choices = {"type": self.schema.systems}
        listed = node.get("accelerators")
        entries = listed.entries() if listed is not None else []
        one = len(entries) == 1 and entries[0].is_mapping
        left_out = ("accelerators",) if one else ()
        fields = self.fields.of(path, node, parameters, left_out, FIRST["system"], choices=choices)
        if one:
            fields += self._accelerator(f"{path}.accelerators.0", entries[0])
        return FormGroup(name, path, kind, tuple(fields))

    def _accelerator(self, path: str, node: Node) -> list[FormField]:
        device = text(node.get("device"))
        by_device: Mapping[str, Sequence[str]] = self.schema.data["providers"]["by_device"]
        providers = by_device.get(device) or self.schema.data["providers"]["all"]
        group = self.schema.group("AcceleratorConfig")
        return self.fields.of(
            path,
            node,
            group.parameters.values(),
            part="accelerators",
            first=FIRST["system"],
            choices={"execution_providers": [[provider] for provider in providers]},
        )

    def passes(self) -> tuple[FormGroup, ...]:
        return tuple(self._pass(entry) for entry in passes(self.root))

    def _pass(self, entry: PassEntry) -> FormGroup:
        name = self.schema.pass_name(entry.type)
        title = entry.name if entry.at is None else f"{entry.name}, {entry.at + 1}"
        known = list(self.schema.pass_group(name).parameters.values()) if name else []
        model = self.schema.training_model(name) if name in ADAPTER_PASSES else ""
        adapter = name in ADAPTER_PASSES
        choices: dict[str, Sequence[Any]] = {"type": self.schema.passes, **(PASS_CHOICES if adapter else {})}
        if name == "ModelBuilder":
            choices["precision"] = MODEL_BUILDER_PRECISIONS
        required = [parameter.name for parameter in known if parameter.required]
        fields = self.fields.of(
            entry.path,
            entry.node,
            [Parameter("type", "str"), *known],
            leave_out=("training_args",) if model else (),
            first=FIRST["adapter"] if adapter else [*FIRST.get(name or "", ()), *required],
            bounds=ADAPTER if adapter else _NO_BOUNDS,
            choices=choices,
        )
        if model:
            fields += self._training(entry, model)
        return FormGroup(title, entry.path, name or entry.type, tuple(fields))

    def _training(self, entry: PassEntry, model: str) -> list[FormField]:
        path, start = f"{entry.path}.training_args", len(f"{entry.path}.training_args.")
        written = {
            key[start:]: value.value
            for key, value in self.values.items()
            if key.startswith(f"{path}.") and value.origin in ("you", "upgrade")
        }
        seed = self.values["phinb.seed"].value
        parameters = []
        for parameter in self.schema.training_args(model).parameters.values():
            others = {key: value for key, value in written.items() if key != parameter.name}
            added = training_defaults(others, seed)
            ours = parameter.name in added
            parameters.append(replace(parameter, default=added[parameter.name]) if ours else parameter)
        node = entry.node.get("training_args")
        return self.fields.of(
            path, node, parameters, part="training_args", first=FIRST["training_args"], bounds=TRAINING
        )

    def engine(self, keys: Sequence[str], first: str) -> FormGroup:
        parameters = [self.schema.engine.parameters[key] for key in keys if key in self.schema.engine.parameters]
        fields = self.fields.of("engine", self.root, parameters, first=FIRST[first], bounds=ENGINE, strict=True)
        return FormGroup("engine", "engine", "", tuple(fields))

    def evaluators(self) -> tuple[FormGroup, ...]:
        return tuple(self._evaluator(name, node) for name, node in members(self.root, "evaluators"))

    def _evaluator(self, name: str, node: Node) -> FormGroup:
        path, kind = f"evaluators.{name}", text(node.get("type"))
        choices = {"type": self.schema.evaluators}
        parameters = self.schema.evaluator(kind).parameters.values()
        fields = self.fields.of(path, node, parameters, ("name",), FIRST["evaluator"], choices=choices)
        return FormGroup(name, path, kind or "evaluator", tuple(fields))

    def phinb(self, keys: Sequence[str]) -> FormGroup:
        parameters = [PHINB.parameters[key] for key in keys if key in PHINB.parameters]
        node = self.root.get("phinb")
        fields = self.fields.of("phinb", node, parameters, first=FIRST["phinb"], bounds=PHINB_BOUNDS, strict=True)
        return FormGroup("phinb", "phinb", "its own, not Olive's", tuple(fields))
