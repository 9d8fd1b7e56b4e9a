"""What the installed Olive accepts: sections, data components, passes, their parameters and defaults.

Read from a JSON file that extraction.py writes in a process of its own, so that the kernel loads neither olive nor
torch. The file for the supported Olive is shipped (olive_schema.json); for another version a copy is made once and
kept in the user's cache. One source for checking, the form, completion and the documentation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from phinb import folders

SHIPPED = Path(__file__).with_name("olive_schema.json")
FORMAT = 3
_REBUILD_SECONDS = 180
_PACKAGES = ("olive-ai", "transformers")

Kind = str | Mapping[str, Any]
"""A type in the schema's JSON form; value_types.py knows them."""


@dataclass(frozen=True)
class Parameter:
    """One key that a section, a pass or a component takes. `search`: the values that Olive would search over."""

    name: str
    type: Kind
    default: Any = None
    required: bool = False
    help: str = ""
    search: Any = None
    conditional: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """The parameters that stand together in one mapping.

    `open`: keys that are not listed may be right. `coerces`: Olive turns a quoted number into a number here.
    `nested` is the key under which the rest may stand one level deeper (both forms mean the same).
    """

    name: str
    parameters: Mapping[str, Parameter]
    open: bool = False
    coerces: bool = False
    nested: str | None = None

    @property
    def names(self) -> list[str]:
        return list(self.parameters)


class Schema:
    """The file's content by the names that a configuration uses. Lookups by type ignore case, as Olive does."""

    def __init__(self, data: Mapping[str, Any], mismatch: str = "") -> None:
        self.data = data
        self.mismatch = mismatch
        """Why the installed Olive could not be asked, where its version is not the file's."""
        self._passes = {name.lower(): name for name in data["passes"]}

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions that the file describes, by package."""
        versions: Mapping[str, str] = self.data["versions"]
        return versions

    # ----------------------------------------------------------------------------------------- sections

    @cached_property
    def root(self) -> Group:
        """The keys of the outermost level, without the engine's."""
        return group_of("the configuration", self.data["root"])

    @cached_property
    def engine(self) -> Group:
        return group_of("engine", self.data["engine"])

    def group(self, name: str) -> Group:
        """A pydantic model of Olive's by its class name, e.g. AcceleratorConfig."""
        return group_of(name, self.data["groups"][name])

    # -------------------------------------------------------------------------------- models and systems

    @cached_property
    def input_models(self) -> list[str]:
        return [str(model["name"]) for model in self.data["input_models"].values()]

    def input_model(self, kind: str) -> Group | None:
        found = self.data["input_models"].get(kind.lower())
        return None if found is None else group_of(found["name"], found)

    @property
    def systems(self) -> list[str]:
        return list(self.data["systems"])

    def system(self, kind: str) -> Group | None:
        return next(
            (group_of(name, self.data["systems"][name]) for name in self.systems if name.lower() == kind.lower()), None
        )

    @property
    def load_kwargs(self) -> Group:
        """What `input_model.load_kwargs` may hold: Olive's own fields and those of `from_pretrained`."""
        group = self.group("HfLoadKwargs")
        theirs = {name: Parameter(name, "any") for name in self.data["groups"]["HfLoadKwargs"]["extra"]}
        # from_pretrained also takes any field of the model's own configuration, which only the model knows
        return Group(group.name, {**theirs, **group.parameters}, open=True, coerces=True, nested=group.nested)

    # ------------------------------------------------------------------------------------------- passes

    @property
    def passes(self) -> list[str]:
        return list(self.data["passes"])

    def pass_name(self, kind: str) -> str | None:
        """The name of a pass type as Olive writes it; it may be given in any case, or with its module before it."""
        return self._passes.get(kind.rsplit(".", 1)[-1].lower())

    @cache  # noqa: B019  # a schema lives as long as the process
    def pass_group(self, name: str) -> Group:
        """The parameters of a pass, by its own name (`pass_name`). Each that is not required may be null."""
        group = group_of(name, self.data["passes"][name])
        optional = {
            key: parameter if parameter.required else replace(parameter, type={"any": [parameter.type, "none"]})
            for key, parameter in group.parameters.items()
        }
        return replace(group, parameters=optional)

    def pass_fact(self, name: str, fact: str) -> Any:
        """module, dataset, needs, run_on_target: what Olive's package configuration says of a pass; None if nothing."""
        return self.data["passes"][name].get(fact)

    @cache  # noqa: B019
    def training_args(self, model: str) -> Group:
        """All arguments of a training pass: Olive's defaults over transformers', in transformers' stricter types."""
        theirs = self.data["training_args"]["transformers"]
        merged = {**theirs}
        declared = self.data["training_args"]["olive"][model]
        for name, ours in declared.items():
            kind = theirs[name]["type"] if name in theirs else ours["type"]
            merged[name] = {**ours, "type": _optional(kind, allowed=_is_optional(ours["type"]))}
        for name in self.dropped_training_args:
            merged.pop(name, None)
        for name, entry in merged.items():
            if name not in declared and "bool" in (entry["type"], *_members(entry["type"])):
                merged[name] = {**entry, "type": _optional(entry["type"], allowed=True)}  # asked only if it is true
        return group_of(model, {"parameters": merged})

    def training_model(self, pass_name: str) -> str:
        """The class of a pass's training arguments, e.g. QLoRATrainingArguments; "" where it trains nothing."""
        kind = self.data["passes"][pass_name]["parameters"].get("training_args", {}).get("type")
        return str(kind["training_args"]) if isinstance(kind, Mapping) and "training_args" in kind else ""

    def olive_training_args(self, model: str) -> list[str]:
        """The arguments to which Olive itself gives a default."""
        return [name for name in self.data["training_args"]["olive"][model] if name not in self.dropped_training_args]

    @property
    def dropped_training_args(self) -> list[str]:
        """Fields that Olive still declares and the installed transformers no longer takes."""
        return list(self.data["training_args"]["dropped"])

    # --------------------------------------------------------------------------------------------- data

    @property
    def data_section(self) -> Group:
        return group_of("a data config", self.data["data"]["section"])

    @property
    def containers(self) -> list[str]:
        return [str(container["name"]) for container in self.data["data"]["containers"].values()]

    def container(self, kind: str) -> Mapping[str, Any] | None:
        """`name`, default `components` by section, and the components of each of its `tasks`."""
        found: Mapping[str, Any] | None = self.data["data"]["containers"].get(kind.lower())
        return found

    def component_names(self, section: str) -> list[str]:
        return list(self.data["data"]["components"][section])

    def component_type(self, container: str, section: str, task: str) -> str:
        """The component that Olive takes where none is named (DataConfig._get_default_components)."""
        found = self.container(container) or {"components": {}}
        fallback = self.data["data"]["default_components"][section]
        return self.task_component(container, section, task) or str(found["components"].get(section) or fallback)

    def task_component(self, container: str, section: str, task: str) -> str:
        """The component that a container takes for a task; "" where it has none of its own."""
        found = self.container(container) or {"tasks": {}}
        return str(found["tasks"].get(task.replace("-with-past", ""), {}).get(section, ""))

    def component(self, section: str, kind: str, builder: str = "") -> Group | None:
        """The parameters of a data component. `builder` is the data_name, whose reader may have options of its own."""
        found = self.data["data"]["components"][section].get(kind.lower())
        if found is None:
            return None
        parameters = {name: _parameter(name, entry) for name, entry in found["parameters"].items()}
        unknown = False
        if found.get("forwards") == "load_dataset":
            parameters, unknown = self._load_dataset(parameters, builder)
        elif found.get("forwards") == "data_loader":
            loader = self.data["data"]["data_loader"]["parameters"]
            parameters = {
                **{name: _parameter(name, loader[name]) for name in loader if name != "dataset"},
                **parameters,
            }
        return Group(kind, parameters, open=unknown, coerces=bool(found.get("coerces")))

    def _load_dataset(self, parameters: dict[str, Parameter], builder: str) -> tuple[dict[str, Parameter], bool]:
        """Add what datasets.load_dataset takes and Olive does not set itself, and the reader's options."""
        taken = {"path", "name", "data_dir", "data_files", "split"}
        theirs = self.data["data"]["load_dataset"]["parameters"]
        options = self.data["data"]["builders"].get(builder)
        merged = {name: _parameter(name, entry) for name, entry in (options or {}).items() if name not in taken}
        merged |= {name: _parameter(name, theirs[name]) for name in theirs if name not in taken}
        return {**merged, **parameters}, options is None

    @property
    def evaluators(self) -> list[str]:
        return list(self.data["evaluators"]["types"])

    def evaluator(self, kind: str) -> Group:
        """The keys of an evaluator, and what its type takes beside them; open where the type is of one's own."""
        facts = self.data["evaluators"]
        section, own = group_of("an evaluator", facts["section"]), facts["types"].get(kind)
        options = group_of(kind, own or {"parameters": {}}).parameters
        return replace(section, parameters={**section.parameters, **options}, open=bool(kind) and own is None)

    def defect(self, name: str) -> str:
        """The error by which the installed Olive fails on a form that it declares; "" where it does not."""
        return str(self.data["defects"].get(name, ""))

    @property
    def tasks(self) -> list[str]:
        """The tasks that transformers loads a model for; Olive takes each with `-with-past` as well."""
        return list(self.data["tasks"]["all"])

    @property
    def trainable_tasks(self) -> list[str]:
        """The tasks that Olive can train an adapter for."""
        return list(self.data["tasks"]["trainable"])

    @property
    def default_task(self) -> str:
        return str(self.data["data"]["default_task"])


def _members(kind: Kind) -> list[Kind]:
    return list(kind["any"]) if isinstance(kind, Mapping) and "any" in kind else [kind]


def _is_optional(kind: Kind) -> bool:
    return "none" in _members(kind)


def _optional(kind: Kind, *, allowed: bool) -> Kind:
    """The type with or without null."""
    members = [member for member in _members(kind) if member != "none"] + (["none"] if allowed else [])
    return members[0] if len(members) == 1 else {"any": members}


def group_of(name: str, entry: Mapping[str, Any]) -> Group:
    parameters = {key: _parameter(key, value) for key, value in entry["parameters"].items()}
    return Group(name, parameters, bool(entry.get("open")), bool(entry.get("coerces")), entry.get("nested"))


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name,
        entry["type"],
        entry.get("default"),
        bool(entry.get("required")),
        entry.get("help", ""),
        entry.get("search"),
        tuple(entry.get("conditional", ())),
    )


@lru_cache(maxsize=1)
def load_schema() -> Schema:
    """The schema of the installed Olive: shipped, cached, or rebuilt once (about 10 s) where its version is another.

    Where Olive is not installed, or cannot be asked, the shipped schema serves and `mismatch` says so.
    """
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    installed = _installed()
    if installed is None or installed == shipped["versions"]:
        return Schema(shipped)
    name = "olive_schema-" + "-".join(installed[package] for package in _PACKAGES) + f"-{FORMAT}.json"
    cached = folders.cache() / name
    problem = "" if cached.is_file() else _rebuild(cached)
    if not problem:
        try:
            return Schema(json.loads(cached.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            problem = str(error)
    theirs = " and ".join(f"{package} {installed[package]}" for package in _PACKAGES)
    return Schema(shipped, f"{theirs} could not be asked what they accept ({problem})")


def _installed() -> dict[str, str] | None:
    try:
        return {package: metadata.version(package) for package in _PACKAGES}
    except metadata.PackageNotFoundError:
        return None


def _rebuild(output: Path) -> str:
    """Ask the installed Olive in a process of its own; what went wrong, or ""."""
    command = [sys.executable, "-m", "phinb.config.extraction", "--output", str(output)]
    environment = {**os.environ, "OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_REBUILD_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return "" if output.is_file() else "nothing was written"
