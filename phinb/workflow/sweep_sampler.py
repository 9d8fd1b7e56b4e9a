"""Which settings a sweep tries next: all of a grid in order, or what one of Optuna's samplers proposes.

Optuna is loaded in the process that drives a sweep only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from phinb.workflow.sweep_space import Range, count_settings, list_grid
from phinb.workflow.sweep_store import SweepRecord

SAMPLER_SEED = 0
"""Of Optuna's samplers: the same sweep proposes the same settings."""


MOST_DRAWS = 1000
"""How often a setting is drawn in the hope of a new one, where few are left."""


class Sampling(Protocol):
    """What proposes settings."""

    def ask(self) -> dict[str, Any] | None:
        """The values of the next setting; None where there is none left."""

    def tell(self, values: Mapping[str, Any], score: float | None) -> None:
        """What a setting came to; None where it failed."""


def make_sampler(record: SweepRecord, proposed: Sequence[Mapping[str, Any]], higher: bool) -> Sampling:
    """The sampler of a sweep that has `proposed` these settings already. higher: whether a higher score is better."""
    if record.sampler == "grid":
        return Grid(record, len(proposed))
    return Drawn(record, proposed, higher)


class Grid:
    """All combinations, in order."""

    def __init__(self, record: SweepRecord, done: int) -> None:
        self._left = list_grid(record.space)[done:]

    def ask(self) -> dict[str, Any] | None:
        return self._left.pop(0) if self._left else None

    def tell(self, values: Mapping[str, Any], score: float | None) -> None:
        """A grid does not learn."""


class Drawn:
    """Optuna's tree-structured Parzen estimator (Bergstra 2011), or chance alone."""

    def __init__(self, record: SweepRecord, proposed: Sequence[Mapping[str, Any]], higher: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
        # The seed moves on with what was proposed: a sweep that goes on must not draw the same once more.
        sampler = samplers[record.sampler](seed=SAMPLER_SEED + len(proposed))
        self._study = optuna.create_study(sampler=sampler, direction="maximize" if higher else "minimize")
        self._space = record.space
        self._left = record.trials - len(proposed)
        self._asked: dict[str, Any] = {}
        self._seen: set[str] = set()
        self._all = count_settings(record.space)
        for values in proposed:
            self._study.enqueue_trial(self._encode(values))
            self._asked[_key(values)] = self._draw()[1]
            self._seen.add(_key(values))

    def ask(self) -> dict[str, Any] | None:
        """What was proposed before is passed over: with the same seeds it would be the same runs."""
        import optuna

        for _ in range(MOST_DRAWS if self._left > 0 else 0):
            values, trial = self._draw()
            key = _key(values)
            if key not in self._seen:
                self._left -= 1
                self._seen.add(key)
                self._asked[key] = trial
                return values
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            if len(self._seen) == self._all:
                break
        return None

    def tell(self, values: Mapping[str, Any], score: float | None) -> None:
        import optuna

        trial = self._asked.pop(_key(values), None)
        if trial is None:
            return
        failed = optuna.trial.TrialState.FAIL
        if score is None:
            self._study.tell(trial, state=failed)
        else:
            self._study.tell(trial, score)

    def _draw(self) -> tuple[dict[str, Any], Any]:
        trial = self._study.ask()
        return {path: self._suggest(trial, path) for path in self._space}, trial

    def _suggest(self, trial: Any, path: str) -> Any:
        dimension = self._space[path]
        if not isinstance(dimension, Range):
            # Lists and objects are no values to Optuna, but their texts are.
            return json.loads(trial.suggest_categorical(path, [json.dumps(value) for value in dimension]))
        log = dimension.is_logarithmic
        if dimension.is_whole:
            return trial.suggest_int(path, int(dimension.low), int(dimension.high), log=log)
        # Seven figures are enough to write a setting down, and to find it again.
        return float(f"{trial.suggest_float(path, dimension.low, dimension.high, log=log):.7g}")

    def _encode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            path: value if isinstance(self._space[path], Range) else json.dumps(value) for path, value in values.items()
        }


def _key(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
