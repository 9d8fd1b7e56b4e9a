"""A run's folder gives back the configuration: as it was run, and as it was given, in its pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phinb.config import Config, Piece, load_config
from phinb.config.writing.rewriting import write_anew
from phinb.errors import PhinbError
from phinb.workflow import store
from phinb.workflow.given import given_texts
from phinb.workflow.runner import Run
from tests.config.sprinkling import SAMPLES, json_snippet, members_of_the_tutorial, sprinkle, tutorial

OLD = (SAMPLES / "tutorial_2024.json").read_text(encoding="utf-8")
PIECES = [json_snippet(members) for members in members_of_the_tutorial()]
PIECES[4] = write_anew(members_of_the_tutorial()[4], "yaml")
SOURCES: dict[str, Any] = {
    "json": OLD,
    "commented": sprinkle(OLD, "//")[0].replace("\n", "\r\n"),
    "yaml": write_anew(tutorial(), "yaml"),
    "dict": tutorial(),
    "pieces": [Piece(text, f"In [{number}]") for number, text in enumerate(PIECES)],
    "without braces": "".join(PIECES[:4]) + ' "merge": {"type": "MergeAdapterWeights"},',
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHINB_HOME", str(tmp_path))


def made(config: Config) -> store.RunFolder:
    record = store.RunRecord(
        store.new_id(), config.name, 0.0, tuple(config.passes), str(Path.cwd()), str(config.folder)
    )
    return store.create(record, {**given_texts(config), "upgraded.json": config.dumps("json")})


@pytest.mark.parametrize("form", SOURCES)
def test_a_run_opens_with_its_configuration(form: str) -> None:
    config = load_config(SOURCES[form], name="emotion")
    run = Run(made(config))
    assert run.config.to_olive() == config.to_olive()
    assert run.config.phinb == config.phinb
    assert list(run.config.passes) == list(config.passes)
    assert (run.config.name, run.config.folder, run.config.changes) == ("emotion", config.folder, ())
    given = run.given
    assert given.given() == config.given()
    assert (given.name, given.folder) == ("emotion", config.folder)
    assert given.to_olive() == config.to_olive()
    assert given.text == (config.text or json.dumps(tutorial(), indent=2))
    assert [(piece.label, piece.text) for piece in given.pieces] == [
        (piece.label, piece.text) for piece in config.pieces or given.pieces
    ]
    if form != "dict":
        assert given.problems == config.problems
        assert given.changes == config.changes


def test_a_folder_whose_pieces_are_gone_says_so() -> None:
    folder = made(load_config(SOURCES["pieces"]))
    (folder.path / "config-2.json").unlink()
    with pytest.raises(PhinbError, match="cannot be read"):
        _ = Run(folder).given
    assert Run(folder).config.ok
