"""What checks/rules.py and checks/order.py say of today's ModelBuilder and QLoRA, tried on the installed versions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from phinb.config.checks import rules
from phinb.models.tiny import make_tiny

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process that builds a small model for every target has found."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "tests.config.olive_building", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=300)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_precisions_for_each_target_are_those_that_build_and_load(builder: dict[str, Any]) -> None:
    told = {target: rules.build_precisions(*target.split()) for target in builder["table"]}
    assert told == builder["table"]
    assert len(told) > 15


def test_the_options_are_those_that_the_builder_reads(builder: dict[str, Any]) -> None:
    known = {*rules.BUILDER_FLAGS, *rules.BUILDER_NUMBERS, *rules.BUILDER_TEXTS}
    passed = {"int4_op_types_to_quantize", "int4_nodes_to_exclude"}  # parameters of the pass; a list in extra_options
    assert set(builder["options"]) - passed <= known
    assert set(builder["flags"]) == set(rules.BUILDER_FLAGS)
    assert set(rules.KNOWN_TO_BUILDER) == set(builder["providers"]) - {"JsExecutionProvider"}


def test_the_search_options_are_those_that_the_runtime_reads(tmp_path: Path) -> None:
    """onnxruntime-genai refuses a configuration with any other key, and with a value of another type."""
    import onnxruntime_genai

    def reads(search: dict[str, Any]) -> bool:
        decoder = {"head_size": 32, "hidden_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2}
        model = {"type": "phi3", "context_length": 64, "vocab_size": 512, "decoder": decoder}
        whole = {"model": model, "search": search}
        (tmp_path / "genai_config.json").write_text(json.dumps(whole), encoding="utf-8")
        try:
            onnxruntime_genai.Config(str(tmp_path))
        except RuntimeError:
            return False
        return True

    flags, numbers = rules.BUILDER_SEARCH["flags"], rules.BUILDER_SEARCH["numbers"]
    assert all(reads({name: True}) and not reads({name: 1}) for name in flags)
    assert all(reads({name: 1}) and not reads({name: True}) for name in numbers)
    assert not reads({"max_new_tokens": 1})


QLORA = """
import json, os, sys
os.environ.update(OLIVE_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1")
import olive.workflows
done = olive.workflows.run(json.load(sys.stdin))
sys.stdout.flush()
os._exit(0 if done.has_output_model() else 1)
"""


def test_qlora_merges_into_the_full_weights_and_builds_to_int4(tmp_path: Path) -> None:
    """The claim of the warning `qlora_merge`: base weights in full precision plus the adapter, nothing of nf4."""
    from safetensors.numpy import load_file

    base = make_tiny(tmp_path / "tiny")
    lines = [{"phrase": f"word {at % 7} and {at % 5}", "tone": "joy"} for at in range(40)]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    data = {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": "json", "data_files": str(rows), "split": "train"},
        "pre_process_data_config": {
            "text_template": "{phrase} {tone}",
            "strategy": "line-by-line",
            "max_seq_len": 16,
            "pad_to_max_len": False,
        },
    }
    arguments = {"max_steps": 4, "per_device_train_batch_size": 4, "learning_rate": 0.01}
    qlora = {"type": "QLoRA", "r": 4, "alpha": 8, "torch_dtype": "float32", "lora_dropout": 0.0}
    config = {
        "input_model": {"type": "HfModel", "model_path": str(base), "task": "text-generation"},
        "data_configs": [data],
        "passes": {
            "qlora": {**qlora, "train_data_config": "train", "training_args": arguments},
            "merge": {"type": "MergeAdapterWeights"},
            "int4": {"type": "ModelBuilder", "precision": "int4"},
        },
        "output_dir": str(tmp_path / "out"),
        "cache_dir": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", QLORA]
    done = subprocess.run(
        command, input=json.dumps(config), capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "out" / "model.onnx").is_file()
    merged = next(path.parent for path in tmp_path.glob("cache/**/models/model.safetensors"))
    adapter = next(path.parent for path in tmp_path.glob("cache/**/adapter/adapter_model.safetensors"))
    assert "quantization_config" not in json.loads((merged / "config.json").read_text(encoding="utf-8"))
    before = load_file(base / "model.safetensors")
    after = load_file(merged / "model.safetensors")
    changes = _changes(load_file(adapter / "adapter_model.safetensors"), scale=8 / 4)
    assert len(changes) == 8  # four projections in each of two layers
    for name, change in changes.items():
        assert np.abs(change).max() > 1e-4
        np.testing.assert_allclose(after[name], before[name] + change, atol=1e-5)


def _changes(adapter: dict[str, NDArray[np.float32]], scale: float) -> dict[str, NDArray[np.float32]]:
    """What the adapter adds to each weight, by the weight's name: scale * B @ A."""
    found = {}
    for name, lora_a in adapter.items():
        if ".lora_A." in name:
            weight = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
            found[weight] = scale * (adapter[name.replace(".lora_A.", ".lora_B.")] @ lora_a)
    return found
