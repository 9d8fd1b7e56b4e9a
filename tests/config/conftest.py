"""A small, valid configuration that the tests bend, and the real Olive as a judge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Judge = Callable[[list[dict[str, Any]]], list[list[str]]]

VALID = """{
  "input_model": {
    "type": "HfModel",
    "model_path": "phinb://tiny",
    "task": "text-generation"
  },
  "systems": {
    "local_system": {
      "type": "LocalSystem",
      "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}]
    }
  },
  "data_configs": [
    {
      "name": "train",
      "type": "HuggingfaceContainer",
      "load_dataset_config": {
        "data_name": "json",
        "data_files": "train.jsonl",
        "split": "train"
      },
      "pre_process_data_config": {
        "text_template": "{phrase} {tone}",
        "strategy": "line-by-line",
        "max_seq_len": 64,
        "pad_to_max_len": false
      }
    }
  ],
  "passes": {
    "lora": {
      "type": "LoRA",
      "r": 8,
      "alpha": 16,
      "lora_dropout": 0.05,
      "torch_dtype": "float32",
      "train_data_config": "train",
      "training_args": {
        "max_steps": 10,
        "per_device_train_batch_size": 2,
        "learning_rate": 0.0005
      }
    },
    "merge": {
      "type": "MergeAdapterWeights"
    },
    "int4": {
      "type": "ModelBuilder",
      "precision": "int4"
    }
  },
  "target": "local_system",
  "output_dir": "models"
}
"""


@pytest.fixture
def valid() -> str:
    """The text of a configuration without any problem; every key stands on a line of its own."""
    return VALID


@pytest.fixture
def plain() -> dict[str, Any]:
    """The same as a dict, new for each test."""
    made: dict[str, Any] = json.loads(VALID)
    return made


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Ask the real Olive about a list of configurations, all in one process."""

    def ask(configs: list[dict[str, Any]]) -> list[list[str]]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("olive_judge.py"))],
            input=json.dumps(configs),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert "\nANSWER " in done.stdout, done.stderr[-3000:]
        answers: list[list[str]] = json.loads(done.stdout.rpartition("\nANSWER ")[2])
        assert len(answers) == len(configs)
        return answers

    return ask
