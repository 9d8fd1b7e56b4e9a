"""What a training pass does with the sequences of its data config: how many a step, and how many steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from phinb.types import Effective


class Settings(Protocol):
    """What is needed of phinb.config's Config."""

    @property
    def phinb(self) -> Mapping[str, Any]: ...

    def effective(self) -> Mapping[str, Effective]: ...


@dataclass(frozen=True)
class Trainer:
    """`path` is the pass's in today's form (passes.lora). batch_size: sequences a batch; accumulation: batches a step;
    max_steps: None where the epochs decide. drops_last: whether a batch that is not full is left out
    (dataloader_drop_last). eval_split: the share of the sequences that is held out."""

    path: str
    batch_size: int = 8
    accumulation: int = 1
    max_steps: int | None = None
    epochs: float = 3.0
    sampling: str = "random"
    drops_last: bool = False
    eval_split: float | None = None


_DEFAULTS = Trainer("")
"""Those of transformers.TrainingArguments."""


def find_trainer(config: Settings, name: str) -> Trainer | None:
    """The first pass that trains on the data config `name`; None where none does, or it says no numbers."""
    effective = config.effective()
    for key, entry in effective.items():
        if key.endswith(".train_data_config") and entry.value == name:
            path = key.removesuffix(".train_data_config")
            return _read(path, effective, config.phinb.get("eval_split"))
    return None


def _read(path: str, effective: Mapping[str, Effective], share: Any) -> Trainer | None:
    def value(name: str, default: Any) -> Any:
        entry = effective.get(f"{path}.training_args.{name}")
        return default if entry is None or entry.value is None else entry.value

    size = value("per_device_train_batch_size", _DEFAULTS.batch_size)
    accumulation = value("gradient_accumulation_steps", _DEFAULTS.accumulation)
    steps, epochs = value("max_steps", -1), value("num_train_epochs", _DEFAULTS.epochs)
    if not (_counts(size) and _counts(accumulation) and isinstance(steps, int) and isinstance(epochs, int | float)):
        return None
    evaluation = effective.get(f"{path}.eval_data_config")
    named = evaluation is not None and evaluation.value is not None
    return Trainer(
        path=path,
        batch_size=size,
        accumulation=accumulation,
        max_steps=steps if steps > 0 else None,
        epochs=float(epochs),
        sampling=str(value("train_sampling_strategy", _DEFAULTS.sampling)),
        drops_last=value("dataloader_drop_last", _DEFAULTS.drops_last) is True,
        eval_split=None if named or not isinstance(share, int | float) else float(share),
    )


def _counts(value: Any) -> bool:
    return isinstance(value, int) and value > 0
