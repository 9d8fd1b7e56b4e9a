"""What all commands print alike: problems, tables, forecasts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from phinb.data.signs import spell_out
from phinb.types import Problem
from phinb.workflow.forecast import Forecast
from phinb.workflow.wording import write_bytes, write_duration


def write_problems(problems: Sequence[Problem]) -> str:
    """Each at its place, with its hint below; "" where there is none. What rows and names hold is spelt out."""
    lines = []
    for problem in problems:
        lines.append(f"{problem.severity}: {problem.where}: {problem.message}")
        if problem.hint:
            lines.append(f"    {problem.hint}")
    return "\n".join(spell_out(line) for text in lines for line in text.split("\n"))


def write_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head; columns are as wide as their widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def write_value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def write_forecast(forecast: Forecast) -> str:
    """A line a pass, where there are any, and one for all."""
    rows = [("pass", "time", "memory", "disk")]
    for one in forecast.passes:
        memory = write_size(one.memory_bytes) if one.gpu_bytes is None else f"{write_size(one.gpu_bytes)} of the GPU"
        rows.append((one.name, write_seconds(one.seconds), memory, write_size(one.disk_bytes)))
    rows.append(
        ("all", write_seconds(forecast.seconds), write_size(forecast.memory_bytes), write_size(forecast.disk_bytes))
    )
    return f"{write_table(rows)}\n({forecast.how})"


def write_size(size: int | None) -> str:
    return "unknown" if size is None else f"about {write_bytes(size)}"


def write_seconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"about {write_duration(seconds)}"
