"""The rows that variants are compared on, and the template that makes prompts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phinb.config import Config
from phinb.config.checks.data import EVALUATION_NAMES
from phinb.errors import PhinbError

Rows = Sequence[Mapping[str, Any]]


def read_recipe(data_config: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """How a data config makes texts: text_template, add_special_tokens, max_seq_len, trained_field.

    Raises PhinbError where it has no text template.
    """
    from phinb.data.completion import find_trained_field
    from phinb.data.source import parameters

    params = parameters(data_config.get("pre_process_data_config"))
    if not params.get("text_template"):
        raise PhinbError(
            f"The data config {data_config.get('name')} has no text_template to cut the prompt from.",
            "Write one: text_template with its fields in braces, the answer last.",
        )
    return {
        "text_template": params["text_template"],
        "add_special_tokens": params.get("add_special_tokens", True),
        "max_seq_len": params.get("max_seq_len", 1024),
        "trained_field": find_trained_field(config.phinb, params),
    }


def find_rows(config: Config, olive: dict[str, Any], rows: str | Path | Rows | None) -> Rows:
    """The rows to compare on: given as they are, by a path or a data config's name, or (None) the evaluation data's.

    Raises PhinbError where they cannot be read, or the configuration names no evaluation data.
    """
    from phinb.data.source import read_rows

    if rows is not None and not isinstance(rows, str | Path):
        return rows
    read = read_rows(*find_rows_config(config, olive, rows))
    for problem in read.problems:
        if problem.severity == "error":
            raise PhinbError(problem.message, problem.hint)
    return read.rows


def find_rows_config(config: Config, olive: dict[str, Any], rows: str | Path | None) -> tuple[Mapping[str, Any], Path]:
    """(the data config that the rows are read by, the folder that its paths are relative to)"""
    names = {str(one.get("name")): one for one in olive.get("data_configs") or []}
    if rows is None:
        chosen = next((name for name in find_evaluation_names(olive) if name in names), None)
        if chosen is None:
            raise PhinbError(
                "The configuration names no evaluation data.", "Give the rows: rows=PATH, a data config, or a list."
            )
        return names[chosen], config.folder
    if str(rows) in names:
        return names[str(rows)], config.folder
    return make_data_config(Path(rows)), Path.cwd()


def describe_rows(config: Config, olive: dict[str, Any], rows: str | Path | Rows | None) -> list[dict[str, str]]:
    """Name and SHA-256 of the files that the rows were read from; none for rows that were given as a list."""
    from phinb.evaluation.provenance import describe_files

    if rows is not None and not isinstance(rows, str | Path):
        return []
    return describe_files(*find_rows_config(config, olive, rows))


def read_train_rows(config: Config, training: Mapping[str, Any]) -> Rows:
    """The rows of training, only to know its labels; data that cannot be read any more does not matter here."""
    from phinb.data.source import read_rows

    return read_rows(training, config.folder).rows


def find_evaluation_names(olive: dict[str, Any]) -> list[str]:
    """Names that the evaluation data may have, the passes' own first."""
    names = []
    for value in (olive.get("passes") or {}).values():
        for body in value if isinstance(value, list) else [value]:
            settings = body.get("config") or body
            if isinstance(settings.get("eval_data_config"), str):
                names.append(settings["eval_data_config"])
    return [*names, *EVALUATION_NAMES]


def make_data_config(path: Path) -> dict[str, Any]:
    """A data config for a path, by its ending. Raises PhinbError for an ending that `datasets` has no reader for."""
    kinds = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise PhinbError(f"Rows cannot be read from {path}.", f"Give a file that ends in {', '.join(kinds)}.")
    loading = {"type": "huggingface_dataset", "data_name": kind, "data_files": str(path), "split": "train"}
    return {"name": path.stem, "type": "HuggingfaceContainer", "load_dataset_config": loading}
