"""Variants from anywhere: of the run, of other runs, from folders, each under a name of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.variants import find_variants, recognise_model
from phinb.types import Variant
from phinb.workflow.runner import Run, open_run


def make_adapter(folder: Path, base: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}), encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


def make_onnx(folder: Path, tiny: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "genai_config.json").write_text("{}", encoding="utf-8")
    (folder / "model.onnx").write_bytes(b"weights")
    shutil.copy(tiny / "tokenizer.json", folder)
    return folder


class OfRun:
    """A run with variants where only the choice among them is tried."""

    def __init__(self, number: str, tiny: Path, folder: Path) -> None:
        self.id = number
        int4 = make_onnx(folder / number / "artefacts" / "int4", tiny)
        (folder / number / "run.json").write_text("{}", encoding="utf-8")
        self.variants = {
            "base": Variant("base", str(tiny), "base", ""),
            "int4": Variant("int4", str(int4), "onnx", "int4", precision="int4"),
        }


@pytest.fixture
def runs(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Run]:
    made = {number: OfRun(number, tiny, tmp_path / "runs") for number in ("r-1", "r-2")}

    def find(reference: str) -> Run:
        if reference not in made:
            return open_run(reference)
        return made[reference]  # type: ignore[return-value]

    monkeypatch.setattr("phinb.evaluation.variants.open_run", find)
    return made  # type: ignore[return-value]


def test_a_runs_own_are_named_as_it_names_them(runs: dict[str, Run]) -> None:
    run = runs["r-1"]
    assert find_variants(run, ["int4", "base"]) == [run.variants["int4"], run.variants["base"]]
    assert find_variants(run, ["r-1/int4"]) == [run.variants["int4"]]


def test_another_runs_stand_beside_them(runs: dict[str, Run]) -> None:
    run, other = runs["r-1"], runs["r-2"]
    found = find_variants(run, ["int4", "r-2/int4"])
    assert [(one.name, one.origin) for one in found] == [("int4", ""), ("r-2/int4", "r-2")]
    assert found[1].path == other.variants["int4"].path
    # As an object, too: its run is known by its folder.
    assert find_variants(run, ["int4", other.variants["int4"]]) == found


def test_folders_are_recognised(runs: dict[str, Run], tiny: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", str(tiny))
    beside = make_adapter(tmp_path / "far" / "adapter", "base")
    shutil.copytree(tiny, beside / "base")
    onnx = make_onnx(tmp_path / "onnx" / "int4", tiny)
    found = find_variants(runs["r-1"], [tiny, str(adapter), beside, onnx, "int4"])
    assert [one.kind for one in found] == ["base", "adapter", "adapter", "onnx", "onnx"]
    assert [one.base_path for one in found[1:3]] == [str(tiny.resolve()), str((beside / "base").resolve())]
    assert [one.name for one in found] == ["tiny", "adapter", "far/adapter", "onnx/int4", "int4"]
    assert all(one.origin for one in found[:4])


def test_what_is_no_model_is_refused_by_name(runs: dict[str, Run], tiny: Path, tmp_path: Path) -> None:
    run = runs["r-1"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("hello", encoding="utf-8")
    make_onnx(tmp_path / "outer" / "model", tiny)
    homeless = make_adapter(tmp_path / "homeless", "nobody/has-this")
    bare = tmp_path / "bare"
    shutil.copytree(tiny, bare)
    (bare / "model.safetensors").unlink()
    cases: list[tuple[str | Path, str]] = [
        (tmp_path / "empty", "holds no model: it is empty"),
        (tmp_path / "notes", "only readme.txt"),
        (tmp_path / "gone", "There is no folder"),
        (homeless, "stands on nobody/has-this, which is not on this machine"),
        (bare, "holds no model weights"),
        ("int5", "has no variant 'int5'"),
        ("r-2/int5", "has no variant 'int5'"),
        ("r-9/int4", "neither a folder nor a run's variant"),
    ]
    for given, words in cases:
        with pytest.raises(PhinbError, match=words) as caught:
            find_variants(run, [given])
        assert caught.value.hint
    with pytest.raises(PhinbError) as caught:
        recognise_model(tmp_path / "outer")
    assert str(tmp_path / "outer" / "model") in caught.value.hint


def test_the_same_twice_and_a_bare_name_are_refused(runs: dict[str, Run]) -> None:
    with pytest.raises(PhinbError, match="asked for twice"):
        find_variants(runs["r-1"], ["int4", "r-1/int4"])
    with pytest.raises(PhinbError, match="Give a list"):
        find_variants(runs["r-1"], "int4")
