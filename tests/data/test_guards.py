"""Each guard fires on data that have the mistake, and is silent on data that have not."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from phinb.data.completion import find_trained_field
from phinb.data.guards import Evidence, find_problems
from phinb.data.inference import compare_prompts, sent_prompt, training_prompt
from phinb.data.prompt_guards import check_same_texts
from phinb.data.scan import Scan
from phinb.data.trainer import Trainer
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.types import Problem
from tests.data.sentencepiece import make_sentencepiece

TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
LINES = {"text_template": TEMPLATE, "strategy": "line-by-line", "max_seq_len": 160, "pad_to_max_len": False}
TRAINER = Trainer("passes.lora", batch_size=8, max_steps=60)
Rows = Sequence[dict[str, Any]]


@pytest.fixture(scope="session")
def rows(sample_data: Path) -> list[dict[str, Any]]:
    lines = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


class Look(Protocol):
    def __call__(
        self,
        rows: Rows,
        tokenizer: Tokenizer,
        *,
        loss_on: str = "all",
        trainer: Trainer | None = TRAINER,
        others: dict[str, Rows] | None = None,
        **params: Any,
    ) -> Evidence: ...


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """What the guards get to see of rows, which are written to a file and scanned, under Olive's parameters."""

    def write(name: str, rows: Rows, params: dict[str, Any]) -> dict[str, Any]:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        loading = {"data_name": "json", "data_files": path.name, "split": "train"}
        given = {key: value for key, value in {**LINES, **params}.items() if value is not None}
        return {
            "name": name,
            "type": "HuggingfaceContainer",
            "load_dataset_config": loading,
            "pre_process_data_config": given,
        }

    def look(
        rows: Rows,
        tokenizer: Tokenizer,
        *,
        loss_on: str = "all",
        trainer: Trainer | None = TRAINER,
        others: dict[str, Rows] | None = None,
        **params: Any,
    ) -> Evidence:
        data_config = write("train", rows, params)
        scan = Scan(
            data_config,
            tokenizer,
            tmp_path,
            batch_size=trainer.batch_size if trainer else None,
            accumulation=trainer.accumulation if trainer else None,
            trained_field=find_trained_field({"loss_on": loss_on}, data_config["pre_process_data_config"]),
            others={name: write(name, some, params) for name, some in (others or {}).items()},
        )
        stats = scan.run()
        if others:
            stats = scan.find_near()
        assert scan.ok, scan.problems
        first = [scan.sequence(index) for index in range(min(scan.count, 50))]
        tally = scan.tally
        return Evidence("train", stats, scan.recipe, tokenizer, scan.rows.page(0, 1000), first, tally.answer, trainer)

    return look


def codes(seen: Evidence) -> list[str]:
    return [problem.code for problem in find_problems(seen)]


def the(code: str, seen: Evidence) -> Problem:
    found = [problem for problem in find_problems(seen) if problem.code == code]
    assert len(found) == 1, codes(seen)
    assert found[0].message.endswith((".", ")."))
    assert found[0].hint.endswith(".")
    return found[0]


def edits(problem: Problem) -> dict[str, Any]:
    assert problem.fix is not None
    return {edit.path.rpartition(".")[2]: edit.value for edit in problem.fix.edits}


def chat(*roles: str, count: int = 20) -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": role, "content": f"{role} says {number}"} for role in roles]} for number in range(count)
    ]


ENDED = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
CHAT = {"chat_template": ENDED, "text_template": None}


# ------------------------------------------------------------------------------------------------- good data


def test_nothing_is_said_of_good_rows(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    for loss_on in ("all", "completion"):
        assert find_problems(look(rows, tokenizer, loss_on=loss_on)) == []
        assert find_problems(look(rows, tokenizer, loss_on=loss_on, strategy="join", max_seq_len=400)) == []


def test_nothing_is_said_of_good_rows_under_a_sentencepiece_tokenizer(look: Look, rows: Rows, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(make_sentencepiece(tmp_path / "sentencepiece"))
    assert find_problems(look(rows, tokenizer, loss_on="completion")) == []
    assert codes(look(rows, tokenizer, text_template="{phrase} The tone is: {tone}")) == ["prompt_differs"]


def test_nothing_is_said_of_good_conversations(look: Look, tokenizer: Tokenizer) -> None:
    rows = chat("system", "user", "assistant", "user", "assistant", count=80)
    for loss_on in ("all", "completion"):
        assert find_problems(look(rows, tokenizer, loss_on=loss_on, **CHAT)) == []


# ------------------------------------------------------------------------------------------------- sequences


@pytest.mark.parametrize(
    ("params", "words", "fixed"),
    [
        (
            {"strategy": "join", "max_seq_len": 2048},
            "all 10 rows joined have",
            {"strategy": "line-by-line", "max_seq_len": 60},
        ),
        ({"drop_short_sequences": True}, "every row is shorter", {"drop_short_sequences": None}),
        ({"max_samples": 0}, "max_samples is 0", {"max_samples": None}),
    ],
)
def test_no_sequences(
    look: Look, rows: Rows, tokenizer: Tokenizer, params: Any, words: str, fixed: dict[str, Any]
) -> None:
    seen = look(rows[:10], tokenizer, **params)
    problem = the("no_sequences", seen)
    assert problem.severity == "error"
    assert words in problem.message
    found = edits(problem)
    if "max_seq_len" in fixed:
        fixed["max_seq_len"] = max(seen.stats.lengths)
    assert found == fixed
    mended = {**params, **fixed}
    assert look(rows[:10], tokenizer, **mended).stats.sequences == 10


def test_no_sequences_without_any_text(look: Look, tokenizer: Tokenizer) -> None:
    seen = look([{"phrase": ""}] * 5, tokenizer, text_template="{phrase}", add_special_tokens=False)
    assert "no row has any text" in the("no_sequences", seen).message


def test_answers_that_are_all_cut_off_leave_nothing_to_train_on(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    seen = look(rows, tokenizer, loss_on="completion", max_seq_len=12)
    problem = the("nothing_trained", seen)
    assert problem.severity == "error"
    assert "cuts the row off before its answer" in problem.message
    assert edits(problem) == {"max_seq_len": max(seen.stats.lengths)}
    assert codes(look(rows, tokenizer, loss_on="all", max_seq_len=12)).count("nothing_trained") == 0


def test_conversations_without_the_role_leave_nothing_to_train_on(look: Look, tokenizer: Tokenizer) -> None:
    seen = look(chat("user", "model"), tokenizer, loss_on="completion", **CHAT)
    assert "no message of the role 'assistant'" in the("nothing_trained", seen).message


def test_some_sequences_without_anything_to_train_on(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    mixed = [*chat("user", "assistant"), *chat("user", count=3)]
    problem = the("untrained_sequences", look(mixed, tokenizer, loss_on="completion", **CHAT))
    assert "in 3 of 23 sequences" in problem.message
    assert problem.severity == "warning"
    seen = look(rows, tokenizer, loss_on="completion", max_seq_len=35)
    assert not any(found.code == "untrained_sequences" for found in find_problems(seen)), "the same cause, told once"
    problem = the("truncated_answers", seen)
    untrained = sum(all(label == -100 for label in one.labels[1:]) for one in seen.sequences)
    assert 0 < untrained <= (seen.stats.untrained or 0)
    assert f"in {seen.stats.untrained} all of it" in problem.message


def test_joined_sequences_that_hold_prompts_only(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    seen = look(rows, tokenizer, loss_on="completion", strategy="join", max_seq_len=64)
    problem = the("untrained_sequences", seen)
    assert "a part of a prompt fills it" in problem.message
    assert edits(problem) == {"strategy": "line-by-line", "max_seq_len": max(seen.stats.lengths)}


def test_cut_rows_are_told_apart_by_what_they_lose(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    answered_first = [{"tone": row["tone"], "phrase": row["phrase"]} for row in rows]
    early = look(answered_first, tokenizer, text_template="{tone}: {phrase}", max_seq_len=30)
    early = dataclasses.replace(early, stats=dataclasses.replace(early.stats, truncated_answers=0))
    assert the("truncated_rows", early).fix
    seen = look(rows, tokenizer, max_seq_len=50)
    problem = the("truncated_answers", seen)
    longest = [number for number, length in enumerate(seen.stats.lengths, 1) if length > 50]
    assert f"{len(longest)} of 360 rows are longer than max_seq_len 50" in problem.message
    assert f"(rows {longest[0]}, " in problem.message
    assert edits(problem) == {"max_seq_len": max(seen.stats.lengths)}


def test_a_fix_never_asks_for_more_than_the_model_takes(look: Look, tokenizer: Tokenizer) -> None:
    long = [{"phrase": "so she walked home " * 2000, "tone": "joy"}, {"phrase": "x", "tone": "fear"}]
    problem = the("truncated_answers", look(long, tokenizer))
    assert problem.fix is None
    assert "the model takes 4,096 tokens" in problem.hint


# ------------------------------------------------------------------------------------------- end of sequence


def test_texts_without_an_end(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    problem = the("no_end_of_sequence", look(rows, tokenizer, add_special_tokens=False))
    assert "never learns to stop" in problem.message
    assert edits(problem) == {"add_special_tokens": True}
    ended = f"{TEMPLATE}{tokenizer.eos}"
    assert codes(look(rows, tokenizer, add_special_tokens=False, text_template=ended)) == []


def test_where_there_is_no_bos_the_template_gets_the_end(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    special = {name: text for name, text in tokenizer.special.items() if name != "bos_token"}
    without = dataclasses.replace(tokenizer, special=special)
    problem = the("no_end_of_sequence", look(rows, without, add_special_tokens=False))
    assert edits(problem) == {"text_template": f"{TEMPLATE}{tokenizer.eos}"}
    assert codes(look(rows, without, add_special_tokens=False, **edits(problem))) == []


def test_an_end_that_is_cut_off_everywhere(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    seen = look(rows, tokenizer, max_seq_len=12)
    assert "max_seq_len 12 cuts it off" in the("no_end_of_sequence", seen).message
    assert "no_end_of_sequence" not in codes(look(rows, tokenizer, max_seq_len=50))


def test_ends_that_no_sequence_reaches(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    """The eos is a token, and stands behind every row: what is wrong is where the sequences are cut."""
    long = {"phrase": "so she walked home " * 60, "tone": "joy"}
    joined = the("no_end_of_sequence", look([long, rows[0]], tokenizer, strategy="join", max_seq_len=200))
    assert "which is no token" not in joined.message
    assert "no row ends within a sequence" in joined.message
    some = the("no_end_of_sequence", look([long, rows[0]], tokenizer, max_seq_len=50, max_samples=1))
    assert "max_seq_len 50 cuts it off" in some.message


def test_sequences_of_one_token_have_nothing_to_predict(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    for strategy in ("join", "line-by-line"):
        problem = the("nothing_trained", look(rows[:40], tokenizer, strategy=strategy, max_seq_len=1))
        assert "a sequence of one token has nothing to predict it from" in problem.message
        assert problem.path.endswith(".max_seq_len")


def test_a_chat_template_without_an_end(look: Look, tokenizer: Tokenizer) -> None:
    rows = chat("user", "assistant", count=60)
    bare = ENDED.replace(" + eos_token", "")
    problem = the("no_end_of_sequence", look(rows, tokenizer, chat_template=bare, text_template=None))
    assert "the chat template writes none" in problem.message
    assert "'<|endoftext|>'" in problem.hint


def test_conversations_that_end_in_a_question_have_no_end_in_their_loss(look: Look, tokenizer: Tokenizer) -> None:
    last = ENDED.replace("eos_token", "(eos_token if m['role'] == 'assistant' else '')")
    mixed = [*chat("user", "assistant"), *chat("system", "user", count=5)]
    problem = the("end_missing", look(mixed, tokenizer, chat_template=last, text_template=None))
    assert "5 of 25 sequences" in problem.message


COLLATE = """
import json, os, sys
from transformers import AutoTokenizer, DataCollatorForLanguageModeling
from olive.common.hf.utils import get_tokenizer
from olive.passes.pytorch.lora import LoRA
import torch

folder, given = sys.argv[1], json.load(sys.stdin)
tokenizer = get_tokenizer(folder)
assert tokenizer.pad_token_id == tokenizer.eos_token_id
olive = LoRA.collate_batch([{key: torch.tensor(value) for key, value in one.items()} for one in given], tokenizer)
plain = [{"input_ids": one["input_ids"]} for one in given]
usual = DataCollatorForLanguageModeling(tokenizer, mlm=False)(plain)
print(json.dumps([olive["labels"].tolist(), usual["labels"].tolist()]))
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_an_end_that_is_taken_for_padding(look: Look, rows: Rows, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Olive's collator keeps the label of an end that is also the pad token; transformers' own masks it."""
    folder = tmp_path / "padless"
    folder.mkdir()
    for file in tokenizer.folder.iterdir():
        if file.suffix != ".safetensors":
            text = file.read_text(encoding="utf-8")
            if file.name in ("tokenizer_config.json", "special_tokens_map.json"):
                text = json.dumps({key: value for key, value in json.loads(text).items() if key != "pad_token"})
            (folder / file.name).write_text(text, encoding="utf-8")
    padless = load_tokenizer(folder)
    assert padless.pad_id == padless.eos_id
    seen = look(rows[:20], padless, trainer=None)
    assert codes(seen) == []
    given = [
        {"input_ids": one.input_ids, "labels": one.labels, "attention_mask": one.attention_mask}
        for one in seen.sequences
    ]
    done = subprocess.run(
        [sys.executable, "-c", COLLATE, str(folder)],
        input=json.dumps(given),
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"OLIVE_DISABLE_TELEMETRY": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    by_olive, by_transformers = json.loads(done.stdout.strip().splitlines()[-1])
    for labels, expected in ((by_olive, []), (by_transformers, ["end_masked"])):
        made = [
            dataclasses.replace(one, labels=tuple(row[: len(one.input_ids)]))
            for one, row in zip(seen.sequences, labels, strict=True)
        ]
        assert codes(dataclasses.replace(seen, sequences=made)) == expected


def test_without_any_token_to_pad_with_nothing_can_be_trained(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    bare = dataclasses.replace(tokenizer, special={"bos_token": "<s>"})
    seen = look(rows, bare, add_special_tokens=False)
    assert the("no_padding_token", seen).severity == "error"
    assert "no_padding_token" not in codes(dataclasses.replace(seen, trainer=None))


# ------------------------------------------------------------------------------------------------- prompts


def test_a_space_before_the_answer_makes_another_prompt(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    seen = look(rows, tokenizer, text_template="{phrase} The tone is: {tone}")
    differences = list(compare_prompts(rows, seen.recipe, tokenizer, "tone"))
    training, sent = differences[0].training, differences[0].sent
    assert training.text == sent.text
    assert training.ids == sent.ids[: len(training.ids)]
    assert tokenizer.decode(sent.ids[len(training.ids) :]) == " "
    problem = the("prompt_differs", seen)
    assert f"{len(compared(seen))} of the first 50 rows" in problem.message
    assert "':' ' '" in problem.message
    assert edits(problem) == {"text_template": "{phrase} The tone is:\n{tone}"}
    assert codes(look(rows, tokenizer, **edits(problem))) == []


def compared(seen: Evidence) -> list[Any]:
    return list(compare_prompts(seen.rows[:50], seen.recipe, seen.tokenizer, "tone"))


def test_prompt_and_answer_are_the_text_of_training(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    recipe = look(rows, tokenizer).recipe
    for row in rows[:50]:
        training = training_prompt(row, recipe, tokenizer, "tone")
        assert training == sent_prompt(row, recipe, tokenizer, "tone")
        assert training is not None
        assert training.text == f"{tokenizer.bos} ### Text: {row['phrase']}\n### The tone is:\n"
        assert tokenizer.decode(training.ids) == training.text


def test_a_chat_template_that_opens_the_answer_otherwise_than_in_training(look: Look, tokenizer: Tokenizer) -> None:
    other = ENDED.replace("{{ '<|assistant|>\n' }}", "{{ '<|assistant|> ' }}")
    problem = the(
        "prompt_differs", look(chat("user", "assistant", count=80), tokenizer, **{**CHAT, "chat_template": other})
    )
    assert r"'|>\n" not in problem.message
    assert "of the first 50 rows: in row 1, from character" in problem.message


def test_a_chat_template_that_does_not_open_the_answer(look: Look, tokenizer: Tokenizer) -> None:
    closed = ENDED.partition("{% if add")[0]
    seen = look(chat("user", "assistant", count=80), tokenizer, **{**CHAT, "chat_template": closed})
    assert "ignores add_generation_prompt" in the("no_generation_prompt", seen).message


def test_texts_of_evaluation_that_are_made_otherwise(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    train = look(rows, tokenizer).recipe
    assert check_same_texts("train", train, "test", dataclasses.replace(train, max_seq_len=9, strategy="join")) == []
    (problem,) = check_same_texts("train", train, "test", dataclasses.replace(train, text_template="{phrase} {tone}"))
    assert problem.path == "data_configs.test.pre_process_data_config.text_template"
    assert "from character 1 on" in problem.message
    assert edits(problem) == {"text_template": TEMPLATE}
    (problem,) = check_same_texts("train", train, "test", dataclasses.replace(train, add_special_tokens=False))
    assert edits(problem) == {"add_special_tokens": True}
    (problem,) = check_same_texts("train", dataclasses.replace(train, chat_template=True), "test", train)
    assert edits(problem) == {"chat_template": True}


def with_bos(tokenizer: Tokenizer) -> Tokenizer:
    """The same, adding its bos to what it is called with, as Llama's does."""
    from tokenizers import Tokenizer as Backend
    from tokenizers.processors import TemplateProcessing

    backend = Backend.from_str(tokenizer.backend.to_str())
    bos = str(tokenizer.bos)
    backend.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.bos_id)])
    return dataclasses.replace(tokenizer, backend=backend)


def test_a_bos_that_only_use_has(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    adding = with_bos(tokenizer)
    ended = {"text_template": f"{TEMPLATE}{tokenizer.eos}", "add_special_tokens": False}
    assert edits(the("bos_missing", look(rows, adding, **ended))) == {"add_special_tokens": True}
    assert the("bos_twice_in_use", look(rows, adding)).severity == "info"


def test_special_tokens_that_stand_twice(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    both = f"{tokenizer.bos} {TEMPLATE} {tokenizer.eos}"
    problem = the("special_twice", look(rows, tokenizer, text_template=both))
    assert "begin with <s> and end with <|endoftext|> twice" in problem.message
    assert codes(look(rows, tokenizer, text_template=both, **edits(problem))) == []
    one = the("special_twice", look(rows, tokenizer, text_template=f"{tokenizer.bos} {TEMPLATE}"))
    assert one.fix is None


# ----------------------------------------------------------------------------------------------------- rows


def test_special_tokens_in_the_rows(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    changed = [*rows]
    changed[4] = {**rows[4], "phrase": f"He said {tokenizer.eos} and left."}
    problem = the("special_in_rows", look(changed, tokenizer))
    assert "1 of the first 360 rows has <|endoftext|> in its values (row 5)" in problem.message


def test_an_answer_that_the_prompt_gives_away(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    told = [{**row, "phrase": f"{row['phrase']} [{row['tone'].upper()}]"} for row in rows]
    problem = the("answer_in_prompt", look(told, tokenizer))
    assert 'The column "phrase" holds the answer in 360 of the first 360 rows' in problem.message
    half = [{**row, "phrase": row["phrase"] + (row["tone"] if n % 4 else "")} for n, row in enumerate(rows)]
    assert codes(look(half, tokenizer)) == []
    choices = "Choose from joy, fear, sadness, surprise.\n" + TEMPLATE
    assert codes(look(rows, tokenizer, text_template=choices, max_seq_len=200)) == []
    parts = [{**row, "phrase": f"{row['phrase']} {row['tone']}ish"} for row in rows]
    assert codes(look(parts, tokenizer)) == []


# -------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("trainer", "code", "fixed"),
    [
        (Trainer("passes.lora", batch_size=64, max_steps=10), "batch_too_large", {"per_device_train_batch_size": 10}),
        (
            Trainer("passes.lora", batch_size=8, accumulation=16, max_steps=10),
            "batch_too_large",
            {"gradient_accumulation_steps": 1},
        ),
        (Trainer("passes.lora", batch_size=8, max_steps=3), "too_few_steps", {"max_steps": 5}),
        (Trainer("passes.lora", batch_size=8, max_steps=500), "too_many_steps", {"max_steps": 15}),
        (Trainer("passes.lora", batch_size=8, epochs=200), "too_many_steps", {"num_train_epochs": 3}),
        (
            Trainer("passes.lora", batch_size=32, max_steps=5, eval_split=0.5),
            "batch_too_large",
            {"per_device_train_batch_size": 5},
        ),
    ],
)
def test_batches_and_steps(
    look: Look, rows: Rows, tokenizer: Tokenizer, trainer: Trainer, code: str, fixed: dict[str, Any]
) -> None:
    problem = the(code, look(rows[:40], tokenizer, trainer=trainer))
    assert edits(problem) == fixed
    assert problem.fix is not None
    assert all(edit.path.startswith("passes.lora.training_args.") for edit in problem.fix.edits)
    mended = dataclasses.replace(
        trainer,
        batch_size=fixed.get("per_device_train_batch_size", trainer.batch_size),
        accumulation=fixed.get("gradient_accumulation_steps", trainer.accumulation),
        max_steps=fixed.get("max_steps", trainer.max_steps),
        epochs=fixed.get("num_train_epochs", trainer.epochs),
    )
    assert code not in codes(look(rows[:40], tokenizer, trainer=mended))


def test_batches_that_are_never_full_are_no_training(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    """dataloader_drop_last drops the only batch."""
    trainer = Trainer("passes.lora", batch_size=64, max_steps=10, drops_last=True)
    problem = the("no_full_batch", look(rows[:40], tokenizer, trainer=trainer))
    assert problem.severity == "error"
    assert edits(problem) == {"per_device_train_batch_size": 10}
    mended = dataclasses.replace(trainer, batch_size=10)
    assert "no_full_batch" not in codes(look(rows[:40], tokenizer, trainer=mended))


def test_one_sequence_cannot_be_split(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    trainer = Trainer("passes.lora", batch_size=1, max_steps=2, eval_split=0.3)
    assert the("nothing_to_hold_out", look(rows[:1], tokenizer, trainer=trainer)).severity == "error"
    assert "nothing_to_hold_out" not in codes(look(rows[:2], tokenizer, trainer=trainer))


def test_one_class_and_a_one_sided_set(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    joy = [row for row in rows if row["tone"] == "joy"]
    fear = [row for row in rows if row["tone"] == "fear"]
    assert "'joy'" in the("one_class", look(joy, tokenizer)).message
    assert "is right in" in the("imbalance", look([*joy, *fear[:3]], tokenizer)).message
    others = [row for row in rows if row["tone"] not in ("joy", "fear")]
    assert "hardly be learnt" in the("imbalance", look([*joy, *others, *fear[:2]], tokenizer)).message
    assert codes(look([*joy, *fear[:30]], tokenizer)) == []


def test_rows_that_stand_twice(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    assert "90 of 450 rows" in the("duplicates", look([*rows, *rows[:90]], tokenizer)).message
    assert codes(look([*rows, *rows[:9]], tokenizer)) == []


def test_rows_that_are_also_in_the_test_set(look: Look, rows: Rows, tokenizer: Tokenizer, sample_data: Path) -> None:
    lines = (sample_data / "emotion_test.jsonl").read_text(encoding="utf-8").splitlines()
    unseen = [json.loads(line) for line in lines]
    assert codes(look(rows, tokenizer, others={"test": unseen})) == []
    near = {**rows[1], "phrase": f"{rows[1]['phrase']} Really."}
    problem = the("rows_leak", look(rows, tokenizer, others={"test": [*unseen, *rows[5:17], near]}))
    assert problem.path == "data_configs.test.load_dataset_config"
    assert "12 of its rows stand there word for word, 1 nearly so" in problem.message


def test_empty_rows(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    mixed = [{"phrase": row["phrase"] + str(tokenizer.eos)} for row in rows] + [{"phrase": ""}]
    params = {"text_template": "{phrase}", "add_special_tokens": False}
    assert "1 of 361 rows has no text" in the("empty_rows", look(mixed, tokenizer, **params)).message


def test_what_joining_loses(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    seen = look(rows[:80], tokenizer, strategy="join", max_seq_len=3000, trainer=None)
    assert seen.stats.sequences == 1
    assert edits(the("joining_loses", seen))["strategy"] == "line-by-line"
    assert codes(look(rows, tokenizer, strategy="join", max_seq_len=200, trainer=None)) == []


def test_padding_that_is_most_of_the_work(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    problem = the("padding_waste", look(rows, tokenizer, pad_to_max_len=True))
    assert "of each batch is padding" in problem.message, "padding is not trained on"
    assert edits(problem) == {"pad_to_max_len": False}


def test_the_worst_comes_first(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    seen = look(rows[:9] * 2, tokenizer, loss_on="completion", max_seq_len=12, pad_to_max_len=True)
    severities = [problem.severity for problem in find_problems(seen)]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert severities[0] == "error"


def test_of_a_part_of_the_rows_only_what_they_show_is_said(look: Look, rows: Rows, tokenizer: Tokenizer) -> None:
    """The same rows four times over, in batches too large, cut, and of one class: as far as somebody has counted."""
    alike = [{**row, "tone": "joy"} for row in rows[:4]] * 4
    seen = look(alike, tokenizer, max_seq_len=30, trainer=Trainer("passes.lora", batch_size=64, max_steps=3))
    every = codes(seen)
    assert {"truncated_answers", "batch_too_large", "one_class", "duplicates", "no_end_of_sequence"} <= set(every)
    part = dataclasses.replace(seen, stats=dataclasses.replace(seen.stats, exact=False))
    assert set(codes(part)) == {"truncated_answers", "counted_partly"}
    assert "the first 16 rows" in the("counted_partly", part).message
    none = look(rows[:3], tokenizer, strategy="join", max_seq_len=4000)
    assert codes(none) == ["no_sequences"]
    assert codes(dataclasses.replace(none, stats=dataclasses.replace(none.stats, exact=False))) == ["counted_partly"]
