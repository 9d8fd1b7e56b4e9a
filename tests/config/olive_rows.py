"""The judge's second stage for data: real rows through Olive's own pre-process."""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from string import Formatter
from typing import Any

ROWS = 12
NOTHING = ("default_load_dataset", "local_dataset", "simple_dataset")
"""Components that return None."""


def judge(data: Any, found: list[str]) -> None:
    from olive.data.component.load_dataset import huggingface_dataset
    from olive.data.registry import Registry

    from tests.config.olive_values import check_annotations

    if data.load_dataset_config.type in NOTHING:
        found.append("no data: local_dataset reads nothing")
    if data.load_dataset_config.type == "huggingface_dataset":
        params = data.load_dataset_params
        check_annotations(huggingface_dataset, params, found)
        judge_reading(params, found)
        judge_split(params)
    kind = data.pre_process_data_config.type
    component = Registry.get_pre_process_component(kind)
    check_annotations(component, data.pre_process_params, found)
    for name, parameter in list(inspect.signature(component).parameters.items())[1:]:
        needed = parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if needed and data.pre_process_params.get(name) is None:
            found.append(f"{kind} needs {name}")
    if kind == "text_generation_huggingface_pre_process":
        judge_text(dict(data.pre_process_params), found)
    elif kind.endswith("pre_process") and data.user_script is None:
        unread = [key for key in data.pre_process_params if key not in _words(kind)]
        found += [f"{kind} reads no {key}" for key in unread if key not in ("task", "model_name", "trust_remote_code")]


@cache
def _words(component: str) -> frozenset[str]:
    """Every word in the source of a component's module: what is not among them, it cannot read."""
    from olive.data.registry import Registry

    source = inspect.getsource(inspect.getmodule(Registry.get_pre_process_component(component)))  # type: ignore[arg-type]
    return frozenset(re.findall(r"\w+", source))


def judge_reading(params: dict[str, Any], found: list[str]) -> None:
    """The annotations of load_dataset for what is handed on to it."""
    import datasets
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES

    from tests.config.olive_values import check_annotations

    own = ("data_name", "subset", "data_dir", "split", "data_files", "col_filters")
    rest = {key: value for key, value in params.items() if key not in own}
    check_annotations(datasets.load_dataset, rest, found)
    module = _PACKAGED_DATASETS_MODULES.get(params.get("data_name"), ("",))[0]
    for kind in vars(importlib.import_module(module)).values() if module else ():
        if isinstance(kind, type) and issubclass(kind, datasets.BuilderConfig):
            check_annotations(kind, rest, found)
    datasets.DownloadMode(params.get("download_mode") or "reuse_dataset_if_exists")
    datasets.VerificationMode(params.get("verification_mode") or "basic_checks")
    workers = params.get("num_proc")
    if workers is not None and workers < 1:
        found.append(f"num_proc {workers}")
    if params.get("data_files") in ([], {}):
        found.append("data_files names no file")


def judge_split(params: dict[str, Any]) -> None:
    """The split's own reader, on the splits that the files make."""
    from datasets import ReadInstruction

    split, files = params.get("split"), params.get("data_files")
    names = list(files) if isinstance(files, dict) else ["train"]
    if split is None:
        return
    local = params.get("data_name") in ("json", "csv", "parquet", "text") and files is not None
    instruction = ReadInstruction.from_spec(split)
    if local:
        instruction.to_absolute(dict.fromkeys(names, 1000))


def judge_text(params: dict[str, Any], found: list[str]) -> None:
    """The rows as text and as sequences: Olive's own text_gen_pre_process on a dozen rows."""
    import datasets
    from olive.data.component.text_generation import text_gen_pre_process

    if not params.pop("model_name", None):
        found.append("no model_name: no tokenizer")
    params.pop("trust_remote_code", None)
    params.pop("task", None)
    for name in ("processing_batch_size", "max_samples", "max_seq_len", "stride"):
        number = params.get(name)
        if number is not None and int(number) < 1:
            found.append(f"{name} {number}: no sequence, or a loop without end")
            return
    long = int(params.get("max_seq_len") or 1024)
    step = params.get("stride")
    if step is not None and int(step) > long and params.get("strategy") == "join-sliding-window":
        found.append(f"a stride of {step} leaves out tokens between sequences of {long}")
        return
    params["max_seq_len"] = min(long, 16)
    if step is not None:
        params["stride"] = min(int(step), 16)
    if params.get("max_samples") is not None:
        params["max_samples"] = min(int(params["max_samples"]), 8)
    for name in ("user_script", "script_dir"):
        params.pop(name, None)
    rows = [_row(at, params) for at in range(ROWS)]
    made = text_gen_pre_process(datasets.Dataset.from_list(rows), tokenizer(), params)
    if len(made) == 0:
        found.append("no sequence at all")
        return
    if not any((made[at][1] != -100).any() for at in range(min(len(made), 4))):
        found.append("no token is trained on")
    template = params.get("text_template")
    if template and not params.get("chat_template") and "random" not in str(params.get("strategy")):
        filled = {template.format(**row) for row in rows[:4]}
        if len(filled) == 1:
            found.append("every row gives the same text")


def _row(at: int, params: dict[str, Any]) -> dict[str, Any]:
    """A row with the columns that the configuration speaks of, as far as they are names of columns."""
    words = " ".join(f"word{(at * 7 + step) % 40}" for step in range(20))
    names = {"phrase", "tone", "text"}
    columns = params.get("text_cols")
    names |= {columns} if isinstance(columns, str) else set(columns or ())
    template = params.get("text_template")
    if isinstance(template, str):
        fields = [name for _, name, _, _ in Formatter().parse(template) if name]
        names |= {field for field in fields if re.fullmatch(r"[A-Za-z_][\w -]*", field)}
    message = params.get("message_col") or "messages"
    talk = [{"role": "user", "content": words}, {"role": "assistant", "content": "yes"}]
    return {**dict.fromkeys(sorted(names), words), message: talk}


@cache
def tokenizer() -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<s>", "</s>", "<unk>", *(f"word{at}" for at in range(40)), "yes"]
    made = Tokenizer(WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = Whitespace()
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    return PreTrainedTokenizerFast(tokenizer_object=made, chat_template=template, **special)
