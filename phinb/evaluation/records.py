"""Measurements and tasks as JSON, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from phinb.evaluation.scoring import EncodedRow, ScoringTask
from phinb.types import Latency, Measurement, NextTokens, RowLoss, RowScore, RowText, Variant


def decode_task_record(record: Mapping[str, Any]) -> ScoringTask:
    """The inverse of encode_task_record, also after JSON."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
    return ScoringTask(**values)


def encode_task_record(task: ScoringTask) -> dict[str, Any]:
    """All that decides a score; the problems are for the reader and stay out."""
    return {item.name: getattr(task, item.name) for item in fields(task) if item.name != "problems"}


def decode_row(record: Mapping[str, Any]) -> EncodedRow:
    return EncodedRow(record["row"], tuple(record["prompt"]), tuple(map(tuple, record["candidates"])))


def encode_measurement(measurement: Measurement) -> dict[str, Any]:
    return asdict(measurement)


def decode_measurement(record: Mapping[str, Any]) -> Measurement:
    """The inverse of encode_measurement, also after JSON; raises KeyError or TypeError for another shape."""
    return Measurement(**{**decode_fields(record), "variant": Variant(**record["variant"])})


def decode_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """Some fields of a measurement, each as it is in one; raises KeyError or TypeError for another shape."""
    return {name: _DECODERS[name](value) if name in _DECODERS else value for name, value in record.items()}


def decode_latency(record: Mapping[str, Any]) -> Latency:
    return Latency(**{**record, "token_s": tuple(record.get("token_s", ()))})


def _decode_next(record: Mapping[str, Any]) -> NextTokens:
    likeliest = tuple(record["ids"]), tuple(record["log_probabilities"])
    return NextTokens(record["row"], *likeliest, record.get("context", ""))


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "scores": lambda found: tuple(RowScore(**score) for score in found),
    "latencies": lambda found: tuple(map(decode_latency, found)),
    "texts": lambda found: tuple(RowText(**text) for text in found),
    "losses": lambda found: tuple(RowLoss(**loss) for loss in found),
    "next_tokens": lambda found: tuple(map(_decode_next, found)),
    "values": lambda found: {name: tuple(figures) for name, figures in found.items()},
}
