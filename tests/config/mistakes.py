"""The mistakes that mutations.py makes in a configuration. Each changes it in place, and says what it did.

A mistake that does not fit the configuration says "", and another one is tried.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from phinb.config.schema import Parameter, load_schema
from phinb.config.value_types import choices

Holder = dict[str, Any] | list[Any]
Place = tuple[Holder, Any]
"""Where a value stands: its mapping or list, and its key or number there."""


# ----------------------------------------------------------------------------------------------- places


def places(value: Any) -> Iterator[Place]:
    """Every member and every entry, at any depth."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        yield value, key
        yield from places(inner)


def mappings(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [config, *(holder[key] for holder, key in places(config) if isinstance(holder[key], dict))]


def a_member(random_: random.Random, config: dict[str, Any]) -> Place | None:
    """A key of a mapping, each equally likely."""
    found = [(holder, key) for holder, key in places(config) if isinstance(holder, dict)]
    return random_.choice(found) if found else None


def a_place(random_: random.Random, config: dict[str, Any]) -> Place | None:
    found = list(places(config))
    return random_.choice(found) if found else None


# ------------------------------------------------------------------------------------------------- keys

OLD_KEYS = (
    *("lora_r", "lora_alpha", "eval_dataset_size", "double_quant", "source_max_len", "corpus_strategy", "dataset_type"),
    *("evaluation_strategy", "group_by_length", "warmup_ratio", "output_name", "disable_search", "execution_providers"),
    *("pass_flows", "hf_config", "params", "config", "engine", "extra_args", "rank", "lr", "batch_size", "epochs"),
    *("model_name", "name_or_path", "dropout", "quant_method", "bits", "max_length", "template", "target_module"),
)


@cache
def known_keys() -> tuple[str, ...]:
    """Every key that Olive's schema names anywhere."""
    found: set[str] = set()

    def gather(value: Any) -> None:
        for key, inner in value.items() if isinstance(value, dict) else ():
            if key == "parameters":
                found.update(inner)
            gather(inner)

    gather(load_schema().data)
    return tuple(sorted(found))


def misspell(random_: random.Random, word: str) -> str:
    """One slip of the keyboard."""
    if len(word) < 2:
        return word + random_.choice("srx")
    at = random_.randrange(len(word) - 1)
    return random_.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word + "s",
            word.removesuffix("s"),
            word.replace("_", "-"),
            word.replace("_", ""),
        )
    )


def rename(random_: random.Random, config: dict[str, Any]) -> str:
    place = a_member(random_, config)
    if place is None:
        return ""
    holder, old = place
    new = random_.choice(
        (
            lambda: misspell(random_, old),
            lambda: misspell(random_, old),
            lambda: random_.choice((old.upper(), old.capitalize(), old.lower())),
            lambda: random_.choice(OLD_KEYS),
            lambda: random_.choice(known_keys()),
        )
    )()
    if new == old or new in holder:
        return ""
    members = list(holder.items())  # type: ignore[union-attr]
    holder.clear()
    holder.update({new if key == old else key: value for key, value in members})  # type: ignore[union-attr]
    return f"{old} renamed to {new}"


def drop(random_: random.Random, config: dict[str, Any]) -> str:
    place = a_place(random_, config)
    if place is None:
        return ""
    holder, key = place
    del holder[key]
    return f"{key} dropped"


def move(random_: random.Random, config: dict[str, Any]) -> str:
    """A member goes to another mapping, or stands there as well."""
    place = a_member(random_, config)
    if place is None:
        return ""
    holder, key = place
    value = holder[key]
    inside = mappings(value) if isinstance(value, dict) else []
    others = [other for other in mappings(config) if other is not holder and all(other is not one for one in inside)]
    if not others:
        return ""
    random_.choice(others)[key] = copy.deepcopy(value)
    if random_.random() < 0.5:
        return f"{key} copied elsewhere"
    del holder[key]
    return f"{key} moved"


def add_known(random_: random.Random, config: dict[str, Any]) -> str:
    """A parameter that the place takes, with a value that may fit its type."""
    holder, parameter = random_.choice(list(_parameters(config)) or [(config, Parameter("x", "any"))])
    holder[parameter.name] = a_value(random_, parameter)
    return f"{parameter.name} = {holder[parameter.name]!r} added"


def add_strange(random_: random.Random, config: dict[str, Any]) -> str:
    """A key from anywhere."""
    holder = random_.choice(mappings(config))
    key = random_.choice((random_.choice(known_keys()), random_.choice(OLD_KEYS)))
    if key in holder:
        return ""
    holder[key] = random_.choice((True, 0, 8, 0.5, "text", ["a"], {}, None))
    return f"{key} = {holder[key]!r} added"


def _parameters(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Parameter]]:
    """The mappings whose kind is known, with every parameter that they take."""
    schema = load_schema()
    for value in _dicts(config.get("passes")):
        name = schema.pass_name(value.get("type")) if isinstance(value.get("type"), str) else None
        if name is None:
            continue
        yield from ((value, parameter) for parameter in schema.pass_group(name).parameters.values())
        model, arguments = schema.training_model(name), value.get("training_args")
        if model and isinstance(arguments, dict):
            yield from ((arguments, parameter) for parameter in schema.training_args(model).parameters.values())
    for entry in config.get("data_configs") or () if isinstance(config.get("data_configs"), list) else ():
        if not isinstance(entry, dict):
            continue
        for key, section, kind in (
            ("pre_process_data_config", "pre_process_data", "text_generation_huggingface_pre_process"),
            ("load_dataset_config", "load_dataset", "huggingface_dataset"),
            ("dataloader_config", "dataloader", "default_dataloader"),
        ):
            group = schema.component(section, kind, "json")
            if isinstance(entry.get(key), dict) and group is not None:
                yield from ((entry[key], parameter) for parameter in group.parameters.values())
    model = config.get("input_model")
    group = schema.input_model("HfModel")
    if isinstance(model, dict) and group is not None:
        yield from ((model, parameter) for parameter in group.parameters.values())
        if isinstance(model.get("load_kwargs"), dict):
            yield from ((model["load_kwargs"], parameter) for parameter in schema.load_kwargs.parameters.values())
    for value in _dicts(config.get("systems")):
        group = schema.system(value["type"]) if isinstance(value.get("type"), str) else None
        yield from ((value, parameter) for parameter in (group.parameters.values() if group else ()))
    yield from ((config, parameter) for parameter in schema.engine.parameters.values())


def _dicts(section: Any) -> list[dict[str, Any]]:
    return [value for value in section.values() if isinstance(value, dict)] if isinstance(section, dict) else []


# ----------------------------------------------------------------------------------------------- values


def a_value(random_: random.Random, parameter: Parameter) -> Any:
    """A value for a parameter: mostly of its type, and not always a sensible one."""
    listed = choices(parameter.type)
    if listed and random_.random() < 0.85:
        return random_.choice(listed)
    if parameter.default is not None and random_.random() < 0.25:
        return parameter.default
    words = json.dumps(parameter.type)
    made: list[Any] = []
    if '"bool"' in words:
        made += [True, False]
    if '"int"' in words or '"float"' in words:
        made += [random_.choice((-1, 0, 1, 2, 4, 8, 16, 64, 1000))]
    if '"float"' in words:
        made += [random_.choice((-0.5, 0.0, 0.001, 0.3, 1.0, 1.5))]
    if '"str"' in words:
        made += [random_.choice(("a", "text", "phrase", "float32", "none"))]
    if '"list"' in words:
        made += [random_.choice(([], ["a"], ["qkv_proj", "o_proj"], [1, 2]))]
    if '"map"' in words:
        made += [random_.choice(({}, {"a": 1}, {"temperature": 0.5}))]
    if not made or random_.random() < 0.1:
        made = [None, 1, "text", True, [1], {"a": 1}]
    return random_.choice(made)


def retype(random_: random.Random, config: dict[str, Any]) -> str:
    """The same value in another type."""
    place = a_place(random_, config)
    if place is None:
        return ""
    holder, key = place
    old = holder[key]
    new = random_.choice(
        (
            None,
            [old],
            {"value": old},
            str(old),
            str(old).lower(),
            bool(old),
            len(old) if isinstance(old, str | list | dict) else [],
            next(iter(old), "") if isinstance(old, list | dict) else {},
            float(old) if isinstance(old, int) else old,
        )
    )
    if new == old and type(new) is type(old):
        return ""
    holder[key] = new
    return f"{key}: {_short(old)} became {_short(new)}"


def bend(random_: random.Random, config: dict[str, Any]) -> str:
    """A value of the same type that is out of range, misspelt or another one."""
    found = [(holder, key) for holder, key in places(config) if not isinstance(holder[key], dict | list)]
    if not found:
        return ""
    holder, key = random_.choice(found)
    old = holder[key]
    new: Any = random_.choice((None, 0, "text"))
    if isinstance(old, bool):
        new = not old
    elif isinstance(old, int | float):
        new = random_.choice((-old, 0, 1, -1, old * 2, old * 1000, old + 0.5, old / 2, 1e-9, 10**9, 0.5))
    elif isinstance(old, str):
        new = random_.choice(_texts(random_, old))
    if new == old and type(new) is type(old):
        return ""
    holder[key] = new
    return f"{key}: {_short(old)} became {_short(new)}"


TEXTS = (
    *(
        "",
        " ",
        "none",
        "auto",
        "float16",
        "bfloat16",
        "float64",
        "int4",
        "int8",
        "fp16",
        "bf16",
        "fp32",
        "int5",
        "uint4",
    ),
    *("train", "train[:10%]", "train[10%", "validation", "test", "join", "line-by-line", "steps", "epoch", "cosine"),
    *("cpu", "gpu", "npu", "CUDAExecutionProvider", "QNNExecutionProvider", "<your model>", "Your Azure Key"),
    *("{phrase}", "{phrase", '{"a": {phrase}}', "{0} {phrase}", "{phrase.x}", "plain", "{phrase:>10} {tone!r}"),
    *("DEFAULT_VALUE", "SEARCHABLE_VALUES", "adamw_torch", "paged_adamw_32bit", "constant_with_warmup", "linear"),
    *("text-generation", "text-generation-with-past", "text-classification", "text_generation", "json", "csv", "text"),
)


def _texts(random_: random.Random, old: str) -> tuple[str, ...]:
    return (
        *(misspell(random_, old) for _ in range(3)),
        old.upper(),
        old.lower(),
        old.capitalize(),
        random_.choice(TEXTS),
        random_.choice(TEXTS),
        random_.choice(TEXTS),
    )


def _short(value: Any) -> str:
    return json.dumps(value)[:40]


# ------------------------------------------------------------------------------------------------ passes


def retype_pass(random_: random.Random, config: dict[str, Any]) -> str:
    """Another pass in its place, with what it had."""
    found = _dicts(config.get("passes"))
    if not found:
        return ""
    entry = random_.choice(found)
    common = ("LoRA", "QLoRA", "DoRA", "LoHa", "LoKr", "LoftQ", "MergeAdapterWeights", "ModelBuilder", "OnnxConversion")
    entry["type"] = random_.choice((random_.choice(common), random_.choice(load_schema().passes)))
    return f"a pass became {entry['type']}"


def shuffle_passes(random_: random.Random, config: dict[str, Any]) -> str:
    section = config.get("passes")
    if not isinstance(section, dict) or len(section) < 2:
        return ""
    before = list(section)
    members = list(section.items())
    random_.shuffle(members)
    config["passes"] = dict(members)
    return f"passes in the order {list(config['passes'])}" if list(config["passes"]) != before else ""


def insert_pass(random_: random.Random, config: dict[str, Any]) -> str:
    """One more pass somewhere: one of the others again, or any."""
    section = config.get("passes")
    if not isinstance(section, dict):
        return ""
    known = [value for value in section.values() if isinstance(value, dict)]
    new = copy.deepcopy(random_.choice(known)) if known and random_.random() < 0.5 else None
    if new is None:
        new = {"type": random_.choice(load_schema().passes)}
    members = list(section.items())
    members.insert(random_.randint(0, len(members)), ("another", new))
    config["passes"] = dict(members)
    return f"a pass {new.get('type')} inserted at {list(config['passes']).index('another')}"


Mistake = Callable[[random.Random, dict[str, Any]], str]
MISTAKES: tuple[Mistake, ...] = (
    *(rename, drop, move, add_known, add_strange, retype, bend),
    *(retype_pass, shuffle_passes, insert_pass),
)
WEIGHTS = (20, 10, 8, 22, 5, 12, 20, 4, 2, 3)
