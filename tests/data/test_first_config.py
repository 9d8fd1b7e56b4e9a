"""From a file of rows to a configuration: what it chooses, what it says, and what it refuses with a sentence."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import phinb
from phinb.config import Config, load_config
from phinb.config.starting.facts import Machine
from phinb.data.first_config import compose_config
from phinb.errors import PhinbError

Write = Callable[..., Path]


@pytest.fixture(scope="session")
def phrases(sample_data: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """write("my.csv", rows, delimiter=";"): a file in the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(name: str, rows: list[dict[str, Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        with path.open("w", encoding=encoding, newline="") as file:
            if path.suffix == ".jsonl":
                file.writelines(json.dumps(row) + "\n" for row in rows)
            else:
                table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
                table.writeheader()
                table.writerows(rows)
        return path

    return make


def new(data: str | Path, *arguments: Any, model: str = "phinb://tiny", **named: Any) -> tuple[str, Config]:
    """The text, and what it is read as: without any problem but QLoRA's warning, or the test fails."""
    text = phinb.new_config(data, *arguments, model=model, **named)
    config = load_config(text, name="mine", folder=named.get("folder") or Path.cwd())
    assert [str(problem) for problem in config.problems if problem.code != "qlora_merge"] == []
    return text, config


def value(config: Config, path: str) -> Any:
    return config.effective()[path].value


@pytest.mark.slow
def test_a_file_of_phrases_and_tones(write: Write, phrases: list[dict[str, str]]) -> None:
    write("my.csv", phrases)
    text, config = new("my.csv")
    assert list(config.passes) == ["lora", "merge", "int4"]
    assert value(config, "data_configs.train.load_dataset_config.data_name") == "csv"
    assert value(config, "data_configs.train.load_dataset_config.data_files") == "my.csv"
    template = "### Phrase: {phrase}\n### The tone is:\n{tone}"
    assert value(config, "data_configs.train.pre_process_data_config.text_template") == template
    assert value(config, "data_configs.test.pre_process_data_config.text_template") == template
    assert value(config, "passes.lora.training_args.max_steps") == 60
    assert config.phinb["answer"] == "tone"
    assert config.phinb["loss_on"] == "completion"
    assert "// my.csv: 360 rows." in text
    assert "// tone: 4 values (" in text
    assert "only column with few values (4)" in text
    found = phinb.preflight(config)
    assert [str(problem) for problem in found.problems] == []
    train, test = found.previews
    assert (train.stats.rows, test.stats.rows) == (288, 72)
    assert train.stats.truncated_rows == test.stats.truncated_rows == 0
    longest = max(train.stats.lengths + test.stats.lengths)
    length = value(config, "data_configs.train.pre_process_data_config.max_seq_len")
    assert longest <= length < longest + 8
    assert f"the longest of 360 rows has {longest}" in text


def test_the_part_for_evaluation_has_every_answer_and_no_row_of_the_other(
    write: Write, phrases: list[dict[str, str]]
) -> None:
    from phinb.data.source import read_rows

    write("my.jsonl", phrases)
    _, config = new("my.jsonl")
    train, test = (read_rows(one, config.folder).rows for one in config.to_olive()["data_configs"])
    assert len(train) + len(test) == 360
    assert {row["tone"] for row in test} == {row["tone"] for row in train}
    assert not {row["phrase"] for row in train} & {row["phrase"] for row in test}


def test_a_sorted_file_is_not_cut_at_its_end(write: Write, phrases: list[dict[str, str]]) -> None:
    write("my.csv", sorted(phrases, key=lambda row: row["tone"]))
    text, config = new("my.csv")
    assert "The rows are sorted by tone" in text
    assert config.phinb["eval_split"] == 0.2
    assert [one["name"] for one in config.to_olive()["data_configs"]] == ["train"]
    assert "288 rows at 8 a step" in text
    assert phinb.preflight(config).ok


def test_a_file_of_test_rows_is_used_and_must_fit(write: Write, phrases: list[dict[str, str]]) -> None:
    write("my.csv", phrases[:60])
    write("other.jsonl", phrases[60:90])
    _, config = new("my.csv", test="other.jsonl")
    assert value(config, "data_configs.test.load_dataset_config.data_name") == "json"
    assert value(config, "data_configs.test.load_dataset_config.data_files") == "other.jsonl"
    assert value(config, "passes.lora.eval_data_config") == "test"
    write("wrong.csv", [{"phrase": "nothing else"}])
    with pytest.raises(PhinbError, match=r"wrong\.csv does not fit: No column has the name tone"):
        phinb.new_config("my.csv", test="wrong.csv", model="phinb://tiny")


@pytest.mark.parametrize(("name", "delimiter"), [("my.csv", ";"), ("my.csv", "\t"), ("my.csv", "|"), ("my.tsv", "\t")])
def test_tables_of_other_countries(write: Write, phrases: list[dict[str, str]], name: str, delimiter: str) -> None:
    write(name, phrases[:50], delimiter=delimiter)
    _, config = new(name)
    assert value(config, "data_configs.train.load_dataset_config.delimiter") == delimiter
    assert value(config, "data_configs.test.load_dataset_config.delimiter") == delimiter
    assert phinb.preflight(config).ok


def test_a_comma_in_a_cell_is_no_semicolon(write: Write, phrases: list[dict[str, str]]) -> None:
    write("my.csv", [{"phrase": f"{row['phrase']}; well, yes", "tone": row["tone"]} for row in phrases[:30]])
    text, config = new("my.csv")
    assert '"delimiter"' not in text
    assert phinb.preflight(config).ok


def test_conversations_are_taken_as_they_are(write: Write, phrases: list[dict[str, str]]) -> None:
    turns = [
        {"messages": [{"role": "user", "content": row["phrase"]}, {"role": "assistant", "content": row["tone"]}]}
        for row in phrases[:40]
    ]
    write("chat.jsonl", turns)
    text, config = new("chat.jsonl")
    assert value(config, "data_configs.train.pre_process_data_config.chat_template") is True
    assert value(config, "data_configs.train.pre_process_data_config.message_col") == "messages"
    assert '"text_template"' not in text
    found = phinb.preflight(config)
    assert found.ok
    assert found.previews[0].stats.truncated_rows == 0


def test_one_column_of_text_is_learnt_as_a_whole(write: Write, tmp_path: Path, phrases: list[dict[str, str]]) -> None:
    (tmp_path / "poems.txt").write_text("\n".join(row["phrase"] for row in phrases[:40]), encoding="utf-8")
    _, config = new("poems.txt")
    assert value(config, "data_configs.train.pre_process_data_config.text_template") == "{text}"
    assert config.phinb["loss_on"] == "all"
    assert config.phinb["answer"] is None
    assert phinb.preflight(config).ok


def test_few_rows_spare_none(write: Write, phrases: list[dict[str, str]]) -> None:
    write("my.csv", phrases[:7])
    text, config = new("my.csv")
    assert "too few to spare any" in text
    assert "eval_strategy" not in text
    assert phinb.preflight(config).ok


def test_long_rows_make_small_batches_and_too_long_ones_are_named(write: Write, phrases: list[dict[str, str]]) -> None:
    write("my.csv", [{**row, "phrase": row["phrase"] + " and so on" * 60} for row in phrases[:40]])
    _, config = new("my.csv")
    batch = value(config, "passes.lora.training_args.per_device_train_batch_size")
    length = value(config, "data_configs.train.pre_process_data_config.max_seq_len")
    assert batch * length <= 2048
    assert batch * value(config, "passes.lora.training_args.gradient_accumulation_steps") == 8
    write("my.csv", [{**row, "phrase": row["phrase"] * (400 if at == 5 else 1)} for at, row in enumerate(phrases[:40])])
    text, config = new("my.csv")
    assert value(config, "data_configs.train.pre_process_data_config.max_seq_len") == 4096
    assert "1 of 40 rows are longer and lose their end, the answer" in text
    assert [problem.code for problem in phinb.preflight(config).problems] == ["truncated_answers"]


def test_paths_are_relative_to_where_the_configuration_will_stand(
    write: Write, tmp_path: Path, phrases: list[dict[str, str]]
) -> None:
    write("my.csv", phrases[:40])
    (tmp_path / "deep" / "down").mkdir(parents=True)
    _, config = new("my.csv", folder=tmp_path / "deep" / "down")
    assert value(config, "data_configs.train.load_dataset_config.data_files") == "../../my.csv"
    assert phinb.preflight(config).ok


def test_a_model_that_is_not_here_is_estimated_and_said_to_be(write: Write, phrases: list[dict[str, str]]) -> None:
    write("my.csv", phrases)
    text, config = new("my.csv", model="microsoft/Phi-3-mini-4k-instruct")
    assert "estimated from the letters" in text
    template = value(config, "data_configs.train.pre_process_data_config.text_template")
    assert template.startswith("<|user|>\n{phrase}")
    assert "one of: fear, joy, sadness, surprise." in template
    assert template.endswith("<|assistant|>\n{tone}<|end|>")
    assert value(config, "data_configs.train.pre_process_data_config.add_special_tokens") is False
    longest = max(len(template.format(**row)) for row in phrases)
    assert longest / 4 < value(config, "data_configs.train.pre_process_data_config.max_seq_len") < longest
    unknown, config = new("my.csv", model="somebody/some-model")
    assert "target_modules" not in unknown
    assert "nothing is known of it" in unknown


@pytest.mark.parametrize("recipe", ["lora", "qlora", "dora", "quantize", "evaluate"])
def test_every_recipe_takes_rows(write: Write, phrases: list[dict[str, str]], recipe: str) -> None:
    write("my.csv", phrases[:60])
    _, config = new("my.csv", "tone", recipe)
    assert phinb.preflight(config).ok
    names = [one["name"] for one in config.to_olive()["data_configs"]]
    assert names == (["test"] if recipe in ("quantize", "evaluate") else ["train", "test"])


@pytest.mark.parametrize(
    ("machine", "recipe", "dtype", "device", "said"),
    [
        (Machine(memory_bytes=32 * 10**9), "lora", "float32", "cpu", "no GPU that phinb can find"),
        (Machine(memory_bytes=16 * 10**9), "lora", "bfloat16", "cpu", "float32 would take 15 GB"),
        (Machine(memory_bytes=4 * 10**9), "lora", "bfloat16", "cpu", "recipe qlora keeps them in four bits: 2.1 GB"),
        (Machine(memory_bytes=2 * 10**9), "lora", "bfloat16", "cpu", "Take a smaller model, or the recipe azure"),
        (Machine(("T4, 15360 MiB",), 15360 * 2**20, 10**11), "lora", "bfloat16", "cpu", "phinb[gpu]"),
        (Machine(("A100",), 80 * 10**9, 10**11, cuda_runtime=True), "lora", "bfloat16", "gpu", "this machine's GPU"),
        (Machine(("A2",), 4 * 10**9, 10**11), "qlora", "bfloat16", "cpu", "nf4"),
    ],
)
def test_the_machine_decides_and_is_named(
    write: Write, phrases: list[dict[str, str]], machine: Machine, recipe: str, dtype: str, device: str, said: str
) -> None:
    write("my.csv", phrases[:60])
    text = compose_config("my.csv", "tone", recipe, "microsoft/Phi-3-mini-4k-instruct", machine=machine)
    config = load_config(text)
    assert config.ok
    assert value(config, f"passes.{recipe}.torch_dtype") == dtype
    assert config.to_olive()["systems"]["local_system"]["accelerators"][0]["device"] == device
    assert said in re.sub(r"\n\s*// ", " ", text)


@pytest.mark.parametrize(
    ("name", "content", "message", "hint"),
    [
        ("nowhere.csv", None, "does not exist", "has that name"),
        ("rows.xlsx", b"PK\x03\x04", "cannot tell how to read", ".parquet"),
        ("rows", None, "There is no file", "Name the file"),
        ("empty.csv", b"", "is empty", "Give it rows"),
        ("header.csv", b"phrase,tone\n", "no rows", "Give it rows"),
        ("latin.csv", "phrase,tone\nça va bien,joy\n".encode("cp1252"), "is not UTF-8: line 2", "as UTF-8"),
        ("utf16.csv", "phrase,tone\nwell well,joy\n".encode("utf-16"), "is not UTF-8", "as UTF-8"),
        ("broken.jsonl", b'{"phrase": "a b"}\n{"phrase": \n', "line 2, is not a JSON object", "Mend the line"),
        ("numbers.csv", b"a,tone\n1,2\n3,4\n", "no column of text beside the answer tone", "a, tone"),
        ("same.csv", b"phrase,tone\n" + b"some words,joy\n" * 20, "same value in all 20 rows", "other answers"),
        ("gone.csv", b"phrase,tone\n" + b"some words,\n" * 20, "it holds nothing", "texts or numbers"),
        ("other.csv", b"phrase,mood\n" + b"some words,joy\n" * 20, "No column has the name tone", "phrase, mood"),
    ],
)
def test_bad_input_gets_a_sentence_and_what_to_do(
    write: Write, tmp_path: Path, name: str, content: bytes | None, message: str, hint: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PhinbError) as caught:
        phinb.new_config(name, "tone", model="phinb://tiny")
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("recipe", "model", "message", "hint"),
    [
        ("lorra", "phinb://tiny", "no recipe lorra", "Did you mean lora?"),
        ("lora", "phinb://demmo", "no embedded model", "phinb://demo"),
        ("lora", "./models/mine", "does not exist", "relative to the configuration"),
    ],
)
def test_a_recipe_or_model_that_is_not_there(
    write: Write, phrases: list[dict[str, str]], recipe: str, model: str, message: str, hint: str
) -> None:
    write("my.csv", phrases[:20])
    with pytest.raises(PhinbError) as caught:
        phinb.new_config("my.csv", "tone", recipe, model)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_text_that_looks_like_a_template_or_a_comment_does_no_harm(write: Write) -> None:
    rows = [
        {"a phrase // {x}"[:8]: f"say {{this}} // no. {at}", "tone": ("{joy}", 'a "b"')[at % 2]} for at in range(40)
    ]
    write("my.jsonl", rows)
    _, config = new("my.jsonl", model="microsoft/Phi-4-mini-instruct")
    template = value(config, "data_configs.train.pre_process_data_config.text_template")
    assert template.format(**rows[0]).count("{joy}") == 2


@pytest.mark.slow
def test_what_it_writes_trains(write: Write, sample_data: Path) -> None:
    rows = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("my.jsonl").write_text("".join(rows[:60]), encoding="utf-8")
    text = phinb.new_config("my.jsonl", "tone", model="phinb://tiny")
    run = phinb.run(load_config(re.sub(r'"max_steps": \d+', '"max_steps": 4', text), name="mine"))
    assert run.state.status == "succeeded", run.log_tail()
    assert list(run.variants) == ["base", "adapter", "merged", "int4"]
    comparison = phinb.compare(run)
    assert set(comparison.frame["n"]) == {12}


def test_values_with_line_breaks_do_not_break_the_comments(write: Write) -> None:
    tones = ("joy\nand more", "fear\u2028", "a // b", "\x01\x02")
    write("my.jsonl", [{"phrase": f"some words {at}", "tone": tones[at % 4]} for at in range(40)])
    text, config = new("my.jsonl", model="microsoft/Phi-4-mini-instruct")
    template = value(config, "data_configs.train.pre_process_data_config.text_template")
    assert "joy\nand more" in template
    assert "joy and more" in text
