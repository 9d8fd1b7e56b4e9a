"""What model_path may say."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.models.references import hash_model, resolve_model


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PHINB_HOME", str(folder))
    return folder


def model_folder(parent: Path, name: str = "model") -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return folder


def test_tiny_is_made_in_the_cache(own_home: Path) -> None:
    folder = resolve_model("phinb://tiny")
    assert isinstance(folder, Path)
    assert own_home / "cache" in folder.parents
    assert (folder / "model.safetensors").is_file()
    assert resolve_model("phinb://tiny") == folder


def test_a_path_is_relative_to_the_folder_of_the_configuration(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "project" / "models")
    assert resolve_model("models/model", folder=tmp_path / "project") == folder
    assert resolve_model(str(folder)) == folder


def test_a_local_folder_goes_before_a_hub_name(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "microsoft", "Phi-3-mini-4k-instruct")
    assert resolve_model("microsoft/Phi-3-mini-4k-instruct", folder=tmp_path) == folder


@pytest.mark.parametrize("name", ["microsoft/Phi-3-mini-4k-instruct", "gpt2", "azureml://registries/x/models/y"])
def test_what_is_not_here_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    assert resolve_model(name, folder=tmp_path) == name


def test_a_hub_model_is_local_only_if_all_of_it_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--name"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text("{}")
    index = {"weight_map": {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (snapshot / "model-00001-of-00002.safetensors").write_bytes(b"1")
    assert resolve_model("owner/name", folder=tmp_path) == "owner/name"
    (snapshot / "model-00002-of-00002.safetensors").write_bytes(b"2")
    assert resolve_model("owner/name", folder=tmp_path) == snapshot


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("phinb://demmo", "no embedded model phinb://demmo", "Did you mean phinb://demo?"),
        ("./models/phi", "does not exist", "is not there either"),
        ("./mdel", "does not exist", "Did you mean"),
        ("model/weights", "does not exist", "nothing in it has that name"),
        ("empty", "has no config.json", "Name the folder"),
        ("outer", "has no config.json", "Did you mean"),
        ("adapter", "has no config.json", '"adapter_path"'),
        ("onnx", "has no config.json", "ONNX model"),
        ("quantized", "has no config.json", "GGUF"),
        ("model/config.json", "is a file", "Name the folder"),
    ],
)
def test_what_is_no_model_is_said_with_what_to_do(reference: str, message: str, hint: str, tmp_path: Path) -> None:
    model_folder(tmp_path)
    model_folder(tmp_path / "outer", "inner")
    for name, file in [("adapter", "adapter_config.json"), ("onnx", "model.onnx"), ("quantized", "m.gguf")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhinbError) as caught:
        resolve_model(reference, folder=tmp_path)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_the_hash_depends_on_names_and_contents_and_on_nothing_else(tmp_path: Path) -> None:
    first, second = model_folder(tmp_path, "first"), model_folder(tmp_path, "second")
    assert hash_model(first) == hash_model(second)
    (second / ".lock").write_text("")
    assert hash_model(first) == hash_model(second)
    (second / "config.json").rename(second / "other.json")
    assert hash_model(first) != hash_model(second)


def test_a_file_changed_in_place_changes_the_hash_at_once(tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    before = hash_model(folder)
    time_of_writing = (folder / "config.json").stat().st_mtime_ns
    (folder / "config.json").write_text("[]", encoding="utf-8")  # same size
    os.utime(folder / "config.json", ns=(time_of_writing, time_of_writing))  # and same time, as on a coarse clock
    assert hash_model(folder) != before


def test_a_file_is_read_once_and_remembered(tmp_path: Path, own_home: Path) -> None:
    folder = model_folder(tmp_path)
    long_ago = time.time() - 3600
    os.utime(folder / "config.json", (long_ago, long_ago))
    first = hash_model(folder)
    memory = next((own_home / "cache" / "hashes").glob("*.json"))
    known = json.loads(memory.read_text(encoding="utf-8"))
    known["config.json"][2] = "0" * 64
    memory.write_text(json.dumps(known), encoding="utf-8")
    assert hash_model(folder) != first  # the remembered hash was used, the file was not read
    memory.write_text("half a fi", encoding="utf-8")
    assert hash_model(folder) == first


def test_a_reference_without_a_folder_is_hashed_by_its_name() -> None:
    assert hash_model("microsoft/phi-2") != hash_model("microsoft/phi-1")
