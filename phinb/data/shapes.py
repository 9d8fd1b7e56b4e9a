"""What a JSON value becomes in the library datasets: the rules by which Arrow tells the types of columns.

Found by trying (tests compare them with the library): null gives way to everything, whole numbers to fractions, and a
column of texts is one of times only if every one of them reads as a time. What is otherwise mixed, datasets keeps as
JSON or refuses, and only it can tell which.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

Shape = str | tuple[str, Any]
"""null, truth, whole, large, fraction, time, text; ("list", shape of the items); ("object", ((name, shape), ...))."""

Schema = Mapping[str, Shape]
"""The columns of rows in their order, each with its shape."""

TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:+Z-]+)?\Z", re.ASCII)
"""All that Arrow reads as a time, and a little more (a month 13)."""

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""Arrow's whole numbers; what is beyond them it reads as a fraction."""

MOST = int(sys.float_info.max)

EXACT = 2**53
"""Up to here every whole number is a fraction too (float64); those beyond are "large"."""


NUMBERS = ("whole", "large", "fraction")
"""Each of them takes in those before it, within one piece of a file."""

TAKEN = (("fraction", "whole"), ("whole", "large"), ("large", "whole"))
"""(shape of a column, shape of it in one piece of the file) that differ and go together."""


class Mixed(Exception):
    """Values of different shapes under one name; the message says which."""


def shape_of(value: Any) -> Shape:
    """The shape of one value as json.loads gives it. Raises Mixed where only the library can tell."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return "time" if TIME.match(value) else "text"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int):
        if abs(value) > MOST:
            raise Mixed("a number too large")
        if abs(value) <= EXACT:
            return "whole"
        return "large" if SMALLEST <= value <= LARGEST else "fraction"
    if isinstance(value, float):
        if math.isinf(value):  # 1e999 is an error to Arrow, Infinity is not: they look alike here
            raise Mixed("a number too large")
        return "fraction"
    if isinstance(value, list):
        items: Shape = "null"
        for item in value:
            items = merge(items, shape_of(item))
        return ("list", items)
    if not value:
        raise Mixed("an object without keys")
    return ("object", tuple((name, shape_of(inner)) for name, inner in value.items()))


def merge(one: Shape, other: Shape) -> Shape:
    """The shape of a column that has values of both. Raises Mixed where Arrow has none."""
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    if one in NUMBERS and other in NUMBERS:
        return max(one, other, key=NUMBERS.index)
    if {one, other} == {"time", "text"}:
        return "text"
    if isinstance(one, tuple) and isinstance(other, tuple) and one[0] == other[0]:
        if one[0] == "list":
            return ("list", merge(one[1], other[1]))
        inner = dict(other[1])
        if inner.keys() == dict(one[1]).keys():
            return ("object", tuple((name, merge(shape, inner[name])) for name, shape in one[1]))
    raise Mixed(f"{name_shape(one)} and {name_shape(other)}")


def merge_row(schema: Schema, row: Mapping[str, Any]) -> Schema:
    """The columns of the rows before and of this one; the same object where nothing is new. Raises Mixed."""
    wider: dict[str, Shape] = {}
    for name, value in row.items():
        before = schema.get(name)
        after = shape_of(value) if before is None else merge(before, shape_of(value))
        if after != before:
            wider[name] = after
    return {**schema, **wider} if wider else schema


def accepts(shape: Shape, found: Shape) -> bool:
    """Whether values found in one piece of a file are taken into a column of this shape as they stand."""
    if found in (shape, "null") or (shape, found) in TAKEN:
        return True
    if isinstance(shape, tuple) and isinstance(found, tuple) and shape[0] == found[0]:
        if shape[0] == "list":
            return accepts(shape[1], found[1])
        inner = dict(found[1])
        names = dict(shape[1])
        return inner.keys() == names.keys() and all(accepts(names[name], inner[name]) for name in names)
    return False


def contains(shape: Shape, kind: str) -> bool:
    """Whether `kind` stands anywhere in a shape."""
    if isinstance(shape, str):
        return shape == kind
    if shape[0] == "list":
        return contains(shape[1], kind)
    return any(contains(inner, kind) for _, inner in shape[1])


def conform(value: Any, shape: Shape) -> Any:
    """A value that `accepts` lets through, as the library gives it: fractions for whole numbers, keys in order."""
    if value is None or isinstance(shape, str):
        return float(value) if shape == "fraction" and value is not None else value
    if shape[0] == "list":
        return [conform(item, shape[1]) for item in value]
    return {name: conform(value[name], inner) for name, inner in shape[1]}


def name_shape(shape: Shape) -> str:
    """A shape in a word or two."""
    words = {
        "null": "nothing",
        "truth": "true or false",
        "whole": "whole numbers",
        "large": "large whole numbers",
        "fraction": "numbers",
    }
    words |= {"time": "times", "text": "text", "list": "lists", "object": "objects"}
    return words[shape if isinstance(shape, str) else shape[0]]
