"""The judge's second stage: what reads well and then fails, is dropped, or comes to nothing.

Wherever it can be, the judgement is Olive's own: the function that Olive would call is called with the same values on
something small. Nothing here knows phinb's rules.
"""

from __future__ import annotations

import copy
import re
import typing
from collections.abc import Callable
from typing import Any

from tests.config import olive_building, olive_evaluation, olive_rows, olive_training
from tests.config.olive_judge import flat

Once = Callable[[str, Any, Callable[[list[str]], None]], list[str]]


def judge(config: dict[str, Any], run: Any, spec: tuple[str, str], once: Once) -> list[str]:
    """`config` as it was given, `run` as RunConfig read it, `spec`: device and provider to build for."""
    found: list[str] = []
    found += once("keys", config, lambda f: unread_keys(config, run, f))
    for name, system in (run.systems or {}).items():
        found += once(f"system {name}", system.model_dump(), lambda f, s=system: judge_system(s, f))
    for system in (run.engine.host, run.engine.target):
        if system is not None:
            found += once("system", system.model_dump(), lambda f, s=system: judge_system(s, f))
    found += once("engine", [run.engine.model_dump(), bool(run.passes)], lambda f: judge_engine(run, f))
    found += once("model", run.input_model.model_dump(), lambda f: judge_model(run.input_model, f))
    found += once("evaluation", [config, spec], lambda f: olive_evaluation.judge(run, f))
    found += once("order", [run.input_model.type, flow(run)], lambda f: judge_order(run, f))
    for data in run.data_configs:
        found += once(f"data {data.name}", data.model_dump(), lambda f, d=data: olive_rows.judge(d, f))
    task = run.input_model.config.get("task") or "text-generation-with-past"
    searches = bool(run.engine.search_strategy)
    for name, alternatives in run.passes.items():
        for given in alternatives if searches else alternatives[:1]:
            known = [spec, searches, given.model_dump()]
            found += once(f"values of {name}", known, lambda f, g=given: judge_pass(g, spec, searches, f))
            trained = [spec, searches, task, given.type, olive_training.decisive(given.config or {})]
            found += once(f"training {name}", trained, lambda f, g=given: judge_training(g, spec, searches, task, f))
    return found


def make_pass(given: Any, spec: tuple[str, str], searches: bool) -> tuple[Any, Any, Any]:
    """The class of a pass, the accelerator to make it for, and its configuration as Olive completes it."""
    from olive.hardware.accelerator import AcceleratorSpec, Device
    from olive.package_config import OlivePackageConfig

    pass_class = OlivePackageConfig.load_default_config().import_pass_module(given.type)
    accelerator = AcceleratorSpec(Device(spec[0]), spec[1])
    config = pass_class.generate_config(accelerator, copy.deepcopy(given.config or {}), {}, not searches)
    return pass_class, accelerator, config


def judge_pass(given: Any, spec: tuple[str, str], searches: bool, found: list[str]) -> None:
    from olive.common.config_utils import validate_config
    from olive.data.config import DataConfig

    pass_class, _, config = make_pass(given, spec, searches)
    for name in type(config).model_fields:
        if name.endswith("data_config") and isinstance(getattr(config, name), dict):
            validate_config(getattr(config, name), DataConfig)
    if pass_class.__name__ == "ModelBuilder":
        olive_building.judge(config, spec, found)


def judge_training(given: Any, spec: tuple[str, str], searches: bool, task: str, found: list[str]) -> None:
    arguments = flat(copy.deepcopy((given.config or {}).get("training_args")))
    pass_class, accelerator, config = make_pass(given, spec, searches)
    if pass_class.__name__ in olive_training.ADAPTERS:
        olive_training.judge(pass_class, accelerator, config, arguments, task, found)


# ------------------------------------------------------------------------------------------- keys that are unread


def unread_keys(config: dict[str, Any], run: Any, found: list[str]) -> None:
    """Keys that a pydantic model of Olive's has no field for, and takes without a word."""
    from olive.cache import CacheConfig
    from olive.data.config import DataConfig
    from olive.engine.packaging.packaging_config import PackagingConfig

    engine = {**(config.get("engine") or {}), **{key: value for key, value in config.items() if key != "engine"}}
    given: list[tuple[str, Any, Any]] = [
        (f"systems.{name}", system, run.systems[name]) for name, system in (config.get("systems") or {}).items()
    ]
    given += [(key, engine.get(key), getattr(run.engine, key)) for key in ("host", "target", "search_strategy")]
    packages = engine.get("packaging_config")
    for entry in packages if isinstance(packages, list) else [packages]:
        given.append(("packaging_config", entry, PackagingConfig(**entry) if isinstance(entry, dict) else None))
    cache = engine.get("cache_config")
    given.append(("cache_config", cache, CacheConfig(**cache) if isinstance(cache, dict) else None))
    for where, written, read in given:
        _unread(written, type(read), read, where, found)
    for at, data in enumerate(config.get("data_configs") or ()):
        found += [f"data_configs.{at}.{key} is unread" for key in set(data) - set(DataConfig.model_fields)]
    for name, evaluator in (run.evaluators or {}).items():
        _unread_evaluator(config["evaluators"][name], evaluator, f"evaluators.{name}", found)
    if isinstance(engine.get("evaluator"), dict) and run.engine.evaluator is not None:
        _unread_evaluator(engine["evaluator"], run.engine.evaluator, "evaluator", found)


def _unread_evaluator(given: dict[str, Any], evaluator: Any, where: str, found: list[str]) -> None:
    found += [f"{where}.{key} is unread" for key in olive_evaluation.unread(evaluator)]
    for metric, read in zip(given.get("metrics") or (), evaluator.metrics, strict=True):
        _unread(metric, type(read), read, f"{where}.metrics", found)


def _unread(given: Any, model: type, read: Any, where: str, found: list[str]) -> None:
    """Compare what was given with the fields of the model that it was read into, and with those inside it."""
    from olive.common.config_utils import NestedConfig
    from pydantic import BaseModel

    if not isinstance(given, dict) or not isinstance(read, BaseModel):
        return
    fields = set(model.model_fields)
    nested = model._nested_field_name if issubclass(model, NestedConfig) else ""
    inner = getattr(read, nested, None) if nested else None
    for key, value in given.items():
        if key == nested:
            _unread(value, type(inner), inner, f"{where}.{key}", found)
        elif key in fields:
            _unread_value(value, getattr(read, key), f"{where}.{key}", found)
        elif not isinstance(inner, BaseModel) or key not in type(inner).model_fields:
            found.append(f"{where}.{key} is unread")
        else:
            _unread_value(value, getattr(inner, key), f"{where}.{key}", found)


def _unread_value(value: Any, read: Any, where: str, found: list[str]) -> None:
    from pydantic import BaseModel

    if isinstance(read, BaseModel) and type(read).__name__ != "DataConfig":
        _unread(value, type(read), read, where, found)
    if isinstance(read, list) and isinstance(value, list):
        for one, made in zip(value, read, strict=False):
            _unread_value(one, made, where, found)


# ------------------------------------------------------------------------------------- systems, engine and model


def judge_system(system: Any, found: list[str]) -> None:
    """Fill in and check the accelerator as a run does; what is then another provider was dropped."""
    from olive.systems.accelerator_creator import create_accelerator

    if system.type == "Docker":
        return  # it can only be a host, and needs Docker itself to say more
    wanted = [list(one.get_ep_strs() or ()) for one in (system.config.accelerators or ())] if system.config else []
    local = system.model_copy(deep=True)
    if system.type == "PythonEnvironment":
        local = type(system)(
            type="LocalSystem", accelerators=[a.model_dump() for a in system.config.accelerators or ()]
        )
    spec = create_accelerator(local, skip_supported_eps_check=True, is_ep_required=True)
    if wanted and wanted[0] and spec.execution_provider != wanted[0][0]:
        found.append(f"{wanted[0][0]} is dropped for {spec.execution_provider}")


def judge_engine(run: Any, found: list[str]) -> None:
    """The log levels, and the search strategy, as they are put to use."""
    import onnxruntime
    from olive import logging as olive_logging
    from olive.search.search_parameter import Categorical
    from olive.search.search_strategy import SearchStrategy

    olive_logging.get_logger_level(run.engine.log_severity_level)
    olive_logging.get_logger_level(run.engine.ort_py_log_severity_level)
    try:
        onnxruntime.set_default_logger_severity(run.engine.ort_log_severity_level)
    finally:
        onnxruntime.set_default_logger_severity(3)
    if not run.passes and run.engine.evaluator is None:
        found.append("neither passes nor an evaluator: nothing is done")
    if run.engine.search_strategy:
        if run.engine.search_strategy is True:
            found.append("search_strategy true says nothing about how to search")
        else:
            strategy = SearchStrategy(run.engine.search_strategy)
            objective = {"higher_is_better": True, "goal": None, "priority": 1}
            strategy.initialize({"lora": [{"r": Categorical([8, 16])}]}, "model", {"lora": {"quality": objective}})
            next(iter(strategy))


def judge_model(model: Any, found: list[str]) -> None:
    from olive.model.config.hf_config import HfLoadKwargs
    from olive.model.config.io_config import IoConfig
    from olive.model.config.registry import get_model_handler
    from olive.resource_path import create_resource_path
    from transformers.pipelines import check_task

    given = model.config
    for name in ("model_path", "adapter_path", "test_model_path", "model_script", "script_dir"):
        create_resource_path(given.get(name))
    check_annotations(get_model_handler(model.type).__init__, given, found)
    if model.type == "hfmodel":
        check_task(given.get("task", "text-generation").replace("-with-past", ""))
        if not given.get("model_path"):
            found.append("no model_path")
        if given.get("load_kwargs"):
            HfLoadKwargs(**given["load_kwargs"]).get_load_kwargs()
    if isinstance(given.get("io_config"), dict):
        _unread(given["io_config"], IoConfig, IoConfig(**given["io_config"]), "io_config", found)
    if model.type == "pytorchmodel" and not given.get("model_loader") and not given.get("model_path"):
        found.append("neither a model_loader nor a model_path")
    if model.type == "onnxmodel" and not given.get("model_path"):
        found.append("no model_path")


def check_annotations(function: Callable[..., Any], given: dict[str, Any], found: list[str]) -> None:
    """Values that the function's own annotations exclude; nothing converts them on the way."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):
        return
    for name, value in given.items():
        if name in hints and value is not None and "olive" not in str(hints[name]):
            if bool in (hints[name], *typing.get_args(hints[name])) and value in (0, 1):
                continue  # as good as false and true
            try:
                adapter = TypeAdapter(hints[name], config=ConfigDict(strict=True, arbitrary_types_allowed=True))
                adapter.validate_python(value)
            except ValidationError as error:
                found.append(f"{name} {value!r} is no {hints[name]}: {error.errors()[0]['msg']}")
            except Exception:  # an annotation that pydantic cannot read says nothing
                continue


# -------------------------------------------------------------------------------------------------------- order


def flow(run: Any) -> list[Any]:
    """What decides whether the passes can follow each other."""
    made: list[Any] = [run.input_model.config.get("adapter_path") is not None]
    for alternatives in run.passes.values():
        first = alternatives[0]
        made.append([first.type, (first.config or {}).get("metadata_only")])
    return made


def judge_order(run: Any, found: list[str]) -> None:
    """Hand a model of the right kind from pass to pass, by the annotations of each `_run_for_config`.

    An adapter that is not merged is followed too: MergeAdapterWeights and the training passes raise without it, or
    with it (merge_adapter_weights.py, load_hf_base_model), and ModelBuilder takes only the kind "LORA" without DoRA's
    magnitudes (Model.make_matmul_lora of onnxruntime-genai).
    """
    from olive.model.config.registry import get_model_handler
    from olive.package_config import OlivePackageConfig

    package = OlivePackageConfig.load_default_config()
    kinds: set[str] = {get_model_handler(run.input_model.type).__name__}
    adapter = "given" if run.input_model.config.get("adapter_path") is not None else ""
    for name, alternatives in run.passes.items():
        first = alternatives[0]
        pass_class = package.import_pass_module(first.type)
        run_for = pass_class._run_for_config
        takes, gives = handlers(run_for, "model"), handlers(run_for, "return")
        if "CompositeModelHandler" in kinds and not pass_class._accepts_composite_model:
            kinds |= {"ONNXModelHandler"}  # its parts are handed in one by one
        if takes and "OliveModelHandler" not in takes and not kinds & takes:
            found.append(f"order: {name} takes {sorted(takes)}, and gets {sorted(kinds)}")
            return
        kind = pass_class.__name__
        if kind in olive_training.ADAPTERS:
            if adapter:
                found.append(f"order: {name} trains where an adapter is not merged yet")
            adapter = kind
        elif kind == "MergeAdapterWeights":
            if not adapter:
                found.append(f"order: {name} has no adapter to merge")
            adapter = ""
        elif kind == "ModelBuilder":
            only = bool((first.config or {}).get("metadata_only"))
            if ("ONNXModelHandler" if only else "HfModelHandler") not in kinds:
                found.append(f"order: {name} with metadata_only {only} gets {sorted(kinds)}")
            if adapter in ("DoRA", "LoHa", "LoKr"):
                found.append(f"order: {name} cannot build a {adapter} adapter in")
            adapter = ""
        kinds = gives or kinds
        if "OliveModelHandler" in gives:
            return  # it may be anything from here on


def handlers(function: Callable[..., Any], name: str) -> set[str]:
    """The names of the handlers in one annotation, which may be a text."""
    return set(re.findall(r"\w+Handler\b", str(function.__annotations__.get(name, ""))))
