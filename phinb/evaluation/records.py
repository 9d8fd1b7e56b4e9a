"""Measurements and requests as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from phinb.evaluation.latency import LatencySettings
from phinb.evaluation.scoring import ScoringTask
from phinb.types import Latency, Measurement, RowScore, Variant


def encode_request(variant: Variant, task: ScoringTask, settings: LatencySettings) -> dict[str, Any]:
    """What a measuring process is asked: the variant, the prompts with their labels, what to time."""
    return {"variant": asdict(variant), "task": encode_task_record(task), "latency": asdict(settings)}


def decode_request(record: Mapping[str, Any]) -> tuple[Variant, ScoringTask, LatencySettings]:
    task: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record["task"].items()
    }
    return Variant(**record["variant"]), ScoringTask(**task), LatencySettings(**record["latency"])


def encode_task_record(task: ScoringTask) -> dict[str, Any]:
    """All that decides a score; the problems are for the reader and stay out."""
    return {item.name: getattr(task, item.name) for item in fields(task) if item.name != "problems"}


def encode_measurement(measurement: Measurement) -> dict[str, Any]:
    return asdict(measurement)


def decode_measurement(record: Mapping[str, Any]) -> Measurement:
    """The inverse of encode_measurement, also after JSON; raises KeyError or TypeError for another shape."""
    values = dict(record)
    values["variant"] = Variant(**values["variant"])
    values["scores"] = tuple(RowScore(**score) for score in values["scores"])
    values["latencies"] = tuple(Latency(**latency) for latency in values["latencies"])
    return Measurement(**values)
