"""A comparison made up to the figures of the design's sketch, for what only has to be shown."""

from __future__ import annotations

from phinb.evaluation.results import Comparison
from phinb.types import Latency, Measurement, RowScore, Variant, VariantKind

LABELS = ("fear", "joy", "sadness", "surprise")
KINDS: dict[str, VariantKind] = {"base": "base", "adapter": "adapter", "merged": "merged"}
# first token in ms, decode in tokens/s, bytes
FIGURES = {
    "base": (96, 19, 517_000_000),
    "adapter": (118, 16, 9_000_000),
    "merged": (97, 19, 517_000_000),
    "int4": (51, 128, 198_000_000),
    "int8": (60, 90, 300_000_000),
    "fp16": (80, 60, 260_000_000),
}
# Of 240 rows, those that a variant gets wrong: 42.5, 84.2, 84.2 and 80.4 % are right.
ADAPTER_WRONG = {*range(32), *range(234, 240)}
WRONG = {
    "base": set(range(138)),
    "adapter": ADAPTER_WRONG,
    "merged": ADAPTER_WRONG,
    "int4": (ADAPTER_WRONG - set(range(10))) | set(range(100, 119)),
    "int8": ADAPTER_WRONG | set(range(60, 64)),
    "fp16": ADAPTER_WRONG,
}


def make_comparison(names: tuple[str, ...], labels: tuple[str, ...] = LABELS) -> Comparison:
    """240 rows, a wrong answer being the next label; three generations a variant, 10 % apart."""
    settings = {
        "n": 240,
        "template": "{phrase} {tone}",
        "answer": "tone",
        "labels": list(labels),
        "latency": {"prompts": 3, "repeats": 1, "new_tokens": 11, "warm_up": 1},
        "machine": {"processor": "Example 9000", "cores": 2, "hardware_threads": 4},
        "versions": {},
        "seed": None,
    }
    return Comparison(tuple(_measure(name, labels) for name in names), settings)


def _measure(name: str, labels: tuple[str, ...]) -> Measurement:
    ttft_ms, decode, size_bytes = FIGURES[name]
    scores = []
    for row in range(240):
        truth = row % len(labels)
        guess = (truth + (row in WRONG[name])) % len(labels)
        likelihoods = {label: -1.0 if index == guess else -5.0 for index, label in enumerate(labels)}
        scores.append(RowScore(row, labels[truth], labels[guess], likelihoods))
    latencies = tuple(Latency(20, 11, ttft_ms / 1000 * slow, 10 / decode * slow) for slow in (0.9, 1.0, 1.1))
    variant = Variant(name, f"models/{name}", KINDS.get(name, "onnx"), name, "models/base" if name == "adapter" else "")
    return Measurement(variant, tuple(scores), latencies, 0.4, size_bytes, 900_000_000)
