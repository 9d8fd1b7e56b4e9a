"""The random Phi-3: the same every time, a real Phi-3 to transformers, and good for every pass of Olive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import load_tokenizer

RUN_OLIVE = """
import json, os, sys
from olive import run

output = run(json.loads(sys.argv[1]))
print("output:", output.get_best_candidate().model_path if output.has_output_model() else None, flush=True)
os._exit(0)  # its telemetry keeps the process for seconds
"""


def test_two_makings_are_equal_to_the_byte(tiny: Path, tmp_path: Path) -> None:
    again = make_tiny(tmp_path / "again")
    names = sorted(file.name for file in tiny.iterdir())
    assert names == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert [name for name in names if (tiny / name).read_bytes() != (again / name).read_bytes()] == []


def test_its_sizes_suit_int4_and_modelbuilder(tiny: Path) -> None:
    config = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    assert config["max_position_embeddings"] == config["original_max_position_embeddings"]
    assert config["hidden_size"] % 32 == config["intermediate_size"] % 32 == 0
    assert config["vocab_size"] == load_tokenizer(tiny).vocabulary_size


@pytest.mark.parametrize("text", ["I walked home.", "zwölf Äpfel 😀\n\tend", "  {braces} 12\u00a0%", ""])
def test_any_text_comes_back_as_it_was(tiny: Path, text: str) -> None:
    tokenizer = load_tokenizer(tiny)
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.slow
def test_transformers_reads_it_as_phi3_with_every_weight(tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model, loading = AutoModelForCausalLM.from_pretrained(tiny, output_loading_info=True)
    assert type(model).__name__ == "Phi3ForCausalLM"
    assert model.dtype == torch.float32
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    logits = model(torch.tensor([[1, 80, 90]])).logits
    assert logits.shape == (1, 3, 512)
    assert torch.isfinite(logits).all()


@pytest.mark.slow
def test_it_goes_through_lora_merge_and_int4_and_generates(tiny: Path, tmp_path: Path) -> None:
    rows = [json.dumps({"phrase": f"The bus number {number} was late.", "tone": "sadness"}) for number in range(16)]
    (tmp_path / "rows.json").write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = {
        "input_model": {"type": "HfModel", "model_path": str(tiny)},
        "data_configs": [
            {
                "name": "train",
                "type": "HuggingfaceContainer",
                "load_dataset_config": {
                    "data_name": "json",
                    "data_files": str(tmp_path / "rows.json"),
                    "split": "train",
                },
                "pre_process_data_config": {
                    "text_template": "{phrase} => {tone}",
                    "strategy": "line-by-line",
                    "max_seq_len": 32,
                },
            }
        ],
        "passes": {
            "lora": {
                "type": "LoRA",
                "r": 4,
                "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
                "train_data_config": "train",
                "training_args": {"max_steps": 2, "per_device_train_batch_size": 2},
            },
            "merge": {"type": "MergeAdapterWeights"},
            "int4": {"type": "ModelBuilder", "precision": "int4"},
        },
        "output_dir": str(tmp_path / "out"),
        "cache_dir": str(tmp_path / "cache"),
    }
    environment = os.environ | {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-c", RUN_OLIVE, json.dumps(config)]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    assert f"output: {tmp_path / 'out'}" in done.stdout, done.stderr[-3000:]
    adapters = list((tmp_path / "cache").rglob("adapter_config.json"))
    trained = json.loads(adapters[0].read_text(encoding="utf-8"))["target_modules"]
    assert sorted(trained) == ["down_proj", "gate_up_proj", "o_proj", "qkv_proj"]
    check_generation(tmp_path / "out", tiny)


def check_generation(int4: Path, tiny: Path) -> None:
    """The ONNX model's own tokenizer gives our ids, and the model ten tokens more."""
    import onnxruntime_genai as genai

    model = genai.Model(str(int4))
    text = "The bus was late, 12 😀\n"
    ids = list(load_tokenizer(tiny).encode(text).ids)
    assert [int(token) for token in genai.Tokenizer(model).encode(text)] == ids
    params = genai.GeneratorParams(model)
    params.set_search_options(min_length=len(ids) + 10, max_length=len(ids) + 10, do_sample=False)
    generator = genai.Generator(model, params)
    generator.append_tokens(ids)
    while not generator.is_done():
        generator.generate_next_token()
    assert len(generator.get_sequence(0)) == len(ids) + 10
