"""What belongs to a variant on disk, and what is refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import hash_contents, list_files, measure_size
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.types import Variant


@pytest.fixture
def copied(tiny: Path, tmp_path: Path) -> Variant:
    shutil.copytree(tiny, tmp_path / "model")
    return Variant("merged", str(tmp_path / "model"), "merged", "merge")


def test_checkpoint_state_and_cards_do_not_count(copied: Variant) -> None:
    size, content = measure_size(copied), hash_contents(copied)
    (Path(copied.path) / "optimizer.pt").write_bytes(b"x" * 5000)
    (Path(copied.path) / "README.md").write_text("a card", encoding="utf-8")
    assert (measure_size(copied), hash_contents(copied)) == (size, content)
    names = {file.name for file in list_files(copied)}
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= names


def test_another_weight_is_another_content(copied: Variant) -> None:
    before = hash_contents(copied)
    weights = Path(copied.path) / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert hash_contents(copied) != before


def test_an_adapters_content_is_its_bases_too(copied: Variant, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    adapter = Variant("adapter", str(folder), "adapter", "lora", copied.path)
    before = hash_contents(adapter)
    assert measure_size(adapter) == 9
    (Path(copied.path) / "config.json").write_text("{}", encoding="utf-8")
    assert hash_contents(adapter) != before


@pytest.mark.parametrize(
    ("removed", "words"),
    [
        ("model.safetensors", "holds no model weights"),
        ("config.json", "config.json is missing"),
        ("tokenizer.json", "there is no tokenizer"),
    ],
)
def test_a_missing_part_is_named(copied: Variant, removed: str, words: str) -> None:
    (Path(copied.path) / removed).unlink()
    with pytest.raises(PhinbError) as caught:
        list_files(copied)
    assert caught.value.message.startswith("merged: ")
    assert words in caught.value.message
    assert caught.value.hint


def test_weights_without_a_byte_are_no_weights(copied: Variant) -> None:
    (Path(copied.path) / "model.safetensors").write_bytes(b"")
    with pytest.raises(PhinbError, match="holds no model weights"):
        list_files(copied)


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhinbError, match="does not exist"):
        list_files(Variant("int4", str(tmp_path / "nowhere"), "onnx", "int4"))


def test_an_adapter_needs_its_base(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    with pytest.raises(PhinbError, match="without a base"):
        list_files(Variant("adapter", str(tmp_path), "adapter", "lora"))
    with pytest.raises(PhinbError, match="adapter's base: the folder"):
        list_files(Variant("adapter", str(tmp_path), "adapter", "lora", str(tmp_path / "gone")))


def test_a_damaged_tokenizer_is_named(copied: Variant) -> None:
    (Path(copied.path) / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PhinbError, match="cannot be read as a tokenizer"):
        load_tokenizer(copied)
