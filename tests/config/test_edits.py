"""Config.edit: in the user's form or in today's, in the piece it belongs to, with everything else left as it is."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import pytest

from phinb.config import Config, Piece, load_config
from phinb.config.fixes import apply_fixes
from phinb.config.writing.rewriting import write_anew
from phinb.errors import PhinbError
from phinb.types import Edit
from tests.config.sprinkling import SAMPLES, json_snippet, members_of_the_tutorial, sprinkle

OLD = (SAMPLES / "tutorial_2024.json").read_text(encoding="utf-8")


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that differ, as `- old` and `+ new`."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line[0] + " " + line[2:].strip() for line in lines if line[0] in "+-"]


def pieces() -> list[Piece]:
    texts = [json_snippet(members) for members in members_of_the_tutorial()]
    return [Piece(text, f"In [{number}]") for number, text in enumerate(texts, 1)]


def value(config: Config, path: str) -> Any:
    return config.effective()[path].value


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (Edit("set", "passes.lora.r", 16), ['- "r": 8,', '+ "r": 16,']),
        (Edit("set", "passes.lora.lora_dropout", None), ['- "lora_dropout": 0.05,', '+ "lora_dropout": null,']),
        (Edit("remove", "passes.lora.alpha"), ['- "alpha": 16,']),
        (Edit("rename", "passes.merge", "merged"), ['- "merge": {', '+ "merged": {']),
        (
            Edit("set", "passes.lora.training_args.warmup_steps", 3),
            ['- "learning_rate": 0.0005', '+ "learning_rate": 0.0005,', '+ "warmup_steps": 3'],
        ),
        (
            Edit("set", "data_configs.train.pre_process_data_config.max_seq_len", 128),
            ['- "max_seq_len": 64,', '+ "max_seq_len": 128,'],
        ),
        (Edit("set", "data_configs.0.name", "other"), ['- "name": "train",', '+ "name": "other",']),
        (Edit("set", "engine.output_dir", "out"), ['- "output_dir": "models"', '+ "output_dir": "out"']),
        (
            Edit("set", "phinb.eval_split", 0.1),
            ['- "output_dir": "models"', '+ "output_dir": "models",', '+ "phinb": {', '+ "eval_split": 0.1', "+ }"],
        ),
        (Edit("remove", "passes.int4"), ["- },", '- "int4": {', '- "type": "ModelBuilder",', '- "precision": "int4"']),
        (
            Edit("set", "systems.local_system.accelerators.0.device", "gpu"),
            [
                '- "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}]',
                '+ "accelerators": [{"device": "gpu", "execution_providers": ["CPUExecutionProvider"]}]',
            ],
        ),
    ],
)
def test_only_the_line_changes(valid: str, edit: Edit, lines: list[str]) -> None:
    config = load_config(valid, name="mine", folder=Path("/somewhere"))
    edited = config.edit(edit)
    assert sorted(changed_lines(valid, edited.text)) == sorted(lines)
    assert (edited.name, edited.folder, edited.format) == ("mine", Path("/somewhere"), "json")
    assert config.text == valid


def test_comments_stay_with_an_edit(valid: str) -> None:
    text, comments = sprinkle(valid, "//")
    edited = load_config(text).edit(
        Edit("set", "passes.lora.r", 16),
        Edit("remove", "passes.lora.alpha"),
        Edit("set", "passes.lora.device_map", "auto"),
    )
    assert [comment for comment in comments if edited.text.count(comment) != 1] == []
    assert edited.to_olive()["passes"]["lora"]["r"] == 16
    assert len(changed_lines(text, edited.text)) == 7  # r: 2, the comment behind alpha: 2, the comma before: 2, new: 1


def test_the_same_in_yaml(valid: str) -> None:
    text, comments = sprinkle(load_config(valid).dumps("yaml"), "#")
    edited = load_config(text).edit(
        Edit("set", "passes.lora.r", 16),
        Edit("set", "passes.lora.training_args.optim", "adamw_torch"),
        Edit("remove", "data_configs.train.pre_process_data_config.max_seq_len"),
        Edit("set", "phinb.labels", ["joy", "anger: mine"]),
    )
    assert edited.format == "yaml"
    assert [comment for comment in comments if edited.text.count(comment) != 1] == []
    changed = changed_lines(text, edited.text)
    assert [line.split("#")[0].strip() for line in changed if line.startswith("+ ") and not line.startswith("+ #")] == [
        "+ r: 16", "+ optim: adamw_torch", "+ phinb:", "+ labels: [joy, 'anger: mine']"
    ]  # fmt: skip


TODAY = [
    ("passes.lora.alpha", 32),
    ("passes.lora.r", 8),
    ("passes.lora.lora_dropout", 0.2),
    ("passes.lora.torch_dtype", "float32"),
    ("passes.lora.training_args.max_steps", 60),
    ("passes.lora.training_args.warmup_steps", 5),
    ("passes.lora.training_args.eval_strategy", "epoch"),
    ("passes.lora.training_args.train_sampling_strategy", "random"),
    ("passes.builder.precision", "fp32"),
    ("data_configs.dataset_default_train.pre_process_data_config.max_seq_len", 64),
    ("data_configs.dataset_default_train.pre_process_data_config.strategy", "line-by-line"),
    ("data_configs.dataset_default_train.pre_process_data_config.padding_side", "left"),
    ("data_configs.dataset_default_train.load_dataset_config.split", "test"),
    ("input_model.model_path", "phinb://tiny"),
    ("input_model.load_kwargs.trust_remote_code", False),
    ("phinb.eval_split", 0.2),
    ("phinb.seed", 7),
    ("engine.log_severity_level", 2),
    ("engine.evaluate_input_model", False),
    ("systems.local_system.type", "LocalSystem"),
]


FOLLOWERS = {
    "input_model.model_path": (".model_name",),
    "input_model.load_kwargs.trust_remote_code": (".trust_remote_code",),
    "passes.lora.training_args.max_steps": (".save_steps",),
    "phinb.seed": (".seed",),
}
"""What follows from a value where it is not set itself."""


@pytest.mark.parametrize(("path", "wanted"), TODAY)
@pytest.mark.parametrize("form", ["whole", "pieces", "yaml", "dict"])
def test_a_path_of_today_finds_its_place_in_the_old_form(path: str, wanted: Any, form: str) -> None:
    sources: dict[str, Any] = {
        "whole": OLD,
        "pieces": pieces(),
        "yaml": write_anew(json.loads(OLD), "yaml"),
        "dict": json.loads(OLD),
    }
    config = load_config(sources[form])
    edited = config.edit(Edit("set", path, wanted))
    assert value(edited, path) == wanted
    before, after = config.effective(), edited.effective()
    differing = {key for key in before if key not in after or after[key].value != before[key].value}
    followers = FOLLOWERS.get(path, ("none",))
    assert {key for key in differing - {path} if not key.endswith(followers)} == set()
    assert path in differing or path not in before or before[path].value == wanted
    assert len(edited.pieces) == len(config.pieces)


def test_an_old_key_keeps_its_form_where_it_can() -> None:
    edited = load_config(OLD).edit(Edit("set", "passes.lora.alpha", 32))
    assert changed_lines(OLD, edited.text) == ['- "lora_alpha": 64,', '+ "lora_alpha": 32,']
    assert len(edited.changes) == len(load_config(OLD).changes)


def test_what_the_old_form_cannot_say_is_written_in_todays() -> None:
    config = load_config(OLD)
    edited = config.edit(Edit("set", "passes.lora.training_args.train_sampling_strategy", "random"))
    assert edited.changes == ()
    assert changed_lines(config.dumps(), edited.text) == [
        '- "train_sampling_strategy": "group_by_length",',
        '+ "train_sampling_strategy": "random",',
    ]


def test_a_new_key_stands_beside_its_like() -> None:
    edited = load_config(OLD).edit(Edit("set", "passes.lora.torch_dtype", "float32"))
    plain = json.loads(edited.text)
    assert plain["passes"]["lora"]["config"]["torch_dtype"] == "float32"
    assert (
        json.loads(load_config(OLD).edit(Edit("set", "engine.no_artifacts", True)).text)["engine"]["no_artifacts"]
        is True
    )


def test_edits_go_to_their_piece() -> None:
    config = load_config(pieces())
    edited = config.edit(
        Edit("set", "passes.lora.alpha", 32),
        Edit("set", "lora.config.lora_r", 8),
        Edit("set", "engine.host", "local_system"),
    )
    differing = [one.label for one, other in zip(config.pieces, edited.pieces, strict=True) if one.text != other.text]
    assert differing == ["In [4]"]
    assert changed_lines(config.pieces[3].text, edited.pieces[3].text) == [
        '- "lora_r": 64,', '+ "lora_r": 8,', '- "lora_alpha": 64,', '+ "lora_alpha": 32,'
    ]  # fmt: skip
    new = config.edit(Edit("set", "phinb.labels", ["joy"]))
    assert new.pieces[-1].text != config.pieces[-1].text
    assert new.phinb["labels"] == ["joy"]
    named = config.edit(Edit("set", "phinb.labels", ["joy"], source="In [4]"))
    assert named.pieces[3].text != config.pieces[3].text
    assert named.phinb["labels"] == ["joy"]
    assert named.phinb["eval_split"] == 0.3


def test_every_fix_can_be_carried_out(valid: str) -> None:
    bent = (
        valid.replace('"lora_dropout"', '"lora_dropot"')
        .replace('"strategy": "line-by-line",\n', "")
        .replace('"split": "train"', '"trust": 1')
        .replace('"precision": "int4"', '"precision": "int5"')
        .replace('"max_steps": 10', '"max_steps": "10"')
    )
    for source in (bent, write_anew(json.loads(bent), "yaml"), [Piece(bent, "In [1]"), Piece("", "In [2]")]):
        config = load_config(source)
        fixes = [problem.fix for problem in config.problems if problem.fix is not None]
        assert len(fixes) >= 4
        for fix in fixes:
            assert len(config.edit(*fix.edits).problems) < len(config.problems)
        for _ in range(10):
            fixable = [problem for problem in config.problems if problem.fix is not None]
            if not fixable:
                break
            assert fixable[0].fix is not None
            config = config.edit(*fixable[0].fix.edits)
        assert config.ok


@pytest.mark.parametrize(
    "edit",
    [
        Edit("remove", "passes.nothing"),
        Edit("remove", "passes.lora.r.deeper"),
        Edit("rename", "passes.lora.zzz", "r"),
        Edit("rename", "passes.lora.r", "alpha"),
        Edit("rename", "passes.lora.r", 8),
        Edit("set", "passes.lora.r.deeper", 1),
        Edit("set", "data_configs.5.name", "x"),
        Edit("set", "data_configs.nobody.name", "x"),
        Edit("set", "", 1),
        Edit("set", "passes.lora.r", {1, 2}),
        Edit("set", "passes.lora.r", float("nan")),
        Edit("set", "passes.lora.r", {1: 2}),
        Edit("set", "passes.lora.r", 1, source="In [9]"),
    ],
)
@pytest.mark.parametrize("form", ["json", "dict", "pieces"])
def test_an_edit_that_leads_nowhere_is_refused(valid: str, edit: Edit, form: str) -> None:
    source: Any = {"json": valid, "dict": json.loads(valid), "pieces": [Piece(valid, "a"), Piece("", "b")]}[form]
    with pytest.raises(PhinbError) as raised:
        load_config(source).edit(edit)
    assert raised.value.hint


def test_keys_with_dots_and_new_entries() -> None:
    config = load_config(
        '{"input_model": {"type": "HfModel", "load_kwargs": {"a.b": 1, "c": {"b": 2}}}, "data_configs": [\n]}'
    )
    text = config.edit(Edit("set", "input_model.load_kwargs.a.b", 3)).text
    assert json.loads(text)["input_model"]["load_kwargs"] == {"a.b": 3, "c": {"b": 2}}
    text = config.edit(Edit("set", "data_configs.0", {"name": "train"})).text
    assert json.loads(text)["data_configs"] == [{"name": "train"}]


def test_a_text_with_mistakes_in_its_form(valid: str) -> None:
    """Where the parts can be told apart it is edited, mistakes and all; where they cannot, that is said."""
    loose = valid.replace('"r": 8,', '"r": 8').replace("false", "False").replace('"alpha"', "'alpha'")
    edited = load_config(loose).edit(Edit("set", "passes.lora.lora_dropout", 0.1))
    assert sorted(changed_lines(loose, edited.text)) == sorted(  # the comma that is missing is put there as well
        ['- "r": 8', '+ "r": 8,', '- "lora_dropout": 0.05,', '+ "lora_dropout": 0.1,']
    )
    twice = valid.replace('"r": 8,', '"r": 8,\n      "r": 9,')
    edited = load_config(twice).edit(Edit("set", "passes.lora.lora_dropout", 0.1))
    assert changed_lines(twice, edited.text) == ['- "lora_dropout": 0.05,', '+ "lora_dropout": 0.1,']
    with pytest.raises(PhinbError, match="mistake"):
        load_config(valid[:-3]).edit(Edit("set", "passes.lora.r", 1))
    with pytest.raises(PhinbError):
        load_config("").edit(Edit("set", "passes.lora.r", 1))


def test_a_dict_stays_a_dict(plain: dict[str, Any]) -> None:
    edited = load_config(plain).edit(Edit("set", "passes.lora.r", 16))
    assert (edited.format, edited.text, edited.pieces) == ("dict", "", ())
    assert edited.to_olive()["passes"]["lora"]["r"] == 16
    assert plain["passes"]["lora"]["r"] == 8


def test_anchors_of_yaml_stay_anchors() -> None:
    text = (
        "input_model: {type: HfModel, model_path: 'phinb://tiny'}  # model\n"
        "base: &base  # shared\n  torch_dtype: float32\n  r: 8\n"
        "passes:\n  lora:\n    <<: *base\n    type: LoRA\n    alpha: 16  # mine\n"
    )
    config = load_config(text)
    edited = config.edit(Edit("set", "passes.lora.alpha", 32))
    assert changed_lines(text, edited.text) == ["- alpha: 16  # mine", "+ alpha: 32  # mine"]
    own = config.edit(Edit("set", "passes.lora.r", 4))
    assert own.effective()["passes.lora.r"].value == 4
    assert "# mine" in own.text
    assert "# shared" in own.text


def test_brackets_that_close_in_one_line_stay_together() -> None:
    text = '{"passes": {\n "lora": {"type": "LoRA",\n "r": 8, "alpha": 16}}\n}\n'
    edited = load_config(text).edit(Edit("set", "passes.lora.r", 4))
    assert edited.text == text.replace('"r": 8', '"r": 4')


def test_a_text_without_spaces_stays_without_them(valid: str) -> None:
    text = json.dumps(json.loads(valid), separators=(",", ":")) + "\n"
    edited = load_config(text).edit(Edit("set", "passes.lora.r", 4))
    assert edited.text == text.replace('"r":8', '"r":4')
    gone = load_config(text).edit(Edit("remove", "passes.lora.r"))
    assert gone.text == text.replace('"r":8,', "")


def test_a_name_with_a_dot_puts_nothing_else_at_risk() -> None:
    text = json.dumps(
        {
            "input_model": {"type": "HfModel", "model_path": "phinb://tiny"},
            "passes": {"a.b": {"type": "OnnxConversion"}, "a": {"type": "ModelBuilder", "precision": "fp32", "b": 3}},
        },
        indent=1,
    )
    config = load_config(text)
    assert "dotted_name" in [problem.code for problem in config.problems]
    for edit in (Edit("remove", "passes.a.b"), Edit("set", "passes.a.b", 4), Edit("rename", "passes.a.b", "c")):
        with pytest.raises(PhinbError, match="two places"):
            config.edit(edit)
    mended, _ = apply_fixes(config)
    assert list(mended.given()["passes"]) == ["a.b", "a"]
    # Where only one fits, the dot is no harm.
    assert config.edit(Edit("set", "passes.a.precision", "int4")).given()["passes"]["a"]["precision"] == "int4"
    alone = load_config(text.replace('"a":', '"c":'))
    assert alone.edit(Edit("set", "passes.a.b.target_opset", 17)).given()["passes"]["a.b"]["target_opset"] == 17
