"""The component that masks prompts inside Olive: its sequences are the preview's, in phinb's run and in a plain one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinb.config import load_config
from phinb.data.component import export_plain, place_component, script_text
from phinb.data.preview import preview, preview_data
from phinb.errors import PhinbError
from phinb.models.tokenizers import load_tokenizer
from tests.data.sentencepiece import make_sentencepiece
from tests.data.training_sets import ask_olive, data_configs

TONES = ("joy", "fear", "Überraschung 😀", "")
SENTENCE = "the last bus had gone so she walked home along canal with shoes in hand and nobody noticed clock"
WORDS = SENTENCE.split()
ROWS = [{"phrase": " ".join(WORDS[n % 13 : n % 13 + 2 + n % 7]), "tone": TONES[n % 4]} for n in range(40)]
CHATS = [
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"Where is the {word}?"},
            {"role": "assistant", "content": f"The {word} is here."},
            {"role": "user", "content": "Sure?"},
            {"role": "assistant", "content": f" Yes, {word}! "},
        ][n % 2 :]
    }
    for n, word in enumerate(WORDS)
]
TEMPLATE = {"text_template": "### {phrase}\n### Tone: {tone} ({phrase:>9})!"}
LINES = {**TEMPLATE, "strategy": "line-by-line", "max_seq_len": 64}
JOIN = {**TEMPLATE, "strategy": "join", "max_seq_len": 50}
CHAT = {"chat_template": True, "strategy": "line-by-line", "max_seq_len": 90}
PHI3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] | trim + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
"""Its last turn ends otherwise than the others."""

CASES: dict[str, dict[str, Any]] = {
    "lines": LINES,
    "lines cut": {**LINES, "max_seq_len": 20},
    "lines padded left": {**LINES, "padding_side": "left"},
    "lines not padded": {**LINES, "pad_to_max_len": False},
    "lines without a mask": {**LINES, "pad_to_max_len": False, "use_attention_mask": False},
    "lines without special tokens": {**LINES, "add_special_tokens": False},
    "lines, short ones dropped": {**LINES, "max_seq_len": 30, "pad_to_max_len": False, "drop_short_sequences": True},
    "lines, few": {**LINES, "max_samples": 7},
    "lines at random": {**LINES, "strategy": "line-by-line-random", "max_samples": 20, "random_seed": 3},
    "joined": JOIN,
    "joined without a joiner": {**JOIN, "joiner": ""},
    "joined by words": {**JOIN, "joiner": " <|end|> and "},
    "joined in small batches": {**JOIN, "processing_batch_size": 3},
    "joined at random": {**JOIN, "strategy": "join-random", "max_samples": 15, "random_seed": 11},
    "window": {**JOIN, "strategy": "join-sliding-window", "stride": 12},
    "chat": CHAT,
    "chat cut": {**CHAT, "max_seq_len": 40},
    "chat joined": {**CHAT, "strategy": "join", "max_seq_len": 50},
    "chat, Phi-3's own": {**CHAT, "chat_template": PHI3},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("component")
    for name, rows in (("rows.jsonl", ROWS), ("chats.jsonl", CHATS)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def configuration(
    params: dict[str, Any], *, model: str = "phinb://tiny", split: float | None = None, **data: Any
) -> dict[str, Any]:
    file = "chats.jsonl" if params.get("chat_template") else "rows.jsonl"
    return {
        "input_model": {"type": "HfModel", "model_path": model, "task": "text-generation"},
        "data_configs": [
            {
                "name": "train",
                "type": "HuggingfaceContainer",
                "load_dataset_config": {"data_name": "json", "data_files": file, "split": "train"},
                "pre_process_data_config": dict(params),
                **data,
            }
        ],
        "passes": {
            "lora": {
                "type": "LoRA",
                "r": 4,
                "torch_dtype": "float32",
                "train_data_config": "train",
                "training_args": {"max_steps": 2, "per_device_train_batch_size": 4, "gradient_checkpointing": False},
            }
        },
        "phinb": {"loss_on": "completion", "answer": "tone", "eval_split": split},
    }


MODELS = ("phinb://tiny", "sentencepiece")


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, Any]:
    """What plain Olive makes of every case with the script that is exported, in one process."""
    make_sentencepiece(folder / "sentencepiece")
    configs = {}
    for number, (model, name) in enumerate((model, name) for model in MODELS for name in CASES):
        config = load_config(configuration(CASES[name], model=model), folder=folder)
        path = export_plain(config, folder / f"plain{number}")
        configs[f"{model} {name}"] = data_configs(json.loads(path.read_text(encoding="utf-8")))["train"]
    return ask_olive(configs, folder)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", list(CASES))
def test_the_masked_sequences_are_those_of_the_preview(
    name: str, model: str, folder: Path, answers: dict[str, Any]
) -> None:
    shown = preview(load_config(configuration(CASES[name], model=model), folder=folder), limit=10_000)
    assert shown.ok, shown.problems
    found = [[list(one.input_ids), list(one.labels)] for one in shown.sequences]
    assert answers[f"{model} {name}"] == found
    trained = sum(label != -100 for _, labels in found for label in labels)
    assert trained == shown.stats.trained_tokens
    assert 0 < trained < shown.stats.tokens / 2


@pytest.mark.slow
def test_what_is_held_out_and_what_is_not_are_all_of_it(folder: Path) -> None:
    config = load_config(configuration(LINES, split=0.3), folder=folder)
    path = export_plain(config, folder / "split")
    olive = json.loads(path.read_text(encoding="utf-8"))
    settings = olive["passes"]["lora"]
    assert (settings["train_data_config"], settings["eval_data_config"]) == ("train", "train_held_out")
    answers = ask_olive(data_configs(olive), folder)
    assert (len(answers["train"]), len(answers["train_held_out"])) == (28, 12)
    every = [[list(one.input_ids), list(one.labels)] for one in preview(config).sequences]
    assert sorted(answers["train"] + answers["train_held_out"]) == sorted(every)


@pytest.mark.slow
def test_without_any_sequence_olive_says_what_it_says_by_itself(folder: Path) -> None:
    given = configuration({**JOIN, "max_seq_len": 4000})
    masked = export_plain(load_config(given, folder=folder), folder / "none")
    plain = export_plain(load_config({**given, "phinb": {"loss_on": "all"}}, folder=folder), folder / "none_plain")
    configs = {}
    for path in (masked, plain):
        olive = json.loads(path.read_text(encoding="utf-8"))
        olive["data_configs"][0]["pre_process_data_config"].setdefault("params", {})
        configs[path.parent.name] = data_configs(olive)["train"]
    plain_config = configs["none_plain"]["pre_process_data_config"]
    configs["none_plain"]["pre_process_data_config"] = {
        "params": {key: value for key, value in plain_config.items() if key != "params"} | plain_config["params"]
    }
    answers = ask_olive(configs, folder)
    assert isinstance(answers["none"], str)
    assert answers["none"] == answers["none_plain"]


@pytest.mark.slow
def test_a_script_of_the_users_own_still_counts(folder: Path) -> None:
    (folder / "own.py").write_text(
        "from olive.data.registry import Registry\nfrom datasets import Dataset\n\n"
        "@Registry.register_dataset()\ndef two_rows(**kwargs):\n"
        '    return Dataset.from_list([{"phrase": "a b", "tone": "joy"}, {"phrase": "c", "tone": "fear"}])\n',
        encoding="utf-8",
    )
    config = load_config(configuration(LINES, user_script="own.py"), folder=folder)
    olive = json.loads(export_plain(config, folder / "own").read_text(encoding="utf-8"))
    olive["data_configs"][0]["load_dataset_config"] = {"type": "two_rows"}
    answers = ask_olive(data_configs(olive), folder)["train"]
    assert len(answers) == 2, answers
    assert {label for _, labels in answers for label in labels} > {-100}


def test_without_a_loss_on_the_completion_nothing_is_changed(folder: Path) -> None:
    given = configuration(LINES)
    section = {"loss_on": "all", "eval_split": None}
    assert place_component(given, section, folder) is None
    assert given == configuration(LINES)
    path = export_plain(load_config({**given, "phinb": {"loss_on": "all"}}, folder=folder), folder / "all")
    assert [item.name for item in path.parent.iterdir()] == ["olive.json"]


def test_a_data_config_that_something_else_reads_is_left_alone(folder: Path) -> None:
    given = configuration(LINES)
    given["passes"]["gptq"] = {"type": "Gptq", "data_config": "train"}
    place_component(given, {"loss_on": "completion", "answer": "tone"}, folder)
    assert [one["name"] for one in given["data_configs"]] == ["train", "train_completion"]
    assert given["data_configs"][0] == configuration(LINES)["data_configs"][0]
    assert given["passes"]["lora"]["train_data_config"] == "train_completion"
    assert given["passes"]["gptq"]["data_config"] == "train"


def test_text_made_by_code_of_ones_own_is_refused(folder: Path) -> None:
    given = configuration({**LINES, "text_formatting_func": "write", "user_script": "own.py"})
    with pytest.raises(PhinbError, match="nothing tells prompt and answer apart"):
        place_component(given, {"loss_on": "completion"}, folder)


def test_the_script_knows_nothing_of_phinb(folder: Path) -> None:
    text = script_text(configuration(LINES), {"loss_on": "completion"}) or ""
    imported = [line.split()[1] for line in text.splitlines() if line.strip().startswith(("import ", "from "))]
    assert imported
    assert not [name for name in imported if name.startswith("phinb")]
    assert text.rstrip().endswith("register()")


@pytest.mark.slow
def test_plain_olive_trains_on_what_phinb_trains_on_and_leaves_an_adapter(folder: Path) -> None:
    """`olive run` alone, from another folder, on the exported configuration."""
    path = export_plain(load_config(configuration(LINES, split=0.2), folder=folder), folder / "run")
    environment = os.environ | {"OLIVE_DISABLE_TELEMETRY": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "olive", "run", "--config", str(path)],
        cwd=folder.parent,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert list((folder / "run" / "output").rglob("adapter_model.safetensors")), done.stdout[-3000:]


def test_the_preview_of_a_chat_trains_on_the_assistants_turns_alone(folder: Path) -> None:
    tokenizer = load_tokenizer(preview_model(folder))
    config = configuration({**CHAT, "pad_to_max_len": False})["data_configs"][0]
    shown = preview_data(config, tokenizer, folder, trained_field="assistant")
    first = shown.sequences[0]
    trained = [token for token, label in zip(first.input_ids, first.labels, strict=True) if label != -100]
    assert tokenizer.decode(trained) == "The the is here.<|end|>\n Yes, the! <|end|>\n"


def preview_model(folder: Path) -> Path:
    from phinb.models.tiny import make_tiny

    return make_tiny(folder / "tiny")
