"""%%olive_config in several cells: one configuration, in which every value knows its cell and line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from IPython.utils.capture import capture_output

from phinb.config import Config
from phinb.notebook.cells import Cells
from tests.notebook.conftest import Shell

MODEL = '"input_model": {"type": "HfModel", "model_path": "phinb://tiny"},\n'
DATA = """"data_configs": [{
  "name": "train",
  "type": "HuggingfaceContainer",
  "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
  "pre_process_data_config": {"text_template": "{phrase}", "strategy": "line-by-line", "max_seq_len": 80}
}],
"""
PASSES = """"passes": {
  "lora": {"type": "LoRA", "r": 8, "train_data_config": "train"}
},
"""
WHOLE = "{" + MODEL + DATA + PASSES.rstrip().rstrip(",") + "}"


class Notebook:
    """Cells that are run in a shell, with the ids that JupyterLab sends; None: a host that sends none."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def run(self, cell: str, cell_id: str | None, **meta: Any) -> str:
        """What the cell displays and prints."""
        with capture_output() as captured:
            result = self.shell.ip.run_cell(cell, store_history=True, cell_id=cell_id, cell_meta=meta or None)
        result.raise_error()
        return "\n".join([captured.stdout, *(output.data.get("text/plain", "") for output in captured.outputs)]).strip()

    def config(self, name: str = "emotion") -> Config:
        config: Config = self.shell.ip.user_ns[name]
        return config


@pytest.fixture
def notebook(shell: Shell) -> Notebook:
    return Notebook(shell)


def magic(text: str, name: str = "emotion") -> str:
    return f"%%olive_config {name}\n{text}"


def test_cells_make_one_configuration_step_by_step(notebook: Notebook) -> None:
    told = notebook.run(magic(MODEL), "a")
    assert told.startswith("emotion  1 piece  still to come: ")
    assert "error" not in told
    assert notebook.run(magic(DATA), "b").startswith("emotion  2 pieces  still to come: passes")
    assert notebook.run(magic(PASSES), "c") == "emotion  ok  lora · 3 pieces"
    effective = notebook.config().effective()
    rank, length = effective["passes.lora.r"], effective["data_configs.train.pre_process_data_config.max_seq_len"]
    # The magic is line 1 of each cell.
    assert (rank.source, rank.line) == (notebook.config().pieces[2].label, 3)
    assert (length.source, length.line) == (notebook.config().pieces[1].label, 6)
    assert notebook.config().pieces[2].label.startswith("In [")


def test_running_a_cell_again_replaces_its_piece_in_its_place(notebook: Notebook) -> None:
    for text, cell_id in ((MODEL, "a"), (PASSES, "c"), (DATA, "b")):
        notebook.run(magic(text), cell_id)
    told = notebook.run(magic(PASSES.replace('"r"', '"rr"')), "c")
    label = notebook.config().pieces[1].label
    assert f"{label}, line 3" in told
    assert [piece.text.strip()[:8] for piece in notebook.config().pieces] == ['"input_m', '"passes"', '"data_co']
    assert notebook.run(magic(PASSES), "c") == "emotion  ok  lora · 3 pieces"


def test_two_cells_that_contradict_each_other_are_named(notebook: Notebook) -> None:
    notebook.run(magic(MODEL), "a")
    notebook.run(magic(DATA), "b")
    notebook.run(magic(PASSES), "c")
    told = notebook.run(magic(PASSES.replace("8", "16")), "d")
    first, second = (piece.label for piece in notebook.config().pieces[2:])
    assert f"{second}, line 3" in told
    assert f"in {first}, line 3" in told
    assert "--new" in told
    assert notebook.run(magic(PASSES), "d").startswith("emotion  ok"), "equal values are no problem"


def test_a_whole_configuration_and_new_replace_all_pieces(notebook: Notebook) -> None:
    notebook.run(magic(MODEL), "a")
    notebook.run(magic(DATA), "b")
    assert notebook.run(magic(WHOLE), "w") == "emotion  ok  lora"
    assert len(notebook.config().pieces) == 1
    notebook.run(magic(MODEL), "a")
    assert notebook.run("%%olive_config emotion --new\n" + DATA, "b").startswith("emotion  1 piece")


def test_a_cell_under_another_name_and_a_deleted_cell_leave(notebook: Notebook) -> None:
    for text, cell_id in ((MODEL, "a"), (DATA, "b"), (PASSES, "c")):
        notebook.run(magic(text), cell_id)
    notebook.run(magic(DATA, "other"), "b")
    assert notebook.run(magic(MODEL), "a").startswith("emotion  2 pieces  lora · still to come: data_configs")
    assert len(notebook.config().pieces) == 2
    notebook.run(magic(DATA), "b2", deletedCells=["c"])
    assert "still to come: passes" in notebook.run(magic(MODEL), "a")


def test_an_emptied_cell_leaves(notebook: Notebook) -> None:
    for text, cell_id in ((MODEL, "a"), (DATA, "b"), (PASSES, "c")):
        notebook.run(magic(text), cell_id)
    assert "still to come: passes" in notebook.run(magic("\n"), "c")


def test_without_ids_the_keys_decide(notebook: Notebook) -> None:
    for text in (MODEL, DATA, PASSES):
        notebook.run(magic(text), None)
    assert notebook.run(magic(PASSES.replace("8", "16")), None) == "emotion  ok  lora · 3 pieces"
    assert notebook.config().effective()["passes.lora.r"].value == 16
    more = '"passes": {"merge": {"type": "MergeAdapterWeights"}}\n'
    assert notebook.run(magic(more), None) == "emotion  ok  lora → merge · 4 pieces"


def test_show_prints_each_piece_under_its_label(notebook: Notebook) -> None:
    notebook.run(magic(MODEL), "a")
    notebook.run(magic(PASSES), "c")
    first, second = (piece.label for piece in notebook.config().pieces)
    shown = notebook.run("%olive_config emotion --show", "s")
    assert shown == f"// {first}\n{MODEL}\n// {second}\n{PASSES}".strip()


def test_lines_count_from_the_top_of_the_editor(notebook: Notebook) -> None:
    assert "line 5," in notebook.run("\n\n" + magic("{\n" + '"pases": {}}'), "a")


def test_the_editors_text_is_known_to_the_letter() -> None:
    cells = Cells()
    for raw in (f"%%olive_config emotion\n{WHOLE}", f"\n%%olive_config emotion\n{WHOLE}\n"):
        cells.enter(SimpleNamespace(cell_id="a", raw_cell=raw, cell_meta=None))
        (piece,) = cells.put("emotion", WHOLE + "\n", 1)
        assert piece.in_editor(piece.text).strip() == raw.strip()
        assert piece.as_written(piece.numbered) == piece.text
        above = raw[: raw.index("{")].count("\n")
        assert piece.numbered == "\n" * above + piece.text
    # Code that calls the magic by itself has no cell of its own to be written to.
    cells.enter(SimpleNamespace(cell_id="a", raw_cell="run()", cell_meta=None))
    assert cells.put("emotion", WHOLE, 1)[0].head is None
