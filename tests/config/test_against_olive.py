"""phinb's verdicts against the real Olive: what phinb lets through Olive takes whole, what Olive would not is an error.

Each bad case names the text whose line the error must stand on. `own` cases are rules of phinb's own: the judge
accepts them (Olive fails, or trains nonsense, only later).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from phinb.config import load_config

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
Judge = Callable[[list[dict[str, Any]]], list[list[str]]]
Bend = Callable[[dict[str, Any]], None]


def lora(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["passes"]["lora"]
    return found


def rows(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["data_configs"][0]
    return found


def text_of(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rows(config)["pre_process_data_config"]
    return found


def put(pick: Callable[[dict[str, Any]], dict[str, Any]], **values: Any) -> Bend:
    return lambda config: pick(config).update(values)


def whole(config: dict[str, Any]) -> dict[str, Any]:
    return config


def training(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = lora(config)["training_args"]
    return found


def system(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["systems"]["local_system"]
    return found


def pass_of(kind: str, **parameters: Any) -> Bend:
    def bend(config: dict[str, Any]) -> None:
        config["passes"] = {"only": {"type": kind, **parameters}}

    return bend


def nested(config: dict[str, Any]) -> None:
    """The same in the older form, one level deeper."""
    for entry in config["passes"].values():
        entry["config"] = {key: entry.pop(key) for key in list(entry) if key != "type"}
    model = config["input_model"]
    model["config"] = {key: model.pop(key) for key in list(model) if key != "type"}
    section = rows(config)["load_dataset_config"]
    section["params"] = {key: section.pop(key) for key in list(section)}
    config["engine"] = {key: config.pop(key) for key in ("target", "output_dir")}


LATENCY = {"name": "speed", "type": "latency", "sub_types": [{"name": "avg", "priority": 1}]}
SEARCH = {"execution_order": "joint", "sampler": "tpe", "max_samples": 3, "seed": 0}


def with_search(config: dict[str, Any]) -> None:
    config["evaluators"] = {"speed": {"metrics": [LATENCY]}}
    config.update(evaluator="speed", search_strategy=SEARCH)
    lora(config).update(r=[4, 8])


VALID: dict[str, Bend] = {
    "as it is": lambda config: None,
    "the nested form": nested,
    "QLoRA": lambda config: lora(config).update(
        type="QLoRA", quant_type="nf4", double_quant=True, compute_dtype="float32"
    ),
    "DoRA": put(lora, type="DoRA"),
    "LoHa": put(lora, type="LoHa", rank_dropout=0.1, init_weights=True),
    "LoftQ": put(lora, type="LoftQ", loftq_iter=2),
    "a type in lower case": put(lora, type="lora"),
    "target modules": put(lora, target_modules=["qkv_proj", "o_proj"], device_map=None),
    "training arguments of transformers": put(
        training,
        train_sampling_strategy="group_by_length",
        warmup_steps=0.1,
        adam_beta2=0.999,
        max_grad_norm=0.3,
        lr_scheduler_type="cosine",
        optim="adamw_torch",
        save_strategy="steps",
        save_steps=5,
        logging_steps=1,
        seed=1,
        data_seed=2,
        gradient_accumulation_steps=2,
        report_to=["none"],
        dataloader_num_workers=0,
    ),
    "extra_args": lambda config: training(config).update(extra_args={"weight_decay": 0.01}),
    "sliding window": put(text_of, strategy="join-sliding-window", stride=16),
    "random lines": put(text_of, strategy="line-by-line-random", max_samples=10, random_seed=1),
    "join without mask": put(text_of, strategy="join", use_attention_mask=False),
    "text columns": lambda config: (text_of(config).pop("text_template"), text_of(config).update(text_cols=["a", "b"]))[
        1
    ],
    "chat template": lambda config: (text_of(config).pop("text_template"), text_of(config).update(chat_template=True))[
        1
    ],
    "csv with options": lambda config: rows(config)["load_dataset_config"].update(
        data_name="csv", sep=";", encoding="utf-8"
    ),
    "loading options": lambda config: rows(config)["load_dataset_config"].update(
        num_proc=2, col_filters={"tone": "joy"}
    ),
    "data loader": lambda config: rows(config).update(dataloader_config={"batch_size": 4, "shuffle": True}),
    "ModelBuilder alone": pass_of("ModelBuilder", precision="fp32", int4_block_size=32, extra_options={"a": 1}),
    "ModelBuilder int4 options": pass_of(
        "ModelBuilder", precision="int4", int4_accuracy_level=4, int4_algo_config="rtn", search={"max_length": 100}
    ),
    "a GPU and fp16": lambda config: (
        system(config).update(accelerators=[{"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}]),
        config["passes"]["int4"].update(precision="fp16"),
    )[1],
    "other passes": lambda config: config.update(
        passes={"convert": {"type": "OnnxConversion", "target_opset": 17}, "quant": {"type": "OnnxDynamicQuantization"}}
    ),
    "a search": with_search,
    "only a metric": lambda config: config.update(
        passes={}, data_configs=[], evaluators={"speed": {"metrics": [LATENCY]}}, evaluator="speed"
    ),
    "engine keys": put(whole, log_severity_level=2, clean_cache=True, evaluate_input_model=False, cache_dir="cache"),
    "loading the model": lambda config: config["input_model"].update(
        load_kwargs={"torch_dtype": "float32", "attn_implementation": "eager", "trust_remote_code": False}
    ),
    "phinb's section": put(whole, phinb={"eval_split": 0.1, "loss_on": "all", "labels": ["a", "b"], "seed": 7}),
    "a list of one pass": lambda config: config["passes"].update(merge=[{"type": "MergeAdapterWeights"}]),
}


@dataclass(frozen=True)
class Bad:
    """`at`: the error's line holds this text. `own`: the judge lets it through."""

    bend: Bend
    code: str
    at: str
    own: bool = False


def drop(pick: Callable[[dict[str, Any]], dict[str, Any]], key: str) -> Bend:
    return lambda config: pick(config).pop(key) and None


BAD: dict[str, Bad] = {
    "unknown key on top": Bad(put(whole, passez={}), "unknown_key", "passez"),
    "unknown parameter": Bad(put(lora, rank=8), "unknown_key", '"rank"'),
    "the old lora_r beside r": Bad(put(lora, lora_r=8), "twice_defined", "lora_r"),
    "unknown training argument": Bad(put(training, lerning_rate=1), "unknown_key", "lerning_rate"),
    "fp16 in training": Bad(put(training, fp16=True), "ignored", "fp16"),
    "both warmups": Bad(put(training, warmup_ratio=1.5), "out_of_range", "warmup_ratio"),
    "group_by_length with another sampler": Bad(
        put(training, group_by_length=True, train_sampling_strategy="random"), "unknown_key", "group_by_length"
    ),
    "unknown text parameter": Bad(put(text_of, max_len=8), "unknown_key", "max_len"),
    "unknown loading option": Bad(lambda c: rows(c)["load_dataset_config"].update(colour=1), "unknown_key", "colour"),
    "unknown data loader option": Bad(
        lambda c: rows(c).update(dataloader_config={"bach_size": 1}), "unknown_key", "bach_size"
    ),
    "unknown model key": Bad(lambda c: c["input_model"].update(modelpath="x"), "unknown_key", "modelpath"),
    "unknown system key": Bad(put(system, acelerators=[]), "unknown_key", "acelerators"),
    "unknown accelerator key": Bad(
        put(system, accelerators=[{"device": "cpu", "ep": 1}]), "unknown_key", '"ep"', own=True
    ),
    "no type": Bad(drop(lora, "type"), "missing_key", '"lora"'),
    "unknown pass": Bad(put(lora, type="LorA2"), "unknown_type", "LorA2"),
    "unknown model type": Bad(lambda c: c["input_model"].update(type="HugModel"), "unknown_type", "HugModel"),
    "unknown container": Bad(put(rows, type="HuggingContainer"), "unknown_type", "HuggingContainer"),
    "unknown system type": Bad(put(system, type="Local"), "unknown_type", '"Local"'),
    "unknown component": Bad(lambda c: text_of(c).update(type="text_gen"), "unknown_type", "text_gen"),
    "no model": Bad(drop(whole, "input_model"), "missing_key", "{"),
    "no model path": Bad(lambda c: c["input_model"].pop("model_path") and None, "missing_key", "input_model"),
    "no training data": Bad(drop(lora, "train_data_config"), "missing_key", '"lora"'),
    "no precision": Bad(lambda c: c["passes"]["int4"].pop("precision") and None, "missing_key", '"int4"'),
    "no data name": Bad(
        lambda c: rows(c)["load_dataset_config"].pop("data_name") and None, "missing_key", "load_dataset"
    ),
    "no name": Bad(drop(rows, "name"), "missing_key", "{"),
    "r is text": Bad(put(lora, r="eight"), "wrong_type", '"r"'),
    "r is negative": Bad(put(lora, r=-4), "out_of_range", '"r"', own=True),
    "r is half": Bad(put(lora, r=8.5), "wrong_type", '"r"'),
    "alpha below 1": Bad(put(lora, alpha=0), "out_of_range", '"alpha"', own=True),
    "dropout of 1": Bad(put(lora, lora_dropout=1.0), "out_of_range", "lora_dropout", own=True),
    "bfloat17": Bad(put(lora, torch_dtype="bfloat17"), "bad_choice", "bfloat17", own=True),
    "modules to save": Bad(put(lora, modules_to_save=["lm_head"]), "wrong_type", "modules_to_save"),
    "several values without a search": Bad(put(lora, r=[4, 8]), "wrong_type", '"r"'),
    "searchable without a search": Bad(put(lora, r="SEARCHABLE_VALUES"), "contradiction", "SEARCHABLE"),
    "learning rate fast": Bad(put(training, learning_rate="fast"), "wrong_type", "learning_rate"),
    "learning rate 0": Bad(put(training, learning_rate=0), "out_of_range", "learning_rate", own=True),
    "steps as text": Bad(put(training, max_steps="ten"), "wrong_type", "max_steps", own=True),
    "no steps": Bad(put(training, max_steps=0), "out_of_range", "max_steps", own=True),
    "batch of 0": Bad(put(training, per_device_train_batch_size=0), "out_of_range", "per_device", own=True),
    "unknown scheduler": Bad(put(training, lr_scheduler_type="cosin"), "bad_choice", "cosin"),
    "unknown sampling": Bad(put(training, train_sampling_strategy="longest"), "bad_choice", "longest", own=True),
    "int5": Bad(lambda c: c["passes"]["int4"].update(precision="int5"), "bad_choice", "int5"),
    "int16 in ModelBuilder": Bad(lambda c: c["passes"]["int4"].update(precision="int16"), "bad_choice", "int16"),
    "fp16 on a CPU": Bad(lambda c: c["passes"]["int4"].update(precision="fp16"), "precision", "fp16"),
    "block size 48": Bad(lambda c: c["passes"]["int4"].update(int4_block_size=48), "bad_choice", "48"),
    "unknown strategy": Bad(put(text_of, strategy="lines"), "bad_choice", '"lines"'),
    "length as text": Bad(put(text_of, max_seq_len="long"), "wrong_type", "max_seq_len"),
    "length 0": Bad(put(text_of, max_seq_len=0), "out_of_range", "max_seq_len", own=True),
    "padding and dropping": Bad(
        put(text_of, pad_to_max_len=True, drop_short_sequences=True), "contradiction", "drop_short"
    ),
    "padding without a mask": Bad(
        put(text_of, pad_to_max_len=True, use_attention_mask=False), "contradiction", "use_attention_mask"
    ),
    "random without a number": Bad(put(text_of, strategy="join-random", random_seed=1), "missing_key", "join-random"),
    "sliding without a stride": Bad(
        put(text_of, strategy="join-sliding-window"), "missing_key", "join-sliding", own=True
    ),
    "padding on top": Bad(put(text_of, padding_side="top"), "bad_choice", '"top"'),
    "a name with a dash and a twin": Bad(
        lambda c: c["data_configs"].append({**rows(c), "name": "a b"}), "bad_name", "a b"
    ),
    "the same name twice": Bad(lambda c: c["data_configs"].append({**rows(c)}), "duplicate_name", '"name"'),
    "unknown data config": Bad(put(lora, train_data_config="trian"), "unknown_reference", "trian"),
    "unknown target": Bad(put(whole, target="local"), "unknown_reference", '"local"'),
    "unknown host of a pass": Bad(put(lora, host="here"), "unknown_reference", '"here"'),
    "unknown evaluator": Bad(put(whole, evaluator="quality"), "unknown_reference", "quality"),
    "two accelerators": Bad(
        put(system, accelerators=[{"device": "cpu"}, {"device": "gpu"}]), "too_many", '"accelerators"'
    ),
    "no such provider": Bad(
        put(system, accelerators=[{"device": "cpu", "execution_providers": ["CPU"]}]), "bad_choice", '"CPU"'
    ),
    "a search without an evaluator": Bad(put(whole, search_strategy=SEARCH), "contradiction", "search_strategy"),
    "unknown sampler": Bad(
        lambda c: (with_search(c), c.update(search_strategy={"execution_order": "joint", "sampler": "best"}))[1],
        "bad_choice",
        '"best"',
    ),
    "unknown metric": Bad(
        lambda c: c.update(evaluators={"e": {"metrics": [{"name": "m", "type": "speed"}]}}), "unknown_type", '"speed"'
    ),
    "unknown sub type": Bad(
        lambda c: c.update(evaluators={"e": {"metrics": [{**LATENCY, "sub_types": [{"name": "mean"}]}]}}),
        "bad_choice",
        '"mean"',
    ),
    "merge first": Bad(
        lambda c: c.update(passes={"merge": c["passes"]["merge"], "int4": c["passes"]["int4"]}),
        "pass_order",
        "MergeAdapter",
        own=True,
    ),
    "train after building": Bad(
        lambda c: c.update(passes={"int4": c["passes"]["int4"], "lora": lora(c)}), "pass_order", '"LoRA"', own=True
    ),
    "literal braces": Bad(put(text_of, text_template='{"a": {phrase}}'), "bad_template", "text_template", own=True),
    "an attribute": Bad(put(text_of, text_template="{phrase.text}"), "bad_template", "text_template", own=True),
    "a split without data": Bad(put(training, eval_strategy="steps"), "ignored", "eval_strategy", own=True),
    "a quantized model without its method": Bad(
        lambda c: c["input_model"].update(load_kwargs={"quantization_config": {"load_in_4bit": True}}),
        "contradiction",
        "quantization_config",
    ),
    "a system in Azure": Bad(put(system, type="AzureML"), "azure", '"local_system"'),
    "a log level of 9": Bad(put(whole, log_severity_level=9), "out_of_range", "log_severity_level", own=True),
    "a flag as text": Bad(put(whole, clean_cache="maybe"), "wrong_type", "clean_cache"),
    "an unknown phinb key": Bad(put(whole, phinb={"evalsplit": 0.1}), "unknown_key", "evalsplit", own=True),
    "a split of 1.5": Bad(put(whole, phinb={"eval_split": 1.5}), "out_of_range", "eval_split", own=True),
}


def bent(text: str, bend: Bend) -> str:
    config = json.loads(text)
    bend(config)
    return json.dumps(config, indent=2)


def test_what_phinb_lets_through_olive_takes_whole(valid: str, judge: Judge) -> None:
    configs = {name: load_config(bent(valid, bend)) for name, bend in VALID.items()}
    for file in sorted(SAMPLES.glob("*.json")):
        configs[file.name] = load_config(file)
    wrong = {
        name: [problem for problem in config.problems if problem.severity == "error"]
        for name, config in configs.items()
        if not config.ok
    }
    assert wrong == {}
    answers = judge([config.to_olive() for config in configs.values()])
    complaints = {name: answer for name, answer in zip(configs, answers, strict=True) if answer}
    assert complaints == {}


def test_what_olive_would_not_take_is_an_error_at_its_line(valid: str, judge: Judge) -> None:
    texts = {name: bent(valid, case.bend) for name, case in BAD.items()}
    wrong = []
    for name, case in BAD.items():
        lines = texts[name].splitlines()
        errors = [problem for problem in load_config(texts[name]).problems if problem.severity == "error"]
        fitting = [error for error in errors if error.code == case.code and error.line]
        if not any(case.at in lines[error.line - 1] for error in fitting if error.line):
            wrong.append((name, [(error.code, error.line, error.message) for error in errors]))
    assert wrong == []
    plain = [{key: value for key, value in json.loads(text).items() if key != "phinb"} for text in texts.values()]
    answers = dict(zip(texts, judge(plain), strict=True))
    accepted = {name for name, answer in answers.items() if not answer}
    assert accepted ^ {name for name, case in BAD.items() if case.own} == set()


def test_one_mistake_is_one_error(valid: str) -> None:
    several = {}
    for name, case in BAD.items():
        errors = [problem for problem in load_config(bent(valid, case.bend)).problems if problem.severity == "error"]
        if len(errors) != 1:
            several[name] = [(error.code, error.path) for error in errors]
    assert several == {}


def test_the_effective_values_are_those_of_olive(valid: str) -> None:
    """The defaults that effective() tells are in what Olive's own parse makes of the same configuration."""
    config = load_config(valid)
    program = (
        "import json,os,sys\nos.environ['OLIVE_DISABLE_TELEMETRY']='1'\n"
        "from olive.workflows.run.config import RunConfig\n"
        "run = RunConfig.model_validate(json.load(sys.stdin))\n"
        "data = run.data_configs[0]\n"
        "made = {'data': {k: v.model_dump() for k, v in (('load_dataset_config', data.load_dataset_config),"
        " ('pre_process_data_config', data.pre_process_data_config), ('dataloader_config', data.dataloader_config),"
        " ('post_process_data_config', data.post_process_data_config))}}\n"
        "from olive.package_config import OlivePackageConfig\n"
        "from olive.hardware import DEFAULT_CPU_ACCELERATOR\n"
        "package = OlivePackageConfig.load_default_config()\n"
        "given = run.passes['lora'][0].config\n"
        "lora = package.import_pass_module('lora').generate_config(DEFAULT_CPU_ACCELERATOR, given, {}, True)\n"
        "made['lora'] = {k: v for k, v in lora.model_dump().items() if not k.endswith('data_config')}\n"
        "sys.stdout.write('\\nANSWER ' + json.dumps(made, default=str) + '\\n'); sys.stdout.flush(); os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(config.to_olive()),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert "\nANSWER " in done.stdout, done.stderr[-2000:]
    made = json.loads(done.stdout.rpartition("\nANSWER ")[2])
    effective = config.effective()
    checked = 0
    for section, component in made["data"].items():
        assert effective[f"data_configs.train.{section}.type"].value.lower() == component["type"].lower()
        for name, value in component["params"].items():
            known = effective.get(f"data_configs.train.{section}.{name}")
            if value is not None and (section, name) != ("post_process_data_config", "model_name"):  # nothing takes it
                assert known is not None, f"{section}.{name}"
                assert known.value == value
                checked += 1
    for name, value in made["lora"].items():
        if name != "training_args":
            known = effective[f"passes.lora.{name}"]
            assert known.value == value or re.fullmatch(f"{value}", str(known.value)), name
            checked += 1
    for name, value in made["lora"]["training_args"].items():
        if name not in ("extra_args", "warmup_ratio"):
            known = effective[f"passes.lora.training_args.{name}"]
            if known.origin == "phinb":  # where checkpoints lie is decided by phinb, and shown as that
                assert name == "output_dir"
                continue
            assert known.value == value, name
            checked += 1
    assert checked > 25
