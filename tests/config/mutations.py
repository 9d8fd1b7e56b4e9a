"""Configurations by their number: the valid ones, then those that one to three mistakes have bent.

`mutant(number)` is the same configuration in every run: a generator seeded with the number chooses the mistakes.
They are those that people make: a key misspelt, in another case, from the 2024 tutorials or from another place; a
key lost, moved or copied; a value of another type, out of range, misspelt; a parameter that belongs elsewhere; passes
in another order. The keys and the kinds of values come from Olive's own schema; what is right is not known here.
"""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from phinb.config.document import load
from tests.config.conftest import ROOT, VALID
from tests.config.forms import VALID as FORMS
from tests.config.mistakes import MISTAKES, WEIGHTS, places

SEED = 20261124


@dataclass(frozen=True)
class Mutant:
    """`base`: the valid configuration that it comes from; `mistakes`: what was done to it, in words."""

    number: int
    base: str
    mistakes: tuple[str, ...]
    config: dict[str, Any]


@cache
def bases() -> dict[str, dict[str, Any]]:
    """The valid configurations, by name: the bent forms of the tests, the samples, the gallery."""
    made: dict[str, dict[str, Any]] = {}
    for name, bend in FORMS.items():
        config = json.loads(VALID)
        bend(config)
        made[name] = config
    for path in sorted((ROOT / "sample_data").glob("*.json")):
        root = load(path).root
        assert root is not None, path
        made[path.name] = root.plain()
    return made | _gallery()


def _gallery() -> dict[str, dict[str, Any]]:
    """The starting points that phinb brings along, with names in the places that are left for them."""
    from phinb.config.starting.gallery import starting_points, starting_text

    made: dict[str, dict[str, Any]] = {}
    for point in starting_points():
        root = load(starting_text(point.name)).root
        assert root is not None, point.name
        made[point.name] = root.plain()
        for holder, key in places(made[point.name]):
            if isinstance(holder[key], str) and holder[key].startswith("<your "):
                holder[key] = "01234567-89ab-cdef-0123-456789abcdef" if key == "subscription_id" else "mine"
    return made


def mutant(number: int) -> Mutant:
    """The first numbers are the bases themselves; all others have one to three mistakes."""
    known = bases()
    names = list(known)
    if number < len(names):
        return Mutant(number, names[number], (), copy.deepcopy(known[names[number]]))
    random_ = random.Random(f"{SEED}-{number}")
    base = random_.choice(names)
    config = copy.deepcopy(known[base])
    mistakes: list[str] = []
    wanted = random_.choices((1, 2, 3), (7, 2, 1))[0]
    while len(mistakes) < wanted:
        told = random_.choices(MISTAKES, WEIGHTS)[0](random_, config)
        if told:
            mistakes.append(told)
    return Mutant(number, base, tuple(mistakes), config)
