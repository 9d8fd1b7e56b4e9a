"""Results that are kept in a run's folder: a file a part of a measurement, named after all that decides it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from phinb.evaluation.artefacts import hash_contents, hash_json, hash_one_file
from phinb.evaluation.records import decode_fields
from phinb.types import Measurement, Variant
from phinb.workflow.store import write_atomically

MEASURES = 3
"""Part of every key of a kept result: raise it when what is measured, or how, changes."""

_PART = tuple(item.name for item in fields(Measurement) if item.name not in ("variant", "error"))


class KeptResults:
    """The results of one folder. surroundings: what, beside the artefact, decides every result: machine, libraries."""

    def __init__(self, folder: Path, surroundings: Any) -> None:
        self._folder = folder
        self._surroundings = surroundings
        self._hashes: dict[Path, str] = {}

    def hash_variant(self, variant: Variant) -> str:
        """What the artefact contains; raises PhinbError where a part of it is missing."""
        return hash_contents(variant, self._hash_file)

    def read(self, content: str, part: str, decides: Any) -> dict[str, Any] | None:
        """Fields of Measurement; None where there are none, or none that can be read: then it is measured again."""
        try:
            return decode_fields(json.loads(self._path(content, part, decides).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, content: str, part: str, decides: Any, found: Mapping[str, Any]) -> None:
        unknown = found.keys() - set(_PART)
        if unknown:
            raise TypeError(f"A measurement has no {sorted(unknown)[0]}.")
        whole = asdict(Measurement(Variant("", "", "base", ""), **found))
        record = {key: whole[key] for key in found}
        write_atomically(self._path(content, part, decides), json.dumps(record, ensure_ascii=False))

    def _path(self, content: str, part: str, decides: Any) -> Path:
        key = hash_json([MEASURES, content, part, decides, self._surroundings])[:40]
        return self._folder / f"{key}.json"

    def _hash_file(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = hash_one_file(path)
        return self._hashes[path]
