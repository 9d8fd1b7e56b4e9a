"""Sound artefacts pass and broken ones do not: real models of two layers, on disk and in memory."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from phinb.models.references import resolve_model
from phinb.types import Variant
from phinb.workflow.checkup import Broken, NotTried, check_artefact

pytestmark = pytest.mark.slow


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A model of its own that a test may break."""
    return shutil.copytree(str(resolve_model("phinb://tiny")), tmp_path / "model", copy_function=shutil.copyfile)


def change_weights(folder: Path, name: str, value: float) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    weights[name] = np.full_like(weights[name], value)
    save_file(weights, file, metadata={"format": "pt"})


def merged_variant(folder: Path) -> Variant:
    return Variant("merged", str(folder), "merged", "merge")


def test_a_sound_model_passes(merged: Path) -> None:
    check_artefact(merged_variant(merged))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("model.layers.1.mlp.down_proj.weight", float("nan"), "NaN or infinity"),
        ("lm_head.weight", 0.0, "the same chance"),
        ("model.embed_tokens.weight", 0.25, "the same whatever it reads"),
    ],
)
def test_numbers_that_are_none_and_answers_that_never_change_are_found(
    merged: Path, name: str, value: float, told: str
) -> None:
    change_weights(merged, name, value)
    with pytest.raises(Broken, match=told):
        check_artefact(merged_variant(merged))


def test_what_cannot_be_loaded_is_broken(merged: Path) -> None:
    file = merged / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(Broken, match="cannot be loaded"):
        check_artefact(merged_variant(merged))


def test_without_room_only_the_weights_are_read(merged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phinb.workflow.checkup.ROOM", 1e9)
    with pytest.raises(NotTried, match="weights are finite"):
        check_artefact(merged_variant(merged))
    change_weights(merged, "model.norm.weight", float("inf"))
    with pytest.raises(Broken, match=r"model\.norm\.weight"):
        check_artefact(merged_variant(merged))


def test_an_adapter_is_read_weight_by_weight(tmp_path: Path) -> None:
    variant = Variant("adapter", str(tmp_path), "adapter", "lora")
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    weights = {"a": np.ones((2, 2), dtype=np.float32)}
    save_file(weights, tmp_path / "adapter_model.safetensors")
    check_artefact(variant)
    save_file(weights | {"b": np.array([1, np.nan], dtype=np.float32)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(Broken, match="b hold"):
        check_artefact(variant)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(Broken, match="cannot be loaded"):
        check_artefact(variant)


def test_a_model_for_another_device_is_not_called_broken(tmp_path: Path) -> None:
    (tmp_path / "genai_config.json").write_text(
        '{"model": {"vocab_size": 9, "decoder": {"session_options": {"provider_options": [{"dml": {}}]}}}}',
        encoding="utf-8",
    )
    with pytest.raises(NotTried, match="dml"):
        check_artefact(Variant("int4", str(tmp_path), "onnx", "int4"))
