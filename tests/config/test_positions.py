"""Line and column are right: hundreds of problems, each at a place that was found without phinb's readers."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from phinb.config import Config, Piece, load_config
from tests.config.conftest import VALID
from tests.config.marked import JSON_FORMS, YAML_FORMS, Here, here, json_lines, place, yaml_block

Plain = dict[str, Any]
Bend = Callable[[Plain], None]


def old_form() -> Plain:
    """The valid configuration with the levels that it had in 2024."""
    plain: Plain = json.loads(VALID)
    plain["engine"] = {key: plain.pop(key) for key in ("target", "output_dir")}
    for section in (plain["input_model"], plain["systems"]["local_system"], *plain["passes"].values()):
        section["config"] = {key: section.pop(key) for key in [key for key in section if key != "type"]}
    for component in ("load_dataset_config", "pre_process_data_config"):
        plain["data_configs"][0][component] = {"params": plain["data_configs"][0][component]}
    return plain


def put(*path: Any, value: Any) -> Bend:
    """Set the value at a path; keys are made if need be."""

    def bend(plain: Plain) -> None:
        holder: Any = plain
        for key in path[:-1]:
            holder = holder.setdefault(key, {}) if isinstance(holder, dict) else holder[key]
        holder[path[-1]] = value

    return bend


def key_here(*path: Any) -> Bend:
    """Put the mark before the key at a path."""

    def bend(plain: Plain) -> None:
        holder: Any = plain
        for key in path[:-1]:
            holder = holder[key]
        members = {here(key) if key == path[-1] else key: value for key, value in holder.items()}
        holder.clear()
        holder.update(members)

    return bend


def drop(*path: Any) -> Bend:
    def bend(plain: Plain) -> None:
        holder: Any = plain
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]

    return bend


def both(*bends: Bend) -> Bend:
    def bend(plain: Plain) -> None:
        for one in bends:
            one(plain)

    return bend


LORA, ARGS = ("passes", "lora"), ("passes", "lora", "training_args")
DATA, LOAD, PRE = (
    ("data_configs", 0),
    ("data_configs", 0, "load_dataset_config"),
    ("data_configs", 0, "pre_process_data_config"),
)
SYSTEM = ("systems", "local_system")
ACCELERATOR = (*SYSTEM, "accelerators", 0)

TODAY: list[tuple[str, Bend]] = [
    *[
        ("unknown_key", put(*holder, here("zzz"), value=1))
        for holder in (
            (),
            ("input_model",),
            SYSTEM,
            ACCELERATOR,
            DATA,
            LOAD,
            PRE,
            LORA,
            ARGS,
            ("passes", "merge"),
            ("passes", "int4"),
            ("phinb",),
        )
    ],
    *[("unknown_key", put(*path[:-1], here(path[-1]), value=1)) for path in ((*LORA, "lora_dropot"), ("outptu_dir",))],
    ("wrong_type", put(*LORA, "r", value=Here("eight"))),
    ("wrong_type", put(*LORA, "lora_dropout", value=Here([0.1]))),
    ("wrong_type", put(*LORA, "training_args", value=Here(5))),
    ("wrong_type", put(*ARGS, "max_steps", value=Here("ten"))),
    ("wrong_type", put(*PRE, "max_seq_len", value=Here("long"))),
    ("wrong_type", put("phinb", "labels", value=Here("joy"))),
    ("wrong_type", put("passes", "merge", value=Here("MergeAdapterWeights"))),
    ("bad_choice", put(*LORA, "torch_dtype", value=Here("bfloat17"))),
    ("bad_choice", put("passes", "int4", "precision", value=Here("int5"))),
    ("bad_choice", put(*PRE, "padding_side", value=Here("middle"))),
    ("bad_choice", put(*ACCELERATOR, "device", value=Here("gpux"))),
    ("bad_choice", put(*ACCELERATOR, "execution_providers", value=[Here("NoProvider")])),
    ("out_of_range", put(*LORA, "r", value=Here(-4))),
    ("out_of_range", put(*LORA, "alpha", value=Here(0))),
    ("out_of_range", put(*ARGS, "learning_rate", value=Here(0))),
    ("out_of_range", put(*ARGS, "per_device_train_batch_size", value=Here(0))),
    ("out_of_range", put(*PRE, "max_seq_len", value=Here(0))),
    ("out_of_range", put("phinb", "eval_split", value=Here(1.5))),
    ("out_of_range", put("log_severity_level", value=Here(9))),
    ("unknown_reference", put(*LORA, "train_data_config", value=Here("nobody"))),
    ("unknown_reference", put("target", value=Here("nowhere"))),
    ("unknown_reference", put("host", value=Here("nowhere"))),
    ("unknown_reference", put("passes", "int4", "host", value=Here("nowhere"))),
    ("unknown_type", put("passes", "merge", "type", value=Here("MergeAdapter"))),
    ("unknown_type", put("input_model", "type", value=Here("HFModels"))),
    ("unknown_type", put(*SYSTEM, "type", value=Here("LocalSystems"))),
    ("unknown_type", put(*DATA, "type", value=Here("HuggingContainer"))),
    ("placeholder", put("input_model", "model_path", value=Here("Your model's folder"))),
    ("placeholder", put(*LOAD, "data_files", value=Here("<YOUR-DATA>"))),
    ("secret", put("workflow_id", value=Here("hf_" + "aB3" * 11))),
    ("bad_template", put(*PRE, "text_template", value=Here("{phrase} {"))),
    ("bad_name", both(put(*DATA, "name", value=Here("my train")), put(*LORA, "train_data_config", value="my train"))),
    ("missing_key", both(drop(*LORA, "train_data_config"), key_here(*LORA))),
    ("missing_key", both(drop("passes", "merge", "type"), key_here("passes", "merge"))),
    ("missing_key", both(drop("input_model", "type"), key_here("input_model"))),
    ("missing_split", both(drop(*LOAD, "split"), key_here(*LOAD))),
    ("default_join", both(drop(*PRE, "strategy"), key_here(*PRE))),
    ("overridden", put("cache_dir", value=Here("cache"))),
]
"""A code, and how to bend the valid configuration so that a problem of that code is at the mark."""

CONFIG, PARAMS = (*LORA, "config"), (*PRE, "params")
OLD: list[tuple[str, Bend]] = [
    ("unknown_key", put(*CONFIG, here("zzz"), value=1)),
    ("unknown_key", put(*PARAMS, here("zzz"), value=1)),
    ("unknown_key", put(*LOAD, "params", here("zzz"), value=1)),
    ("unknown_key", put(*CONFIG, "training_args", here("zzz"), value=1)),
    ("unknown_key", put("input_model", "config", here("zzz"), value=1)),
    ("unknown_key", put(*SYSTEM, "config", here("zzz"), value=1)),
    ("unknown_key", put("engine", here("zzz"), value=1)),
    ("out_of_range", both(drop(*CONFIG, "r"), put(*CONFIG, "lora_r", value=Here(-4)))),
    ("out_of_range", both(drop(*PARAMS, "max_seq_len"), put(*PARAMS, "source_max_len", value=Here(0)))),
    ("wrong_type", both(drop(*CONFIG, "alpha"), put(*CONFIG, "lora_alpha", value=Here("many")))),
    ("twice_defined", put(*CONFIG, here("lora_r"), value=8)),
    ("twice_defined", put(*LORA, here("r"), value=8)),
    ("no_place", put(*CONFIG, here("eval_dataset_size"), value=50)),
    ("no_place", put(*PARAMS, here("dataset_type"), value="pair")),
    ("unknown_reference", put("engine", "target", value=Here("nowhere"))),
    ("unknown_reference", put(*CONFIG, "train_data_config", value=Here("nobody"))),
    ("bad_choice", put("passes", "int4", "config", "precision", value=Here("int5"))),
    ("placeholder", put("input_model", "config", "model_path", value=Here("Your model's folder"))),
]

JSON_MISTAKES = [
    ("comma_missing", '{\n "a": 1§\n "b": 2\n}'),
    ("comma_missing", '{"é🙂": [1§ 2]}'),
    ("colon_missing", '{\n\t"a"§ 1\n}'),
    ("value_missing", '{\n "a":\n§}'),
    ("extra_comma", '{\n "a": 1,§,\n "b": 2\n}'),
    ("extra_comma", '{"漢": [1, §, 2]}'),
    ("never_closed", '{\n "a": §{"b": 1\n'),
    ("never_closed", '{\n "a": [1, §[2\n'),
    ("wrong_bracket", '{\n "a": [1, 2§}\n}'),
    ("open_quote", '{\n "a": §"open,\n "b": 2\n}'),
    ("python_word", '{\n "a": §True,\n}'),
    ("python_word", '{/* 🙂 */ "a": [§None]}'),
    ("unquoted_key", "{\n  §a: 1\n}"),
    ("single_quotes", "{\n \"a\": §'b'\n}"),
    ("bare_word", '{"🙂": 1, "a": §NaN}'),
    ("bare_word", '{"a": §word}'),
    ("bad_number", '{\n "a": §.5\n}'),
    ("bad_number", '{"a": §0x10}'),
    ("bad_escape", '{\n "a": "C:§\\data"\n}'),
    ("text_after_end", '{\n "a": 1\n}\n§{"b": 2}'),
    ("duplicate_key", '{\n "a": 1,\n // again\n §"a": 2\n}'),
    ("duplicate_key", '{"x": {"é": 1, §"é": 2}}'),
    ("stray_character", '{"a": §!}'),
    ("key_missing", '{"a": 1, §[2]}'),
    ("not_a_mapping", " \n§[1, 2]"),
    ("binary", '{"a": 1}\n §\x00'),
]
YAML_MISTAKES = [
    ("duplicate_key", "a: 1\nb: 2\n§a: 3\n"),
    ("duplicate_key", "x:\n  é: 1\n  # 🙂\n  §é: 2\n"),
    ("duplicate_key", "x: {漢: 1, §漢: 2}\n"),
    ("duplicate_key", "- name: a\n  type: HuggingfaceContainer\n  §type: HuggingfaceContainer\n"),
    ("not_yaml", "a: 1\n  b§: 2\n"),
    ("not_yaml", "a: [1,\nb: 2\n§"),
    ("not_yaml", "a: 1\n§\tb: 2\n"),
    ("not_yaml", "é: 'open\nb: 2\n§"),
    ("not_yaml", "a: 漢\n§}\n"),
    ("not_yaml", "a: §@x\n"),
    ("not_yaml", "a: §%x\n"),
    ("not_yaml", "a: 1\n§*b : 2\n"),
    ("bad_key", "a: 1\n§[b, c]: 2\n"),
    ("bad_key", "a:\n  ? §{b: c}\n  : 2\n"),
    ("not_a_mapping", "# 🙂\n\n§- a\n- b\n"),
    ("not_a_mapping", "  §some words\n"),
    ("binary", "a: 1\nb: §\x00\n"),
]
SURROUNDINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
}
JSON_SURROUNDINGS = {**SURROUNDINGS, "below comments": lambda text: "// ü🙂\n/* {\n*/\n\n" + text}
YAML_SURROUNDINGS = {**SURROUNDINGS, "below comments": lambda text: "# ü🙂 [\n\n" + text}


def told(source: Any, code: str, label: str = "") -> list[tuple[int | None, int | None]]:
    config: Config = load_config(source)
    return [(one.line, one.column) for one in config.problems if one.code == code and one.source == label]


def bent(bend: Bend, form: Plain) -> Plain:
    plain = copy.deepcopy(form)
    bend(plain)
    return plain


def cases() -> list[tuple[str, str, str, str]]:
    """Format, how it is written, code, marked text."""
    found = []
    for forms, kind in ((JSON_FORMS, "json"), (YAML_FORMS, "yaml")):
        for name, write in forms.items():
            found += [(kind, name, code, write(bent(bend, json.loads(VALID)))) for code, bend in TODAY]
            found += [(kind, name, code, write(bent(bend, old_form()))) for code, bend in OLD]
    for surroundings, mistakes, kind in (
        (JSON_SURROUNDINGS, JSON_MISTAKES, "json"),
        (YAML_SURROUNDINGS, YAML_MISTAKES, "yaml"),
    ):
        for name, surround in surroundings.items():
            found += [(kind, name, code, surround(marked)) for code, marked in mistakes]
    return found


CASES = cases()


@pytest.mark.parametrize("form", sorted({(kind, name) for kind, name, _, _ in CASES}), ids=lambda form: " ".join(form))
def test_a_problem_is_told_where_it_is(form: tuple[str, str]) -> None:
    wrong = []
    for kind, name, code, marked in CASES:
        if (kind, name) == form:
            text, line, column = place(marked)
            found = told(text, code)
            if (line, column) not in found:
                wrong.append(f"{code} is at {(line, column)} and told at {found}:\n{text}")
    assert not wrong, f"{len(wrong)} wrong\n" + "\n\n".join(wrong[:3])


def test_there_are_hundreds_of_places_in_both_formats() -> None:
    places = {(kind, code, *place(marked)) for kind, _, code, marked in CASES}
    counts = Counter(kind for kind, *_ in places)
    codes = {code for _, code, *_ in places}
    assert min(counts.values()) >= 100, counts
    assert sum(counts.values()) >= 200, counts
    assert len(codes) >= 30, sorted(codes)
    print(f"{sum(counts.values())} places of problems ({counts}) of {len(codes)} codes")


PIECES = [
    ("conflict", put("input_model", here("model_path"), value="other")),
    ("conflict", put("passes", here("lora"), value={"type": "QLoRA", "train_data_config": "train"})),
    ("conflict", put(here("target"), value="other")),
    (
        "conflict",
        put("data_configs", value=[Here({"name": "train", "type": "HuggingfaceContainer", "user_script": "a"})]),
    ),
    ("conflict", put("systems", "local_system", value=Here({"type": "LocalSystem", "hf_token": True}))),
    ("unknown_key", put("passes", "extra", value={"type": "MergeAdapterWeights", here("zzz"): 1})),
    ("out_of_range", put("phinb", "eval_split", value=Here(7))),
    ("unknown_reference", put("host", value=Here("nowhere"))),
]


@pytest.mark.parametrize(("code", "bend"), PIECES, ids=[f"{code} {number}" for number, (code, _) in enumerate(PIECES)])
@pytest.mark.parametrize("forms", [JSON_FORMS, YAML_FORMS], ids=["json", "yaml"])
def test_in_a_later_piece(code: str, bend: Bend, forms: dict[str, Callable[[Plain], str]]) -> None:
    for write in forms.values():
        text, line, column = place(write(bent(bend, {})))
        found = told([Piece(VALID, "In [1]"), Piece(text, "In [2]")], code, "In [2]")
        if code == "conflict" and (line, column) not in found:
            # a member whose value bears the mark is told at its key; where it has none (an entry), at the value
            marked_key = text.splitlines()[(found[0][0] or 1) - 1][(found[0][1] or 1) - 1 :]
            assert marked_key.lstrip('"').startswith("local_system"), (found, text)
        else:
            assert (line, column) in found, (code, line, column, found, text)


def test_the_place_of_a_change_and_of_a_value() -> None:
    for text in (json_lines(old_form()), yaml_block(old_form()).lstrip("\n")):
        config = load_config(text)
        lines = text.splitlines()
        for change in config.changes:
            assert change.line is not None
            assert change.path.rpartition(".")[2] in lines[change.line - 1]
        for path, value in config.effective().items():
            if value.origin == "you" and value.line is not None:
                assert path.rpartition(".")[2] in lines[value.line - 1], path
