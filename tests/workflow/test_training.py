"""What is told of a training is what was computed in it."""

from __future__ import annotations

import pytest

import phinb
from phinb.types import MetricLogged
from phinb.workflow.sweep_results import summarize_training
from tests.workflow.conftest import MakeConfig

TRAINING = "passes.lora.training_args."


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_loss_that_is_no_number_is_not_told_as_zero(make_config: MakeConfig) -> None:
    """The trainer would log 0.0 for a step whose loss is NaN: the best curve of all for a training that diverged."""
    diverges = {f"{TRAINING}learning_rate": 1.0, f"{TRAINING}max_grad_norm": 0, f"{TRAINING}optim": "sgd"}
    run = phinb.start(make_config({**diverges, "passes.lora.alpha": 1e38}), until="lora", fresh=True)
    state = run.wait(timeout=300)
    assert state.status == "failed"
    assert "NaN" in state.message
    losses = [one.values["loss"] for one in run.events() if isinstance(one, MetricLogged) and "loss" in one.values]
    assert losses[0] > 0, "before its first step it is what it is"
    assert losses[1:] == [None] * 5
    assert "loss" not in summarize_training(state), "what it was before it diverged is not what came of it"
