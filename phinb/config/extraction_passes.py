"""Ask the installed Olive and transformers about passes and training arguments. A part of extraction.py."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from typing import Any

from phinb.config.type_names import Json, TypeNames, as_json, describe_parameter, has_form


def extract_passes(types: TypeNames) -> Json:
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
        entry: Json = {"coerces": True, "parameters": {}, **_pass_facts(module), **_flow(pass_class)}
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


def _flow(pass_class: Any) -> Json:
    """The kinds of model that a pass takes and gives, from the annotations of its `_run_for_config`."""
    annotations = pass_class._run_for_config.__annotations__
    flow: Json = {"takes": _handlers(annotations.get("model")), "gives": _handlers(annotations.get("return"))}
    if pass_class._accepts_composite_model:
        flow["takes_parts"] = True
    return {key: value for key, value in flow.items() if value}


def _handlers(annotation: Any) -> list[str]:
    """`Union[HfModelHandler, ONNXModelHandler]` -> ["HfModel", "ONNXModel"]; nothing where it may be any model.

    Some annotations are texts of names that are there for type checkers only.
    """
    if annotation is None:
        return []
    words = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    names = sorted(set(re.findall(r"(\w+)Handler\b", words)))
    return [] if "OliveModel" in names else names


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


def extract_training_args(types: TypeNames) -> Json:
    """Olive's own training arguments by model, transformers' beside them, and those that transformers has dropped."""
    import transformers
    from olive.passes.pytorch import lora, train_utils
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    fields = {field.name: field for field in dataclasses.fields(transformers.TrainingArguments) if field.init}
    hints = typing.get_type_hints(transformers.TrainingArguments)
    theirs: Json = {}
    for name, field in fields.items():
        kind = types.name(hints[name])
        if choices := field.metadata.get("choices"):
            kind = {"any": [{"enum": list(choices)}, *(["none"] if field.default is None else [])]}
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
    return {
        "transformers": theirs,
        "olive": olive,
        "dropped": dropped,
        "trackers": sorted(INTEGRATION_TO_CALLBACK),
        "mappings": _mappings(),
        "schedulers": _schedulers(types),
    }


def _mappings() -> Json:
    """What arguments take that transformers hands on: the keys of mappings, and the words of texts."""
    import torch._inductor
    from accelerate.utils import DynamoBackend
    from torch.utils.checkpoint import checkpoint
    from transformers.trainer_pt_utils import AcceleratorConfig
    from transformers.trainer_utils import FSDPOption

    keywords = [
        name
        for name, parameter in inspect.signature(checkpoint).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    checkpointing = sorted({*keywords, "preserve_rng_state"})
    return {
        "accelerator_config": sorted(field.name for field in dataclasses.fields(AcceleratorConfig)),
        "activation_checkpointing_kwargs": checkpointing,
        "gradient_checkpointing_kwargs": checkpointing,
        "torch_compile_mode": sorted(torch._inductor.list_mode_options()),
        "torch_compile_backend": sorted(str(backend.value).lower() for backend in DynamoBackend),
        "fsdp": sorted(str(option.value) for option in FSDPOption),
    }


def _schedulers(types: TypeNames) -> Json:
    """What each learning rate schedule takes from lr_scheduler_kwargs, with its type, and what it cannot do without.

    A whole number where a fraction is wanted, and the other way round, is as good to them.
    """
    from torch.optim.lr_scheduler import ReduceLROnPlateau
    from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, GreedyLR

    found: Json = {}
    classes = {"reduce_lr_on_plateau": ReduceLROnPlateau, "greedy": GreedyLR}
    trainers = ("optimizer", "num_warmup_steps", "num_training_steps", "last_epoch")
    for kind, function in TYPE_TO_SCHEDULER_FUNCTION.items():
        name = str(kind.value)
        taken = types.signature(classes[name].__init__ if name in classes else function)["parameters"]
        own = {key: parameter for key, parameter in sorted(taken.items()) if key not in trainers}
        needs = [key for key, parameter in own.items() if parameter.get("required")]
        found[name] = {"takes": {key: _any_number(parameter["type"]) for key, parameter in own.items()}, "needs": needs}
    return found


def _any_number(kind: Any) -> Any:
    members = kind["any"] if has_form(kind, "any") else [kind]
    numbers = ["float" if member == "int" else member for member in members]
    return numbers[0] if len(numbers) == 1 else {"any": numbers}
