"""Scans of rows that a test makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phinb.data.scan import Scan
from phinb.models.tokenizers import Tokenizer

Rows = Sequence[Mapping[str, Any]]


def write_config(folder: Path, name: str, rows: Rows, **params: Any) -> dict[str, Any]:
    """The data config of rows that are written to a file; `params` are the pre-process's."""
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {
        "name": name,
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": "json", "data_files": f"{name}.jsonl", "split": "train"},
        "pre_process_data_config": params,
    }


def make_scan(
    folder: Path, rows: Rows, tokenizer: Tokenizer, settings: Mapping[str, Any] | None = None, **params: Any
) -> Scan:
    """A scan that has not begun; `settings` are Scan's own."""
    scan = Scan(write_config(folder, "train", rows, **params), tokenizer, folder, **(settings or {}))
    assert scan.ok, scan.problems
    return scan
