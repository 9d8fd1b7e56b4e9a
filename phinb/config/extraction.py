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
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from phinb.config.type_names import Json, TypeNames, as_json, describe_parameter, handed_on_keys, has_form, popped_keys

FORMAT = 1
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
        "systems": _systems(types),
        "providers": _providers(),
        "data": _data(types),
        "passes": _passes(types),
        "training_args": _training_args(types),
        "evaluators": _evaluators(types),
        "metrics": _metrics(types),
        "search": _search(types),
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


def _systems(types: TypeNames) -> Json:
    from olive.systems.system_config import _type_to_config

    return {str(kind.value): types.model(model) for kind, model in _type_to_config.items()}


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
        "load_dataset": types.signature(datasets.load_dataset),
        "builders": {
            name: sorted(_builder_fields(module)) for name, (module, _) in sorted(_PACKAGED_DATASETS_MODULES.items())
        },
        "data_loader": types.signature(DataLoader.__init__, skip=1),
    }


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


def _builder_fields(module: str) -> set[str]:
    """The options of one packaged dataset builder (json, csv, ...): the fields of its BuilderConfig."""
    from datasets import BuilderConfig

    found = {field.name for field in dataclasses.fields(BuilderConfig)}
    try:
        members = vars(importlib.import_module(module)).values()
    except ImportError:  # audio, video and the like need packages of their own
        return found
    for member in members:
        if isinstance(member, type) and issubclass(member, BuilderConfig):
            found |= {field.name for field in dataclasses.fields(member)}
    return found


def _passes(types: TypeNames) -> Json:
    from olive.hardware import DEFAULT_CPU_ACCELERATOR
    from olive.package_config import OlivePackageConfig
    from olive.passes.pytorch.train_utils import BaseHFTrainingArguments

    package = OlivePackageConfig.load_default_config()
    passes: Json = {}
    for key in package.passes:
        module = package.get_pass_module_config(key)
        try:
            pass_class = package.import_pass_module(key)
        except ImportError as error:  # the pass exists, its own package is not here: its parameters are unknown
            name = module.module_path.rsplit(".", 1)[1]
            passes[name] = {"parameters": {}, "open": True, "missing": str(error)}
            continue
        entry: Json = {"coerces": True, "parameters": {}, **_pass_facts(module)}
        for name, parameter in pass_class._default_config(DEFAULT_CPU_ACCELERATOR).items():
            entry["parameters"][name] = _pass_parameter(types, parameter, BaseHFTrainingArguments)
        passes[pass_class.__name__] = entry
    return passes


def _pass_facts(module: Any) -> Json:
    """What Olive's package configuration says of a pass, as far as checking needs it."""
    facts: Json = {"module": module.module_path.removeprefix("olive.passes.").split(".")[0]}
    if str(module.dataset) != "dataset_not_required":
        facts["dataset"] = str(getattr(module.dataset, "value", module.dataset))
    if module.extra_dependencies or module.module_dependencies:
        facts["needs"] = [*module.extra_dependencies, *module.module_dependencies]
    if module.run_on_target:
        facts["run_on_target"] = True
    return facts


def _pass_parameter(types: TypeNames, parameter: Any, training: type) -> Json:
    from olive.search.search_parameter import Categorical, Conditional

    search = None
    if isinstance(parameter.search_defaults, Categorical):
        search = as_json(parameter.search_defaults.get_support())
    elif isinstance(parameter.search_defaults, Conditional):
        search = "conditional"
    default = parameter.default_value
    arguments = [
        kind for kind in typing.get_args(parameter.type_) if isinstance(kind, type) and issubclass(kind, training)
    ]
    kind = {"training_args": arguments[0].__name__} if arguments else types.name(parameter.type_)
    described = describe_parameter(
        kind, default=default, required=parameter.required, description=parameter.description, search=search
    )
    if isinstance(default, Conditional):
        described["conditional"] = list(default.parents)
    if str(getattr(parameter.category, "value", parameter.category)) == "object":
        described["object"] = True
    return described


def _training_args(types: TypeNames) -> Json:
    """Olive's own training arguments by model, transformers' beside them, and those that transformers has dropped."""
    import transformers
    from olive.passes.pytorch import lora, train_utils

    fields = {field.name: field for field in dataclasses.fields(transformers.TrainingArguments) if field.init}
    hints = typing.get_type_hints(transformers.TrainingArguments)
    theirs: Json = {}
    for name, field in fields.items():
        kind = types.name(hints[name])
        if choices := field.metadata.get("choices"):
            kind = {"any": [{"enum": list(choices)}, "none"]}
        if has_form(kind, "any") and any(has_form(member, "enum") for member in kind["any"]):
            kind = {"any": [member for member in kind["any"] if member != "str"]}  # text is made the enum, or refused
        default = None if field.default is dataclasses.MISSING else field.default
        theirs[name] = describe_parameter(kind, default=default, description=field.metadata.get("help"))
    source = inspect.getsource(lora) + inspect.getsource(train_utils)
    olive: Json = {}
    for kind in (lora.HFTrainingArguments, lora.QLoRATrainingArguments):
        parameters = types.model(kind)["parameters"]
        olive[kind.__name__] = {name: parameters[name] for name in parameters if name != "extra_args"}
    declared = {name for parameters in olive.values() for name in parameters}
    dropped = sorted(name for name in declared if name not in fields and f"training_args.{name}" not in source)
    return {"transformers": theirs, "olive": olive, "dropped": dropped}


def _evaluators(types: TypeNames) -> Json:
    from olive.evaluator.olive_evaluator import OliveEvaluatorConfig
    from olive.evaluator.registry import Registry

    return {
        "section": types.model(OliveEvaluatorConfig),
        "types": {name: types.signature(evaluator.__init__) for name, evaluator in Registry._REGISTRY.items()},
    }


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
