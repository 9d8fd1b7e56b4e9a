"""The judge on evaluators: made as Engine and LocalSystem make them, for the models that they would measure.

Where no model is there to be run, Olive's own conditions are asked, or repeated with the place that they come from.
"""

from __future__ import annotations

import inspect
from typing import Any

PYTORCH = {"HfModelHandler", "PyTorchModelHandler", "DiffusersModelHandler"}
"""Models of the framework PyTorch: their session is a module, which has `to` and `eval`."""


def unread(evaluator: Any) -> set[str]:
    """Options that the evaluator takes as **kwargs and never asks for."""
    from olive.evaluator.registry import Registry

    given = set(evaluator.type_args)
    kind = Registry.get(evaluator.type) if evaluator.type is not None else None
    if kind is None:
        return given
    source, taken = inspect.getsource(kind.__init__), set(inspect.signature(kind.__init__).parameters)
    return {key for key in given - taken if f'kwargs.get("{key}"' not in source}


def judge(run: Any, found: list[str]) -> None:
    """The evaluator of the engine, and one that the last pass defines, each with the models that it gets."""
    from olive.common.config_utils import convert_configs_to_dicts
    from olive.evaluator.registry import Registry
    from olive.resource_path import find_all_resources

    first = [alternatives[0] for alternatives in run.passes.values() if alternatives]
    own = first[-1].evaluator if first else None
    made = _kinds(run, first) if first else set()
    builds = "modelbuilder" in [one.type.lower() for one in first]
    last = [(made, builds)] if made else []
    begins = [(_kinds(run, []), False)] if run.engine.evaluate_input_model else []
    for evaluator, models in ((run.engine.evaluator, begins + ([] if own else last)), (own, last)):
        if evaluator is None:
            continue
        find_all_resources(convert_configs_to_dicts(evaluator))  # OliveCache.prepare_resources_for_local
        Registry.get(evaluator.type)(**evaluator.type_args)
        if evaluator.type in ("LMEvaluator", "MTEBEvaluator"):
            continue
        if not evaluator.metrics:
            found.append("evaluator: nothing is measured")
        for metric in evaluator.metrics:
            _judge_metric(metric, evaluator.type, models, found)


def _kinds(run: Any, entries: list[Any]) -> set[str]:
    """What the passes make of the input model: the names of handlers; empty where the annotations do not tell."""
    from olive.model.config.registry import get_model_handler
    from olive.package_config import OlivePackageConfig

    from tests.config.olive_values import handlers

    package = OlivePackageConfig.load_default_config()
    kinds = {get_model_handler(run.input_model.type).__name__}
    for entry in entries:
        run_for = package.import_pass_module(entry.type)._run_for_config
        takes, gives = handlers(run_for, "model"), handlers(run_for, "return")
        if "OliveModelHandler" in gives:
            return set()
        kept = kinds & gives if takes == gives and len(gives) > 1 else set()
        kinds = kept or gives or kinds
    return kinds


def _judge_metric(metric: Any, kind: str, models: list[tuple[set[str], bool]], found: list[str]) -> None:
    if str(metric.type) not in ("accuracy", "latency", "throughput"):
        return
    if not metric.sub_types:
        found.append(f"metric {metric.name}: no sub types")  # get_latency_config_from_metric, _is_vision_metric
    if metric.data_config is None:
        hugging = any("HfModelHandler" in kinds for kinds, _ in models)  # generate_metric_user_config_with_model_io
        if str(metric.type) != "latency" or hugging:
            found.append(f"metric {metric.name}: no data")
    for kinds, built in models:
        if kind in ("OnnxEvaluator", "ONNX") and "ONNXModelHandler" not in kinds:  # _evaluate_raw_latency
            found.append(f"metric {metric.name}: {kind} cannot run {sorted(kinds)}")
        if kind in ("PyTorchEvaluator", "PyTorch") and not kinds & PYTORCH:
            found.append(f"metric {metric.name}: {kind} cannot run {sorted(kinds)}")  # session.to(device)
        data = metric.data_config
        if built and data is not None and data.type == "huggingfacecontainer" and kind in ("OnnxEvaluator", "ONNX"):
            found.append(f"metric {metric.name}: inputs past_key_values are missing")
