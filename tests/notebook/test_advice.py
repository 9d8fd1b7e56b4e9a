"""%olive_advise, and %olive_run of what will not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.utils.capture import capture_output

from phinb import advise, open_run
from phinb.notebook.advice_panel import AdvicePanel
from phinb.notebook.cells import cells_of
from phinb.workflow.process import wait_until
from tests.notebook.conftest import Shell

CELL = """%%olive_config tones
{"input_model": {"type": "HfModel", "model_path": "phinb://tiny"},
 "data_configs": [{"name": "train", "type": "HuggingfaceContainer",
   "load_dataset_config": {"data_name": "json", "data_files": "ROWS", "split": "train"},
   "pre_process_data_config": {"text_template": "{phrase} is {tone}", "strategy": "line-by-line", "max_seq_len": 160,
     "pad_to_max_len": false}}],
 "passes": {"lora": {"type": "LoRA", "train_data_config": "train", "torch_dtype": "float32",
   "training_args": {"max_steps": 2, "per_device_train_batch_size": SIZE, "gradient_checkpointing": false}}}}
"""


@pytest.fixture
def cell(sample_data: Path) -> str:
    return CELL.replace("ROWS", str(sample_data / "emotion_train.jsonl"))


@pytest.fixture
def huge(sample_data: Path, tmp_path: Path) -> str:
    """A batch that no machine holds, and more rows than a start has the time to count."""
    rows = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8")
    (tmp_path / "many.jsonl").write_text(rows * 500, encoding="utf-8")
    return CELL.replace("ROWS", str(tmp_path / "many.jsonl")).replace("SIZE", "16777216")


def test_advice_is_shown_and_changes_nothing(shell: Shell, cell: str) -> None:
    shell.execute(cell.replace("SIZE", "8"))
    config = shell.ip.user_ns["tones"]
    html = shell.html("%olive_advise tones")
    assert "Group sequences by length" in html
    assert "of the training" in html
    assert shell.ip.user_ns["tones"] is config


def test_apply_writes_it_into_the_variable(shell: Shell, cell: str) -> None:
    shell.execute(cell.replace("SIZE", "8"))
    assert "changed" in shell.text("%olive_advise tones --apply")
    entry = shell.ip.user_ns["tones"].effective()["passes.lora.training_args.train_sampling_strategy"]
    assert entry.value == "group_by_length"
    assert "group_by_length" in shell.text("%olive_config tones --show")
    assert "Group sequences by length" not in shell.html("%olive_advise tones")


def test_a_file_is_not_changed(shell: Shell, sample_data: Path, tmp_path: Path) -> None:
    text = (sample_data / "emotion.json").read_text(encoding="utf-8").replace("phinb://demo", "phinb://tiny")
    path = tmp_path / "emotion.json"
    path.write_text(text.replace("emotion_t", f"{sample_data}/emotion_t"), encoding="utf-8")
    shell.execute(f"%olive_advise {path} --apply")
    assert "A file is not changed here" in str(shell.result.error_in_exec)
    assert "group_by_length" not in path.read_text(encoding="utf-8")


def test_what_will_not_fit_is_not_started_unless_anyway(shell: Shell, huge: str) -> None:
    shell.execute(huge)
    shell.execute("%olive_run tones")
    assert "--anyway" in str(shell.result.error_in_exec)
    assert "takes about" in str(shell.result.error_in_exec)


def test_anyway_starts_it(shell: Shell, huge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from phinb.notebook import waiting

    # The wait is another test's: here it is enough that there is a run, which must not get as far as its first step.
    monkeypatch.setattr(waiting, "wait_and_show", lambda run: run.cancel())
    shell.execute(huge)
    shell.execute("%olive_run tones --anyway")
    assert shell.result.success, shell.result.error_in_exec
    assert open_run("tones").state.status == "cancelled"


STRATEGY = "passes.lora.training_args.train_sampling_strategy"
CHECKPOINTS = "passes.lora.training_args.gradient_checkpointing"


def open_panel(shell: Shell, cell: str) -> AdvicePanel:
    shell.execute(
        cell.replace("SIZE", "8").replace('"gradient_checkpointing": false', '"gradient_checkpointing": true')
    )
    config = shell.ip.user_ns["tones"]
    panel = AdvicePanel(shell.ip, "tones", config, cells_of(shell.ip), advise(config))
    with capture_output():
        panel.open()
    return panel


def press(panel: AdvicePanel, action: str, number: int = 0) -> None:
    panel._panel._handle_custom_msg({"action": action, "number": number}, [])
    wait_until(lambda: not panel._busy, 20)


def titles(panel: AdvicePanel) -> list[str]:
    return [card["title"] for card in panel._panel.view["cards"]]


def test_a_button_writes_one_piece_and_what_is_left_is_worked_out_anew(shell: Shell, cell: str) -> None:
    panel = open_panel(shell, cell)
    before = titles(panel)
    number = next(index for index, title in enumerate(before) if "Group" in title)
    assert panel._panel.view["cards"][number]["fix"]
    press(panel, "fix", number)
    effective = shell.ip.user_ns["tones"].effective()
    assert effective[STRATEGY].value == "group_by_length"
    assert effective[CHECKPOINTS].value is True, "only what was pressed"
    assert titles(panel)[0].startswith("Done: Group sequences")
    assert panel._panel.view["cards"][0]["fix"] == ""
    assert any("checkpointing" in title for title in titles(panel)[1:])
    press(panel, "fix", 99)
    assert len(titles(panel)) >= 2


def test_apply_all_leaves_nothing_to_be_pressed(shell: Shell, cell: str) -> None:
    panel = open_panel(shell, cell)
    press(panel, "all")
    effective = shell.ip.user_ns["tones"].effective()
    assert (effective[STRATEGY].value, effective[CHECKPOINTS].value) == ("group_by_length", False)
    view = panel._panel.view
    assert not view["buttons"]
    assert not any(card["fix"] for card in view["cards"])


def test_a_variable_that_is_something_else_is_left_alone(shell: Shell, cell: str) -> None:
    panel = open_panel(shell, cell)
    shell.ip.user_ns["tones"] = "mine"
    press(panel, "all")
    assert shell.ip.user_ns["tones"] == "mine"
    assert panel._panel.view["cards"][0]["severity"] == "error"
