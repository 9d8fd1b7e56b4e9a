"""The sequences of a training whose loss is on the completion: what the preview shows and the trainer gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phinb.data.preview import find_data_config, find_trained_field
from phinb.data.recipe import read_recipe
from phinb.data.sequences import tokenize
from phinb.data.source import parameters, read_rows
from phinb.models.tokenizers import load_tokenizer
from phinb.types import Sequence


def completion_sequences(
    olive: Mapping[str, Any], phinb_section: Mapping[str, Any], name: str, folder: Path
) -> list[Sequence] | None:
    """All sequences of the data config `name` with the prompt masked (label -100); None where the loss is on all.

    `olive` is what Olive gets, its model a local folder; relative data paths start at `folder`. Raises PhinbError
    where the data cannot be read.
    """
    data_config = find_data_config(olive, name)
    params = parameters(data_config.get("pre_process_data_config"))
    field = find_trained_field(phinb_section, params)
    if field is None:
        return None
    recipe = dataclasses.replace(read_recipe(params), trained_field=field)
    tokenizer = load_tokenizer(Path(str(params.get("model_name") or olive["input_model"]["model_path"])))
    return tokenize(read_rows(data_config, folder).rows, recipe, tokenizer).sequences()
