"""Four real variants of the tiny model, made by Olive once a session, and rows to compare them on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinb.models.tiny import make_tiny
from phinb.types import Variant

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"

# A process of its own: Olive and torch stay out of the tests', and it leaves without Olive's slow way out.
BUILD = """
import copy, json, os, shutil, sys
from transformers import set_seed
set_seed(0)
from olive.workflows import run
first, second = json.loads(sys.argv[1])
run(copy.deepcopy(first))  # Olive takes it apart
models = json.load(open(os.path.join(first["output_dir"], "footprint.json"), encoding="utf-8")).values()
merge = next(model for model in models if model["from_pass"] == "mergeadapterweights")
shutil.copytree(merge["model_config_data"]["config"]["model_path"], sys.argv[2])
run(second)
sys.stdout.flush()
os._exit(0)
"""


def read_rows(name: str) -> list[dict[str, str]]:
    lines = (ROOT / "sample_data" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


@pytest.fixture(scope="session")
def rows() -> list[dict[str, str]]:
    """Forty hand-written rows, of all four tones and of many lengths."""
    return read_rows("emotion_test.jsonl")[::3][:40]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def variants(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Variant]:
    """base, adapter, merged, int4 and fp32 (the last two built from the merged model)."""
    folder = tmp_path_factory.mktemp("olive")
    config: dict[str, Any] = {
        "input_model": {"type": "HfModel", "model_path": str(tiny)},
        "systems": {"local": {"type": "LocalSystem", "accelerators": [_CPU]}},
        "host": "local",
        "target": "local",
        "data_configs": [_DATA],
        "passes": {
            "lora": {"type": "LoRA", "train_data_config": "train", "r": 8, "alpha": 32, **_TRAINING},
            "merge": {"type": "MergeAdapterWeights"},
            "int4": {"type": "ModelBuilder", "precision": "int4"},
        },
        "cache_dir": str(folder / "cache"),
        "output_dir": str(folder / "out"),
    }
    config["passes"]["lora"]["training_args"] = {**_STEPS, "output_dir": str(folder / "checkpoints")}
    plain = {key: value for key, value in config.items() if key != "data_configs"}
    plain |= {"output_dir": str(folder / "fp32"), "passes": {"fp32": {"type": "ModelBuilder", "precision": "fp32"}}}
    merged = folder / "merged"
    plain["input_model"] = {"type": "HfModel", "model_path": str(merged)}
    _run_olive([config, plain], merged)
    made = {"base": Variant("base", str(tiny), "base", "")}
    for model in json.loads((folder / "out" / "footprint.json").read_text(encoding="utf-8")).values():
        found = (model["model_config_data"] or {}).get("config", {})
        if model["from_pass"] == "lora":
            made["adapter"] = Variant("adapter", found["adapter_path"], "adapter", "lora", str(tiny))
        elif model["from_pass"] == "modelbuilder":
            made["int4"] = Variant("int4", found["model_path"], "onnx", "int4", precision="int4")
    made["merged"] = Variant("merged", str(merged), "merged", "merge")
    made["fp32"] = Variant("fp32", str(folder / "fp32"), "onnx", "fp32", precision="fp32")
    return made


_CPU = {"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}
_TRAINING = {"torch_dtype": "float32", "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]}
_STEPS = {"max_steps": 30, "per_device_train_batch_size": 8, "learning_rate": 1e-2}
_DATA = {
    "name": "train",
    "type": "HuggingfaceContainer",
    "load_dataset_config": {
        "data_name": "json",
        "data_files": str(ROOT / "sample_data" / "emotion_train.jsonl"),
        "split": "train",
    },
    "pre_process_data_config": {"text_template": TEMPLATE, "strategy": "line-by-line", "max_seq_len": 96},
}


def _run_olive(configs: list[dict[str, Any]], merged: Path) -> None:
    environment = os.environ | {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, json.dumps(configs), str(merged)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
