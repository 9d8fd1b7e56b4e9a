"""The quickstart's training as its settings are, and with all advice followed: time and accuracy, in one run.

Wanted: at most 0.7 of the time on a processor with bfloat16, at the same accuracy within noise (120 test rows).
"""

from __future__ import annotations

import json
import time

from phinb.config import Config
from phinb.types import Progress
from phinb.workflow.advice import Advice
from phinb.workflow.runner import Run
from tests.benchmarks.forecast import make_config, own_home

STEPS = 60
REPEATS = 2
"""Trainings of each kind, taking turns; the faster counts, as the other was disturbed."""
TRIES = 10
"""Times that a machine at work is asked for its speed, a minute apart."""


def measure() -> str:
    """Same seed, same steps. The training's time is that of its steps: loading the model is the same for both."""
    from phinb.api import apply_advice, compare, load_config, run
    from phinb.workflow.advice import total_gain
    from phinb.workflow.devices import has_bf16

    lines = [f"the processor {'has' if has_bf16() else 'has no'} bfloat16"]
    with own_home() as home:
        path = home / "quickstart.json"
        path.write_text(json.dumps(make_config(steps=STEPS), indent=1), encoding="utf-8")
        config = load_config(path)
        advice = _ask(config)
        followed, done = apply_advice(config, advice)
        lines += [f"advice: {one.title} ({one.gain_text})" for one in advice]
        lines.append(f"expected: {1 - total_gain(done):.2f} of the time")
        kinds = {"as it is": config, "advice followed": followed}
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
    ratio = min(taken["advice followed"]) / min(taken["as it is"])
    return "\n".join([*lines, f"{STEPS} steps: {told}", f"ratio: {ratio:.2f} (wanted: at most 0.70)"])


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
