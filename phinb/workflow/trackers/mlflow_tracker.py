"""MLflow: the run in the store of MLFLOW_TRACKING_URI, by default MLflow's own in the configuration's folder.

MLFLOW_RUN_ID means what it means to MLflow: that run goes on, as in a job that has one already. Of several runs that
find the same one, as those of a sweep, the first takes it; the others are its children.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
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

OWNER = "phinb.run_id"
"""The tag by which a run of MLflow is known to be some run of phinb's."""

_FOREIGN = re.compile(r"[^\w\-. :/]")

Item = TypeVar("Item")


class MlflowTracker:
    """A client with the run's id, and not MLflow's global run, which the trainer's own integration uses."""

    def begin(self, subject: Subject, key: str) -> Begun:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        make_store(str(mlflow.get_tracking_uri()))
        self._client = mlflow.MlflowClient()
        continues = self._take_up(key)
        self._run_id = key if continues else self._find_given(subject)
        if not continues:
            self._describe(subject)
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

    def _find_given(self, subject: Subject) -> str:
        """The id of the run that MLFLOW_RUN_ID names, of a child of it where another run has it, else of a new one.

        Raises MlflowException where it names none, as MLflow itself does.
        """
        given = os.environ.get("MLFLOW_RUN_ID")
        if not given:
            return self._create(subject)
        found = self._client.get_run(given)
        if found.data.tags.get(OWNER, subject.run_id) != subject.run_id:
            return self._create(subject, parent=given, experiment=str(found.info.experiment_id))
        self._client.update_run(given, status="RUNNING")
        self._client.set_tag(given, OWNER, subject.run_id)
        return given

    def _create(self, subject: Subject, *, parent: str = "", experiment: str = "") -> str:
        tags = {OWNER: subject.run_id} | ({"mlflow.parentRunId": parent} if parent else {})
        experiment = experiment or self._find_experiment(subject.name)
        return str(self._client.create_run(experiment, run_name=subject.run_id, tags=tags).info.run_id)

    def _describe(self, subject: Subject) -> None:
        """Parameters and texts. What a run that was given has already stays: a parameter is written once."""
        from mlflow.entities import Param

        there = self._client.get_run(self._run_id).data.params
        told = {_clean(path): write_value(value)[:MOST_CHARACTERS] for path, value in subject.parameters.items()}
        parameters = [Param(name, value) for name, value in told.items() if name not in there]
        for some in _batches(parameters, MOST_PARAMETERS):
            self._client.log_batch(self._run_id, params=some)
        for path in subject.texts:
            self._client.log_artifact(self._run_id, str(path), "configuration")

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


def make_store(uri: str) -> None:
    """Make the file of a sqlite store that is not there yet, and put it in place whole.

    MLflow makes its tables one by one in place. Where it is killed meanwhile, or two do it at once, what is left fails
    with "table already exists" ever after.
    """
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or path.name in ("", ":memory:") or "?" in uri or path.exists():
        return
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    engine = create_sqlalchemy_engine(f"sqlite:///{part}")
    try:
        _initialize_tables(engine)
        engine.dispose()
        if not path.exists():
            part.replace(path)
    finally:
        engine.dispose()
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _clean(name: str) -> str:
    """MLflow refuses other characters in the names of metrics, parameters and tags."""
    return _FOREIGN.sub("_", name)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
