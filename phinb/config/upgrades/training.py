"""Yesterday's training arguments -> those of the installed transformers. Rules of upgrade.py.

Every rule looks first whether the installed transformers takes the old argument and knows the new one. What had no
equivalent and changed nothing is taken out; what changed something and is gone is an error at its line. Sources: the
fields of TrainingArguments in transformers 4.30, 4.44, 4.57 and 5.23.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phinb.config.document import Node
from phinb.config.sections import passes, text
from phinb.config.upgrades.rewrite import Rewrite

_RENAMED = {
    "evaluation_strategy": "eval_strategy",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "no_cuda": "use_cpu",
    "push_to_hub_token": "hub_token",
    "xpu_backend": "ddp_backend",
    "torchdynamo": "torch_compile_backend",
}

_INTO = {
    "dispatch_batches": ("accelerator_config", "dispatch_batches"),
    "split_batches": ("accelerator_config", "split_batches"),
    "fsdp_min_num_params": ("fsdp_config", "min_num_params"),
    "fsdp_transformer_layer_cls_to_wrap": ("fsdp_config", "transformer_layer_cls_to_wrap"),
}
"""Arguments that are a key of another argument now."""

_FP16 = "Olive trains in the pass's torch_dtype; mixed precision has one implementation left."
_TPU = "transformers no longer trains on TPUs by this argument."

_GONE: Mapping[str, tuple[tuple[Any, ...], str, str]] = {
    "fp16_opt_level": (("O1",), _FP16, 'Remove it; write "torch_dtype" in the pass.'),
    "fp16_backend": (("auto", "cuda_amp", "cpu_amp"), _FP16, 'Remove it; write "torch_dtype" in the pass.'),
    "half_precision_backend": (("auto", "cuda_amp", "cpu_amp"), _FP16, 'Remove it; write "torch_dtype" in the pass.'),
    "save_safetensors": ((True,), "safetensors is the only format that is written.", "Remove it."),
    "use_mps_device": ((False, True), "An Apple GPU is used by itself where there is one.", ""),
    "use_ipex": ((False,), "transformers no longer uses Intel's extension.", "Remove it."),
    "jit_mode_eval": ((False,), "transformers no longer traces models for evaluation.", "Remove it."),
    "past_index": ((-1,), "transformers no longer hands on the past by this index.", "Remove it."),
    "mp_parameters": (("",), "SageMaker's model parallelism is gone.", "Remove it."),
    "tpu_num_cores": ((), _TPU, "Remove it."),
    "tpu_metrics_debug": ((False,), _TPU, "Remove it."),
    "sharded_ddp": (("", False, []), "Sharded training is fsdp now.", 'Write "fsdp", or "deepspeed".'),
    "ray_scope": (("last",), "It belonged to a search by Ray.", "Remove it."),
    "use_legacy_prediction_loop": ((False,), "There is one prediction loop.", "Remove it."),
    "include_tokens_per_second": ((False, True), "phinb reports tokens per second by itself.", ""),
    "use_module_with_loss": ((False, True), "It belonged to the ONNX Runtime trainer, which Olive no longer uses.", ""),
    "tokenizer": ((), "It is no training argument: Olive trains with the model's own tokenizer.", "Remove it."),
}
"""Arguments that are gone: the values with which they changed nothing, why, and what to do about any other."""


def _arguments(rewrite: Rewrite) -> Iterator[tuple[Node, Mapping[str, Any]]]:
    """The training_args of each pass, and what the installed transformers takes."""
    taken = rewrite.schema.data["training_args"]["transformers"]
    for entry in passes(rewrite.root):
        arguments = entry.node.get("training_args")
        if arguments is not None and arguments.is_mapping:
            yield arguments, taken


def rename_training_args(rewrite: Rewrite) -> None:
    """evaluation_strategy -> eval_strategy, no_cuda -> use_cpu, ..."""
    for arguments, taken in _arguments(rewrite):
        for old, new in _RENAMED.items():
            if old not in taken and new in taken:
                rewrite.rename(arguments, old, new, f"transformers calls it {new} now; {old} would be ignored.")


def upgrade_group_by_length(rewrite: Rewrite) -> None:
    """group_by_length: true -> train_sampling_strategy: "group_by_length"."""
    for arguments, taken in _arguments(rewrite):
        node = arguments.get("group_by_length")
        if node is None or "group_by_length" in taken or "train_sampling_strategy" not in taken:
            continue
        if node.value is True and arguments.get("train_sampling_strategy") is None:
            new = {"train_sampling_strategy": "group_by_length"}
            why = "It is now a sampling strategy; transformers would ignore it."
            rewrite.replace(arguments, "group_by_length", new, why)
        elif node.value in (False, None):
            rewrite.remove(arguments, "group_by_length", "Not grouping is the default.")


def upgrade_warmup_ratio(rewrite: Rewrite) -> None:
    """warmup_ratio -> warmup_steps: below 1 it is a share of all steps (TrainingArguments.get_warmup_steps)."""
    for arguments, taken in _arguments(rewrite):
        node = arguments.get("warmup_ratio")
        if node is None or "warmup_ratio" in taken:
            continue
        ratio = node.value
        if arguments.get("warmup_steps") is not None or ratio is None:
            rewrite.remove(arguments, "warmup_ratio", "warmup_steps stands beside it and has always come first.")
        elif isinstance(ratio, int | float) and not isinstance(ratio, bool) and 0 <= ratio < 1:
            why = "transformers takes a share of the steps as warmup_steps below 1; warmup_ratio would be ignored."
            rewrite.replace(arguments, "warmup_ratio", {"warmup_steps": ratio}, why)
        else:
            hint = "Write warmup_steps: a number of steps, or a share of them between 0 and 1."
            message = f"warmup_ratio {text(node) or ratio!r} is no share between 0 and 1."
            rewrite.problem("out_of_range", node, message, hint)
            arguments.value.pop("warmup_ratio")


def upgrade_adafactor(rewrite: Rewrite) -> None:
    """adafactor: true -> optim: "adafactor"."""
    for arguments, taken in _arguments(rewrite):
        node = arguments.get("adafactor")
        if node is None or "adafactor" in taken:
            continue
        if node.value is True and arguments.get("optim") is None:
            rewrite.replace(arguments, "adafactor", {"optim": "adafactor"}, "The optimizer goes by its name now.")
        elif node.value is True and text(arguments.get("optim")) != "adafactor":
            message = "adafactor and optim name two optimizers."
            rewrite.problem("contradiction", node, message, "Keep optim: transformers no longer takes adafactor.")
            arguments.value.pop("adafactor")
        elif node.value in (True, False, None):
            rewrite.remove(arguments, "adafactor", "optim says which optimizer is used.")


def upgrade_hub_names(rewrite: Rewrite) -> None:
    """push_to_hub_model_id and push_to_hub_organization -> hub_model_id: "organization/model"."""
    for arguments, taken in _arguments(rewrite):
        name, owner = arguments.get("push_to_hub_model_id"), arguments.get("push_to_hub_organization")
        if "push_to_hub_model_id" in taken or (name is None and owner is None):
            continue
        if name is not None and text(name) and arguments.get("hub_model_id") is None:
            full = f"{text(owner)}/{text(name)}" if text(owner) else text(name)
            rewrite.replace(
                arguments, "push_to_hub_model_id", {"hub_model_id": full}, "The hub's name stands whole now."
            )
        else:
            rewrite.remove(arguments, "push_to_hub_model_id", "hub_model_id says where it goes, or there was no name.")
        rewrite.remove(arguments, "push_to_hub_organization", "It is the part of hub_model_id before the slash.")


def upgrade_metric_inputs(rewrite: Rewrite) -> None:
    """include_inputs_for_metrics: true -> include_for_metrics: ["inputs"]."""
    for arguments, taken in _arguments(rewrite):
        node = arguments.get("include_inputs_for_metrics")
        if node is None or "include_inputs_for_metrics" in taken:
            continue
        if node.value is True and arguments.get("include_for_metrics") is None:
            new = {"include_for_metrics": ["inputs"]}
            rewrite.replace(arguments, "include_inputs_for_metrics", new, "It is a list of what metrics get now.")
        else:
            rewrite.remove(
                arguments, "include_inputs_for_metrics", "include_for_metrics says it, or it asked for nothing."
            )


def nest_training_args(rewrite: Rewrite) -> None:
    """dispatch_batches, split_batches, fsdp_min_num_params, ... -> keys of accelerator_config and fsdp_config."""
    for arguments, taken in _arguments(rewrite):
        for old, (section, key) in _INTO.items():
            node = arguments.get(old)
            if node is None or old in taken or section not in taken:
                continue
            holder = arguments.get(section)
            if node.value is None or (holder is not None and holder.get(key) is not None):
                rewrite.remove(arguments, old, f"{section} says it, or there was nothing to say.")
            elif holder is None or holder.value is None:
                arguments.value.pop(section, None)
                rewrite.replace(arguments, old, {section: {key: node.plain()}}, f"It is a key of {section} now.")
            elif holder.is_mapping:
                arguments.value.pop(old)
                node.origin, node.note = "upgrade", f"upgrade of {old}"
                holder.value[key] = node
                after = {section: {key: node.plain()}}
                rewrite.record(node, {old: node.plain()}, after, f"It is a key of {section} now.")


def drop_logging_dir(rewrite: Rewrite) -> None:
    """logging_dir: TensorBoard alone used it; it reads TENSORBOARD_LOGGING_DIR now."""
    for arguments, taken in _arguments(rewrite):
        node = arguments.get("logging_dir")
        if node is None or "logging_dir" in taken:
            continue
        report = arguments.get("report_to")
        named = report.plain() if report is not None else None
        trackers = named if isinstance(named, list) else [named]
        if any(tracker in ("tensorboard", "all") for tracker in trackers):
            message = 'transformers no longer takes "logging_dir", the folder of TensorBoard.'
            rewrite.problem("gone", node, message, "Set the environment variable TENSORBOARD_LOGGING_DIR instead.")
            arguments.value.pop("logging_dir")
        else:
            rewrite.remove(
                arguments, "logging_dir", "Only TensorBoard used it, and nothing reports to TensorBoard here."
            )


def drop_gone_training_args(rewrite: Rewrite) -> None:
    """Arguments that transformers no longer takes: out where they changed nothing, else an error."""
    for arguments, taken in _arguments(rewrite):
        for key, (idle, why, hint) in _GONE.items():
            node = arguments.get(key)
            if node is None or key in taken:
                continue
            value = node.plain()
            if value is None or any(value is allowed or value == allowed for allowed in idle):
                rewrite.remove(arguments, key, why)
            else:
                rewrite.problem("gone", node, f'transformers no longer takes "{key}". {why}', hint)
                arguments.value.pop(key)
