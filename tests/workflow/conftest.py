"""A small configuration on the tiny model: real Olive, a few seconds a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from phinb.config import Config, load_config
from phinb.workflow import runner
from phinb.workflow.process import find_worker, kill_tree
from phinb.workflow.runner import Run
from phinb.workflow.store import RunFolder
from tests.workflow.nursery import Nursery

TINY: dict[str, Any] = {
    "input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"},
    "data_configs": [
        {
            "name": "train",
            "type": "HuggingfaceContainer",
            "load_dataset_config": {"data_name": "json", "data_files": "train.jsonl", "split": "train"},
            "pre_process_data_config": {
                "text_template": "### Text: {phrase}\n### The tone is:\n{tone}",
                "strategy": "line-by-line",
                "max_seq_len": 160,
            },
        }
    ],
    "passes": {
        "lora": {
            "type": "LoRA",
            "r": 8,
            "alpha": 16,
            "torch_dtype": "float32",
            "train_data_config": "train",
            "training_args": {
                "max_steps": 6,
                "per_device_train_batch_size": 2,
                "gradient_checkpointing": False,
                "learning_rate": 0.001,
                "logging_steps": 1,
            },
        },
        "merge": {"type": "MergeAdapterWeights"},
        "int4": {"type": "ModelBuilder", "precision": "int4"},
    },
}

MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path: Path, sample_data: Path) -> MakeConfig:
    """make_config({"passes.lora.r": 4, ...}): the small configuration with values set at dotted paths.

    Its data are the first 60 sample rows, in a file of the test's own that it may change.
    """
    rows = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "train.jsonl").write_text("".join(rows[:60]), encoding="utf-8")

    def make(changes: dict[str, Any] | None = None, name: str = "small") -> Config:
        tree = deepcopy(TINY)
        for path, value in (changes or {}).items():
            node: Any = tree
            *above, last = path.split(".")
            for key in above:
                node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
            if value is None:
                del node[last]
            else:
                node[last] = value
        return load_config(json.dumps(tree, indent=1), name=name, folder=tmp_path)

    return make


@pytest.fixture(scope="session")
def nursery(phinb_home: Path) -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def quick(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs start in a process that has Olive imported."""
    monkeypatch.setattr(runner, "start_worker", nursery.start)


@pytest.fixture(autouse=True)
def no_worker_is_left(phinb_home: Path) -> Iterator[None]:
    """Whatever a test does, its workers do not outlive it."""
    yield
    for path in (phinb_home / "runs").glob("r-*"):
        if worker := find_worker(RunFolder(path)):
            kill_tree(worker)


@pytest.fixture
def empty_cache(phinb_home: Path) -> Path:
    """No earlier result of any test is there to be reused."""
    cache = phinb_home / "cache" / "olive"
    shutil.rmtree(cache, ignore_errors=True)
    return cache


def wait_for_step(run: Run, step: int) -> None:
    """Return when training has logged `step`. Fails where the run ends before."""
    for event in run.events(follow=True):
        if event.type == "metric" and getattr(event, "step", 0) >= step:
            return
    raise AssertionError(f"the run ended before step {step}: {run.state.message}\n{run.log_tail()}")
