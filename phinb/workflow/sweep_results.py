"""What a sweep came to: a figure a setting, its spread over the seeds, and whether a lead may be luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from phinb.types import RunState
from phinb.workflow.sweep_driver import is_higher_better
from phinb.workflow.sweep_space import shorten, write_value, write_values
from phinb.workflow.sweep_store import SweepRecord, SweepState, Trial
from phinb.workflow.wording import write_bytes, write_count, write_duration, write_loss

WORDS = {
    "accuracy": "accuracy",
    "loss": "training loss",
    "eval_loss": "evaluation loss",
    "ttft_ms_p50": "median TTFT",
    "ttft_ms_p90": "TTFT (90 %)",
    "decode_tokens_per_s": "decode speed",
    "size_bytes": "size",
    "peak_memory_bytes": "peak memory",
    "load_s": "load time",
}
"""The figures that a sweep can be about, and what they are called."""


@dataclass(frozen=True)
class Setting:
    """The runs of one setting: the mean of the objective over those that are done, its lowest and its highest."""

    number: int
    values: dict[str, Any]
    runs: tuple[Trial, ...]
    scores: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        return fmean(self.scores) if self.scores else None


def summarize(record: SweepRecord, state: SweepState) -> list[Setting]:
    """The settings, the best first; those without a figure last, in order."""
    grouped: dict[int, list[Trial]] = {}
    for trial in state.trials:
        grouped.setdefault(trial.number, []).append(trial)
    settings = [
        Setting(number, dict(trials[0].values), tuple(trials), tuple(_scores(trials, record.objective)))
        for number, trials in grouped.items()
    ]
    sign = -1 if is_higher_better(record.objective) else 1
    return sorted(settings, key=lambda one: (one.mean is None, sign * (one.mean or 0.0), one.number))


def summarize_training(state: RunState) -> dict[str, float]:
    """The figures of a run's training that its events have.

    loss: the mean of the last tenth of what was logged, as single steps differ by their rows; eval_loss: the last.
    Neither where it was no number in the end: the training has diverged. seconds: from the run's start to its end.
    """
    found: dict[str, float] = {}
    losses = [metric.values["loss"] for metric in state.metrics if "loss" in metric.values]
    evaluated = [metric.values["eval_loss"] for metric in state.metrics if "eval_loss" in metric.values]
    last = losses[-max(1, len(losses) // 10) :]
    numbers = [loss for loss in last if loss is not None]
    if numbers and len(numbers) == len(last):
        found["loss"] = fmean(numbers)
    if evaluated and evaluated[-1] is not None:
        found["eval_loss"] = evaluated[-1]
    if state.started_at is not None and state.ended_at is not None:
        found["seconds"] = state.ended_at - state.started_at
    return found


def chance_of_lead(settings: Sequence[Setting]) -> float | None:
    """How often the best of these would be as far ahead of the second if the settings made no difference at all.

    The Tukey-Kramer test (Kramer 1956, Biometrics 12:307): the lead in units of the seeds' pooled standard deviation,
    against the studentized range of as many groups. None where no setting has two figures, or there are no two.
    """
    known = [one for one in settings if one.scores]
    free = sum(len(one.scores) - 1 for one in known)
    if len(known) < 2 or free < 1:
        return None
    squares = sum((score - (one.mean or 0.0)) ** 2 for one in known for score in one.scores)
    first, second = known[0], known[1]
    lead = abs((first.mean or 0.0) - (second.mean or 0.0))
    if squares == 0:
        return 0.0 if lead else 1.0
    from scipy.stats import studentized_range

    error = math.sqrt(squares / free / 2 * (1 / len(first.scores) + 1 / len(second.scores)))
    return float(studentized_range.sf(lead / error, len(known), free))


def judge(record: SweepRecord, state: SweepState) -> list[str]:
    """The best setting, how far it is ahead, and whether that may be luck, in sentences."""
    settings = summarize(record, state)
    known = [one for one in settings if one.scores]
    if not known:
        return []
    best, objective = known[0], record.objective
    mean = best.mean or 0.0
    over = f" on average of {len(best.scores)} seeds" if len(best.scores) > 1 else ""
    told = [f"Best so far: {write_values(best.values)}, {WORDS[objective]} {write_score(objective, mean)}{over}."]
    if state.ended:
        told[0] = told[0].replace("Best so far", "Best")
    if len(known) < 2:
        return told
    second = known[1]
    lead = write_difference(objective, abs(mean - (second.mean or 0.0)))
    ahead = f"It is {lead} ahead of {write_values(second.values)}"
    if mean == second.mean:
        equal = [write_values(one.values) for one in known[1:] if one.mean == mean]
        others = equal[0] if len(equal) == 1 else f"{len(equal)} others"
        return [*told, f"{others} {'is' if len(equal) == 1 else 'are'} as good."]
    chance = chance_of_lead(known)
    if chance is None:
        told.append(f"{ahead}, of one seed each: whether that is luck, --repeats 3 tells.")
    else:
        spread = max(max(one.scores) - min(one.scores) for one in known)
        luck = "may well be luck" if chance > 0.05 else "is hardly luck"
        told.append(
            f"{ahead}; the seeds alone move one setting by up to {write_difference(objective, spread)}. Such a lead "
            f"{luck}: where no setting matters, {write_chance(chance)} of sweeps show it (Tukey-Kramer)."
        )
    failed = sum(trial.status == "failed" for trial in state.trials)
    return [*told, f"{write_count(failed, 'run')} failed."] if failed else told


def table(record: SweepRecord, state: SweepState) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(head, a row a setting): its values, the objective and its range over the seeds, loss, time, runs."""
    objective, short = record.objective, shorten(record.space)
    several, loss = len(record.seeds) > 1, objective != "loss"
    spread, losses = (("over the seeds",) if several else ()), (("loss",) if loss else ())
    head = (*short.values(), WORDS[objective], *spread, *losses, "took", "runs")
    rows = []
    for one in summarize(record, state):
        ends = (
            dict.fromkeys(write_score(objective, end) for end in (min(one.scores), max(one.scores)))
            if one.scores
            else {}
        )
        unfinished = next((trial.status for trial in one.runs if trial.status != "done"), "")
        row = [write_value(one.values[path]) for path in record.space]
        row.append(unfinished if one.mean is None else write_score(objective, one.mean))
        row += [" to ".join(ends)] if several else []
        row += [write_loss(fmean(found)) if (found := _scores(one.runs, "loss")) else ""] if loss else []
        row.append(write_duration(sum(found)) if (found := _scores(one.runs, "seconds")) else "")
        rows.append((*row, " ".join(trial.run_id for trial in one.runs if trial.run_id)))
    return head, rows


def write_score(objective: str, score: float) -> str:
    """84.2 %, 2.75, 51 ms, 120 tokens/s, 110 MB."""
    if objective == "accuracy":
        return f"{100 * score:.1f} %"
    if objective.endswith("loss"):
        return write_loss(score)
    if objective.endswith("_bytes"):
        return write_bytes(score)
    unit = "ms" if "_ms_" in objective else "tokens/s" if objective.endswith("_per_s") else "s"
    return f"{score:.3g} {unit}"


def write_difference(objective: str, difference: float) -> str:
    """2.0 points of accuracy; else as a score is written."""
    return f"{100 * difference:.1f} points" if objective == "accuracy" else write_score(objective, difference)


def write_chance(chance: float) -> str:
    """31 %, 0.4 %, less than 0.1 %."""
    if chance < 0.001:
        return "less than 0.1 %"
    return f"{100 * chance:.1f} %" if chance < 0.01 else f"{100 * chance:.0f} %"


def _scores(trials: Sequence[Trial], metric: str) -> list[float]:
    return [trial.metrics[metric] for trial in trials if trial.status == "done" and metric in trial.metrics]
