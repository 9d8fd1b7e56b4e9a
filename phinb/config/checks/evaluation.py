"""Checks of what an evaluator is given to do: the models that it measures, and what its metrics need for that.

Tried with Olive 0.13 on phinb://tiny (test_evaluation.py). An evaluator that nothing names is never made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from phinb.config.checks.findings import Findings
from phinb.config.checks.order import FlowModel, first_model, quote, speak
from phinb.config.document import Node
from phinb.config.sections import data_configs, metrics_of, passes, place_of_new_key, text
from phinb.types import Edit, Fix

_TAKES: Mapping[str, frozenset[str]] = {
    "pytorch": frozenset({"HfModel", "PyTorchModel", "DiffusersModel"}),
    "onnx": frozenset({"ONNXModel"}),
}
"""The kinds of model whose session the evaluator of that name can run (PyTorchEvaluator, OnnxEvaluator)."""

_RUN = ("accuracy", "latency", "throughput")
"""Metrics that run the model; size_on_disk only looks at its files."""


def check_evaluation(findings: Findings, made: FlowModel | None) -> None:
    """`made`: what the passes make; None where a mistake in them leaves that open, or where there are none."""
    general = _named(findings, findings.root.get("evaluator"))
    first, own = first_model(findings), _evaluator_of_last_pass(findings)
    looks = findings.root.get("evaluate_input_model")
    at_first = looks is None or looks.value is not False
    models = {
        id(general): ([first] if at_first else []) + _measured(findings, made, own),
        id(own): [made] if made is not None else [],
    }
    for evaluator in (general, own):
        if evaluator is not None and evaluator.is_mapping:
            _check_type(findings, evaluator, models[id(evaluator)])
            _check_metrics(findings, evaluator, models[id(evaluator)])
            _check_models(findings, evaluator, models[id(evaluator)])


def _measured(findings: Findings, made: FlowModel | None, own: Node | None) -> list[FlowModel]:
    """What the engine's evaluator measures of what the passes make: where Olive searches pass by pass, all of it."""
    if made is None:
        return []
    strategy = findings.root.get("search_strategy")
    order = text(strategy.get("execution_order")) if strategy is not None and strategy.is_mapping else ""
    if order.lower() == "pass-by-pass":
        return list(made.stages if own is None else made.stages[:-1])
    return [made] if own is None else []


def _named(findings: Findings, given: Node | None) -> Node | None:
    """The evaluator that is named, or defined in place."""
    if given is None or given.is_mapping:
        return given
    section = findings.root.get("evaluators")
    return section.get(text(given)) if section is not None else None


def _evaluator_of_last_pass(findings: Findings) -> Node | None:
    """Engine.evaluator_for_pass: what the last pass defines comes before the engine's."""
    entries = [entry for entry in passes(findings.root) if not entry.at]
    found = entries[-1].node.get("evaluator") if entries else None
    return found if found is not None and found.is_mapping else None


def _suited(model: FlowModel) -> str:
    """The evaluator for a model; "" where nobody can tell what it is."""
    names = {"pytorch": "PyTorchEvaluator", "onnx": "OnnxEvaluator"}
    return next((names[name] for name, kinds in _TAKES.items() if model.kinds and model.kinds <= kinds), "")


def _check_type(findings: Findings, evaluator: Node, models: list[FlowModel]) -> None:
    """Engine.initialize looks for files in the evaluator, and fails on a type that is null, its default."""
    kind, reason = evaluator.get("type"), findings.schema.defect("untyped_evaluator")
    if not reason or (kind is not None and kind.value is not None):
        return
    names = list(dict.fromkeys(name for name in map(_suited, models) if name))
    wanted = names[-1] if names else "PyTorchEvaluator"
    place = kind.path if kind is not None else place_of_new_key(evaluator, "type")
    fix = Fix(f"Write {wanted}", (Edit("set", place, wanted),))
    message = f"The installed Olive fails on an evaluator without a type ({reason})."
    hint = f'Add "type": "{wanted}".'
    findings.add("olive_fails", evaluator, message, hint, at="key", fix=fix)


def _metrics(evaluator: Node) -> Iterator[tuple[Node, str]]:
    """The metrics that run the model, with their types."""
    for metric in metrics_of(evaluator):
        if text(metric.get("type")) in _RUN:
            yield metric, text(metric.get("type"))


def _check_metrics(findings: Findings, evaluator: Node, models: list[FlowModel]) -> None:
    kind, metrics = text(evaluator.get("type")), evaluator.get("metrics")
    group = findings.schema.evaluator(kind)
    if group.open or "tasks" in group.parameters:
        return  # of one's own, or one that needs no metrics
    if metrics is None or not metrics.value:
        message, hint = "The evaluator has no metrics: nothing is measured.", 'Add "metrics": [...], or remove it.'
        if findings.missing("missing_key", metrics or evaluator, message, hint):
            findings.absent(evaluator, "metrics")
        return
    for metric, measured in _metrics(evaluator):
        parts, data = metric.get("sub_types"), metric.get("data_config")
        known = findings.schema.data["metrics"]["sub_types"][measured]
        if parts is None or not parts.value:
            message, hint = f"A metric of type {measured} without sub_types fails.", f"One of {', '.join(known)}."
            findings.missing("missing_key", parts or metric, message, hint, ("sub_types",))
        huggingface = any("HfModel" in model.kinds for model in models)
        if (data is None or data.value is None) and (measured != "latency" or huggingface):
            message = f"A metric of type {measured} needs data to run the model on."
            findings.missing("missing_key", metric, message, 'Add "data_config": the name of one.', ("data_config",))
        elif measured == "accuracy" and data is not None:
            _check_lengths(findings, data)


def _check_lengths(findings: Findings, named: Node) -> None:
    """PyTorchEvaluator stacks the scores of all rows (torch.cat); the failure is swallowed."""
    for config in data_configs(findings.root):
        rows = config.get("pre_process_data_config")
        if text(config.get("name")) != text(named) or rows is None or text(rows.get("strategy")) != "line-by-line":
            continue
        pad = rows.get("pad_to_max_len")
        if pad is not None and pad.value is False:
            message = f'"{text(named)}" is not padded: on rows of unlike lengths Olive measures no accuracy.'
            fix = Fix("Pad the rows", (Edit("set", pad.path, True),))
            findings.warn("contradiction", pad, message, 'Write "pad_to_max_len": true.', fix=fix)


def _check_models(findings: Findings, evaluator: Node, models: list[FlowModel]) -> None:
    kind = evaluator.get("type")
    takes = _TAKES.get(text(kind).lower().removesuffix("evaluator"))
    if kind is None or takes is None or not list(_metrics(evaluator)):
        return
    for model in models:
        if model.maker_type == "ModelBuilder" and "ONNXModel" in takes and _runs_on_text(findings, evaluator):
            message = (
                f"Olive's evaluators cannot run what {quote(model.maker)} (ModelBuilder) makes: it wants the keys and "
                "values of the tokens before as inputs."
            )
            hint = "Measure size_on_disk only, or remove the evaluator and compare after the run (phinb.compare)."
            findings.add("olive_fails", kind, message, hint)
            return
        if model.kinds and not model.kinds & takes:
            _tell_of_kinds(findings, kind, takes, model)
            return


def _runs_on_text(findings: Findings, evaluator: Node) -> bool:
    """Whether a metric runs on a HuggingfaceContainer's rows; what other data gives, only that can tell."""
    kinds = {text(config.get("name")): text(config.get("type")).lower() for config in data_configs(findings.root)}
    named = [text(metric.get("data_config")) for metric, _ in _metrics(evaluator)]
    return any(kinds.get(name) == "huggingfacecontainer" for name in named)


def _tell_of_kinds(findings: Findings, kind: Node, takes: frozenset[str], model: FlowModel) -> None:
    message = f"{text(kind)} takes {speak(takes)}, but from {quote(model.maker)} comes {speak(model.kinds)}."
    if model.maker != "the input model":
        hint = f'Write "{_suited(model)}".' if _suited(model) else "Measure size_on_disk only."
        findings.add("contradiction", kind, message, hint)
        return
    place = "engine.evaluate_input_model"
    fix = Fix("Do not measure the input model", (Edit("set", place, False),)) if findings.root.get("passes") else None
    hint = 'Write "evaluate_input_model": false; otherwise Olive measures the input model first.'
    findings.add("contradiction", kind, message, hint if fix else f'Write "{_suited(model)}".', fix=fix)
