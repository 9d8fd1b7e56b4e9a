"""Which rows train and which evaluate: a file of their own, a part of the one file, or a share drawn at random."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from phinb.config.starting.facts import DataConfig, Rows
from phinb.config.starting.recipe_text import Choice
from phinb.data.row_file import RowFile
from phinb.data.wording import agree, write_count

LEAST_ROWS = 10
"""Below this no row is spared for evaluation."""

MANY_ROWS = 1000
"""From here on a tenth is enough to evaluate on; below it is a fifth."""


def plan_rows(
    source: RowFile, tested: RowFile | None, answer: str | None, folder: Path, *, trains: bool
) -> tuple[Rows, list[str]]:
    """The data configs of a file of rows, and what has to be said of them.

    tested: a file of rows to evaluate on. answer: the column to be predicted, whose values tell whether the file is
    sorted. A recipe that does not train gets all rows to measure on, under the name test.
    """
    total = source.total
    whole = Choice("train", "a file without named splits is all train")
    if not trains:
        chosen = tested or source
        return Rows((_config("test", chosen, whole, folder),), total=len(chosen.rows)), []
    if tested is not None:
        configs = (_config("train", source, whole, folder), _config("test", tested, whole, folder))
        return Rows(configs, training=total, total=total + tested.total), []
    if total < LEAST_ROWS:
        note = (
            f"{write_count(total, 'row')} {agree(total, 'is', 'are')} too few to spare any for evaluation: only other "
            "rows tell whether it has learnt."
        )
        return Rows((_config("train", source, whole, folder),), training=total, total=total), [note]
    share = 10 if total >= MANY_ROWS else 20
    head, tail = f"train[:{100 - share}%]", f"train[{100 - share}%:]"
    at = round(len(source.rows) * (100 - share) / 100)  # as the library rounds percents
    kept, held = source.rows[:at], source.rows[at:]
    if sorted_by := _find_order(kept, held, answer):
        split = Choice(share / 100, "a share of the rows, drawn at random, that training does not get")
        note = (
            f"The rows are sorted by {sorted_by}, so no part of the file is like the whole. Shuffle it, or give test "
            "rows of their own, and there will be something to compare on."
        )
        training = total - ceil(total * share / 100)
        return Rows((_config("train", source, whole, folder),), training, total, eval_split=split), [note]
    configs = (
        _config("train", source, Choice(head, "of the file's rows; the rest is for evaluation"), folder),
        _config("test", source, Choice(tail, "rows that training never sees, to evaluate and compare on"), folder),
    )
    return Rows(configs, training=round(total * (100 - share) / 100), total=total), []


def _find_order(kept: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]], answer: str | None) -> str | None:
    """The answer's name where its values come in blocks, so that the file's end is not like its beginning."""
    if answer is None:
        return None
    here = Counter(str(row.get(answer)) for row in held)
    there = Counter(str(row.get(answer)) for row in kept)
    if len(here | there) > max(2, len(kept) // 3):
        return None  # free text: every answer is its own
    lost = [value for value, count in there.items() if not here[value] and count * len(held) >= 4 * len(kept)]
    unseen = [value for value in here if not there[value] and here[value] > 1]
    return answer if lost or unseen or len(here) < 2 else None


def _config(name: str, source: RowFile, split: Choice, folder: Path) -> DataConfig:
    return DataConfig(name, source.reader, Choice(relative_path(source.path, folder)), split, source.options)


def relative_path(path: Path, folder: Path) -> str:
    """The path as the configuration writes it: from its own folder, with slashes; whole, where that is not possible."""
    absolute = path.expanduser().absolute()
    try:
        return Path(os.path.relpath(absolute, folder)).as_posix()
    except ValueError:  # another drive
        return absolute.as_posix()
