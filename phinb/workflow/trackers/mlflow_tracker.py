"""MLflow: the run in the store of MLFLOW_TRACKING_URI, by default MLflow's own in the configuration's folder."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from phinb.workflow.trackers.tracker import Begun, Ending, Fact, Measured, Subject, without_credentials, write_value

STATUS: Mapping[Ending, str] = {
    "succeeded": "FINISHED",
    "stopped": "FINISHED",
    "cancelled": "KILLED",
    "failed": "FAILED",
    "lost": "FAILED",
}
MOST_PARAMETERS = 100
MOST_METRICS = 1000
"""What one request may hold (mlflow.utils.validation)."""

MOST_CHARACTERS = 500
"""Of a parameter or tag: what the strictest servers take; the texts among the artefacts are whole."""

_FOREIGN = re.compile(r"[^\w\-. :/]")

Item = TypeVar("Item")


class MlflowTracker:
    """A client with the run's id, and not MLflow's global run, which the trainer's own integration uses."""

    def begin(self, subject: Subject, key: str) -> Begun:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        self._client = mlflow.MlflowClient()
        continues = self._take_up(key)
        self._run_id = key if continues else self._create(subject)
        uri = without_credentials(str(mlflow.get_tracking_uri()))
        return Begun(
            self._run_id,
            continues,
            f"MLflow has this run in {uri}, as {self._run_id}.",
            f"To look at it: mlflow ui --backend-store-uri {uri}" if uri.startswith(("sqlite:", "file:")) else "",
        )

    def log(self, measured: Sequence[Measured]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(_clean(name), value, int(one.time * 1000), one.step)
            for one in measured
            for name, value in one.values.items()
        ]
        for some in _batches(metrics, MOST_METRICS):
            self._client.log_batch(self._run_id, metrics=some)

    def note(self, facts: Mapping[str, Fact]) -> None:
        from mlflow.entities import RunTag

        tags = [RunTag(_clean(name), write_value(value)[:MOST_CHARACTERS]) for name, value in facts.items()]
        for some in _batches(tags, MOST_PARAMETERS):
            self._client.log_batch(self._run_id, tags=some)

    def end(self, ending: Ending) -> None:
        self._client.set_terminated(self._run_id, STATUS[ending])

    def _take_up(self, key: str) -> bool:
        """Whether the run of an earlier attempt is still there; it is running again then."""
        from mlflow.exceptions import MlflowException

        try:
            found = key and self._client.get_run(key).info.lifecycle_stage == "active"
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            found = False
        if found:
            self._client.update_run(key, status="RUNNING")
        return bool(found)

    def _create(self, subject: Subject) -> str:
        from mlflow.entities import Param

        run = self._client.create_run(self._find_experiment(subject.name), run_name=subject.run_id)
        run_id = str(run.info.run_id)
        parameters = [
            Param(_clean(path), write_value(value)[:MOST_CHARACTERS]) for path, value in subject.parameters.items()
        ]
        for some in _batches(parameters, MOST_PARAMETERS):
            self._client.log_batch(run_id, params=some)
        for path in subject.texts:
            self._client.log_artifact(run_id, str(path), "configuration")
        return run_id

    def _find_experiment(self, name: str) -> str:
        """The id of the experiment that MLflow's own variables name, else of the configuration's; made if need be."""
        from mlflow.exceptions import MlflowException

        if chosen := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return chosen
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
        found: Any = self._client.get_experiment_by_name(name)
        if found is None:
            # Of two runs that begin at once, one makes it.
            with contextlib.suppress(MlflowException):
                return str(self._client.create_experiment(name))
            found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id)


def _clean(name: str) -> str:
    """MLflow refuses other characters in the names of metrics, parameters and tags."""
    return _FOREIGN.sub("_", name)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
