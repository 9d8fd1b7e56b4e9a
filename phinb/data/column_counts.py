"""Counting what a column holds, batch by batch: nothing of the rows is kept but 8 bytes a value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 20
"""Distinct values up to which a column is taken for classes."""

EXAMPLES = 3
MERGED_AT = 500_000
"""Values after which those that are equal are thrown together."""

_TYPES: tuple[tuple[type, str], ...] = (
    (str, "text"),
    (bool, "true or false"),
    (int, "whole number"),
    (float, "number"),
    (datetime, "time"),
    (date, "time"),
    (time, "time"),
    (list, "list"),
    (Mapping, "object"),
    (bytes, "bytes"),
)


class ColumnCount:
    """The values of one column so far. Missing is what is None, an empty text, or no number (NaN)."""

    def __init__(self) -> None:
        self.rows = 0
        self.missing = 0
        self.words = 0
        self.types: Counter[str] = Counter()
        self.examples: list[Any] = []
        self.are_conversations = True
        self._classes: Counter[str] | None = Counter()
        self._hashes: list[NDArray[np.int64]] = []
        self._unmerged = 0

    def take(self, values: Sequence[Any]) -> None:
        """Count more rows."""
        are_texts = set(map(type, values)) == {str}
        given = [value for value in values if value] if are_texts else [v for v in values if not _is_missing(v)]
        texts = given if are_texts else list(map(str, given))
        self.rows += len(values)
        self.missing += len(values) - len(given)
        for kind, count in Counter(map(type, given)).items():
            self.types[_name_type(kind)] += count
        self.are_conversations = self.are_conversations and all(map(_is_conversation, given))
        if len(self.examples) < EXAMPLES:
            self._take_examples(given)
        if self.types.keys() <= {"text"}:
            self.words = max(self.words, max(map(len, map(str.split, texts)), default=0))
        elif texts:
            self.words = max(self.words, 1)
        if self._classes is not None:
            self._classes.update(texts)
            self._classes = self._classes if len(self._classes) <= FEW else None
        # Equal texts have equal hashes; that two different ones of a million do has a chance of 1 to 30 million.
        self._hashes.append(np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts)))
        self._unmerged += len(texts)
        if self._unmerged > MERGED_AT:
            self.distinct  # noqa: B018 -- merges them

    def _take_examples(self, given: Sequence[Any]) -> None:
        for value in given:
            if value not in self.examples:
                self.examples.append(value)
            if len(self.examples) == EXAMPLES:
                break

    @property
    def distinct(self) -> int:
        """Different values, as a template would write them."""
        if not self._hashes:
            return 0
        merged = np.unique(np.concatenate(self._hashes))
        self._hashes, self._unmerged = [merged], 0
        return len(merged)

    @property
    def classes(self) -> dict[str, int]:
        """{value: rows}, the most frequent first; empty where there are more than FEW."""
        return dict(self._classes.most_common()) if self._classes else {}


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _is_conversation(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, Mapping) and {"role", "content"} <= set(first)


def _name_type(kind: type) -> str:
    return next((name for known, name in _TYPES if issubclass(kind, known)), kind.__name__)
