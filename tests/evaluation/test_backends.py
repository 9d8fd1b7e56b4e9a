"""Both backends against the naive way: one full forward pass a row and label."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from phinb.evaluation.genai_model import GenAIModel
from phinb.evaluation.pytorch_model import PyTorchModel
from phinb.evaluation.scoring import EncodedRow, ScoringTask, build_task, encode_task
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.types import Variant

from .conftest import TEMPLATE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def task(rows: list[dict[str, str]]) -> ScoringTask:
    """Labels of one to many tokens, one of which begins another."""
    return build_task(rows[:14], template=TEMPLATE, labels=["fear", "joy", "joyfulness", "sadness", "surprise"])


def encode(task: ScoringTask, variant: Variant) -> list[EncodedRow]:
    return encode_task(task, load_tokenizer(variant))


def score_naively(variant: Variant, rows: list[EncodedRow]) -> dict[int, list[float]]:
    """Every label in a forward pass of its own over the whole sequence, no cache, no batch."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(variant.base_path or variant.path, dtype=torch.float32)
    if variant.kind == "adapter":
        model = PeftModel.from_pretrained(model, variant.path)
    model.eval()
    found = {}
    for row in rows:
        values = []
        for candidate in row.candidates:
            ids = torch.tensor([[*row.prompt, *candidate]])
            with torch.inference_mode():
                logs = torch.log_softmax(model(ids).logits[0].double(), dim=-1)
            start = len(row.prompt)
            values.append(sum(float(logs[start + i - 1, token]) for i, token in enumerate(candidate)))
        found[row.row] = values
    return found


def as_matrix(scores: dict[int, list[float]]) -> np.ndarray:
    return np.array([scores[row] for row in sorted(scores)])


@pytest.mark.parametrize("name", ["base", "adapter", "merged"])
def test_the_shared_prefix_changes_nothing(name: str, variants: dict[str, Variant], task: ScoringTask) -> None:
    encoded = encode(task, variants[name])
    assert {len(candidate) for row in encoded for candidate in row.candidates} != {1}
    fast = dict(PyTorchModel(variants[name]).score(encoded))
    np.testing.assert_allclose(as_matrix(fast), as_matrix(score_naively(variants[name], encoded)), rtol=0, atol=2e-4)


def test_a_batch_holds_rows_of_several_lengths(variants: dict[str, Variant], task: ScoringTask) -> None:
    """Else the test above would not try the padding."""
    batches = list(PyTorchModel(variants["base"])._batches(encode(task, variants["base"])))
    assert any(len({len(row.prompt) for row in batch}) > 1 for batch in batches)


def test_merged_answers_as_the_adapter_does_and_not_as_the_base(
    variants: dict[str, Variant], task: ScoringTask
) -> None:
    scores = {
        name: as_matrix(dict(PyTorchModel(variants[name]).score(encode(task, variants[name]))))
        for name in ("base", "adapter", "merged")
    }
    np.testing.assert_allclose(scores["merged"], scores["adapter"], rtol=0, atol=5e-4)
    assert np.abs(scores["base"] - scores["adapter"]).max() > 1.0


def score_genai_naively(variant: Variant, rows: list[EncodedRow]) -> dict[int, list[float]]:
    """A generator of its own for every row and label, the whole sequence at once."""
    import onnxruntime_genai

    model = onnxruntime_genai.Model(variant.path)
    found = {}
    for row in rows:
        values = []
        for candidate in row.candidates:
            ids = [*row.prompt, *candidate]
            parameters = onnxruntime_genai.GeneratorParams(model)
            parameters.set_search_options(max_length=len(ids) + 1)
            generator = onnxruntime_genai.Generator(model, parameters)
            generator.append_tokens(np.array(ids, dtype=np.int32))
            logits = np.asarray(generator.get_output("logits")[0], dtype=np.float64)
            logs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
            values.append(sum(logs[len(row.prompt) + i - 1, token] for i, token in enumerate(candidate)))
        found[row.row] = values
    return found


@pytest.mark.parametrize("name", ["int4", "fp32"])
def test_rewinding_changes_nothing(name: str, variants: dict[str, Variant], task: ScoringTask) -> None:
    encoded = encode(task, variants[name])
    fast = dict(GenAIModel(variants[name]).score(encoded))
    np.testing.assert_allclose(
        as_matrix(fast), as_matrix(score_genai_naively(variants[name], encoded)), rtol=0, atol=2e-4
    )


def test_fp32_in_onnx_is_the_merged_model(variants: dict[str, Variant], task: ScoringTask) -> None:
    """Two runtimes, one model: both backends read the same ids and mean the same by a likelihood."""
    merged = as_matrix(dict(PyTorchModel(variants["merged"]).score(encode(task, variants["merged"]))))
    onnx = as_matrix(dict(GenAIModel(variants["fp32"]).score(encode(task, variants["fp32"]))))
    np.testing.assert_allclose(onnx, merged, rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", ["base", "adapter", "int4"])
def test_generation_makes_as_many_tokens_as_it_is_asked(name: str, variants: dict[str, Variant]) -> None:
    model = GenAIModel(variants[name]) if variants[name].kind == "onnx" else PyTorchModel(variants[name])
    measured = model.generate([5, 6, 7, 8], 9)
    assert (measured.prompt_tokens, measured.new_tokens) == (4, 9)
    assert measured.ttft_s > 0
    assert measured.decode_s > 0
    assert model.load_s > 0


def test_an_early_end_does_not_shorten_a_generation(tiny: Path, tmp_path: Path) -> None:
    """A model whose likeliest token is always the end token."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    end = model.config.eos_token_id
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        norm = model.model.norm.weight
        head.zero_()
        norm.zero_()
    model.save_pretrained(tmp_path)
    loaded = PyTorchModel(Variant("ends", str(tmp_path), "merged", ""))
    ((row, values),) = loaded.score([EncodedRow(0, (5, 6), ((end,), (7,)))])
    assert row == 0
    assert values == pytest.approx([-math.log(head.shape[0])] * 2, abs=1e-4)
    assert loaded.generate([5, 6, 7], 6).new_tokens == 6
