"""One variable, several panels: who hears what, and what is taken back."""

from __future__ import annotations

import pytest
from IPython.utils.capture import capture_output

from phinb.config import Config, load_config
from phinb.errors import PhinbError
from phinb.notebook.binding import Binding, binding_of
from phinb.notebook.cells import cells_of
from phinb.notebook.config_panel import ConfigPanel
from phinb.types import Edit
from tests.notebook.conftest import Shell
from tests.notebook.test_config_magics import GOOD

RANK = "passes.lora.r"


def bind(shell: Shell, config: Config | None = None) -> Binding:
    config = config or load_config(GOOD, name="emotion")
    shell.ip.user_ns["emotion"] = config
    return binding_of(shell.ip, "emotion", config, cells_of(shell.ip))


def rank(binding: Binding) -> object:
    return binding.config.effective()[RANK].value


def test_every_panel_of_a_variable_shares_its_binding(shell: Shell) -> None:
    binding = bind(shell)
    heard: list[object] = []
    binding.listen(lambda: heard.append(rank(binding)))
    assert bind(shell, binding.config) is binding
    binding.edit(Edit("set", RANK, 16))
    assert shell.ip.user_ns["emotion"] is binding.config
    binding.take_back()
    assert heard == [16, 8]
    binding.take_back()
    assert heard == [16, 8], "there was nothing left to take back"


def test_edits_that_belong_together_are_taken_back_as_one(shell: Shell) -> None:
    binding = bind(shell)
    for value in (9, 10, 11):
        binding.edit(Edit("set", RANK, value), merge="typing")
    binding.edit(Edit("set", RANK, 12))
    binding.edit(Edit("set", RANK, 13), merge="typing")
    assert len(binding.history) == 3
    binding.take_back()
    assert rank(binding) == 12
    binding.take_back()
    assert rank(binding) == 11
    binding.edit(Edit("set", RANK, 14), merge="typing")
    binding.take_back()
    assert rank(binding) == 11, "what is typed after an undo is a step of its own"


def test_a_cell_that_is_run_again_begins_a_new_history(shell: Shell) -> None:
    binding = bind(shell)
    binding.edit(Edit("set", RANK, 16))
    heard: list[object] = []
    binding.listen(lambda: heard.append(rank(binding)))
    assert bind(shell, load_config(GOOD.replace('"r": 8', '"r": 32'), name="emotion")) is binding
    assert heard == [32]
    assert binding.history == []


def test_what_is_somebody_elses_is_not_changed(shell: Shell) -> None:
    binding = bind(shell)
    shell.ip.user_ns["emotion"] = 1
    for change in (lambda: binding.edit(Edit("set", RANK, 16)), binding.take_back):
        with pytest.raises(PhinbError, match="something else by now"):
            change()
    file = binding_of(shell.ip, "", load_config(GOOD), cells_of(shell.ip))
    with pytest.raises(PhinbError, match="A file is not changed here"):
        file.edit(Edit("set", RANK, 16))


@pytest.mark.parametrize(
    ("lose", "told", "way_back"),
    [
        ("del emotion", "emotion is deleted", "cell"),
        ("emotion = 1", "no configuration", "cell"),
        ("import phinb; emotion = phinb.load_config(emotion.text)", "something else by now", "line"),
    ],
)
def test_the_hint_about_a_lost_variable_works(shell: Shell, lose: str, told: str, way_back: str) -> None:
    """It is followed to the letter, and the next change goes through."""
    cell = f"%%olive_config emotion\n{GOOD}"
    with capture_output():
        shell.ip.run_cell(cell, cell_id="a")
    binding = binding_of(shell.ip, "emotion", shell.ip.user_ns["emotion"], cells_of(shell.ip))
    shell.ip.run_cell(lose)
    with pytest.raises(PhinbError, match=told) as caught:
        binding.edit(Edit("set", RANK, 16))
    again = {"cell": "Run the %%olive_config emotion cell again.", "line": "%olive_config emotion shows it."}
    assert caught.value.hint == again[way_back]
    with capture_output() as captured:
        shell.ip.run_cell(cell if way_back == "cell" else "%olive_config emotion", cell_id="a")
    assert captured.outputs, captured.stderr
    # Where there are panels, the magic opens one, which takes the binding up.
    assert binding_of(shell.ip, "emotion", shell.ip.user_ns["emotion"], cells_of(shell.ip)) is binding
    binding.edit(Edit("set", RANK, 16))
    assert rank(binding) == 16


def test_a_variable_that_no_cell_holds_is_made_again_by_its_own(shell: Shell) -> None:
    binding = bind(shell)
    del shell.ip.user_ns["emotion"]
    with pytest.raises(PhinbError, match="deleted") as caught:
        binding.check()
    assert caught.value.hint == "Run the cell that makes emotion again, then this one."


def test_a_panel_that_has_left_keeps_what_it_showed(shell: Shell) -> None:
    binding = bind(shell)
    panel = ConfigPanel(shell.ip, "emotion", binding.config, cells_of(shell.ip))
    panel.leave()
    before = binding.config
    bind(shell, load_config(GOOD.replace('"r": 8', '"r": 32'), name="emotion"))
    assert panel.config is before
    assert rank(binding) == 32
