"""What all commands print alike: problems, tables, forecasts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from phinb.types import Problem


def write_problems(problems: Sequence[Problem]) -> str:
    """Each at its place, with its hint below; "" where there is none."""
    lines = []
    for problem in problems:
        lines.append(f"{problem.severity}: {problem.where}: {problem.message}")
        if problem.hint:
            lines.append(f"    {problem.hint}")
    return "\n".join(lines)


def write_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head; columns are as wide as their widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def write_value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def write_forecast(forecast: Any) -> str:
    def write(size: int | None) -> str:
        return "unknown" if size is None else f"about {size / 1e9:.1f} GB"

    return f"disk: {write(forecast.disk_bytes)}, memory: {write(forecast.memory_bytes)} ({forecast.how})"
