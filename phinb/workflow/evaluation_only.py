"""Olive's own evaluator, and a run without passes, in which it measures the input model and nothing is made.

Olive then returns no output model and leaves its figures in input_model_metrics.json (Engine.run_accelerator).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal

from phinb.types import MetricLogged
from phinb.workflow.failures import explain
from phinb.workflow.job import Job
from phinb.workflow.reporter import Reporter

RESULT = "input_model_metrics.json"


def clear_evaluations(job: Job) -> None:
    """Delete earlier figures: Olive takes them again whatever the evaluator says now, and latency is of its moment."""
    for place in job.cache.glob("*/evaluations"):
        shutil.rmtree(place, ignore_errors=True)
    _result_of(job).unlink(missing_ok=True)


def report_evaluation(job: Job, reporter: Reporter, errors: str) -> tuple[Literal["succeeded", "failed"], str]:
    """The run's status and message; what was measured becomes a metric of no pass, and a notice.

    errors: what Olive logged as such, the newest last.
    """
    try:
        found = json.loads(_result_of(job).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        code, cause, remedy = explain(errors)
        if code != "unknown":
            reporter.notice("error", code, cause, remedy)
        last = errors.strip().rsplit("\n", 1)[-1]
        return "failed", cause or last or "Olive measured nothing and gave no reason; the log may tell."
    values = {name_metric(key): float(entry["value"]) for key, entry in found.items()}
    reporter.emit(MetricLogged(pass_name="", step=0, values=values))
    told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    reporter.notice("info", "evaluated", f"Olive measured the input model: {told}.")
    return "succeeded", ""


def _result_of(job: Job) -> Path:
    return job.base / str(job.olive["output_dir"]) / RESULT


def name_metric(key: str) -> str:
    """Olive joins a metric's name and its sub type's: perplexity-perplexity is one word too many."""
    name, _, sub_type = key.partition("-")
    return name if name == sub_type else key
