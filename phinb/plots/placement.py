"""Where a mark's name goes, so that names lie neither on each other nor on other marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CHARACTER = 7.0
HEIGHT = 15.0


@dataclass(frozen=True)
class Mark:
    """A mark in pixels, y downwards: its centre, its radius, and how far its whisker reaches up and down."""

    x: float
    y: float
    radius: float
    up: float = 0.0
    down: float = 0.0


@dataclass(frozen=True)
class Place:
    """A name's offset from its mark's centre in pixels (y upwards, as plotly counts shifts), and its anchor."""

    xshift: float
    yshift: float
    xanchor: str


Box = tuple[float, float, float, float]


def place_names(
    names: Sequence[str], marks: Sequence[Mark], width: float, height: float, lines: Sequence[tuple[int, int]] = ()
) -> list[Place]:
    """A place for each name: of right, left, above and below the first that overlaps least with marks, whiskers,
    names already placed and `lines` (from mark to mark, by index), and stays within width × height. Greedy: there are
    a handful of marks."""
    obstacles = [box for mark in marks for box in _boxes_of(mark)]
    for start, end in lines:
        obstacles += _boxes_along(marks[start], marks[end])
    places = []
    for name, mark in zip(names, marks, strict=True):
        options = [(_overlap(box, obstacles, width, height), place, box) for place, box in _options(name, mark)]
        _, place, box = min(options, key=lambda option: option[0])
        obstacles.append(box)
        places.append(place)
    return places


def _boxes_of(mark: Mark) -> list[Box]:
    r = mark.radius
    body = (mark.x - r, mark.y - r, mark.x + r, mark.y + r)
    return [body, (mark.x - 2, mark.y - mark.up, mark.x + 2, mark.y + mark.down)]


def _boxes_along(start: Mark, end: Mark) -> list[Box]:
    """A line as small squares, one every eight pixels."""
    steps = max(1, int(math.hypot(end.x - start.x, end.y - start.y) / 8))
    centres = [
        (start.x + (end.x - start.x) * i / steps, start.y + (end.y - start.y) * i / steps) for i in range(steps + 1)
    ]
    return [(x - 2, y - 2, x + 2, y + 2) for x, y in centres]


def _options(name: str, mark: Mark) -> list[tuple[Place, Box]]:
    wide, gap = CHARACTER * len(name), mark.radius + 5
    found = []
    for side in (1, -1):
        for lift in (0.0, 0.75 * mark.radius + 8, -0.75 * mark.radius - 8):
            left = mark.x + gap if side > 0 else mark.x - gap - wide
            middle = mark.y - lift
            box = (left, middle - HEIGHT / 2, left + wide, middle + HEIGHT / 2)
            found.append((Place(side * gap, lift, "left" if side > 0 else "right"), box))
    for above in (True, False):
        reach = (max(mark.up, mark.radius) if above else -max(mark.down, mark.radius)) + (11 if above else -11)
        middle = mark.y - reach
        box = (mark.x - wide / 2, middle - HEIGHT / 2, mark.x + wide / 2, middle + HEIGHT / 2)
        found.append((Place(0, reach, "center"), box))
    return found


def _overlap(box: Box, obstacles: Sequence[Box], width: float, height: float) -> float:
    """Overlapped square pixels; what leaves the picture weighs ten times."""
    total = 0.0
    for other in obstacles:
        across = min(box[2], other[2]) - max(box[0], other[0])
        down = min(box[3], other[3]) - max(box[1], other[1])
        total += max(0.0, across) * max(0.0, down)
    outside = max(0.0, -box[0]) + max(0.0, box[2] - width) + max(0.0, -box[1]) + max(0.0, box[3] - height)
    return total + 10 * HEIGHT * outside


def spread_apart(places: Sequence[float], gap: float) -> list[float]:
    """The places moved as little as it takes for neighbours to be `gap` apart, in the order that they have.

    Neighbours that are too close become a block that lies evenly around the middle of its members' places.
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    blocks: list[tuple[float, int]] = []  # (the first one's place, how many)
    for index in order:
        first, count = places[index], 1
        while blocks and blocks[-1][0] + blocks[-1][1] * gap > first:
            before, more = blocks.pop()
            # Either block would have its first one here; the joint one has the mean, weighed by members.
            first = (more * before + count * (first - more * gap)) / (more + count)
            count += more
        blocks.append((first, count))
    spread = [first + gap * number for first, count in blocks for number in range(count)]
    moved = [0.0] * len(places)
    for index, place in zip(order, spread, strict=True):
        moved[index] = place
    return moved
