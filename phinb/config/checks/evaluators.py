"""Checks of the evaluators and their metrics."""

from __future__ import annotations

from phinb.config.checks.findings import Findings, number_of, sentence
from phinb.config.document import Node
from phinb.config.schema import group_of
from phinb.config.sections import text
from phinb.config.value_types import show


def check_evaluators(findings: Findings) -> None:
    """Each evaluator's metrics and their sub types."""
    section = findings.root.get("evaluators")
    if section is None or section.value is None:
        return
    if not section.is_mapping:
        hint = 'Write {"quality": {"metrics": [...]}}.'
        findings.add("wrong_type", section, '"evaluators" must be a mapping of names to evaluators.', hint)
        return
    for name, node in section.items():
        check_evaluator(findings, node, f'the evaluator "{name}"')


def check_evaluator(findings: Findings, node: Node, where: str) -> None:
    known, kind = findings.schema.evaluators, node.get("type")
    if not node.is_mapping:
        findings.add("wrong_type", node, f"{sentence(where)} must be a mapping.", 'At least {"metrics": [...]}.')
        return
    own_script = node.get("user_script") is not None
    if kind is not None and kind.value is not None and text(kind) not in known and not own_script:
        message = f"Olive knows no evaluator type {show(kind.plain())}."
        findings.unknown_name("unknown_type", kind, message, known)
    _check_options(findings, node, where)
    metrics = node.get("metrics")
    if metrics is None:
        return
    if not metrics.is_list:
        findings.add(
            "wrong_type", metrics, '"metrics" must be a list.', 'As in [{"name": "speed", "type": "latency"}].'
        )
        return
    for metric in metrics.entries():
        _check_metric(findings, metric, where)
    _check_ranks(findings, metrics)


def _check_options(findings: Findings, node: Node, where: str) -> None:
    """The keys of any evaluator, and those of its type; what a type of one's own script takes, only that can tell."""
    group = findings.schema.evaluator(text(node.get("type")))
    nested = node.get(group.nested or "")
    inner = list(nested.items()) if nested is not None else []
    free = [key for key, _ in node.items() if key not in group.parameters] if group.open else []
    findings.group(node, group, where, also=["metrics", *(key for key, _ in inner), *free])
    if nested is None or group.open:
        return
    for key, member in inner:
        if key in group.parameters:
            findings.value(member, group.parameters[key], where, coerces=True)
        else:
            findings.unknown_key(key, nested, group.names, where)


def _check_ranks(findings: Findings, metrics: Node) -> None:
    """Names are unique, and priorities count from 1 (OliveEvaluatorConfig.validate_metrics); -1 is not ranked."""
    names = [text(metric.get("name")) for metric in metrics.entries()]
    for at, metric in enumerate(metrics.entries()):
        name = metric.get("name")
        if name is not None and text(name) in names[:at]:
            findings.add(
                "duplicate_name", name, f'The metric "{text(name)}" stands twice.', "Give each a name of its own."
            )
    sub_types = [entry for metric in metrics.entries() for entry in (metric.get("sub_types") or Node([])).entries()]
    ranked = [entry.get("priority") for entry in sub_types if entry.get("priority") is not None]
    ranks = [node.value for node in ranked if node is not None and node.value != -1]
    if any(not isinstance(rank, int) for rank in ranks):
        return  # told as a wrong type
    first = next(iter(metrics.entries()), Node(None)).get("sub_types")
    if not ranks and len(sub_types) == 1 and not (first and first.entries()):
        hint = 'Add "priority": 1 to the sub type that there is.'
        message = "Olive ranks the first sub type of the first metric, which has none, and fails."
        findings.missing("missing_key", metrics, message, hint)
    elif not ranks and len(sub_types) > 1:
        hint = 'Add "priority": 1 to the one that matters most, 2 to the next.'
        findings.missing("missing_key", metrics, "Several sub types need priorities; Olive refuses them without.", hint)
    elif ranks and sorted(ranks) != list(range(1, len(ranks) + 1)):
        message = f"Priorities are unique and count from 1; here they are {', '.join(map(str, ranks))}."
        findings.add(
            "bad_choice", next(node for node in ranked if node is not None), message, "-1 is for what is only measured."
        )


def _check_metric(findings: Findings, node: Node, where: str) -> None:
    facts = findings.schema.data["metrics"]
    if not node.is_mapping:
        hint = 'With "name", "type" and "sub_types".'
        findings.add("wrong_type", node, f"A metric of {where} must be a mapping.", hint)
        return
    kind = node.get("type")
    kinds = list(facts["user_config"])
    if kind is None:
        findings.missing(
            "missing_key", node, f'A metric of {where} has no "type".', f"One of {', '.join(kinds)}.", ("type",)
        )
        return
    if text(kind) not in kinds:
        findings.unknown_name("unknown_type", kind, f"Olive knows no metric type {show(kind.plain())}.", kinds)
        return
    if text(kind) == "custom" and (reason := findings.schema.defect("custom_metric")):
        hint = "Measure it after the run: phinb.compare takes metrics of your own."
        findings.add("olive_fails", kind, f"The installed Olive fails on every custom metric ({reason}).", hint)
        return
    options = group_of("user_config", facts["user_config"][text(kind)])
    own = ["type", "sub_types", "user_config", "data_config", *options.names]
    findings.group(node, group_of("a metric", facts["section"]), f"a metric of {where}", also=own)
    config = node.get("user_config")
    if config is not None and config.is_mapping:
        findings.group(config, options, "user_config of a metric")
    for key, member in node.items():
        if key in options.parameters:
            findings.value(member, options.parameters[key], "a metric", coerces=True)
    backend = node.get("backend")
    if backend is not None and text(kind) != "custom":
        findings.choice(backend, "backend", facts["backends"])
    sub_types = node.get("sub_types")
    if sub_types is not None and not sub_types.is_list:
        findings.add("wrong_type", sub_types, '"sub_types" must be a list.', 'As in [{"name": "avg", "priority": 1}].')
        return
    for entry in sub_types.entries() if sub_types is not None else ():
        _check_sub_type(findings, entry, text(kind), text(backend) or "torch_metrics")


def _check_sub_type(findings: Findings, node: Node, kind: str, backend: str) -> None:
    """`kind` is the metric's type. What a backend other than torch_metrics knows, only that backend can tell."""
    facts = findings.schema.data["metrics"]
    if not node.is_mapping:
        findings.add("wrong_type", node, "A sub type must be a mapping.", 'With at least a "name".')
        return
    findings.group(node, group_of("a sub type", facts["sub_type"]), "a sub type", also=["name", "metric_config"])
    allowed = facts["sub_types"].get(kind)
    name, config = node.get("name"), node.get("metric_config")
    if name is None:
        findings.missing(
            "missing_key", node, 'A sub type has no "name".', f"One of {', '.join(allowed or ['your own'])}.", ("name",)
        )
    elif allowed is not None and backend == "torch_metrics" and name.value is None:
        findings.add("wrong_type", name, "The sub type's name is null.", f"One of {', '.join(allowed)}.")
    elif allowed is not None and backend == "torch_metrics":
        findings.choice(name, "name", allowed)
    goal = node.get("goal")
    if goal is not None and goal.is_mapping:
        _check_goal(findings, node, goal, kind)
    options = facts["accuracy_config"].get(text(name)) if kind == "accuracy" else facts["metric_config"].get(kind)
    if config is not None and not config.is_mapping and (config.value is not None or allowed is not None):
        findings.add("wrong_type", config, f'"metric_config" must be a mapping, not {show(config.plain())}.')
    if config is not None and config.is_mapping and options is not None and backend == "torch_metrics":
        findings.group(config, group_of("metric_config", options), f"metric_config of {text(name)}")


_GOALS = ("threshold", "min-improvement", "percent-min-improvement", "max-degradation", "percent-max-degradation")


def _check_goal(findings: Findings, sub_type: Node, goal: Node, metric: str) -> None:
    """MetricGoal and SubMetric.validate_goal: the kinds of goals, and what their values may be."""
    given, value = goal.get("type"), number_of(goal.get("value"))
    kind = text(given)
    if given is not None and kind:
        findings.choice(given, "type", _GOALS)
    if value is None or kind not in _GOALS or kind == "threshold":
        return
    higher = sub_type.get("higher_is_better")
    usual = metric == "throughput" or (metric == "accuracy" and text(sub_type.get("name")) != "wer")
    rises = usual if higher is None else higher.value is True
    capped = (kind, rises) in (("percent-min-improvement", False), ("percent-max-degradation", True))
    percent = kind.startswith("percent")
    if value < 0 or (percent and value == 0) or (capped and value >= 100):
        limit = " and below 100" if capped else ""
        wanted = f"above 0{limit}" if percent else "0 or more"
        findings.add("out_of_range", goal.value["value"], f"A {kind} of {value:g} is none: it must be {wanted}.")
