"""What a sweep tries: from what the user writes to the configuration of each trial.

A dimension is a list of values, or a range `low..high` of which a sampler draws; a range over a factor of ten or more
is drawn by its logarithm. Paths have the form of Config.effective().
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from phinb.config import Config
from phinb.errors import PhinbError
from phinb.types import Edit, Problem

SEED = "phinb.seed"
"""The path of the seed, which the repeats of a trial differ by."""

OPTIONS = ("repeats", "sampler", "trials", "objective", "variant", "until", "at_once")
"""Of `phinb.sweep`, %olive_sweep and `phinb sweep` alike."""

MOST_TRIALS = 500
MOST_RUNS = 2000
"""Settings by seeds: each is a folder on disk, and a line of the state that is written after every change."""

MOST_PROBLEMS = 5

_NUMBER = r"(-?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?)"
_RANGE = re.compile(rf"\s*{_NUMBER}\s*\.\.\s*{_NUMBER}\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; whole ones where both ends are."""

    low: float
    high: float

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            if not isinstance(end, int | float) or not math.isfinite(end):
                raise PhinbError(f"A range has no end {end!r}.", "Write two numbers: 1e-5..1e-3.")
        if not self.low < self.high:
            raise PhinbError(f"The range {self} is empty.", "Write the smaller number first: 1e-5..1e-3.")

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def is_logarithmic(self) -> bool:
        return self.low > 0 and self.high / self.low >= 10


Dimension = tuple[Any, ...] | Range
"""The values of one path, or what they are drawn from."""

Space = Mapping[str, Dimension]


def read_space(given: Mapping[str, Any]) -> dict[str, Dimension]:
    """A space from a mapping of paths to values, a Range, or the text of either ("8,16,32", "1e-5..1e-3").

    Numbers of NumPy count as those that they are. Raises PhinbError where a path has no values, one twice, or one that
    a configuration cannot hold.
    """
    if not given:
        raise PhinbError("It is not said what to try.", 'Name a path and its values: {"passes.lora.r": [8, 16, 32]}.')
    space: dict[str, Dimension] = {}
    for path, values in given.items():
        found = read_values(values) if isinstance(values, str) else values
        if isinstance(found, Range):
            space[path] = found
            continue
        if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
            raise PhinbError(f"{path} has no list of values, but {found!r}.", f"Write a list: [{found!r}].")
        listed = tuple(_plain(path, value) for value in found)
        keys = [write_key(value) for value in listed]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if not listed or twice is not None:
            what = "has no values" if not listed else f"has {twice} twice"
            raise PhinbError(f"{path} {what}.", "Give each value once; to try one again with other seeds: repeats=3.")
        space[path] = listed
    return space


def read_values(text: str) -> tuple[Any, ...] | Range:
    """The values of `8,16,32` or `["q_proj"],["q_proj","v_proj"]` as JSON has them; what is no JSON is a text.

    Raises PhinbError where there is nothing between two commas.
    """
    if match := _RANGE.fullmatch(text):
        return Range(*map(_read_number, match.groups()))
    try:
        return tuple(json.loads(f"[{text}]"))
    except ValueError:
        words = text.split(",")
        if not all(word.strip() for word in words):
            raise PhinbError(
                f"{text!r} has a comma with no value beside it.", 'Write 8,16,32; an empty text is "".'
            ) from None
        return tuple(map(_read_value, words))


def read_assignments(words: Sequence[str]) -> dict[str, Any]:
    """A space from `passes.lora.r=8,16` and the like. Raises PhinbError for a word without `=`."""
    given: dict[str, Any] = {}
    for word in words:
        path, sign, values = word.partition("=")
        path = path.strip()
        if not sign or not path or path in given:
            what = f"{path} is given twice" if path in given else f"{word!r} is no path with values"
            raise PhinbError(f"{what}.", "Write passes.lora.r=8,16,32, each path once.")
        given[path] = values
    return given


def read_options(options: Any) -> dict[str, Any]:
    """What else `phinb.sweep` is told, of a magic's or a command's parsed options."""
    return {name: getattr(options, name) for name in OPTIONS}


def list_grid(space: Space) -> list[dict[str, Any]]:
    """All combinations, the last path the quickest to change. Raises PhinbError for a range, and for too many."""
    drawn = next((path for path, values in space.items() if isinstance(values, Range)), None)
    if drawn is not None:
        raise PhinbError(
            f"A grid cannot try all of the range {drawn}={space[drawn]}.",
            "List its values, or let a sampler draw: sampler='tpe', trials=20.",
        )
    lists = [values for values in space.values() if not isinstance(values, Range)]
    count = 1
    for values in lists:
        count *= len(values)
    if count > MOST_TRIALS:
        raise PhinbError(
            f"The grid has {count:,} combinations.", "Try fewer, or let a sampler choose: sampler='tpe', trials=20."
        )
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*lists)]


def make_trial(config: Config, values: Mapping[str, Any], seed: int | None = None) -> Config:
    """The configuration with these values, and with this seed where one is given. It may have problems."""
    edits = [Edit("set", path, value) for path, value in values.items()]
    if seed is not None:
        edits.append(Edit("set", SEED, seed))
        # The order of the rows follows a seed of its own where the user has given one.
        own = [path for path in config.effective() if path.endswith(".training_args.seed")]
        edits += [Edit("set", path, seed) for path in own if config.effective()[path].origin in ("you", "upgrade")]
    return config.edit(*edits)


def check_space(config: Config, space: Space) -> None:
    """Raises PhinbError where a path leads nowhere, or one of its values would be refused; nothing is started."""
    effective = config.effective()
    for path in space:
        # A trial's own seed is written over each of these, whatever the space says.
        if path == SEED or path.endswith(".training_args.seed"):
            raise PhinbError("The seed is no setting to be compared.", "repeats=3 tries each setting with 3 seeds.")
        parent = path.rpartition(".")[0]
        if path not in effective and not any(known.startswith(f"{parent}.") for known in effective if parent):
            near = get_close_matches(path, effective, 1, 0.5)
            raise PhinbError(f"The configuration has no {path}.", f"Did you mean {near[0]}?" if near else "")
    told = []
    for path, values in space.items():
        for value in values if not isinstance(values, Range) else _ends(values):
            told += [f"{path}={json.dumps(value)}: {one.message}" for one in _errors(make_trial(config, {path: value}))]
    if told:
        more = f" And {len(told) - MOST_PROBLEMS} more." if len(told) > MOST_PROBLEMS else ""
        raise PhinbError(f"{' '.join(told[:MOST_PROBLEMS])}{more}", "Leave these values out, or mend the path.")


def check_trial(config: Config) -> str:
    """What is wrong with the configuration of a trial; "" where it can be started."""
    return " ".join(problem.message for problem in _errors(config)[:MOST_PROBLEMS])


def count_settings(space: Space) -> int | None:
    """How many combinations there are; None where a range of numbers with decimals has no end of them."""
    count = 1
    for values in space.values():
        if isinstance(values, Range):
            if not values.is_whole:
                return None
            count *= int(values.high) - int(values.low) + 1
        else:
            count *= len(values)
    return count


def write_key(value: Any) -> str:
    """A value as a text that is equal where values are: 8 and 8.0 are one number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def shorten(paths: Iterable[str]) -> dict[str, str]:
    """The shortest end of each path that no other has: passes.lora.r is r."""
    every = list(paths)
    short = {}
    for path in every:
        words = path.split(".")
        ends = [".".join(words[-size:]) for size in range(1, len(words) + 1)]
        short[path] = next(end for end in ends if sum(f".{other}".endswith(f".{end}") for other in every) == 1)
    return short


def write_values(values: Mapping[str, Any]) -> str:
    """`r=16 alpha=32`, the paths by their short ends."""
    names = shorten(values)
    return " ".join(f"{names[path]}={write_value(value)}" for path, value in values.items())


def write_value(value: Any) -> str:
    """A value as short as can be: 0.00012 of 0.000123456, a text without its quotes."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(path: str, value: Any) -> Any:
    """The value as JSON has it; what NumPy and its like wrap is taken out. Raises PhinbError for all else."""
    unwrap = getattr(value, "tolist", None)
    value = unwrap() if callable(unwrap) else value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise PhinbError(
            f"{path} cannot be {value!r}: a configuration cannot hold it.", "Give numbers, texts, true, false or lists."
        ) from None


def _errors(config: Config) -> list[Problem]:
    return [problem for problem in config.problems if problem.severity == "error"]


def _ends(values: Range) -> tuple[float, float]:
    return (int(values.low), int(values.high)) if values.is_whole else (values.low, values.high)


def _read_number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _read_value(text: str) -> Any:
    try:
        return json.loads(text.strip())
    except ValueError:
        return text.strip()
