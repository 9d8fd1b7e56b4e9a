"""The shipped schema, and the one that is rebuilt for another version."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from phinb.config import schema as schema_module
from phinb.config.schema import SHIPPED, load_schema
from phinb.config.value_types import describe, fits


def test_the_shipped_file_is_small_and_of_the_installed_versions() -> None:
    assert SHIPPED.stat().st_size < 700_000
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert shipped["versions"] == {name: metadata.version(name) for name in ("olive-ai", "transformers")}
    assert str(Path.home()) not in SHIPPED.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_installed_olive_says_what_the_shipped_file_says(tmp_path: Path) -> None:
    output = tmp_path / "schema.json"
    command = [sys.executable, "-m", "phinb.config.extraction", "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert output.read_text(encoding="utf-8") == SHIPPED.read_text(encoding="utf-8")


def test_lookups() -> None:
    schema = load_schema()
    assert schema.mismatch == ""
    assert schema.pass_name("lora") == schema.pass_name("olive.passes.LoRA") == "LoRA"
    assert schema.pass_name("LoRa2") is None
    lora = schema.pass_group("LoRA").parameters
    assert (lora["r"].default, lora["r"].search, lora["train_data_config"].required) == (64, [16, 32, 64], True)
    arguments = schema.training_args(schema.training_model("QLoRA")).parameters
    assert arguments["optim"].default == "paged_adamw_32bit"
    assert arguments["learning_rate"].default == 0.0002
    assert "max_steps" in arguments
    assert "warmup_ratio" not in arguments
    text = schema.component("pre_process_data", "text_generation_huggingface_pre_process")
    assert text is not None
    assert text.parameters["max_seq_len"].default == 1024
    kind = schema.component_type("HuggingfaceContainer", "pre_process_data", "text-generation-with-past")
    assert kind == "text_generation_huggingface_pre_process"
    assert len(schema.passes) > 70


def test_what_passes_take_and_give() -> None:
    """Some of Olive's annotations are texts of names that are imported for type checkers only."""
    schema = load_schema()
    assert (schema.pass_fact("LoRA", "takes"), schema.pass_fact("LoRA", "gives")) == (["HfModel"], ["HfModel"])
    assert schema.pass_fact("Rtn", "takes") == ["HfModel"]
    assert schema.pass_fact("ModelBuilder", "takes") == ["HfModel", "ONNXModel"]
    assert schema.pass_fact("OptimumConversion", "gives") == ["CompositeModel", "ONNXModel"]
    known = [name for name in schema.passes if schema.pass_fact(name, "takes") and schema.pass_fact(name, "gives")]
    assert len(known) > 70


def test_facts_of_transformers_and_datasets() -> None:
    schema = load_schema()
    assert "text-generation" in schema.tasks
    assert "text-generation" in schema.trainable_tasks
    assert schema.data["training_args"]["schedulers"]["warmup_stable_decay"]["needs"] == ["num_decay_steps"]
    assert "mlflow" in schema.data["training_args"]["trackers"]
    assert "split_batches" in schema.data["training_args"]["mappings"]["accelerator_config"]
    load = schema.component("load_dataset", "huggingface_dataset", "csv")
    assert load is not None
    assert load.parameters["skiprows"].type != "any"
    assert load.parameters["revision"].type == {"any": ["str", "none"]}
    assert load.parameters["download_config"].type == "none"  # an object of datasets, which no text can hold
    arguments = schema.training_args(schema.training_model("LoRA")).parameters
    assert "none" not in arguments["report_to"].type["any"]  # Olive's own field, which takes no null
    assert arguments["bf16"].type == {"any": ["bool", "none"]}


def test_forms_that_the_installed_olive_fails_on_are_tried_not_listed() -> None:
    schema = load_schema()
    assert "serialize_backend" in schema.defect("custom_metric")
    assert schema.defect("something else") == ""


def test_another_version_is_rebuilt_once_and_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks Olive is replaced by what writes a file: that it is asked once, and where, is the point here."""
    monkeypatch.setenv("PHINB_HOME", str(tmp_path))
    monkeypatch.setattr(schema_module, "_installed", lambda: {"olive-ai": "9.9.9", "transformers": "5.0.0"})
    calls: list[Path] = []

    def rebuild(output: Path) -> str:
        calls.append(output)
        data = json.loads(SHIPPED.read_text(encoding="utf-8"))
        data["versions"] = {"olive-ai": "9.9.9", "transformers": "5.0.0"}
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(data), encoding="utf-8")
        return ""

    monkeypatch.setattr(schema_module, "_rebuild", rebuild)
    for _ in range(2):
        load_schema.cache_clear()
        schema = load_schema()
        assert schema.versions["olive-ai"] == "9.9.9"
    load_schema.cache_clear()
    assert len(calls) == 1
    assert calls[0].parent == tmp_path / "cache"


def test_an_olive_that_cannot_be_asked_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valid: str
) -> None:
    from phinb.config import load_config

    monkeypatch.setenv("PHINB_HOME", str(tmp_path))
    monkeypatch.setattr(schema_module, "_installed", lambda: {"olive-ai": "9.9.9", "transformers": "5.0.0"})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    load_schema.cache_clear()
    config = load_config(valid)
    load_schema.cache_clear()
    assert config.ok
    assert [(problem.severity, problem.code) for problem in config.problems] == [("warning", "other_version")]
    assert "9.9.9" in config.problems[0].message


@pytest.mark.parametrize(
    ("value", "kind", "fit"),
    [
        (8, "int", "yes"),
        ("8", "int", "coerced"),
        (8.0, "int", "coerced"),
        (8.5, "int", "no"),
        (True, "int", "coerced"),
        ("eight", "int", "no"),
        (1, "float", "yes"),
        ("1e-4", "float", "coerced"),
        ("fast", "float", "no"),
        ("true", "bool", "coerced"),
        (None, "str", "no"),
        (None, {"any": ["str", "none"]}, "yes"),
        (["a", 1], {"list": "str"}, "no"),
        (["a"], {"any": ["str", {"list": "str"}]}, "yes"),
        ("INT4", {"enum": ["int4"]}, "no"),
        ("localsystem", {"enum": ["LocalSystem"], "ignore_case": True}, "yes"),
        (True, {"enum": [1, 2]}, "no"),
        ({"a": 1}, {"map": "int"}, "yes"),
        (["a", "b"], {"tuple": ["str", "str"]}, "yes"),
    ],
)
def test_values_against_types(value: object, kind: object, fit: str) -> None:
    assert fits(value, kind) == fit  # type: ignore[arg-type]


def test_types_in_plain_words() -> None:
    assert describe({"any": ["int", "none"]}) == "a whole number"
    assert describe({"list": "str"}) == "a list of text"
    assert describe({"enum": ["a", "b"]}) == "one of a, b"
