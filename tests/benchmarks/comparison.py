"""The comparison beside its peers, on the demo model: the same answers as lm-evaluation-harness, faster; the same
latency as onnxruntime-genai's own benchmark; and how long all four variants take.

Wanted: predictions equal on every row and at least 2.5 times the rows a second (PyTorch, float32, four labels); TTFT
and decode speed within 5 % or the spread of interleaved repeats; four variants on 120 rows in 2 minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from phinb.evaluation.process import VariantProcess
from phinb.evaluation.quality import QualityPlan, plan_quality
from phinb.types import Variant

ROOT = Path(__file__).resolve().parents[2]
PAIRS, GENERATIONS, NEW_TOKENS, WARM_UP = 3, 30, 32, 5
BATCHES = (1, 16)
"""Both are tried once; the peer's faster one is taken."""


def measure() -> str:
    """A line for each figure. Runs the sample's configuration first; a run that was made before is taken up."""
    import phinb

    run = phinb.run(phinb.load_config(ROOT / "sample_data" / "emotion.json"))
    plan = _plan(run)
    lines = [_time_whole(run)]
    for name in ("base", "adapter"):
        lines.append(_time_scoring(run.variants[name], plan))
    lines.append(f"int4: {_rows_per_second(run.variants['int4'], plan):.1f} rows/s beside them")
    lines.append(_time_latency(run.variants["int4"], plan))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return "\n".join([*lines, f"load average at the end: {load}"])


def _plan(run: Any) -> QualityPlan:
    from phinb.api.rows import read_recipe
    from phinb.data.preview import find_data_config

    recipe = read_recipe(find_data_config(run.config.to_olive()), run.config)
    text = (ROOT / "sample_data" / "emotion_test.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return plan_quality(
        rows,
        template=recipe["text_template"],
        answer=run.config.phinb.get("answer"),
        labels=run.config.phinb.get("labels"),
        add_special_tokens=recipe["add_special_tokens"],
    )


def _time_whole(run: Any) -> str:
    import phinb

    began = time.perf_counter()
    comparison = phinb.compare(run, fresh=True)
    seconds = time.perf_counter() - began
    assert not any(one.error for one in comparison.summaries)
    share = max(one.settings["neighbours_share"] or 0.0 for one in comparison.measurements)
    return (
        f"four variants on {comparison.settings['n']} rows: {seconds:.0f} s, loads included; timed "
        f"{comparison.settings['latency']['order']}; other programs took {100 * share:.0f} % of the processor"
    )


def _time_scoring(variant: Variant, plan: QualityPlan) -> str:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        process = stack.enter_context(VariantProcess(variant))
        process.load()
        peer = stack.enter_context(_start_harness(variant, plan, Path(folder)))
        batch = min(BATCHES, key=lambda one: float(_ask(peer, str(one))["seconds"]))
        pairs = [(_score(process, plan), _ask(peer, str(batch))) for _ in range(PAIRS)]
    equal = sum(ours == theirs for ours, theirs in zip(pairs[0][0][1], pairs[0][1]["predicted"], strict=True))
    n = len(plan.prompts)
    ratios = sorted(theirs["seconds"] / ours[0] for ours, theirs in pairs)
    mine, other = (
        n / median(one) for one in ([ours[0] for ours, _ in pairs], [peers["seconds"] for _, peers in pairs])
    )
    return (
        f"{variant.name}: predictions equal on {equal} of {n} rows; {mine:.1f} rows/s, lm-evaluation-harness "
        f"(batch {batch}) {other:.1f}: ratio {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, "
        f"{PAIRS} interleaved pairs)"
    )


def _score(process: VariantProcess, plan: QualityPlan) -> tuple[float, list[int]]:
    """(seconds, which label is the likeliest in each row); tokenization counts."""
    began = time.perf_counter()
    encoded = process.ask("encode", {"part": "labels", "record": plan.parts["labels"]})
    rows = [row for row in encoded["rows"] if row["row"] >= 0]
    scores = dict(process.ask("score", {"rows": rows})["scores"])
    seconds = time.perf_counter() - began
    return seconds, [max(range(len(scores[row])), key=scores[row].__getitem__) for row in sorted(scores)]


def _rows_per_second(variant: Variant, plan: QualityPlan) -> float:
    with VariantProcess(variant) as process:
        process.load()
        return len(plan.prompts) / median(_score(process, plan)[0] for _ in range(PAIRS))


def _start_harness(variant: Variant, plan: QualityPlan, folder: Path) -> subprocess.Popen[str]:
    from phinb.models.tokenizers import load_tokenizer

    assert plan.labels is not None
    base = variant.base_path or variant.path
    lead = f"{load_tokenizer(base).bos} " if plan.labels.add_special_tokens else ""
    rows = [
        {"prompt": lead + prompt, "target": plan.labels.labels.index(answer)}
        for prompt, answer in zip(plan.labels.prompts, plan.labels.answers, strict=True)
    ]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    adapter = variant.path if variant.kind == "adapter" else "-"
    return _start("harness_peer", base, adapter, str(path), json.dumps(list(plan.labels.label_texts)), str(folder))


def _time_latency(variant: Variant, plan: QualityPlan) -> str:
    """Both generate the same prompt in turn, each in a process of its own."""
    with VariantProcess(variant) as process, _start("genai_peer", variant.path) as peer:
        process.load()
        encoded = process.ask("encode", {"part": "labels", "record": plan.parts["labels"]})
        ids = sorted((row["prompt"] for row in encoded["rows"] if row["row"] >= 0), key=len)[len(plan.prompts) // 2]
        ours, theirs = [], []
        for turn in range(WARM_UP + GENERATIONS):
            asked = {"ids": ids, "new_tokens": NEW_TOKENS}
            for one in ("ours", "theirs") if turn % 2 else ("theirs", "ours"):
                if one == "ours":
                    (latency,) = process.ask("time", {"prompts": [ids], "new_tokens": NEW_TOKENS})["latencies"]
                    ours.append((1000 * latency["ttft_s"], (NEW_TOKENS - 1) / latency["decode_s"]))
                else:
                    found = _ask(peer, json.dumps(asked))
                    theirs.append((1000 * found["first_s"], (NEW_TOKENS - 1) / sum(found["step_s"])))
    lines = [f"latency of {variant.name}, {len(ids)} tokens and {NEW_TOKENS} new, {GENERATIONS} interleaved repeats:"]
    for column, (what, unit) in enumerate((("first token", "ms"), ("decoding", "tokens/s"))):
        mine, other = ([values[column] for values in side[WARM_UP:]] for side in (ours, theirs))
        ratio = median(one / beside for one, beside in zip(mine, other, strict=True))
        lines.append(
            f"  {what}: phinb {median(mine):.1f} {unit} ({_spread(mine)}), onnxruntime-genai's procedure "
            f"{median(other):.1f} {unit} ({_spread(other)}): {100 * (ratio - 1):+.1f} % in the median of pairs"
        )
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    deciles = quantiles(values, n=10)
    return f"{deciles[0]:.1f} to {deciles[-1]:.1f} in the middle 80 %"


def _start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """A peer that is ready; leaving the with-block ends it."""
    from phinb.workflow.process import worker_environment

    environment = worker_environment() | {"HF_HUB_OFFLINE": "1", "GOMP_SPINCOUNT": "1000"}
    peer = subprocess.Popen(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    _read_until(peer, "ready")
    return peer


def _ask(peer: subprocess.Popen[str], line: str) -> dict[str, Any]:
    assert peer.stdin is not None
    peer.stdin.write(line + "\n")
    peer.stdin.flush()
    answer: dict[str, Any] = json.loads(_read_until(peer, "{"))
    return answer


def _read_until(peer: subprocess.Popen[str], beginning: str) -> str:
    """The next line that begins so; libraries print to the same place."""
    assert peer.stdout is not None
    for line in peer.stdout:
        if line.startswith(beginning):
            return line
    raise RuntimeError("The peer's process ended: is lm_eval installed?")
