"""What training gets of data configs, asked of Olive itself in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ASK_OLIVE = """
import json, os, sys

from olive.common.config_utils import validate_config
from olive.data.config import DataConfig
from olive.passes.pytorch.train_utils import get_training_dataset

answers = {}
for name, config in json.load(sys.stdin).items():
    try:
        rows = get_training_dataset(validate_config(config, DataConfig))
        answers[name] = [[row["input_ids"].tolist(), row["labels"].tolist()] for row in rows]
    except Exception as error:
        answers[name] = f"{type(error).__name__}: {error}"
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(answers, file)
os._exit(0)  # its telemetry keeps the process for seconds
"""
"""What training gets of each data config, by the very function that LoRA calls."""


def data_configs(olive: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The data configs as RunConfig would complete them."""
    found = {}
    for one in olive["data_configs"]:
        component = one["pre_process_data_config"]
        component["params"] |= {"model_name": olive["input_model"]["model_path"], "task": "text-generation"}
        found[one["name"]] = one
    return found


def ask_olive(configs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """{name: [[ids, labels], ...]} of each data config; a sentence where Olive fails."""
    environment = os.environ | {"HF_HOME": str(folder / "hf")}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK_OLIVE, str(folder / "answers.json")],
        input=json.dumps(configs),
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return answers
