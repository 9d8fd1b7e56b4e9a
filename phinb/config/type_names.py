"""Python's types, functions and pydantic models as the small JSON values of the schema.

A part of extraction.py; it runs in that process only.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

Json = dict[str, Any]

HELP_LENGTH = 160
"""Longer descriptions are cut at a word, so that the shipped file stays small."""


_OBJECTS = ("callable", "object")
"""Functions, and objects of a library's own class."""


class TypeNames:
    """Python types as small JSON values; pydantic models met on the way are kept as named groups."""

    def __init__(self) -> None:
        self.groups: dict[str, Json] = {}

    def name(self, kind: Any) -> Any:
        """The JSON form of one type annotation, e.g. `list[int] | None` -> {"any": [{"list": "int"}, "none"]}."""
        plain = {bool: "bool", int: "int", float: "float", str: "str", Path: "str", dict: "map", list: "list"}
        if kind is None or kind is NoneType:
            return "none"
        if isinstance(kind, type) and kind in plain:
            return plain[kind]
        origin = typing.get_origin(kind)
        if origin in (typing.Union, UnionType):
            return self._union(typing.get_args(kind))
        if origin is typing.Annotated:
            return self.name(typing.get_args(kind)[0])
        if origin is typing.Literal:
            return {"enum": list(typing.get_args(kind))}
        if origin is not None and isinstance(origin, type):
            return self._container(origin, typing.get_args(kind))
        if isinstance(kind, type) and issubclass(kind, Enum):
            return _enum(kind)
        return self._model_name(kind)

    def _union(self, members: Iterable[Any]) -> Any:
        names: list[Any] = []
        for member in members:
            name = self.name(member)
            names += [part for part in (name["any"] if has_form(name, "any") else [name]) if part not in names]
        names = [name for name in names if name not in _OBJECTS] or names  # a text cannot hold them
        if "any" in names:
            return "any"
        return names[0] if len(names) == 1 else {"any": names}

    def _container(self, origin: type, arguments: tuple[Any, ...]) -> Any:
        if issubclass(origin, Mapping):
            return {"map": self.name(arguments[1])} if len(arguments) == 2 else "map"
        if issubclass(origin, tuple) and arguments:
            return {"tuple": [self.name(argument) for argument in arguments]}
        if issubclass(origin, Iterable):
            return {"list": self.name(arguments[0])} if arguments else "list"
        return "callable" if origin.__name__ == "Callable" else "any"

    def _model_name(self, kind: Any) -> Any:
        from pydantic import BaseModel

        own = {"DataConfig": "data_config", "SystemConfig": "system", "OliveEvaluatorConfig": "evaluator"}
        name = getattr(kind, "__name__", "")
        if name in own:
            return own[name]
        if name in ("SearchParameter", "PassParamDefault", "SpecialParamValue") or kind is Callable:
            return "callable"
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.model_fields:
            if name not in self.groups:
                self.groups[name] = {}  # a model may hold itself
                self.groups[name] = self.model(kind)
            return {"group": name}
        return "object" if _is_object(kind) else "any"

    def model(self, kind: Any, leave_out: tuple[str, ...] = ()) -> Json:
        """The fields of a pydantic model, and the field that gathers unknown keys, if it has one."""
        from olive.common.config_utils import NestedConfig

        group: Json = {
            "coerces": True,
            "parameters": {
                name: describe_parameter(
                    self.name(field.annotation),
                    default=field.get_default(call_default_factory=True, validated_data={}),
                    required=field.is_required(),
                    description=field.description,
                )
                for name, field in kind.model_fields.items()
                if name not in leave_out
            },
        }
        if issubclass(kind, NestedConfig) and kind._nested_field_name in kind.model_fields:
            group["nested"] = kind._nested_field_name
        return group

    def signature(self, function: Callable[..., Any], skip: int = 0) -> Json:
        """The parameters of a function that Olive calls with the user's keys. `open`: it takes others as well."""
        hints = resolved_hints(function)
        group: Json = {"parameters": {}}
        for index, (name, parameter) in enumerate(inspect.signature(function).parameters.items()):
            if index < skip or name == "self":
                continue
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                group["open"] = True
                continue
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                continue
            required = parameter.default is inspect.Parameter.empty
            default = None if required else parameter.default
            hint = hints.get(name, Any)
            if name not in hints and isinstance(default, bool | int | float | str):
                hint = type(default) | None  # no annotation: the default tells the type
            group["parameters"][name] = describe_parameter(self.name(hint), default=default, required=required)
        return group


def _is_object(kind: Any) -> bool:
    """Whether it is a class of a library's own, whose objects no text can hold; pydantic makes them of a mapping."""
    from pydantic import BaseModel

    plain = (dict, list, tuple, set, frozenset, Any, object)
    return isinstance(kind, type) and kind not in plain and not issubclass(kind, BaseModel | str | int | float)


def resolved_hints(function: Any) -> Mapping[str, Any]:
    """The annotations of a function or class as types; nothing where they cannot be resolved."""
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):  # annotations that only exist under TYPE_CHECKING
        return {}


def has_form(name: Any, form: str) -> bool:
    return isinstance(name, dict) and form in name


def _enum(kind: type[Enum]) -> Json:
    form: Json = {"enum": [as_json(member) for member in kind]}
    if any(base.__name__ == "CaseInsensitiveEnum" for base in kind.__mro__):
        form["ignore_case"] = True
    return form


def describe_parameter(
    kind: Any, *, default: Any = None, required: bool = False, description: str | None = None, search: Any = None
) -> Json:
    """One parameter; what is at its usual value (no default, not required) is left out to keep the file small."""
    parameter: Json = {"type": kind}
    if required:
        parameter["required"] = True
    else:
        default = as_json(default)
        if default is not None:
            parameter["default"] = default
    if description:
        parameter["help"] = textwrap.shorten(" ".join(description.split()), HELP_LENGTH, placeholder=" ...")
    if search is not None:
        parameter["search"] = search
    return parameter


def as_json(value: Any) -> Any:
    """A default as plain JSON; what has no plain form (a function, an object) is None."""
    if isinstance(value, Enum):
        return as_json(value.value)
    if isinstance(value, bool | int | float | str | NoneType):
        return value
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, set | frozenset):
        return sorted((as_json(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if hasattr(value, "model_dump"):
        return as_json(value.model_dump())
    return None


def popped_keys(function: Callable[..., Any]) -> set[str]:
    """The keys that a function takes out of its **kwargs by name, read from its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    keys: set[str] = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        key = node.args[0]
        if node.func.attr in ("get", "pop") and isinstance(key, ast.Constant) and isinstance(key.value, str):
            holder = node.func.value
            if isinstance(holder, ast.Name) and "kwargs" in holder.id:
                keys.add(key.value)
    return keys


def handed_on_keys(function: Callable[..., Any]) -> set[str]:
    """Keys that private functions of the same module take out of the kwargs that are handed on to them."""
    module = inspect.getmodule(function)
    called = {
        node.func.id
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function))))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("_")
    }
    helpers = (getattr(module, name, None) for name in called)
    return set().union(*(popped_keys(helper) for helper in helpers if inspect.isfunction(helper)), set())
