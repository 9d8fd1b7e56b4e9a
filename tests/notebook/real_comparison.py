"""Two real models of the tiny kind, measured on hand-written rows: what a panel of changes has to show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from phinb.evaluation.comparison import Comparison, compare_variants
from phinb.evaluation.latency import LatencySettings
from phinb.models.tiny import make_tiny
from phinb.types import Variant

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"


def make_variants(folder: Path) -> list[Variant]:
    """The tiny model, and one whose language model head is a little another: enough for other answers, and sound."""
    import numpy
    from safetensors.numpy import load_file, save_file

    base = make_tiny(folder / "base")
    merged = Path(shutil.copytree(base, folder / "merged"))
    weights = load_file(merged / "model.safetensors")
    head = "lm_head.weight" if "lm_head.weight" in weights else "model.embed_tokens.weight"
    noise = numpy.random.default_rng(1).normal(0, 0.015, weights[head].shape)
    weights[head] = (weights[head] + noise).astype(numpy.float32)
    save_file(weights, merged / "model.safetensors", metadata={"format": "pt"})
    return [Variant("base", str(base), "base", ""), Variant("merged", str(merged), "merged", "merge")]


def make_comparison(folder: Path, rows: int = 60) -> Comparison:
    """Both measured in processes of their own."""
    lines = (ROOT / "sample_data" / "emotion_test.jsonl").read_text(encoding="utf-8").splitlines()
    read = [json.loads(line) for line in lines if line.strip()][:rows]
    # Labels of one token each: to a model that knows nothing the shortest is always the likeliest.
    letters = {"fear": "f", "joy": "j", "sadness": "s", "surprise": "w"}
    given = [{"phrase": row["phrase"], "tone": letters[row["tone"]]} for row in read]
    quick = LatencySettings(prompts=1, repeats=1, new_tokens=2, warm_up=0)
    kept = folder / "comparison"
    return compare_variants(make_variants(folder), given, template=TEMPLATE, folder=kept, latency=quick, name="tiny")
