"""Checks of a training pass: its training arguments, and what they say together."""

from __future__ import annotations

from phinb.config.checks.arguments import check_arguments
from phinb.config.checks.building import find_device
from phinb.config.checks.findings import Findings, number_of
from phinb.config.checks.rules import TRAINING
from phinb.config.document import Node
from phinb.config.sections import PassEntry, text
from phinb.types import Edit, Fix


def check_training(findings: Findings, entry: PassEntry, name: str) -> None:
    """`name` is the pass's type as Olive writes it."""
    arguments = entry.node.get("training_args")
    if arguments is not None and arguments.value is not None:
        if not arguments.is_mapping:
            hint = 'For example {"max_steps": 60, "per_device_train_batch_size": 8}.'
            findings.add("wrong_type", arguments, '"training_args" must be a mapping.', hint)
            return
        where = f'training_args of the pass "{entry.name}"'
        group = findings.schema.training_args(findings.schema.training_model(name))
        findings.group(arguments, group, where, also=["fp16", "extra_args"], bounds=TRAINING)
        extra = arguments.get("extra_args")
        if extra is not None and extra.value is not None:  # a mapping has been dissolved by the upgrade
            findings.add("wrong_type", extra, '"extra_args" must be a mapping.', "Write its keys beside it.", at="key")
        evaluates = _evaluates(findings, entry)
        _check_steps(findings, arguments, evaluates=evaluates)
        _check_precision(findings, arguments)
        check_arguments(findings, arguments, evaluates=evaluates)
    _check_evaluation(findings, entry, arguments)
    _check_device(findings, entry, name)
    target_modules = entry.node.get("target_modules")
    if name in ("QLoRA", "LoftQ") and target_modules is not None and target_modules.value:
        message = f"{name} trains every linear layer; Olive overwrites target_modules."
        fix = Fix("Remove target_modules", (Edit("remove", target_modules.path),))
        findings.add("ignored", target_modules, message, "Remove it, or use LoRA.", at="key", fix=fix)


def _check_steps(findings: Findings, arguments: Node, *, evaluates: bool) -> None:
    max_steps, epochs = arguments.get("max_steps"), arguments.get("num_train_epochs")
    steps = number_of(max_steps)
    if max_steps is None or steps is None or steps <= 0:
        return
    if epochs is not None:
        message = f"max_steps {steps:g} decides; num_train_epochs has no effect beside it."
        fix = Fix("Remove num_train_epochs", (Edit("remove", epochs.path),))
        findings.warn("contradiction", max_steps, message, "Remove the one that is not meant.", fix=fix)
    for key, what in (("eval_steps", "evaluated"), ("save_steps", "saved"), ("logging_steps", "logged")):
        node = arguments.get(key)
        every = number_of(node)
        if key == "eval_steps" and not evaluates:
            continue
        if node is not None and every is not None and every > steps:
            message = f"{key} {every:g} is beyond max_steps {steps:g}: nothing would ever be {what} on the way."
            findings.warn("contradiction", node, message, f"Set {key} to at most {steps:g}.")


def _check_device(findings: Findings, entry: PassEntry, name: str) -> None:
    """LoftQ needs CUDA (peft's loftq_init): told where the host, or else the target, says that it is a CPU."""
    if name == "LoftQ" and find_device(findings, entry.node.get("host")) == "cpu":
        node = entry.node.get("type") or entry.node
        findings.warn("precision", node, "LoftQ begins on a CUDA GPU; the accelerator here is a CPU.", "Use LoRA.")


def _check_precision(findings: Findings, arguments: Node) -> None:
    """Olive sets fp16 from torch_dtype, and takes an own one out again (validate_torch_dtype)."""
    node = arguments.get("fp16")
    if node is not None:
        message = "Olive takes fp16 out of the training arguments; torch_dtype of the pass decides."
        hint = 'Write "torch_dtype": "float16" in the pass instead.'
        findings.add("ignored", node, message, hint, at="key", fix=Fix("Remove fp16", (Edit("remove", node.path),)))


def _has_value(node: Node | None) -> bool:
    return node is not None and node.value is not None


def _evaluates(findings: Findings, entry: PassEntry) -> bool:
    """Whether there is anything to evaluate on: a data config, or the share that phinb keeps for it."""
    section = findings.root.get("phinb")
    return _has_value(entry.node.get("eval_data_config")) or _has_value(section.get("eval_split") if section else None)


def _check_evaluation(findings: Findings, entry: PassEntry, arguments: Node | None) -> None:
    section, data = findings.root.get("phinb"), entry.node.get("eval_data_config")
    splits = section is not None and _has_value(section.get("eval_split"))
    if data is not None and data.value is not None and splits:
        message = "eval_data_config and phinb.eval_split both say what to evaluate on."
        findings.add("contradiction", data, message, "Keep one of them.", at="key")
    strategy = arguments.get("eval_strategy") if arguments is not None else None
    if strategy is not None and text(strategy) in ("steps", "epoch") and not _evaluates(findings, entry):
        message = "There is nothing to evaluate on: Olive sets eval_strategy to no."
        hint = 'Name an eval_data_config in the pass, or set "eval_split" in the phinb section, e.g. 0.1.'
        fix = Fix("Keep a tenth of the sequences for evaluation", (Edit("set", "phinb.eval_split", 0.1),))
        findings.add("ignored", strategy, message, hint, fix=fix)
        findings.absent(entry.node, "eval_data_config")
