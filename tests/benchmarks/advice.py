"""The quickstart's training with the tutorial's settings, and with all advice on them followed: time and accuracy.

Wanted: at most 0.7 of the time on a processor with bfloat16, at the same accuracy within noise (120 test rows).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from phinb.config import Config, load_config
from phinb.types import Progress
from phinb.workflow.advice import Advice
from phinb.workflow.runner import Run
from tests.benchmarks.forecast import make_config, own_home

TUTORIAL = Path(__file__).resolve().parents[2] / "sample_data" / "tutorial_today.json"
STEPS = 60
REPEATS = 2
"""Trainings of each kind, taking turns; the faster counts, as the other was disturbed."""
TRIES = 10
"""Times that a machine at work is asked for its speed, a minute apart."""


def measure() -> str:
    """Same seed, same steps. The training's time is that of its steps: loading the model is the same for both."""
    from phinb.api import apply_advice, compare, run
    from phinb.workflow.advice import total_gain
    from phinb.workflow.devices import has_bf16

    lines = [f"the processor {'has' if has_bf16() else 'has no'} bfloat16"]
    with own_home() as home:
        path = home / "quickstart.json"
        path.write_text(json.dumps(_use_tutorial(make_config(steps=STEPS)), indent=1), encoding="utf-8")
        config = load_config(path)
        advice = _ask(config)
        followed, done = apply_advice(config, advice)
        lines += [f"advice: {one.title} ({one.gain_text})" for one in advice]
        lines.append(f"expected: {1 - total_gain(done):.2f} of the time")
        kinds = {"the tutorial's settings": config, "advice followed": followed}
        taken: dict[str, list[float]] = {name: [] for name in kinds}
        for number in range(REPEATS):
            for name, one in kinds.items():
                ended = run(one, until="lora", fresh=True)
                if ended.state.status != "succeeded":
                    raise RuntimeError(f"{name}: {ended.state.status}, {ended.state.message}")
                taken[name].append(_stepping(ended, "lora"))
                if number == 0:
                    adapter = compare(ended, rows="test", variants=["base", "adapter"]).frame.loc["adapter"]
                    accuracy, low, high = (adapter[key] for key in ("accuracy", "accuracy_low", "accuracy_high"))
                    lines.append(f"{name}: accuracy {accuracy:.3f} ({low:.3f} to {high:.3f})")
        told = ", ".join(f"{name} {'; '.join(f'{one:.0f}' for one in seconds)} s" for name, seconds in taken.items())
    ratio = min(taken["advice followed"]) / min(taken["the tutorial's settings"])
    return "\n".join([*lines, f"{STEPS} steps: {told}", f"ratio: {ratio:.2f} (wanted: at most 0.70)"])


def _use_tutorial(tree: dict[str, Any]) -> dict[str, Any]:
    """How the tutorial trains, on the quickstart's data, line by line, for as many steps as the quickstart."""
    tutorial = load_config(TUTORIAL).to_olive()["passes"]["lora"]
    lora = tree["passes"]["lora"]
    steps = lora["training_args"]["max_steps"]
    own = {name: value for name, value in tutorial["training_args"].items() if not name.startswith(("eval", "num_"))}
    lora |= {name: tutorial[name] for name in ("r", "alpha", "lora_dropout", "target_modules")}
    lora.pop("torch_dtype")  # the tutorial leaves it to Olive
    lora["training_args"] = {**own, "max_steps": steps, "logging_steps": 5}
    return tree


def _ask(config: Config) -> tuple[Advice, ...]:
    """The advice, once the machine is quiet enough to be measured."""
    from phinb.api import advise

    for _ in range(TRIES):
        found = advise(config)
        if not any(one.code == "bfloat16" and one.fix is None and "measured" in one.gain_text for one in found):
            break
        time.sleep(60)
    return found


def _stepping(ended: Run, pass_name: str) -> float:
    """Seconds from the training's beginning to its last step."""
    times = [one.time for one in ended.events() if isinstance(one, Progress) and one.pass_name == pass_name]
    return times[-1] - times[0]
