"""The quickstart's training as its settings are, and with all advice followed: time and accuracy, in one run.

Wanted: at most 0.7 of the time on a processor with bfloat16, at the same accuracy within noise (120 test rows).
"""

from __future__ import annotations

import json
from typing import Any

from tests.benchmarks.forecast import make_config, own_home

STEPS = 60


def measure() -> str:
    """Same seed, same steps. The training's time is that of its steps: loading the model is the same for both."""
    from phinb.api import apply_advice, compare, load_config, preflight, run
    from phinb.workflow.advice import total_gain
    from phinb.workflow.devices import has_bf16

    lines = [f"the processor {'has' if has_bf16() else 'has no'} bfloat16"]
    with own_home() as home:
        path = home / "quickstart.json"
        path.write_text(json.dumps(make_config(steps=STEPS), indent=1), encoding="utf-8")
        config = load_config(path)
        advice = preflight(config).advice
        followed, done = apply_advice(config, advice)
        lines += [f"advice: {one.title} ({one.gain_text})" for one in advice]
        lines.append(f"expected: {1 - total_gain(done):.2f} of the time")
        seconds, told = [], []
        for name, one in (("as it is", config), ("advice followed", followed)):
            ended = run(one, fresh=True)
            if ended.state.status != "succeeded":
                raise RuntimeError(f"{name}: {ended.state.status}, {ended.state.message}")
            seconds.append(_stepping(ended, "lora"))
            adapter = compare(ended, rows="test", variants=["base", "adapter"]).frame.loc["adapter"]
            accuracy, low, high = (adapter[key] for key in ("accuracy", "accuracy_low", "accuracy_high"))
            told.append(
                f"{name}: {STEPS} steps in {seconds[-1]:.0f} s, accuracy {accuracy:.3f} ({low:.3f} to {high:.3f})"
            )
    return "\n".join([*lines, *told, f"ratio: {seconds[1] / seconds[0]:.2f} (wanted: at most 0.70)"])


def _stepping(ended: Any, pass_name: str) -> float:
    """Seconds from the training's beginning to its last step."""
    times = [event.time for event in ended.events() if event.type == "progress" and event.pass_name == pass_name]
    return float(times[-1] - times[0])
