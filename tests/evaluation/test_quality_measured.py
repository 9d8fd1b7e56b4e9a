"""Quality of the tiny model's real variants: free text, perplexity, scorings, a task; nothing is measured twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phinb.errors import PhinbError
from phinb.evaluation import harness
from phinb.evaluation.comparison import compare_variants
from phinb.evaluation.harness import describe_task
from phinb.evaluation.latency import LatencySettings
from phinb.evaluation.results import Comparison, load_comparison
from phinb.types import Variant

from .conftest import TEMPLATE

pytestmark = pytest.mark.slow
FAST = LatencySettings(prompts=1, repeats=1, new_tokens=2, warm_up=1)
NAMES = ("base", "adapter", "int4")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def task_file(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample rows as a task of the harness: the same prompts, the same labels."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:12]), encoding="utf-8")
    (folder / "tone.yaml").write_text(
        f"""task: tone_of_rows
dataset_path: json
dataset_kwargs:
  data_files: {{test: {folder / "rows.jsonl"}}}
test_split: test
output_type: multiple_choice
doc_to_text: "<s> ### Text: {{{{phrase}}}}\\n### The tone is:\\n"
doc_to_target: "{{{{tone}}}}"
doc_to_choice: [fear, joy, sadness, surprise]
target_delimiter: ""
metric_list:
  - metric: acc
""",
        encoding="utf-8",
    )
    return folder / "tone.yaml"


@pytest.fixture(scope="module")
def everything(variants: dict[str, Variant], rows: list[dict[str, str]], kept: Path, task_file: Path) -> Comparison:
    return compare(variants, rows, kept, ["accuracy", "f1", "perplexity", f"lm_eval:{task_file}"])


def compare(
    variants: dict[str, Variant], rows: list[dict[str, str]], folder: Path, metrics: Any, **options: Any
) -> Comparison:
    return compare_variants(
        [variants[name] for name in NAMES],
        rows[:12],
        template=TEMPLATE,
        folder=folder,
        metrics=metrics,
        latency=FAST,
        train_rows=rows,
        **options,
    )


def test_every_part_is_there_with_its_interval(everything: Comparison) -> None:
    assert [summary.error for summary in everything.summaries] == [""] * 3
    for summary in everything.summaries:
        assert {"macro_f1", "f1", "perplexity", "bits_per_byte", "tone_of_rows acc"} <= summary.metrics.keys()
        assert summary.metrics["perplexity"].low is not None
        assert summary.n == 12
    int4 = everything.summaries[2]
    assert int4.divergence is not None
    assert int4.divergence.value > 0
    assert int4.metric_changes.keys() == {"f1", "perplexity", "bits_per_byte"}
    text = everything.to_text()
    for words in ("macro-F1", "perplexity", "bits per byte", "KL from the stage before", "by log-likelihood"):
        assert words in text
    frame = everything.frame
    assert frame.loc["int4", "perplexity_low"] < frame.loc["int4", "perplexity"] < frame.loc["int4", "perplexity_high"]
    assert {"kl", "f1_difference_low", "accuracy", "accuracy_low"} <= set(frame.columns)


def test_perplexity_is_that_of_transformers(
    everything: Comparison, variants: dict[str, Variant], rows: list[dict[str, str]]
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(variants["base"].path)
    model = AutoModelForCausalLM.from_pretrained(variants["base"].path, dtype=torch.float32).eval()
    nats, count = 0.0, 0
    for row in rows[:12]:
        text = f"{tokenizer.bos_token} {TEMPLATE.format(**row)} {tokenizer.eos_token}"
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.inference_mode():
            nats += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    assert everything.summaries[0].metrics["perplexity"].value == pytest.approx(np.exp(nats / count), rel=1e-4)


def test_the_harness_finds_the_accuracy_that_was_measured(everything: Comparison) -> None:
    """Its task has the same prompts and labels, so that its accuracy must be ours."""
    for summary in everything.summaries:
        assert summary.metrics["tone_of_rows acc"].value == pytest.approx(summary.accuracy)
        assert summary.metrics["tone_of_rows acc"].n == 12


def test_another_metric_or_scoring_measures_nothing_anew(
    everything: Comparison, variants: dict[str, Variant], rows: list[dict[str, str]], kept: Path
) -> None:
    again = compare(variants, rows, kept, ["accuracy", "rougeL", "exact_match"], scoring="calibrated")
    assert again.reused == NAMES
    assert again.settings["scoring"] == "calibrated"
    assert "calibrated by the empty prompt" in again.to_text()
    assert again.summaries[0].ttft_ms_p50 == everything.summaries[0].ttft_ms_p50
    for own, before in zip(again.measurements, everything.measurements, strict=True):
        for score, raw in zip(own.scores, before.scores, strict=True):
            expected = {label: raw.log_likelihoods[label] - own.prior[label] for label in own.prior}
            assert score.scores == pytest.approx(expected)
    assert everything.rescore("calibrated").measurements[1].scores == again.measurements[1].scores


def test_free_text_is_generated_as_transformers_does(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given = [{"phrase": row["phrase"], "tone": f"{row['tone']} number {n}"} for n, row in enumerate(rows)]
    train = [{"phrase": f"p {n}", "tone": f"joy {n}"} for n in range(60)]
    free = compare_variants(
        [variants["base"], variants["int4"]],
        given[:6],
        template=TEMPLATE,
        folder=tmp_path,
        latency=FAST,
        train_rows=train,
        metrics={"length": lambda predicted, answer, row: len(predicted)},
    )
    assert [summary.error for summary in free.summaries] == ["", ""]
    assert free.settings["labels"] == []
    assert [problem.code for problem in free.problems] == ["free_text"]
    base = free.measurements[0]
    assert base.values["length"] == tuple(len(text.text) for text in base.texts)
    tokenizer = AutoTokenizer.from_pretrained(variants["base"].path)
    model = AutoModelForCausalLM.from_pretrained(variants["base"].path, dtype=torch.float32).eval()
    for text, row in zip(base.texts, given, strict=False):
        prompt = f"{tokenizer.bos_token} {TEMPLATE.split('{tone}')[0].format(**row)}"
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        made = model.generate(**ids, do_sample=False, max_new_tokens=base.max_new_tokens)[
            0, ids["input_ids"].shape[1] :
        ]
        assert text.text == tokenizer.decode(made, skip_special_tokens=True).strip()
    said = free.to_text()
    assert "exact match" in said
    assert "lower bound" in said
    free.save(tmp_path / "c.json")
    again = load_comparison(tmp_path / "c.json")
    assert again == free
    assert again.to_html() == free.to_html()
    changes = free.changed()
    assert len(changes) == sum(a.text != b.text for a, b in zip(*(m.texts for m in free.measurements), strict=True))


def test_a_missing_harness_and_a_missing_task_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(PhinbError, match="no task at"):
        describe_task(str(tmp_path / "gone.yaml"))
    with pytest.raises(PhinbError, match="has no YAML"):
        describe_task(str(tmp_path))
    monkeypatch.setattr(harness, "find_spec", lambda name: None)
    with pytest.raises(PhinbError, match="not installed") as caught:
        describe_task("arc_easy")
    assert caught.value.hint.endswith("pip install lm_eval")
