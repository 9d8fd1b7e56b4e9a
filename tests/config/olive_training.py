"""The judge's second stage for training passes: a training of a few steps on a model of one layer.

The pass's own functions make the adapter and its own arguments drive transformers' Trainer, as in
LoRA.train_and_save_new_model. A complaint: something raises, or no weight has changed, or one is no number.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import typing
from functools import cache
from typing import Any

ADAPTERS = ("LoRA", "QLoRA", "DoRA", "LoHa", "LoKr", "LoftQ")
ENUMS = ("IntervalStrategy", "SaveStrategy", "HubStrategy", "SchedulerType", "OptimizerNames", "DebugOption")
"""Types that TrainingArguments makes of a text itself, and refuses where it cannot."""

OF_THE_MODEL = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "rank_pattern")
"""Only the model's own names can tell whether these fit; on the small model they are left out."""


def decisive(config: dict[str, Any]) -> dict[str, Any]:
    """What of a pass's parameters the training here depends on: it has rows of its own, and modules of its own."""
    kept = {name: value for name, value in config.items() if name not in OF_THE_MODEL}
    return {name: bool(value) if name.endswith("data_config") else value for name, value in kept.items()}


def judge(pass_class: Any, accelerator: Any, config: Any, given: dict[str, Any], task: str, found: list[str]) -> None:
    """`given`: the training arguments as they were written."""
    for name, value in given.items():
        check_argument(name, value, found)
    config = config.model_copy(deep=True)
    for name in type(config).model_fields:  # of a search the first value
        if type(getattr(config, name)).__name__ == "Categorical":
            object.__setattr__(config, name, getattr(config, name).get_support()[0])
    for name in (*OF_THE_MODEL, "train_data_config"):
        if hasattr(config, name):
            object.__setattr__(config, name, {} if name == "rank_pattern" else None)
    object.__setattr__(config, "target_modules", ["qkv_proj", "o_proj"])
    arguments = config.training_args or _default_arguments(pass_class)
    object.__setattr__(config, "training_args", arguments)
    check_quantization(pass_class, config)
    pass_class.get_torch_dtype(config.torch_dtype)
    trained = pass_class(accelerator, config, None)
    kwargs = {"use_dora": True} if pass_class.__name__ == "DoRA" else {}
    model = trained.enable_lora(copy.deepcopy(tiny_model()), config, task, **kwargs)
    train(model, arguments, has_evaluation=bool(config.eval_data_config), found=found)


def check_argument(name: str, value: Any, found: list[str]) -> None:
    """transformers declares a type for each argument, and never looks whether it was kept."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    hint = argument_types().get(name)
    if hint is None or value is None or (bool in (hint, *typing.get_args(hint)) and value in (0, 1)):
        return
    try:
        TypeAdapter(hint, config=ConfigDict(strict=True, arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        if not isinstance(value, str) or not any(word in str(hint) for word in ENUMS):
            found.append(f"training argument {name} {value!r}: {error.errors()[0]['msg']}")


@cache
def argument_types() -> dict[str, Any]:
    import transformers

    hints = typing.get_type_hints(transformers.TrainingArguments)
    return {field.name: hints[field.name] for field in dataclasses.fields(transformers.TrainingArguments)}


def check_quantization(pass_class: Any, config: Any) -> None:
    """QLoRA's base in four bits, by quantizing a matrix with bitsandbytes."""
    import torch
    from bitsandbytes.functional import quantize_4bit

    if pass_class.__name__ in ("QLoRA", "LoftQ"):
        pass_class.get_torch_dtype(config.compute_dtype or config.torch_dtype)
        kind = config.quant_type if pass_class.__name__ == "QLoRA" else "nf4"
        quantize_4bit(torch.ones(64, 64), quant_type=kind)
    if pass_class.__name__ == "LoftQ":
        from peft import LoftQConfig
        from peft.utils.loftq_utils import loftq_init

        LoftQConfig(loftq_bits=4, loftq_iter=config.loftq_iter)
        with contextlib.suppress(AssertionError):  # it goes on with CUDA
            loftq_init(torch.ones(64, 64), 4, 4, config.loftq_iter)


def _default_arguments(pass_class: Any) -> Any:
    from olive.passes.pytorch.lora import HFTrainingArguments, QLoRATrainingArguments

    return QLoRATrainingArguments() if pass_class.__name__ in ("QLoRA", "LoftQ") else HFTrainingArguments()


def train(model: Any, arguments: Any, *, has_evaluation: bool, found: list[str]) -> None:
    """A few steps of the real Trainer; what only costs time or needs other devices is switched off first."""
    import torch
    from torch.utils.data import DataLoader
    from transformers import Trainer, set_seed
    from transformers.integrations import get_reporting_integration_callbacks

    arguments = arguments.model_copy(deep=True)
    arguments.output_dir = "trainer"
    chosen = arguments.eval_strategy
    arguments.eval_strategy = ("steps" if chosen in (None, "no") else chosen) if has_evaluation else "no"
    arguments.deepspeed = None
    made = arguments.create_training_args()
    set_seed(made.seed)
    with contextlib.suppress(ImportError, RuntimeError):  # a tracker that is not installed
        get_reporting_integration_callbacks(made.report_to)
    for split, size in (("train", made.per_device_train_batch_size), ("eval", made.per_device_eval_batch_size)):
        workers = {"num_workers": made.dataloader_num_workers, "persistent_workers": made.dataloader_persistent_workers}
        DataLoader([0] * 8, batch_size=size, drop_last=made.dataloader_drop_last, **workers)
        assert size >= 1, f"a batch of {size} ({split})"
    wanted = made.max_steps
    if wanted == 0:
        found.append("max_steps 0 is read as not set: the epochs decide")
    if wanted <= 0 and made.num_train_epochs <= 0:
        found.append(f"{made.num_train_epochs} epochs train nothing")
        return
    for name, value in SWITCHED_OFF.items():
        setattr(made, name, value)
    made.max_steps = 2 if wanted <= 0 else min(wanted, 2)
    if not made.load_best_model_at_end:
        made.save_strategy = type(made.save_strategy)("no")
    made.per_device_train_batch_size = min(made.per_device_train_batch_size, 2)
    made.gradient_accumulation_steps = _small(made.gradient_accumulation_steps)
    rows = tiny_rows()
    before = {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}
    trainer = Trainer(model=model, args=made, train_dataset=rows, eval_dataset=rows[:2] if has_evaluation else None)
    trainer.train()
    after = {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}
    if not any((before[name] != after[name]).any() for name in before):
        found.append("nothing was trained: every weight is what it was")
    if not all(torch.isfinite(value).all() for value in after.values()):
        found.append("a weight is no number any more")


SWITCHED_OFF = {
    "torch_compile": False,
    "fsdp_plugin_args": None,
    "push_to_hub": False,
    "report_to": [],
    "dataloader_num_workers": 0,
    "dataloader_prefetch_factor": None,
    "dataloader_persistent_workers": False,
    "fp16": False,
    "bf16": False,
    "mixed_precision": "no",
    "disable_tqdm": True,
    "group_by_length": False,
    "resume_from_checkpoint": None,
}


def _small(number: Any) -> Any:
    return min(number, 2) if isinstance(number, int) else number


@cache
def tiny_model() -> Any:
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    return Phi3ForCausalLM(Phi3Config(vocab_size=32, num_key_value_heads=1, max_position_embeddings=32, **shape, **ids))


@cache
def tiny_rows() -> list[dict[str, Any]]:
    import torch

    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(3, 32, (6,), generator=generator) for _ in range(8)]
    return [{"input_ids": row, "labels": row, "attention_mask": torch.ones_like(row)} for row in rows]
