"""Checks of a search: its strategy, what Olive 0.13 fails on in it, how much it tries, and passes in lists without one.

Tried with Olive 0.13 on phinb://tiny (tests/config/test_search.py).
"""

from __future__ import annotations

from itertools import takewhile

from phinb.config.checks.findings import Findings
from phinb.config.document import Node
from phinb.config.schema import group_of
from phinb.config.search import DEFAULT, find_search, searched_values, searches
from phinb.config.sections import evaluators, metrics_of, passes, text
from phinb.types import Edit, Fix

_JOINT_ONLY = ("stop_when_goals_met", "max_iter", "max_time")
"""What SearchStrategyConfig puts back to its default where the order is pass-by-pass."""

_SIZE = {
    "type": "OnnxEvaluator",
    "metrics": [
        {
            "name": "size",
            "type": "size_on_disk",
            "sub_types": [{"name": "bytes", "priority": 1, "higher_is_better": False}],
        }
    ],
}
"""The one evaluator that measures whatever a pass makes."""


def check_alternatives(findings: Findings, name: str, node: Node) -> None:
    """A list of passes under one name."""
    entries = node.entries()
    if not entries:
        findings.add("wrong_type", node, f'The pass "{name}" is an empty list.', "Remove it.")
    if len(entries) > 1 and not searches(findings.root):
        hint = "Keep one of them, or add a search_strategy and an evaluator: then each is made, and is a variant."
        message = f'Without a search Olive runs only the first of the alternatives under "{name}".'
        fix = Fix("Make all of them", tuple(_edits_for_all(findings)))
        findings.add("ignored", entries[1], message, hint, fix=fix)


def _edits_for_all(findings: Findings) -> list[Edit]:
    """The search that makes every alternative, and leaves alone what Olive would search of its own accord."""
    edits = [Edit("set", "engine.search_strategy", {"execution_order": "joint", "sampler": "sequential"})]
    evaluator = findings.root.get("evaluator")
    if evaluator is None or evaluator.value is None:
        edits.append(Edit("set", "engine.evaluator", _SIZE))
    for entry in passes(findings.root):
        name = findings.schema.pass_name(entry.type)
        for key, parameter in findings.schema.pass_group(name).parameters.items() if name else ():
            if entry.node.get(key) is None and searched_values(None, parameter) is not None:
                edits.append(Edit("set", f"{entry.path}.{key}", DEFAULT))
    return edits


def check_search(findings: Findings, node: Node | None) -> None:
    """The strategy's keys and values, then what it comes to."""
    if node is None or not node.value:
        return
    schema, evaluator = findings.schema, findings.root.get("evaluator")
    if evaluator is None or evaluator.value is None:
        hint = 'Name an "evaluator", or remove the search.'
        findings.add("contradiction", node, "A search needs an evaluator to know what is better.", hint, at="key")
        findings.absent(findings.root, "evaluator")
    if not node.is_mapping:
        if node.value is not True:
            findings.add(
                "wrong_type", node, '"search_strategy" must be a mapping or false.', "Remove it to not search."
            )
        return
    search = schema.data["search"]
    order, sampler = node.get("execution_order"), node.get("sampler")
    for key, given, allowed in (
        ("execution_order", order, search["execution_orders"]),
        ("sampler", sampler, list(search["samplers"])),
    ):
        if given is None:
            hint = f"It is one of {', '.join(allowed)}."
            findings.missing("missing_key", node, f'The search strategy has no "{key}".', hint, (key,))
        elif key == "sampler" or text(given).lower() not in allowed:  # Olive takes the order in any case
            findings.choice(given, key, allowed)
    kind = search["samplers"].get(text(sampler))
    options = group_of("the sampler", kind) if kind is not None else None
    own = [] if options is None else options.names
    findings.group(
        node, schema.group("SearchStrategyConfig"), "the search strategy", also=["execution_order", "sampler", *own]
    )
    for key, member in node.items():
        if options is not None and key in own:
            findings.value(member, options.parameters[key], "the search strategy", coerces=True)
    inner = node.get("sampler_config")
    if options is not None and inner is not None and inner.is_mapping:
        findings.group(inner, options, "sampler_config")
    _check_sampler(findings, sampler)
    _check_pass_parameters(findings, node)
    _check_unused(findings, node, ("output_model_num",), "Olive nowhere reads it")
    _check_goals(findings)
    if text(order).lower() == "pass-by-pass":
        _check_unused(findings, node, _JOINT_ONLY, "Olive ignores it where the execution order is pass-by-pass")
    _tell_of_choices(findings, node)


def _check_sampler(findings: Findings, sampler: Node | None) -> None:
    """Olive's TPE loses which alternative it drew (OptunaSampler), and then looks for others for ever."""
    reason, search = findings.schema.defect("tpe_alternatives"), find_search(findings.root, findings.schema)
    if sampler is None or sampler.value != "tpe" or not reason or search is None or not search.alternatives:
        return
    names = " and ".join(f'"{name}"' for name in search.alternatives)
    fix = Fix("Write random", (Edit("set", sampler.path, "random"),))
    message = f"With the sampler tpe the installed Olive only makes the first alternative under {names} ({reason})."
    findings.add("olive_fails", sampler, message, "random and sequential choose among alternatives.", fix=fix)


def _check_pass_parameters(findings: Findings, node: Node) -> None:
    """Olive takes all values into the search all the same, and then fails on those that no pass names
    (Engine._compute_search_pass_configs, Pass.generate_config); those that are written are tried."""
    left_out, search = node.get("include_pass_params"), find_search(findings.root, findings.schema)
    if left_out is None or left_out.value is not False or search is None or not search.values:
        return
    remove = Edit("remove", left_out.path)
    if not search.unasked:
        message = "include_pass_params: false has no effect on the values that you write: Olive tries them."
        fix = Fix("Remove it", (remove,))
        findings.add("no_effect", left_out, message, "Remove it.", severity="warning", at="key", fix=fix)
        return
    names = ", ".join(path.removeprefix("passes.") for path in search.unasked[:4])
    message = f"With include_pass_params: false Olive fails on what it would search of its own accord: {names}."
    fix = Fix("Leave them at their defaults", (remove, *(Edit("set", path, DEFAULT) for path in search.unasked)))
    findings.add("olive_fails", left_out, message, f'Remove it, and write "{DEFAULT}" for them.', fix=fix)


def _check_unused(findings: Findings, node: Node, keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        member = node.get(key)
        if member is not None and member.value:
            message = f'"{key}" has no effect: {why}.'
            fix = Fix("Remove it", (Edit("remove", member.path),))
            findings.add("no_effect", member, message, "Remove it.", severity="warning", at="key", fix=fix)


def _check_goals(findings: Findings) -> None:
    """Engine.resolve_goals gives up before it looks at thresholds, unless a relative goal made it measure the input."""
    for evaluator in evaluators(findings.root):
        given = [_goals_of(metric) for metric in metrics_of(evaluator)]
        goals = [goal for goals in given for goal in goals if goal is not None]
        # Of each metric it stops at the first sub type without a goal.
        seen = [goal for goals in given for goal in takewhile(lambda one: one is not None, goals)]
        if not goals or any(goal is not None and text(goal.get("type")) != "threshold" for goal in seen):
            continue
        message = "This goal has no effect: Olive only looks at goals where one of them is relative to the input model."
        hint = "Write max-degradation, min-improvement or a percentage; or look at the metric of each trial yourself."
        for goal in goals:
            findings.add("no_effect", goal, message, hint, severity="warning", at="key")


def _goals_of(metric: Node) -> list[Node | None]:
    """The goals of the ranked sub types of a metric, None for one that has none."""
    parts = metric.get("sub_types")
    ranked = [part for part in (parts.entries() if parts is not None else ()) if _is_ranked(part)]
    return [goal if (goal := part.get("goal")) is not None and goal.is_mapping else None for part in ranked]


def _is_ranked(sub_type: Node) -> bool:
    priority = sub_type.get("priority")
    return priority is None or not isinstance(priority.value, int) or priority.value > 0


def _tell_of_choices(findings: Findings, node: Node) -> None:
    """How much a search will try, and of what: what Olive searches of its own accord is easily overlooked."""
    search = find_search(findings.root, findings.schema)
    if search is None:
        message = "The search has nothing to choose: no pass has alternatives, and no parameter several values."
        findings.add("no_choice", node, message, "Remove search_strategy.", severity="info", at="key")
        return
    choices = [f"{name} ({size} alternatives)" for name, size in search.alternatives.items()]
    for path, tried in search.values.items():
        count = f"{len(tried)} values" if tried else "values that depend on others"
        choices.append(f"{path.removeprefix('passes.')} ({count})")
    if search.most is None:
        told = "Olive's search chooses among"
    else:
        told = f"Olive's search makes at most {search.most:,} trial{'' if search.most == 1 else 's'} of"
        if search.order == "joint":
            told += f" {search.combinations:,} combinations of"
    shown = ", ".join(choices[:6]) + (f" and {len(choices) - 6} more" if len(choices) > 6 else "")
    hint, fix = "", None
    if search.unasked:
        fix = Fix("Search only what is written", tuple(Edit("set", path, DEFAULT) for path in search.unasked))
        names = ", ".join(path.rpartition(".")[2] for path in search.unasked[:4])
        hint = f'Olive searches {names} of its own accord; write "{DEFAULT}" to leave one as it is.'
    lost = [key for key in ("max_samples", "seed") if _option(node, key) is not None]
    if lost and findings.schema.defect("sampler_options"):
        hint = f"{hint} Plain `olive run` loses {' and '.join(lost)} and tries everything; phinb hands them on.".strip()
    findings.add("search", node, f"{told}: {shown}.", hint, severity="info", at="key", fix=fix)


def _option(node: Node, key: str) -> Node | None:
    """An option of the sampler, in either of its places."""
    inner = node.get("sampler_config")
    return node.get(key) or (inner.get(key) if inner is not None else None)
