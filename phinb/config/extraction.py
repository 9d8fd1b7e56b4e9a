"""Ask the installed Olive what it accepts, and write it down: `python -m phinb.config.extraction --output FILE`.

Runs in a process of its own, because it imports olive, transformers and torch (9 s and half a gigabyte). Everything
else in phinb reads the file (schema.py). Nothing here is a list of our own: fields come from Olive's pydantic models,
parameters from the signatures of its functions and model handlers, a pass's parameters from its `_default_config`,
training arguments from Olive's model and from `transformers.TrainingArguments`.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from phinb.config.extraction_passes import extract_passes, extract_training_args
from phinb.config.type_names import (
    HELP_LENGTH,
    Json,
    TypeNames,
    as_json,
    handed_on_keys,
    has_form,
    popped_keys,
    resolved_hints,
)

FORMAT = 3
"""The layout of the file; schema.py takes no other."""


def main() -> None:
    """Write the schema of the installed Olive to --output."""
    parser = argparse.ArgumentParser(description="Write down what the installed Olive accepts.")
    parser.add_argument("--output", type=Path, required=True)
    output: Path = parser.parse_args().output
    os.environ.setdefault("OLIVE_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    text = json.dumps(extract(), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.name}.{os.getpid()}")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(output)


def extract() -> Json:
    """Everything that a configuration may hold, as plain JSON values."""
    from olive.workflows.run.config import RunConfig, RunEngineConfig

    types = TypeNames()
    schema: Json = {
        "format": FORMAT,
        "versions": {name: importlib.metadata.version(name) for name in ("olive-ai", "transformers")},
        "root": types.model(RunConfig, leave_out=("engine",)),
        "engine": types.model(RunEngineConfig),
        "input_models": _input_models(types),
        "tasks": _tasks(),
        "systems": _systems(types),
        "providers": _providers(),
        "data": _data(types),
        "passes": extract_passes(types),
        "training_args": extract_training_args(types),
        "packaging": _packaging(types),
        "quantization": _quantization(types),
        "evaluators": _evaluators(types),
        "metrics": _metrics(types),
        "search": _search(types),
        "defects": _defects(),
    }
    schema["groups"] = types.groups
    return schema


def _input_models(types: TypeNames) -> Json:
    from olive.model.config.hf_config import HfLoadKwargs
    from olive.model.config.io_config import IoConfig
    from olive.model.config.registry import REGISTRY
    from transformers import PreTrainedModel

    types.groups["HfLoadKwargs"] = types.model(HfLoadKwargs)
    types.groups["HfLoadKwargs"]["extra"] = sorted(popped_keys(PreTrainedModel.from_pretrained))
    types.groups["IoConfig"] = types.model(IoConfig)
    models: Json = {}
    for name, handler in REGISTRY.items():
        group = types.signature(handler.__init__)
        for key, form in (("load_kwargs", "HfLoadKwargs"), ("io_config", "IoConfig")):
            if key in group["parameters"]:
                others = ["str", "none"] if key == "io_config" else ["none"]
                group["parameters"][key]["type"] = {"any": [{"group": form}, *others]}
        models[name] = {"name": handler.__name__.removesuffix("Handler"), **group}
    return models


def _tasks() -> Json:
    """The tasks that a Hugging Face model is loaded for, and those that an adapter can be trained for."""
    from olive.common.hf.mappings import TASK_TO_PEFT_TASK_TYPE
    from transformers.pipelines import SUPPORTED_TASKS, TASK_ALIASES

    return {"all": sorted({*SUPPORTED_TASKS, *TASK_ALIASES}), "trainable": sorted(TASK_TO_PEFT_TASK_TYPE)}


def _systems(types: TypeNames) -> Json:
    from olive.systems.common import AcceleratorConfig
    from olive.systems.system_config import _type_to_config

    systems = {str(kind.value): types.model(model) for kind, model in _type_to_config.items()}
    if "execution_providers" in AcceleratorConfig(execution_providers="CPUExecutionProvider").model_fields_set:
        parameter = types.groups["AcceleratorConfig"]["parameters"]["execution_providers"]
        parameter["type"] = {"any": ["str", *parameter["type"]["any"]]}  # it makes a list of one itself
    return systems


def _providers() -> Json:
    from olive.hardware.accelerator import Device
    from olive.hardware.constants import DEVICE_TO_EXECUTION_PROVIDERS, ExecutionProvider

    return {
        "all": [str(provider.value) for provider in ExecutionProvider],
        "devices": [str(device.value) for device in Device],
        "by_device": {
            device: sorted(str(provider.value) for provider in providers)
            for device, providers in DEVICE_TO_EXECUTION_PROVIDERS.items()
        },
    }


def _data(types: TypeNames) -> Json:
    import datasets
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES
    from olive.common.constants import DEFAULT_HF_TASK
    from olive.data import config as data_config
    from olive.data.component.text_generation import TextGenParams
    from olive.data.registry import Registry
    from torch.utils.data import DataLoader

    registry = dict(Registry._REGISTRY)
    containers = registry.pop("data_container")
    components: Json = {}
    for section, functions in registry.items():
        skip = 0 if section == "load_dataset" else 1  # Olive passes the dataset itself
        components[section] = {name: _component(types, function, skip) for name, function in functions.items()}
    generation = types.model(TextGenParams)
    for group in components["pre_process_data"].values():
        if group.pop("text_generation", False):
            group["parameters"].update(generation["parameters"])
            group["coerces"] = True
            group.pop("open", None)
    return {
        "section": types.model(data_config.DataConfig),
        "component": types.model(data_config.DataComponentConfig),
        "containers": {
            name: {
                "name": container.__name__,
                "components": {str(key): str(value) for key, value in container.default_components_type.items()},
                "tasks": as_json(container.task_type_components_map)
                if hasattr(container, "task_type_components_map")
                else {},
            }
            for name, container in containers.items()
        },
        "default_components": as_json(data_config.DefaultDataComponentCombos),
        "default_task": DEFAULT_HF_TASK,
        "components": components,
        "load_dataset": _modes(types.signature(datasets.load_dataset)),
        "builders": {
            name: _builder_fields(types, module) for name, (module, _) in sorted(_PACKAGED_DATASETS_MODULES.items())
        },
        "data_loader": types.signature(DataLoader.__init__, skip=1),
    }


def _modes(signature: Json) -> Json:
    """`DownloadMode | str` is one of the modes: load_dataset makes a text one, or refuses it."""
    for parameter in signature["parameters"].values():
        kind = parameter["type"]
        if has_form(kind, "any") and any(has_form(member, "enum") for member in kind["any"]):
            parameter["type"] = {"any": [member for member in kind["any"] if member != "str"]}
    return signature


def _component(types: TypeNames, function: Callable[..., Any], skip: int) -> Json:
    """A data component. Keys that it takes out of its **kwargs by name count; `forwards` says who gets the rest."""
    group = types.signature(function, skip)
    if not group.pop("open", False):
        return group
    source = inspect.getsource(function)
    if "text_gen_pre_process" in source:
        group["text_generation"] = True
    elif "load_dataset(" in source and "**kwargs" in source:
        group["forwards"] = "load_dataset"
    elif "DataLoader(" in source and "**kwargs" in source:
        group["forwards"] = "data_loader"
    for key in sorted(popped_keys(function) | handed_on_keys(function)):
        group["parameters"].setdefault(key, {"type": "any"})
    return group


def _builder_fields(types: TypeNames, module: str) -> Json:
    """The options of one packaged dataset builder (json, csv, ...) with their types: fields of its BuilderConfig."""
    from datasets import BuilderConfig

    kinds = [BuilderConfig]
    try:
        members = vars(importlib.import_module(module)).values()
        kinds += [member for member in members if isinstance(member, type) and issubclass(member, BuilderConfig)]
    except ImportError:  # audio, video and the like need packages of their own
        pass
    found: Json = {}
    for kind in kinds:
        hints = resolved_hints(kind)
        for field in dataclasses.fields(kind):
            found[field.name] = {"type": types.name(hints.get(field.name, Any))}
    return found


def _packaging(types: TypeNames) -> Json:
    from olive.engine.packaging.packaging_config import _type_to_config

    return {str(kind.value).lower(): types.model(model) for kind, model in _type_to_config.items()}


def _quantization(types: TypeNames) -> Json:
    """What load_kwargs.quantization_config takes, by method (HfLoadKwargs.dict_to_quantization_config)."""
    import transformers

    methods = {"bitsandbytes": transformers.BitsAndBytesConfig, "gptq": transformers.GPTQConfig}
    found = {name: types.signature(config.__init__) for name, config in methods.items()}
    for group in found.values():
        group.pop("open", None)  # Olive looks for unused keys itself
        for parameter in group["parameters"].values():
            kind = parameter["type"]
            if has_form(kind, "any") and parameter.get("default") is not None:  # their post_init asserts the type
                parameter["type"] = {"any": [member for member in kind["any"] if member != "none"]}
    return found


def _evaluators(types: TypeNames) -> Json:
    """The keys of any evaluator, and what each type takes by name; the others it takes and drops."""
    from olive.evaluator.olive_evaluator import OliveEvaluatorConfig
    from olive.evaluator.registry import Registry

    kinds: Json = {}
    for name, evaluator in Registry._REGISTRY.items():
        group = types.signature(evaluator.__init__)
        group.pop("open", None)
        for key in sorted(popped_keys(evaluator.__init__)):
            group["parameters"].setdefault(key, {"type": "any"})
        kinds[name] = group
    return {"section": types.model(OliveEvaluatorConfig), "types": kinds}


def _metrics(types: TypeNames) -> Json:
    from olive.evaluator import metric
    from olive.evaluator.accuracy import AccuracyBase
    from olive.evaluator.metric_backend import MetricBackend
    from olive.evaluator.metric_config import get_user_config_class

    names = {
        "accuracy": metric.AccuracySubType,
        "latency": metric.LatencySubType,
        "throughput": metric.ThroughputSubType,
        "size_on_disk": metric.SizeOnDiskSubType,
    }
    configs: Json = {
        "latency": types.model(metric.LatencyMetricConfig),
        "throughput": types.model(metric.ThroughputMetricConfig),
    }
    return {
        "section": types.model(metric.Metric),
        "sub_type": types.model(metric.SubMetric),
        "backends": sorted(MetricBackend.registry),
        "sub_types": {kind: [str(member.value) for member in members] for kind, members in names.items()},
        "user_config": {str(kind.value): types.model(get_user_config_class(kind.value)) for kind in metric.MetricType},
        "metric_config": configs,
        "accuracy_config": {
            str(name): types.model(accuracy.get_config_class()) for name, accuracy in AccuracyBase.registry.items()
        },
    }


def _defects() -> Json:
    """What the installed Olive declares and then fails on, whatever its value: tried here, with the error it raises."""
    from olive.common.config_utils import convert_configs_to_dicts
    from olive.data.component.text_generation import TextGenParams
    from olive.engine.config import RunPassConfig
    from olive.evaluator.metric import Metric
    from olive.evaluator.olive_evaluator import OliveEvaluatorConfig
    from olive.resource_path import find_all_resources

    sub_type = {"name": "score", "higher_is_better": True}
    metric = {"name": "own", "type": "custom", "sub_types": [sub_type], "user_config": {"user_script": "a.py"}}
    tries: dict[str, Callable[[], Any]] = {
        "custom_metric": lambda: Metric(**metric).to_json(),  # a run begins by writing its configuration down
        "pass_evaluator": lambda: RunPassConfig(type="LoRA", evaluator="quality"),  # RunConfig resolves the name later
        # Engine.initialize looks for files in the evaluator that it is given (OliveCache.prepare_resources_for_local)
        "untyped_evaluator": lambda: find_all_resources(convert_configs_to_dicts(OliveEvaluatorConfig())),
        "text_formatting_func": lambda: TextGenParams(user_script="a.py", text_formatting_func="make"),
        "tpe_alternatives": _try_tpe,
        "sampler_options": _try_sampler_options,
    }
    found: Json = {}
    for name, attempt in tries.items():
        try:
            attempt()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"[:HELP_LENGTH]
    return found


def _try_tpe() -> None:
    """Draw from two alternatives with TPE until the second comes up."""
    from olive.search.samplers import TPESampler
    from olive.search.search_parameter import Categorical
    from olive.search.search_space import SearchSpace

    space = SearchSpace([("int4", Categorical([SearchSpace([]), SearchSpace([])]))])
    objectives = {"quality": {"higher_is_better": True, "goal": None, "priority": 1}}
    points = [TPESampler(space, {"seed": seed}, objectives).suggest() for seed in range(8)]
    if not any(point.values["int4"][0] for point in points):
        raise LookupError("its search points all hold the first one")


def _try_sampler_options() -> None:
    """Write a strategy down as RunEngineConfig.create_engine does, and look for its sampler's options."""
    from olive.search.search_strategy import SearchStrategyConfig

    strategy = SearchStrategyConfig(execution_order="joint", sampler="random", max_samples=2)
    if not strategy.model_dump()["sampler_config"].get("max_samples"):
        raise LookupError("they are not written down")


def _search(types: TypeNames) -> Json:
    from olive.search.samplers import REGISTRY
    from olive.search.search_strategy import SearchStrategyConfig, SearchStrategyExecutionOrder

    return {
        "section": types.model(SearchStrategyConfig),
        "execution_orders": [str(order.value) for order in SearchStrategyExecutionOrder],
        "samplers": {name: types.model(sampler.get_config_class()) for name, sampler in REGISTRY.items()},
    }


if __name__ == "__main__":
    main()
    # Olive's telemetry keeps a thread that waits for its host, about 12 s where it cannot be reached.
    os._exit(0)
