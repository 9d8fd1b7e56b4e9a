"""A small, valid configuration that the tests bend, and the real Olive as a judge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.config.olive_judge import Judge

ROOT = Path(__file__).resolve().parents[2]

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
def judge() -> Iterator[Judge]:
    """The real Olive, asked about lists of configurations; one process for all tests."""
    asked = Judge()
    yield asked
    asked.close()
