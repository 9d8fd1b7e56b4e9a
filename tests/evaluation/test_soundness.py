"""Artefacts that are broken on purpose are called broken; sound ones, also bad and untrained ones, are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.errors import PhinbError
from phinb.evaluation.comparison import compare_variants
from phinb.evaluation.latency import LatencySettings
from phinb.evaluation.soundness import Stage, _pack, divergences, group, judge
from phinb.types import Variant

from .conftest import TEMPLATE

QUICK = LatencySettings(prompts=1, repeats=1, new_tokens=2, warm_up=0)
Weights = dict[str, np.ndarray[Any, Any]]


def as_logs(*places: list[float]) -> Any:
    return np.log(np.array(places) / np.sum(places, axis=-1, keepdims=True))


@given(st.integers(0, 2**32 - 1))
def test_the_distance_of_groups_is_never_larger_than_that_of_tokens(seed: int) -> None:
    random = np.random.default_rng(seed)
    before, after = (np.log(random.dirichlet(np.full(1500, 0.05), size=3) + 1e-12) for _ in range(2))
    whole = divergences(before, after)
    grouped = divergences(group(before), group(after))
    assert 0 <= grouped[0] <= whole[0] + 1e-6
    assert grouped[1] <= whole[1] + 1e-6


def test_a_distance_is_scipys() -> None:
    from scipy.stats import entropy

    before, after = as_logs([3, 2, 1], [1, 5, 1]), as_logs([1, 1, 1], [2, 2, 9])
    apart, own = divergences(before, after)
    pairs = list(zip(np.exp(before), np.exp(after), strict=True))
    assert apart == pytest.approx(np.mean([entropy(p, q) for p, q in pairs]))
    assert own == pytest.approx(np.mean([entropy(p, np.exp(before).mean(axis=0)) for p, _ in pairs]))


def make_probe(**changes: Any) -> dict[str, Any]:
    places = _pack(as_logs([90, 5, 5], [5, 90, 5]))
    found = {"survived": 1.0, "vocabulary": 1000, "sequences": [[1, 2, 3]], "nats": 2.0, "last_nats": 1.0}
    return {**found, "tokens": 2, "finite": True, "spread": 0.5, "places": places, **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"survived": 0.2}, "does not give texts back"),
        ({"finite": False, "places": None, "spread": None, "nats": None, "last_nats": None}, "gives no number"),
        ({"spread": 1e-7}, "the same answer whatever it is asked"),
        ({"nats": 9.0, "last_nats": 9.0}, "knows less .* than a model that knows nothing"),
        ({"nats": None, "last_nats": None}, "knows less .* than a model that knows nothing"),
    ],
)
def test_what_no_sound_model_does_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PhinbError, match=words) as caught:
        judge("m", make_probe(**changes))
    assert caught.value.hint


@pytest.mark.parametrize(
    "changes", [{}, {"nats": 9.0}, {"nats": 6.95, "last_nats": 6.95}, {"places": None, "spread": None}]
)
def test_a_bad_or_untrained_model_is_not_broken(changes: dict[str, Any]) -> None:
    judge("m", make_probe(**changes))


def test_merging_is_held_to_more_than_quantization() -> None:
    moved = make_probe(places=_pack(as_logs([80, 15, 5], [15, 80, 5])))
    judge("int4", moved, make_probe(), Stage("merged", exact=False))
    with pytest.raises(PhinbError, match="is not what adapter is"):
        judge("merged", moved, make_probe(), Stage("adapter", exact=True))
    swapped = make_probe(places=_pack(as_logs([1, 98, 1], [98, 1, 1])))
    with pytest.raises(PhinbError, match="next to nothing left of merged"):
        judge("int4", swapped, make_probe(), Stage("merged", exact=False))
    judge("int4", swapped | {"sequences": [[9, 9]]}, make_probe(), Stage("merged", exact=False))  # other tokens


def change_weights(source: Variant, folder: Path, change: Callable[[Weights], None]) -> Variant:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(source.path, folder)
    weights = {name: np.array(values) for name, values in load_file(folder / "model.safetensors").items()}
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return replace(source, path=str(folder))


def shuffle_one(weights: Weights) -> None:
    name = next(name for name in sorted(weights) if "down_proj" in name)
    weights[name] = np.random.default_rng(0).permutation(weights[name].ravel()).reshape(weights[name].shape)


def silence(weights: Weights) -> None:
    name = next(name for name in weights if name.endswith("norm.weight") and "layers" not in name)
    weights[name] = np.zeros_like(weights[name])


def overflow(weights: Weights) -> None:
    for name in weights:
        if "down_proj" in name:
            weights[name] = np.full_like(weights[name], 1e38)


def errors_of(variants: list[Variant], rows: list[dict[str, str]], folder: Path) -> dict[str, str]:
    found = compare_variants(variants, rows[:8], template=TEMPLATE, folder=folder, latency=QUICK)
    assert found.frame.loc[[s.name for s in found.summaries if s.error], "ttft_ms_p50"].isna().all()
    return {summary.name: summary.error for summary in found.summaries}


@pytest.mark.slow
def test_damaged_weights_are_called_broken_and_never_plotted(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    changes = {"shuffled": shuffle_one, "silent": silence, "overflowing": overflow}
    made = [
        replace(change_weights(variants["merged"], tmp_path / name, change), name=name)
        for name, change in changes.items()
    ]
    errors = errors_of(
        [*(variants[name] for name in ("base", "adapter", "merged", "int4")), *made], rows, tmp_path / "kept"
    )
    assert {name for name, error in errors.items() if not error} == {"base", "adapter", "merged", "int4"}
    assert "shuffled is not what adapter is" in errors["shuffled"]
    assert "whatever it is asked" in errors["silent"]
    assert "gives no number" in errors["overflowing"]


@pytest.mark.slow
def test_a_damaged_int4_is_called_broken(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    shutil.copytree(variants["int4"].path, tmp_path / "int4")
    data = tmp_path / "int4" / "model.onnx.data"
    values = np.frombuffer(data.read_bytes(), dtype=np.uint8)
    data.write_bytes(np.random.default_rng(0).permutation(values).tobytes())
    damaged = replace(variants["int4"], name="damaged", path=str(tmp_path / "int4"))
    errors = errors_of([variants["merged"], variants["int4"], damaged], rows, tmp_path / "kept")
    assert (errors["merged"], errors["int4"]) == ("", "")
    assert errors["damaged"]
    assert "Traceback" not in errors["damaged"]


@pytest.mark.slow
def test_a_tokenizer_that_knows_no_words_is_called_broken(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    import json

    broken = {}
    for name in ("empty", "blind"):
        shutil.copytree(variants["merged"].path, tmp_path / name)
        broken[name] = replace(variants["merged"], name=name, path=str(tmp_path / name))
        path = tmp_path / name / "tokenizer.json"
        tree = json.loads(path.read_text(encoding="utf-8"))
        if name == "empty":
            tree["model"]["vocab"], tree["model"]["merges"], tree["added_tokens"] = {}, [], []
        else:  # a byte alphabet without letters
            kept = {piece: number for piece, number in tree["model"]["vocab"].items() if not piece.isalpha()}
            tree["model"]["vocab"], tree["model"]["merges"] = kept, []
        path.write_text(json.dumps(tree), encoding="utf-8")
        (tmp_path / name / "tokenizer_config.json").write_text("{}", encoding="utf-8") if name == "empty" else None
    errors = errors_of(list(broken.values()), rows, tmp_path / "kept")
    assert all("Traceback" not in error for error in errors.values())
    assert "tokenizer" in errors["empty"].lower()
    assert "tokenizer" in errors["blind"].lower()
