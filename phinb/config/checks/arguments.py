"""Checks of training arguments: what transformers demands of their values, and what they say together.

transformers.TrainingArguments is a dataclass: it looks at few of its values, and fails on the others when the model is
loaded and the data is tokenised. Each rule names the place that it comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from phinb.config.checks.findings import Findings, number_of
from phinb.config.document import Node
from phinb.config.schema import Kind, Parameter
from phinb.config.sections import text
from phinb.config.value_types import show
from phinb.types import Edit, Fix

_INTERVALS = {"logging_steps": "logging_strategy", "eval_steps": "eval_strategy", "save_steps": "save_strategy"}
_AS_TEXT = ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs", "lr_scheduler_kwargs")
_MEASURED = ("loss", "runtime", "samples_per_second", "steps_per_second")
"""What transformers measures in an evaluation of its own accord; Olive adds nothing to it."""

_AS_FILE = ("accelerator_config", "fsdp_config", "deepspeed")
"""Mappings that may be given as a text of JSON; these also as a path."""

_PLAIN_MODES = ("none", "all")


def check_arguments(findings: Findings, node: Node, *, evaluates: bool) -> None:
    """`node` is a mapping of training arguments; `evaluates`: whether the pass has anything to evaluate on."""
    _check_intervals(findings, node, evaluates)
    _check_schedule(findings, node, evaluates)
    _check_loading(findings, node)
    _check_best(findings, node, evaluates)
    _check_trackers(findings, node.get("report_to"))
    _check_inner(findings, node)
    _check_optimizer(findings, node.get("optim_args"))
    _check_half(findings, node)
    _check_betas(findings, node)
    at_once = node.get("eval_on_start")
    if at_once is not None and at_once.value in (True, 1) and not evaluates:
        message = "eval_on_start, and there is nothing to evaluate on: the training fails."
        findings.add(
            "contradiction", at_once, message, "Name an eval_data_config, or set eval_split in phinb.", at="key"
        )
    backend = node.get("ddp_backend")
    if backend is not None and backend.value is not None:
        message = "ddp_backend is for a training that several processes were started for; phinb starts one."
        findings.add("contradiction", backend, message, "Remove it.", at="key")


def _strategy(node: Node, key: str, evaluates: bool) -> str:
    """When something happens: as given, else transformers' default; Olive evaluates in steps where it can."""
    given = text(node.get(key))
    if key == "eval_strategy":
        return (given if given not in ("", "no") else "steps") if evaluates else "no"
    return given or "steps"


def _check_intervals(findings: Findings, node: Node, evaluates: bool) -> None:
    """TrainingArguments._validate_args: below 1 a share of all steps, above it a whole number."""
    for key, strategy in _INTERVALS.items():
        member = node.get(key)
        every = number_of(member)
        if member is None or every is None or _strategy(node, strategy, evaluates) != "steps":
            continue
        if every > 1 and every != int(every):
            message = f'"{key}" is {show(every)}: it must be a whole number, or a share of all steps below 1.'
            fix = Fix(f"Write {int(every)}", (Edit("set", member.path, int(every)),))
            findings.add("out_of_range", member, message, f"For example {int(every)}.", fix=fix)


def _check_schedule(findings: Findings, node: Node, evaluates: bool) -> None:
    """get_scheduler: what each schedule needs and takes; and a warm-up that the schedule has no place for."""
    kind, given = node.get("lr_scheduler_type"), node.get("lr_scheduler_kwargs")
    name = text(kind) or "constant"
    facts = findings.schema.data["training_args"]["schedulers"].get(name)
    if facts is None:
        return  # told as a bad choice
    keys = {key for key, _ in given.items()} if given is not None else set()
    if kind is not None and name in ("reduce_lr_on_plateau", "greedy") and not evaluates:
        message = f"The schedule {name} watches the evaluation, and there is nothing to evaluate on."
        hint = 'Name an eval_data_config in the pass, or set "eval_split" in the phinb section.'
        findings.add("contradiction", kind, message, hint)
    needs = [[key] for key in facts["needs"]] + ([["min_lr", "min_lr_rate"]] if "min_lr_rate" in facts["takes"] else [])
    for any_of in needs:
        if kind is not None and not keys & set(any_of) and not text(given):
            message = f'The schedule {name} needs "{" or ".join(any_of)}" in lr_scheduler_kwargs.'
            findings.add("missing_key", kind, message, f'Add "lr_scheduler_kwargs": {{"{any_of[0]}": ...}}.')
    if given is not None:
        _check_options(findings, node, given, name, facts["takes"])
    _check_warmup(findings, node, name)


def _check_options(findings: Findings, node: Node, given: Node, schedule: str, takes: Mapping[str, Kind]) -> None:
    """`given`: the lr_scheduler_kwargs in `node`, which the function that makes the schedule takes as they are."""
    where = f"lr_scheduler_kwargs of the schedule {schedule}"
    for key, member in given.items():
        if key in takes:
            findings.value(member, Parameter(key, takes[key]), where, coerces=False)
            continue
        findings.unknown_key(key, given, takes, where)
        if node.get("lr_scheduler_type") is None:
            findings.absent(node, "lr_scheduler_type")


def _check_warmup(findings: Findings, node: Node, schedule: str) -> None:
    warmup = node.get("warmup_steps")
    steps, most = number_of(warmup), number_of(node.get("max_steps"))
    if warmup is None or steps is None or steps <= 0:
        return
    if schedule in ("constant", "reduce_lr_on_plateau", "greedy"):
        said = "" if node.get("lr_scheduler_type") is not None else ", Olive's default,"
        message = f"The schedule {schedule}{said} has no warm-up: warmup_steps has no effect."
        fix = None
        if schedule == "constant" and warmup.origin == "you":
            place = f"{warmup.path.rpartition('.')[0]}.lr_scheduler_type"
            fix = Fix("Warm up, then constant", (Edit("set", place, "constant_with_warmup"),))
        hint = 'Write "lr_scheduler_type": "constant_with_warmup" or "linear", or remove it.'
        findings.add("no_effect", warmup, message, hint, severity="warning", at="key", fix=fix)
    elif most == 1:
        message = "A warm-up begins with the learning rate 0, and there is one step: nothing is trained."
        findings.add("contradiction", warmup, message, "Remove it, or train for more steps.", at="key")
    elif most is not None and most > 0 and steps >= max(most, 1):
        message = f"Warming up takes {steps:g} steps, and there are {most:g}: the learning rate is never reached."
        hint = f"Set warmup_steps below {most:g}, or to a share such as 0.05."
        findings.warn("contradiction", warmup, message, hint)


def _check_loading(findings: Findings, node: Node) -> None:
    """Arguments of the data loader that need workers (TrainingArguments._validate_args, DataLoader)."""
    workers = number_of(node.get("dataloader_num_workers"))
    if workers:
        return
    for key in ("dataloader_prefetch_factor", "dataloader_persistent_workers", "dataloader_multiprocessing_context"):
        member = node.get(key)
        if member is not None and member.value is not None and member.value is not False:
            message = f"{key} needs dataloader_num_workers above 0; there are none."
            findings.add("contradiction", member, message, 'Add "dataloader_num_workers": 2, or remove it.', at="key")


def _check_best(findings: Findings, node: Node, evaluates: bool) -> None:
    """load_best_model_at_end: checkpoints must lie where it is evaluated (TrainingArguments._validate_args)."""
    named = node.get("metric_for_best_model")
    if evaluates and named is not None and text(named).removeprefix("eval_") not in ("", *_MEASURED):
        findings.choice(named, "metric_for_best_model", [f"eval_{name}" for name in _MEASURED])
    best = node.get("load_best_model_at_end")
    if best is None or best.value not in (True, 1):
        return
    if not evaluates:
        message = "The best model is chosen by evaluating, and there is nothing to evaluate on."
        hint = 'Name an eval_data_config in the pass, or set "eval_split" in the phinb section.'
        findings.add("contradiction", best, message, hint, at="key")
        return
    saving, evaluating = _strategy(node, "save_strategy", evaluates), _strategy(node, "eval_strategy", evaluates)
    if saving == "best":
        return
    if saving != evaluating:
        message = f"load_best_model_at_end needs a checkpoint at each evaluation: it evaluates in {evaluating}."
        findings.add("contradiction", best, message, f'Write "save_strategy": "{evaluating}" as well.', at="key")
        return
    every = number_of(node.get("eval_steps")) or number_of(node.get("logging_steps")) or _STEPS
    apart = number_of(node.get("save_steps")) or _STEPS
    if evaluating == "steps" and not _is_multiple(apart, every):
        message = f"load_best_model_at_end needs save_steps ({apart:g}) that are a multiple of eval_steps ({every:g})."
        findings.add("contradiction", node.get("save_steps") or best, message, f'Write "save_steps": {every:g}.')


_STEPS = 500
"""transformers' default of logging_steps and save_steps."""


def _is_multiple(apart: float, every: float) -> bool:
    if apart % every == 0:
        return True
    if (apart < 1) != (every < 1):
        return False
    return round(apart * 1_000_000) % round(every * 1_000_000) == 0


def _check_trackers(findings: Findings, node: Node | None) -> None:
    """get_reporting_integration_callbacks knows these names and no other."""
    known = [*findings.schema.data["training_args"]["trackers"], *_PLAIN_MODES]
    for entry in [] if node is None else node.entries() if node.is_list else [node]:
        if isinstance(entry.value, str):
            findings.choice(entry, "report_to", known)


def _check_inner(findings: Findings, node: Node) -> None:
    """Arguments that are mappings: transformers hands them on as keywords, or takes one of a few words."""
    mappings: Mapping[str, list[str]] = findings.schema.data["training_args"]["mappings"]
    for name, allowed in mappings.items():
        member = node.get(name)
        if member is None:
            continue
        if name.startswith("torch_compile") and text(member) and text(member).lower() not in allowed:
            findings.choice(member, name, allowed)
        for key, _ in member.items():
            if key not in allowed:
                findings.unknown_key(key, member, allowed, name)
    for name in _AS_TEXT:
        member = node.get(name)
        if member is not None and isinstance(member.value, str) and not member.value.startswith("{"):
            findings.add("wrong_type", member, f'"{name}" must be a mapping, not {show(member.value)}.')
    for name in (*_AS_TEXT, *_AS_FILE):
        member = node.get(name)
        if member is not None and text(member).startswith("{") and not _is_json(member.value):
            findings.add("wrong_type", member, f'"{name}" must be a mapping, not {show(member.value)}.')
    for name, allowed in (("debug", list(_DEBUG)), ("fsdp", mappings["fsdp"])):
        member = node.get(name)
        unknown = [word for word in text(member).split() if word not in allowed]
        if member is not None and unknown:
            message = f'"{name}" knows no {show(unknown[0])}.'
            findings.unknown_name("bad_choice", member, message, allowed)


_DEBUG = ("underflow_overflow", "tpu_metrics_debug")


def _is_json(text_: str) -> bool:
    try:
        json.loads(text_)
    except ValueError:
        return False
    return True


def _check_optimizer(findings: Findings, node: Node | None) -> None:
    """trainer_optimizer._parse_optim_args splits at commas, then at the equals sign."""
    if node is None or not text(node):
        return
    if any(part.count("=") != 1 for part in text(node).replace(" ", "").split(",")):
        message = f'"optim_args" must be written key=value,key=value, not {show(node.value)}.'
        findings.add("bad_value", node, message, 'For example "betas=0.9,eps=1e-8".')


def _check_betas(findings: Findings, node: Node) -> None:
    """torch.optim.Adam: "betas must be either both floats or both Tensors"; a whole number is no float to it."""
    for key in ("adam_beta1", "adam_beta2"):
        member = node.get(key)
        if member is not None and isinstance(member.value, int) and not isinstance(member.value, bool):
            fix = Fix(f"Write {float(member.value)}", (Edit("set", member.path, float(member.value)),))
            message = f'"{key}" must be written with a point, as {float(member.value)}: torch takes no whole number.'
            findings.add("wrong_type", member, message, fix=fix)


def _check_half(findings: Findings, node: Node) -> None:
    """At most one half precision (TrainingArguments._validate_args)."""
    for one, other in (("fp16_full_eval", "bf16_full_eval"),):
        first, second = node.get(one), node.get(other)
        if first is not None and second is not None and first.value is True and second.value is True:
            findings.add("contradiction", second, f"{one} and {other} shut each other out.", "Keep one of them.")
