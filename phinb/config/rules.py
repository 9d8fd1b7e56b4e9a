"""Rules of values that are our own: what Olive takes and what then fails, or trains nonsense.

Olive's own validation accepts `r: -4`, `torch_dtype: "bfloat17"` and `learning_rate: "fast"`. Each bound here has its
reason in the library that uses the value (peft, transformers, Olive's pre-processing); none is a matter of taste.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """low <= value <= high, without the bound itself where it is open; `special` values are allowed as well."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    special: tuple[float, ...] = ()

    def admits(self, value: float) -> bool:
        if value in self.special:
            return True
        if value != value:  # NaN is in no range
            return False
        if self.low is not None and (value < self.low or (self.open_low and value == self.low)):
            return False
        return not (self.high is not None and (value > self.high or (self.open_high and value == self.high)))

    def __str__(self) -> str:
        low = "" if self.low is None else f"{'more than' if self.open_low else 'at least'} {self.low:g}"
        high = "" if self.high is None else f"{'less than' if self.open_high else 'at most'} {self.high:g}"
        extra = "".join(f", or {value:g}" for value in self.special)
        return " and ".join(part for part in (low, high) if part) + extra


_COUNT = Bounds(1)
_POSITIVE = Bounds(0, open_low=True)
_NOT_NEGATIVE = Bounds(0)
_SHARE_BELOW_1 = Bounds(0, 1, open_high=True)

ADAPTER: Mapping[str, Bounds] = {
    "r": _COUNT,  # peft: "`r` should be a positive integer value"
    "alpha": _COUNT,  # scales the adapter by alpha / r
    "lora_dropout": _SHARE_BELOW_1,  # 1 would drop everything
    "rank_dropout": _SHARE_BELOW_1,
    "module_dropout": _SHARE_BELOW_1,
    "loftq_iter": _COUNT,
}

TRAINING: Mapping[str, Bounds] = {
    "learning_rate": _POSITIVE,
    "max_steps": Bounds(1, special=(-1,)),  # -1 is transformers' "not set"
    "num_train_epochs": _POSITIVE,
    "per_device_train_batch_size": _COUNT,
    "per_device_eval_batch_size": _COUNT,
    "gradient_accumulation_steps": _COUNT,
    "eval_accumulation_steps": _COUNT,
    "weight_decay": _NOT_NEGATIVE,
    "warmup_steps": _NOT_NEGATIVE,  # TrainingArguments refuses what is below 0
    "max_grad_norm": _NOT_NEGATIVE,
    "logging_steps": _POSITIVE,
    "eval_steps": _POSITIVE,
    "save_steps": _POSITIVE,
    "save_total_limit": _COUNT,
    "adam_beta1": _SHARE_BELOW_1,
    "adam_beta2": _SHARE_BELOW_1,
    "adam_epsilon": _NOT_NEGATIVE,
    "label_smoothing_factor": Bounds(0, 1),
    "seed": Bounds(0, 2**32 - 1),  # numpy takes 32 bits
    "data_seed": Bounds(0, 2**32 - 1),
    "dataloader_num_workers": _NOT_NEGATIVE,
    "neftune_noise_alpha": _NOT_NEGATIVE,
}

DATA: Mapping[str, Bounds] = {
    "max_seq_len": _COUNT,
    "max_samples": _COUNT,
    "stride": _COUNT,  # 0 never gets on
    "processing_batch_size": _COUNT,
    "random_retries": _COUNT,  # 0 yields no sequence at all
    "batch_size": _COUNT,
    "num_workers": _NOT_NEGATIVE,
}

ENGINE: Mapping[str, Bounds] = {
    "log_severity_level": Bounds(0, 4),
    "ort_log_severity_level": Bounds(0, 4),
    "ort_py_log_severity_level": Bounds(0, 4),
}

PHINB: Mapping[str, Bounds] = {
    "eval_split": Bounds(0, 1, open_low=True, open_high=True),
    "seed": Bounds(0, 2**32 - 1),
}

_DTYPES = ("bfloat16", "float16", "float32")

PASS_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "torch_dtype": _DTYPES,  # LoRA.get_torch_dtype asserts it, after the model was loaded
    "compute_dtype": _DTYPES,
    "quant_type": ("fp4", "nf4"),  # bitsandbytes
}
"""Choices of the training passes that Olive tells in prose only."""

MODEL_BUILDER_PRECISIONS = ("fp32", "fp16", "bf16", "int8", "int4")
"""What ModelBuilder.validate_config lets through; any other precision is pruned without a word."""
