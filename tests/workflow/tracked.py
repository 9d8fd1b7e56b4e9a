"""What real trackers hold of a run, read back: MLflow's store, TensorBoard's event files, the log of wandb offline."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phinb.types import MetricLogged, PassStarted
from phinb.workflow.checkpoints import is_training
from phinb.workflow.runner import Run
from phinb.workflow.trackers.feed import OWN_SECONDS

Curves = dict[str, list[tuple[int, float]]]
"""Name of a metric -> (step, value) in the order that they were told."""

BLOCK = 32768
"""Of LevelDB's log, which wandb writes."""


@dataclass
class Tracked:
    parameters: dict[str, Any] = field(default_factory=dict)
    curves: Curves = field(default_factory=lambda: defaultdict(list))
    facts: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    status: str = ""
    ids: list[str] = field(default_factory=list)


def read_events(run: Run) -> Curves:
    """The metrics of a run with one training pass, as trackers name them; of a step that came twice the first."""
    curves: Curves = defaultdict(list)
    training = set()
    for event in run.events():
        if isinstance(event, PassStarted) and is_training(event.pass_type):
            training.add(event.pass_name)
        if not isinstance(event, MetricLogged):
            continue
        for key, value in event.values.items():
            kind, _, rest = key.partition("_")
            place = ("eval", rest) if kind == "eval" else ("train", key)
            if event.pass_name not in training or key in OWN_SECONDS:
                place = (event.pass_name, key)
            points = curves["/".join(place)]
            if event.step not in [step for step, _ in points]:
                points.append((event.step, value))
    return curves


def read_mlflow(uri: str) -> list[Tracked]:
    """Every run in the store, the newest first."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    found = []
    for run in client.search_runs([one.experiment_id for one in client.search_experiments()]):
        one = Tracked(dict(run.data.params), facts=dict(run.data.tags), status=run.info.status, ids=[run.info.run_id])
        for name in run.data.metrics:
            history = client.get_metric_history(run.info.run_id, name)
            one.curves[name] = sorted((metric.step, metric.value) for metric in history)
        one.files = [Path(file.path).name for file in client.list_artifacts(run.info.run_id, "configuration")]
        found.append(one)
    return found


def read_tensorboard(run: Run) -> Tracked:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    reader = EventAccumulator(str(run.folder / "tracking" / "tensorboard"), size_guidance={"tensors": 0, "scalars": 0})
    reader.Reload()
    one = Tracked()
    for tag in reader.Tags()["scalars"]:
        one.curves[tag] = [(event.step, event.value) for event in reader.Scalars(tag)]
    for tag in reader.Tags()["tensors"]:
        texts = [part.decode() for event in reader.Tensors(tag) for part in event.tensor_proto.string_val]
        if tag.startswith("configuration/"):
            one.files.append(tag.removeprefix("configuration/"))
        rows = [line.strip("| ").split(" | ", 1) for text in texts for line in text.splitlines()[2:]]
        one.facts |= {cells[0]: cells[1] for cells in rows if len(cells) == 2 and tag != "parameters"}
    content = reader.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    for name, value in HParamsPluginData.FromString(content).session_start_info.hparams.items():
        one.parameters[name] = getattr(value, value.WhichOneof("kind"))
    return one


def read_wandb(run: Run) -> list[Tracked]:
    """What each of its folders holds, the oldest first."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for folder in sorted((run.folder / "tracking" / "wandb").glob("offline-run-*")):
        one = Tracked(status="unfinished", files=[path.name for path in sorted((folder / "files").iterdir())])
        for data in _read_log(next(folder.glob("*.wandb")).read_bytes()):
            record = Record.FromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                one.ids.append(record.run.run_id)
                given = {item.key: json.loads(item.value_json) for item in record.run.config.update}
                one.parameters = {name: value for name, value in given.items() if name != "_wandb"}  # its own
            elif kind == "history":
                row = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item
                }
                step = next(value for name, value in row.items() if name.endswith("/step"))
                for name, value in row.items():
                    if not name.startswith("_") and not name.endswith("/step"):
                        one.curves[name].append((int(step), value))
            elif kind == "summary":
                for item in record.summary.update:
                    one.facts[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
            elif kind == "exit":
                one.status = str(record.exit.exit_code)
        found.append(one)
    return found


def _read_log(data: bytes) -> Iterator[bytes]:
    """The records of a log of LevelDB's, behind wandb's own seven bytes; one that was cut off ends it."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part = data[at + 7 : at + 7 + length]
        if kind == 0 or len(part) < length:
            return
        at += 7 + length
        whole = part if kind in (1, 2) else whole + part  # full, first; middle, last
        if kind in (1, 4):
            yield whole
