"""What phinb gives to a training that its text does not: one source for the worker and for `effective()`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEPT = 2
"""Checkpoints that stay on disk: the last whole one, and the one before in case that was being written."""
PER_TRAINING = 5
DEFAULT_STEPS = 100


def training_defaults(arguments: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The training arguments that phinb adds to `arguments`: checkpoints to resume from, and the run's seed.

    max_steps decides how far apart checkpoints lie (a fifth of it); without it they come every 100 steps. Where the
    best of them is to be loaded at the end, they lie where it is evaluated, as transformers demands.
    """
    added: dict[str, Any] = {"seed": seed, "save_total_limit": KEPT}
    if "save_strategy" not in arguments and "save_steps" not in arguments:
        steps = arguments.get("max_steps")
        apart = max(1, steps // PER_TRAINING) if isinstance(steps, int) and steps > 0 else DEFAULT_STEPS
        if arguments.get("load_best_model_at_end") is True:
            apart = arguments.get("eval_steps") or arguments.get("logging_steps") or apart
        added |= {"save_strategy": "steps", "save_steps": apart}
    return {key: value for key, value in added.items() if arguments.get(key) is None}
