"""The rows of a data config as what is their own: their values, without the template that all have around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from phinb.data.recipe import Recipe, read_recipe
from phinb.data.rows import Rows
from phinb.data.source import open_rows, parameters
from phinb.data.texts import named_columns, write_contents
from phinb.errors import PhinbError


class Contents:
    """The rows of one data config, to be compared with those of another. Not `ok` where they cannot be read."""

    def __init__(self, rows: Rows, recipe: Recipe) -> None:
        self.rows, self.recipe = rows, recipe

    @property
    def ok(self) -> bool:
        return self.rows.ok and set(named_columns(self.recipe)) <= set(self.rows.columns)

    def batches(self) -> Iterator[list[str]]:
        """The values of each row that has any. Raises PhinbError where rows cannot be read."""
        for batch in self.rows.batches():
            try:
                written = write_contents(batch, self.recipe)
            except (TypeError, AttributeError) as error:
                raise PhinbError(f"A row has no conversation: {error}", "Look at the column of messages.") from error
            yield [content for content in written if content.strip()]


def open_contents(data_config: Mapping[str, Any], folder: Path) -> Contents | None:
    """None where the data config cannot be read, or says in no known way what of a row is text."""
    try:
        recipe = read_recipe(parameters(data_config.get("pre_process_data_config")))
        contents = Contents(open_rows(data_config, folder), recipe)
        return contents if contents.ok else None
    except (ValueError, PhinbError):
        return None
