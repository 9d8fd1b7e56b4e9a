"""What is asked of a variant: `accuracy>=0.8`, `ttft_ms<=80`, `size<=400MB`, read and tried."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from phinb.errors import PhinbError
from phinb.evaluation.figures import UNITS, Figure, find_figure

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_UNITS = sorted({unit for units in UNITS.values() for unit in units}, key=len, reverse=True)
_BOUND = (
    r"(?P<sign>>=|<=|>|<)\s*(?P<number>-?(?:\d[\d_]*)?\.?\d+(?:[eE][+-]?\d+)?)"
    rf"(?:\s*(?P<unit>{'|'.join(map(re.escape, _UNITS))})(?![\w<>=]))?"
)
_ONE = re.compile(rf"\s*{_BOUND}\s*")
_NAMED = re.compile(rf"\s*(?P<name>[A-Za-z]\w*)\s*{_BOUND}(?=\s|,|$),?")
_HOW = 'Write it as accuracy>=0.8, ttft_ms<=80 or size<=400MB; in a shell in quotes: "accuracy>=0.8".'


@dataclass(frozen=True)
class Constraint:
    """A figure, and the bound (in the figure's own unit) that it has to keep."""

    figure: Figure
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.figure.name}{self.sign}{self.figure.write_bound(self.bound)}"

    @property
    def words(self) -> str:
        """`80.0 % or more`, `less than 80 ms`"""
        said = {">=": "{} or more", "<=": "{} or less", ">": "more than {}", "<": "less than {}"}
        return said[self.sign].format(self.figure.write(self.bound))

    @property
    def is_lower_bound(self) -> bool:
        return self.sign in (">=", ">")

    def admits(self, value: float) -> bool:
        return _SIGNS[self.sign](value, self.bound)

    def relaxed_to(self, value: float) -> Constraint:
        """The same with the bound of three digits that is nearest to `value` and admits it."""
        step = 10.0 ** (math.floor(math.log10(abs(value))) - 2) if value else 0.0
        rounded = (math.floor if self.is_lower_bound else math.ceil)(value / step) * step if step else 0.0
        near = Constraint(self.figure, self.sign[0] + "=", float(f"{rounded:.6g}"))
        # Rounding to decimal digits may leave the value out by the last bit.
        return near if near.admits(value) else Constraint(self.figure, near.sign, value)


def read_constraints(given: Mapping[str, str]) -> tuple[Constraint, ...]:
    """Constraints from {"accuracy": ">=0.8", "size": "<=400MB"}; short names and units as figures.py has them.

    Raises PhinbError for a figure that is not there, for a unit that is not the figure's, and for what cannot be read.
    """
    found = []
    for name, text in given.items():
        figure = find_figure(name)
        match = _ONE.fullmatch(_plain(str(text)))
        if match is None:
            raise PhinbError(f"The constraint {name}={text!r} cannot be read.", 'Write it as ">=0.8" or "<=80".')
        found.append(_make(figure, match))
    return _check_once(found)


def read_words(words: Sequence[str]) -> tuple[Constraint, ...]:
    """Constraints from the words of a command: ["accuracy>=0.8", "size", "<=", "400MB"]. Raises as read_constraints."""
    text = _plain(" ".join(words)).strip()
    found, at = [], 0
    while at < len(text):
        match = _NAMED.match(text, at)
        if match is None:
            raise PhinbError(f"The constraint {text[at:].split()[0]!r} cannot be read.", _HOW)
        found.append(_make(find_figure(match["name"]), match))
        at = match.end()
        while at < len(text) and text[at].isspace():
            at += 1
    return _check_once(found)


def describe_constraints(constraints: Iterable[Constraint]) -> str:
    """`accuracy 80.0 % or more, size 400 MB or less`; "no constraint" where there is none."""
    return ", ".join(f"{one.figure.word} {one.words}" for one in constraints) or "no constraint"


def _plain(text: str) -> str:
    return text.replace("≥", ">=").replace("≤", "<=").replace("=>", ">=").replace("=<", "<=")


def _make(figure: Figure, match: re.Match[str]) -> Constraint:
    units, unit = UNITS[figure.unit], match["unit"]
    if unit is not None and unit not in units:
        hint = f"Its units are: {', '.join(units)}." if units else "It has no unit."
        raise PhinbError(f"{figure.name} is not counted in {unit}.", hint)
    bound = float(match["number"]) * (1.0 if unit is None else units[unit])
    if figure.unit == "share" and bound > 1:
        raise PhinbError(
            f"{figure.name} is a share from 0 to 1, and {match['number']} is more.",
            f"Write {bound / 100:g} or {bound:g}%." if bound <= 100 else "Write 0.8 or 80%.",
        )
    return Constraint(figure, match["sign"], bound)


def _check_once(found: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """A figure may have a lower and an upper bound, and each once."""
    keys = [(one.figure.name, one.is_lower_bound) for one in found]
    twice = next((name for name, lower in keys if keys.count((name, lower)) > 1), None)
    if twice:
        raise PhinbError(f"{twice} is bounded twice on the same side.", "Leave one of the two out.")
    return tuple(found)
