"""The colour and the symbol of a variant, the same in every table and plot (Okabe and Ito's palette, safe for the
colour-blind; each has a symbol, so that nothing is told by colour alone)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """`colour` has a contrast of 3:1 or more on white and on JupyterLab's dark ground, `dark` is the brighter shade
    for dark grounds only. `symbol` is plotly's name of the mark, `mark` the same as a character."""

    colour: str
    dark: str
    symbol: str
    mark: str


BY_KIND = {
    "base": Look("#7a7a85", "#a5a5b2", "circle", "●"),
    "adapter": Look("#0072b2", "#56b4e9", "diamond", "◆"),
    "merged": Look("#a3507f", "#d793b9", "square", "■"),
    "onnx": Look("#c77f00", "#f0b13f", "triangle-up", "▲"),
}
FURTHER = (
    Look("#008a65", "#2fc799", "triangle-down", "▼"),
    Look("#d55e00", "#ff8a3d", "star", "★"),
    Look("#3a8fc2", "#8ccbf0", "pentagon", "⬟"),
    Look("#8a7a00", "#f0e442", "hexagon", "⬢"),
)


def choose_looks(variants: Iterable[tuple[str, str]]) -> Mapping[str, Look]:
    """{name: look} for (name, kind) pairs: the first of a kind has the kind's, int4 before other precisions; further
    ones take the rest in turn."""
    pairs = list(variants)
    looks: dict[str, Look] = {}
    free = iter(FURTHER)
    for kind, look in BY_KIND.items():
        names = sorted((name for name, own in pairs if own == kind), key=lambda name: "int4" not in name)
        for index, name in enumerate(names):
            looks[name] = look if index == 0 else next(free, look)
    return {name: looks[name] for name, _ in pairs}
