"""A configuration given in pieces, one a cell, is the same as the whole; every value knows its piece and its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phinb.config import Config, Piece, load_config
from phinb.config.writing.rewriting import write_anew
from phinb.types import Problem
from tests.config.old_forms import OLD_FORMS, OldForm
from tests.config.sprinkling import SAMPLES, json_snippet, members_of_the_tutorial, sprinkle, tutorial


def cells(texts: list[str]) -> list[Piece]:
    return [Piece(text, f"In [{number}]") for number, text in enumerate(texts, 1)]


def yaml_snippet(members: dict[str, Any]) -> str:
    return write_anew(members, "yaml")


JSON_CELLS = [json_snippet(members) for members in members_of_the_tutorial()]
YAML_CELLS = [yaml_snippet(members) for members in members_of_the_tutorial()]
MIXED_CELLS = [pair[number % 2] for number, pair in enumerate(zip(JSON_CELLS, YAML_CELLS, strict=True))]


def errors(config: Config) -> list[Problem]:
    return [problem for problem in config.problems if problem.severity == "error"]


def values(config: Config) -> dict[str, Any]:
    return {path: effective.value for path, effective in config.effective().items()}


@pytest.fixture(scope="module")
def whole() -> Config:
    return load_config(SAMPLES / "tutorial_2024.json")


def test_the_snippets_are_as_the_tutorial_prints_them() -> None:
    firsts = [text.split(":")[0].strip() for text in JSON_CELLS]
    assert firsts == [
        '"data_configs"', '"input_model"', '"systems"', '"lora"', '"merge_adapter_weights"', '"builder"', '"engine"'
    ]  # fmt: skip
    assert all(text.endswith(",\n") for text in JSON_CELLS)


@pytest.mark.parametrize("texts", [JSON_CELLS, YAML_CELLS, MIXED_CELLS], ids=["json", "yaml", "mixed"])
def test_the_tutorials_pieces_make_the_whole(texts: list[str], whole: Config) -> None:
    config = load_config(cells(texts), name="emotion")
    assert errors(config) == []
    assert config.to_olive() == whole.to_olive()
    assert list(config.to_olive()["passes"]) == list(whole.to_olive()["passes"])
    assert values(config) == values(whole)
    assert sorted(problem.code for problem in config.problems) == sorted(problem.code for problem in whole.problems)
    assert sorted(change.why for change in config.changes) == sorted(change.why for change in whole.changes)


def test_qlora_takes_the_place_of_lora(whole: Config) -> None:
    plain = tutorial()
    members = plain["passes"].pop("lora")
    members["type"] = "QLoRA"
    members["config"].pop("target_modules")
    plain["passes"] = {"qlora": members, **plain["passes"]}
    texts = list(JSON_CELLS)
    texts[3] = json_snippet({"qlora": members})
    config = load_config(cells(texts))
    assert errors(config) == []
    assert config.to_olive() == load_config(plain).to_olive()
    assert dict(config.passes)["qlora"] == "QLoRA"


def test_what_is_not_there_yet_is_one_error() -> None:
    told = []
    for number in range(1, len(JSON_CELLS) + 1):
        config = load_config(cells(JSON_CELLS[:number]))
        told.append([(problem.code, problem.message) for problem in errors(config)])
    assert told[0] == [("incomplete", 'Still to come: "input_model", "passes".')]
    assert told[1] == [("incomplete", 'Still to come: "passes".')]
    assert told[2] == [("incomplete", 'Still to come: "passes".')]
    assert told[3:] == [[], [], [], []]


@pytest.mark.parametrize("texts", [JSON_CELLS, YAML_CELLS], ids=["json", "yaml"])
def test_each_piece_alone_is_understood(texts: list[str]) -> None:
    missing = []
    for text in texts:
        config = load_config(text)
        (problem,) = errors(config)
        missing.append(problem.message)
        assert problem.code == "incomplete"
        assert len(config.pieces) == 1
    assert missing == [
        'Still to come: "input_model", "passes".',
        'Still to come: "passes".',
        'Still to come: "input_model", "passes".',
        'Still to come: "input_model", "data_configs".',
        'Still to come: "input_model".',
        'Still to come: "input_model".',
        'Still to come: "input_model", "systems", "passes".',
    ]


def test_every_value_problem_and_change_knows_its_piece(whole: Config) -> None:
    texts = list(JSON_CELLS)
    texts[3] = texts[3].replace('"lora_dropout"', '"lora_dropot"')
    config = load_config(cells(texts))
    (problem,) = errors(config)
    line = texts[3][: texts[3].index("lora_dropot")].count("\n") + 1
    assert (problem.code, problem.path, problem.source, problem.line) == (
        "unknown_key", "lora.config.lora_dropot", "In [4]", line
    )  # fmt: skip
    assert problem.where.startswith(f"In [4], line {line}, column ")
    assert problem.fix is not None
    assert [edit.source for edit in problem.fix.edits] == ["In [4]"]
    alpha = config.effective()["passes.lora.alpha"]
    assert (alpha.value, alpha.origin, alpha.source) == (64, "upgrade", "In [4]")
    assert texts[3].splitlines()[(alpha.line or 0) - 1].strip() == '"lora_alpha": 64,'
    assert config.effective()["engine.output_dir"].source == "In [7]"
    sources = {change.path: change.source for change in config.changes}
    assert sources["engine"] == "In [7]"
    assert sources["data_configs.0.pre_process_data_config.params.dataset_type"] == "In [1]"
    assert [problem.source for problem in whole.problems] == [""] * len(whole.problems)


def test_a_piece_keeps_the_users_path_and_a_single_text_has_no_source() -> None:
    config = load_config('"lora": {"type": "LoRA", "rr": 8}')
    problem = next(problem for problem in config.problems if problem.code == "unknown_key")
    assert (problem.path, problem.source, problem.line, problem.column) == ("lora.rr", "", 1, 26)


def test_braces_and_their_absence_mean_the_same_in_a_piece() -> None:
    with_braces = load_config(
        [Piece("{" + text.rstrip().rstrip(",") + "}", f"In [{n}]") for n, text in enumerate(JSON_CELLS)]
    )
    assert with_braces.to_olive() == load_config(cells(JSON_CELLS)).to_olive()


DATA = {
    "name": "train",
    "type": "HuggingfaceContainer",
    "load_dataset_config": {"data_name": "json", "data_files": "train.jsonl", "split": "train"},
    "pre_process_data_config": {"text_template": "{a}", "strategy": "line-by-line"},
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(DATA, indent=1),
        json.dumps(DATA, indent=1) + ",",
        json.dumps(DATA, indent=1)[1:-1] + ",",
        json.dumps([DATA], indent=1),
        '"train": ' + json.dumps({key: value for key, value in DATA.items() if key != "name"}, indent=1),
        '"data_configs": ' + json.dumps([DATA]) + ",",
        write_anew(DATA, "yaml"),
        write_anew([DATA], "yaml"),
        "  " + write_anew(DATA, "yaml").replace("\n", "\n  "),
    ],
)
def test_bare_data_configs(text: str, plain: dict[str, Any]) -> None:
    plain.pop("data_configs")
    config = load_config([Piece(json.dumps(plain), "whole"), Piece(text, "data")])
    assert errors(config) == []
    assert config.to_olive()["data_configs"] == [DATA]
    alone = load_config(text)
    assert [problem.code for problem in errors(alone)] == ["incomplete"]


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ('"gpu": {"type": "LocalSystem", "accelerators": [{"device": "gpu"}]},', "systems"),
        ('"tune": [{"type": "LoRA", "train_data_config": "train"}],', "passes"),
        ('"mine": {"type": "LoRAx"},', "passes"),
    ],
)
def test_bare_members_go_to_their_section(text: str, section: str, plain: dict[str, Any]) -> None:
    config = load_config([Piece(json.dumps(plain), "whole"), Piece(text, "piece")])
    assert not any(problem.code == "unknown_key" for problem in config.problems)
    name = text.split('"')[1]
    place = "type" if section == "systems" else "0.type" if name == "tune" else "type"
    assert config.effective()[f"{section}.{name}.{place}"].source == "piece"


def test_a_whole_configuration_takes_no_bare_members(valid: str) -> None:
    text = valid.replace('"target"', '"more": {"type": "MergeAdapterWeights"},\n  "target"')
    assert [problem.code for problem in errors(load_config(text))] == ["unknown_key"]


def test_a_contradiction_is_told_at_the_later_piece() -> None:
    first = '"input_model": {"type": "HfModel",\n "model_path": "a"},\n"host": "here"'
    second = '// again\n"input_model": {"type": "HfModel", "model_path": "b"},\n"host": "here",'
    config = load_config([Piece(first, "In [1]"), Piece(second, "In [7]")])
    (problem,) = [problem for problem in config.problems if problem.code == "conflict"]
    assert problem.message == '"model_path" is "b" here and "a" in In [1], line 2.'
    assert (problem.source, problem.line, problem.column, problem.path) == ("In [7]", 2, 36, "input_model.model_path")
    assert "%%olive_config NAME --new" in problem.hint


def test_equal_values_in_two_pieces_are_no_problem(valid: str) -> None:
    config = load_config([Piece(valid, "In [1]"), Piece(valid, "In [2]")])
    assert config.problems == ()
    assert config.to_olive() == json.loads(valid)


@pytest.mark.parametrize("key", ["passes", "data_configs", "target"])
def test_conflicts_of_whole_members(valid: str, plain: dict[str, Any], key: str) -> None:
    other = {"passes": {"lora": {"type": "QLoRA"}}, "data_configs": [{**DATA, "user_script": "x"}], "target": "x"}[key]
    config = load_config([Piece(valid, "In [1]"), Piece(json.dumps({key: other}), "In [2]")])
    assert [(problem.code, problem.source) for problem in errors(config)] == [("conflict", "In [2]")]
    assert "In [1], line" in errors(config)[0].message


def test_what_a_source_may_be(tmp_path: Path, plain: dict[str, Any], valid: str) -> None:
    data = {"data_configs": plain.pop("data_configs")}
    file = tmp_path / "model.json"
    file.write_text(json.dumps(plain), encoding="utf-8")
    config = load_config([file, data])
    assert config.to_olive() == json.loads(valid) | plain
    assert [piece.label for piece in config.pieces] == ["model.json", "piece 2"]
    assert (config.path, config.folder, config.name) == (None, tmp_path, "model")
    assert load_config([str(file), Piece(json.dumps(data), "In [2]")]).problems == ()
    single = load_config(Piece(valid, "In [3]", file))
    assert single.pieces == (Piece(valid, "In [3]", file),)
    assert (single.text, single.path, single.name) == (valid, file, "model")
    assert load_config(plain).pieces == ()
    assert load_config(valid).pieces == (Piece(valid),)
    with pytest.raises(TypeError):
        load_config([42])  # type: ignore[list-item]
    assert not load_config([]).ok


def test_pieces_of_one_name_are_told_apart() -> None:
    config = load_config([Piece('"host": "a"', "cell"), Piece('"host": "b"', "cell"), Piece("", "cell")])
    assert [piece.label for piece in config.pieces] == ["cell", "cell (2)", "cell (3)"]
    (problem,) = [problem for problem in config.problems if problem.code == "conflict"]
    assert (problem.source, problem.message) == ("cell (2)", '"host" is "b" here and "a" in cell, line 1.')


def test_an_empty_cell_says_nothing(valid: str) -> None:
    config = load_config([Piece("", "In [1]"), Piece(valid, "In [2]"), Piece("\n \n", "In [3]")])
    assert config.problems == ()
    assert len(config.pieces) == 3
    assert [problem.code for problem in load_config([Piece("", "a"), Piece(" ", "b")]).problems] == ["empty"]


def test_the_text_names_the_pieces() -> None:
    config = load_config([Piece('"host": "a",\n', "In [1]"), Piece("target: a\n", "In [2]")])
    assert config.text == '// In [1]\n"host": "a",\n\n# In [2]\ntarget: a\n'


def test_a_broken_piece_does_not_hide_the_others() -> None:
    texts = list(JSON_CELLS)
    texts[3] = texts[3].replace('"lora_alpha": 64,', '"lora_alpha": 64')
    texts[0] = texts[0].replace("}\n]", "}\n", 1)
    texts[6] = texts[6].replace('"log_severity_level": 0', '"log_severity_level": 9')
    found = {(problem.source, problem.code) for problem in errors(load_config(cells(texts)))}
    assert ("In [4]", "comma_missing") in found
    assert ("In [7]", "out_of_range") in found
    assert not any(code == "incomplete" for _, code in found)


@pytest.mark.parametrize("texts", [JSON_CELLS, YAML_CELLS, MIXED_CELLS], ids=["json", "yaml", "mixed"])
def test_pieces_are_upgraded_as_pieces(texts: list[str], whole: Config) -> None:
    config = load_config(cells(texts))
    upgraded = config.upgraded()
    assert [piece.label for piece in upgraded.pieces] == [piece.label for piece in config.pieces]
    assert upgraded.changes == ()
    assert upgraded.to_olive() == whole.to_olive()
    assert upgraded.phinb == whole.phinb
    assert upgraded.upgraded() is upgraded
    assert upgraded.pieces[4] == config.pieces[4]
    firsts = [piece.text.strip().split(":")[0].strip('"') for piece in upgraded.pieces]
    assert firsts[3:6] == ["lora", "merge_adapter_weights", "builder"]
    assert "braces" not in str(upgraded.problems)


@pytest.mark.parametrize("texts", [JSON_CELLS, YAML_CELLS, MIXED_CELLS], ids=["json", "yaml", "mixed"])
@pytest.mark.parametrize("format_", ["json", "yaml", None])
def test_pieces_are_written_as_one(texts: list[str], format_: Any, whole: Config) -> None:
    again = load_config(load_config(cells(texts)).dumps(format_))
    assert again.changes == ()
    assert again.to_olive() == whole.to_olive()
    assert list(again.passes) == list(whole.passes)


def test_comments_of_pieces_survive_in_the_one_text() -> None:
    texts = [f"// about {number}\n{text}// after {number}\n" for number, text in enumerate(JSON_CELLS)]
    texts = [text.replace(": {\n", ": { // open\n", 1) for text in texts]
    written = load_config(cells(texts)).dumps("json")
    for number in range(len(texts)):
        assert written.count(f"// about {number}\n") == 1
        assert written.count(f"// after {number}\n") == 1
    assert written.count("// open\n") == sum(text.count("// open\n") for text in texts)


def test_the_diff_goes_piece_by_piece() -> None:
    diff = load_config(cells(JSON_CELLS)).diff()
    assert "--- In [4]\n+++ In [4] (upgraded)" in diff
    assert "In [5]" not in diff
    removed = [line for line in diff.splitlines() if line.startswith("-") and "lora_alpha" in line]
    assert removed == ['-            "lora_alpha": 64,']


def by_section(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """A configuration cut as a tutorial would: a section a piece, and each pass by itself."""
    found: list[dict[str, Any]] = []
    for key, value in plain.items():
        found += [{name: member} for name, member in value.items()] if key == "passes" else [{key: value}]
    return found


@pytest.mark.parametrize("form", OLD_FORMS, ids=lambda form: form.name)
def test_every_old_form_means_the_same_in_pieces(form: OldForm, plain: dict[str, Any]) -> None:
    given = form.apply(plain)
    whole = load_config(given)
    told = sorted((problem.code, problem.severity) for problem in whole.problems)
    for write in (json_snippet, yaml_snippet):
        config = load_config(cells([write(members) for members in by_section(given)]))
        assert config.given() == given
        assert sorted((problem.code, problem.severity) for problem in config.problems) == told
        for same in (config, config.upgraded(), load_config(config.dumps())):
            assert read_back(same) == read_back(whole)
        assert config.upgraded().changes == load_config(config.dumps()).changes == ()


@pytest.mark.parametrize("form", OLD_FORMS, ids=lambda form: form.name)
def test_every_old_form_keeps_its_comments(form: OldForm, plain: dict[str, Any]) -> None:
    given = form.apply(plain)
    for text, mark in ((json.dumps(given, indent=2), "//"), (write_anew(given, "yaml"), "#")):
        commented, comments = sprinkle(text, mark)
        config = load_config(commented)
        written = config.dumps()
        assert [comment for comment in comments if written.count(comment) != 1] == []
        again = load_config(written)
        assert (again.changes, again.text) == ((), config.upgraded().text)
        assert read_back(again) == read_back(config)


def read_back(config: Config) -> tuple[Any, list[str]]:
    """What a configuration means, whether Olive would take it or not, and the order of its passes."""
    plain = load_config(config.dumps("json")).given()
    return plain, list(plain.get("passes") or {})
