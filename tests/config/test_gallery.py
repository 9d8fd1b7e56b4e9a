"""The starting points: each without a problem, taken by the real Olive, and really run where that is cheap."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import phinb
from phinb.config import load_config
from phinb.config.starting.gallery import RECIPES, starting_points, starting_text
from phinb.models.facts import KNOWN
from tests.config.olive_judge import Judge

NAMES = [point.name for point in starting_points()]
PLACEHOLDERS = ("subscription id", "resource group", "workspace", "compute cluster")


def filled(text: str) -> str:
    """A starting point for Azure with its placeholders filled in."""
    text = text.replace("<your subscription id>", "01234567-89ab-cdef-0123-456789abcdef")
    return re.sub(r'"<your [^"]*>"', '"mine"', text)


def strip_comments(text: str) -> str:
    """As any reader of JSON with comments does it; comments stand on lines of their own or behind two blanks."""
    return "\n".join(re.sub(r"(^\s*|  )// .*$", "", line) for line in text.splitlines())


def test_there_is_every_recipe_for_every_model() -> None:
    assert set(NAMES) == {f"{recipe}-{facts.key}" for recipe in RECIPES for facts in KNOWN}
    assert {"lora-demo", "qlora-phi-3-mini", "dora-phi-3.5-mini", "quantize-phi-4-mini", "evaluate-demo"} < set(NAMES)
    for point in phinb.gallery():
        assert all((point.title, point.purpose, point.needs))


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("azure")])
def test_a_starting_point_has_no_problem(name: str) -> None:
    """QLoRA has one warning, which its comment explains: what is merged was rounded while it was trained."""
    text = phinb.gallery(name)
    config = load_config(text, name="start")
    told = [(problem.severity, problem.code) for problem in config.problems]
    assert told == ([("warning", "qlora_merge")] if name.startswith("qlora") else [])
    assert ("not into their four bits" in text) == name.startswith("qlora")
    assert config.changes == ()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("azure")])
def test_the_only_problems_of_one_for_azure_are_its_placeholders(name: str) -> None:
    text = phinb.gallery(name)
    problems = load_config(text, name="start").problems
    assert {problem.code for problem in problems} == {"placeholder"}
    assert len(problems) == len(PLACEHOLDERS)
    for problem, words in zip(problems, PLACEHOLDERS, strict=True):
        assert words in text.splitlines()[(problem.line or 1) - 1]
    config = load_config(filled(text), name="start")
    assert [str(problem) for problem in config.problems] == []
    assert config.phinb["azure"]["compute"] == "mine"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_json_with_comments_for_any_reader(name: str) -> None:
    text = starting_text(name)
    plain = json.loads(strip_comments(text))
    assert plain["input_model"]["model_path"] == next(f.reference for f in KNOWN if name.endswith(f"-{f.key}"))
    assert text.count("//") >= 10, "the reasons are what it is for"
    assert max(len(line) for line in text.splitlines() if '"text_template"' not in line) <= 120


def test_the_facts_of_a_model_are_in_its_text() -> None:
    phi4 = load_config(phinb.gallery("lora-phi-4-mini"), name="start").to_olive()
    template = phi4["data_configs"][0]["pre_process_data_config"]["text_template"]
    assert template.startswith("<|user|>{phrase}")
    assert template.endswith("<|end|><|assistant|>{tone}<|end|>")
    lora = phi4["passes"]["lora"]
    assert lora["target_modules"] == ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
    assert lora["torch_dtype"] == "bfloat16"
    assert lora["training_args"]["gradient_checkpointing"] is True
    assert "licence MIT" in phinb.gallery("lora-phi-4-mini")
    demo = load_config(phinb.gallery("lora-demo"), name="start").to_olive()["passes"]["lora"]
    assert demo["torch_dtype"] == "float32"
    assert demo["training_args"]["max_steps"] == 60


@pytest.mark.parametrize(
    ("name", "near"), [("lora-phi4-mini", "lora-phi-4-mini"), ("lora", "lora-"), ("??", "phinb gallery")]
)
def test_a_name_that_is_not_there_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(phinb.PhinbError, match="There is no starting point") as caught:
        phinb.gallery(name)
    assert near in caught.value.hint


@pytest.mark.slow
def test_the_real_olive_takes_every_one_of_them() -> None:
    configs = [load_config(filled(starting_text(name)), name="start").to_olive() for name in NAMES]
    judge = Judge()
    try:
        verdicts = judge.ask(configs)
    finally:
        judge.close()
    refused = {name: verdict for name, verdict in zip(NAMES, verdicts, strict=True) if not verdict.accepted}
    assert refused == {}


@pytest.fixture
def folder(tmp_path: Path, sample_data: Path) -> Path:
    """The files that the gallery speaks of, small."""
    for name in ("train", "test"):
        rows = (sample_data / f"emotion_{name}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / f"{name}.jsonl").write_text("".join(rows[:40]), encoding="utf-8")
    return tmp_path


def shorten(text: str) -> str:
    """The same on the random model, with a few steps only."""
    text = text.replace("phinb://demo", "phinb://tiny")
    return re.sub(r'"max_steps": \d+', '"max_steps": 4', re.sub(r'"eval_steps": \d+', '"eval_steps": 2', text))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("lora-demo", ["base", "adapter", "merged", "int4"]),
        ("qlora-demo", ["base", "adapter", "merged", "int4"]),
        ("dora-demo", ["base", "adapter", "merged", "int4"]),
        ("quantize-demo", ["base", "int4"]),
    ],
)
def test_it_really_runs(name: str, variants: list[str], folder: Path) -> None:
    config = load_config(shorten(phinb.gallery(name)), name=name.replace("-", "_"), folder=folder)
    assert config.ok
    run = phinb.run(config)
    assert run.state.status == "succeeded", run.log_tail()
    assert list(run.variants) == variants
    told = {notice.code: notice.message for notice in run.state.notices if notice.severity != "info"}
    assert "olive_says" not in told, "a key that Olive ignores"
    if "adapter" in variants:
        losses = [metric.values for metric in run.state.metrics]
        assert any("loss" in values for values in losses)
        assert any("eval_loss" in values for values in losses)
    shutil.rmtree(run.folder)


@pytest.mark.slow
def test_evaluating_only_measures_the_base_and_can_be_compared(folder: Path) -> None:
    config = load_config(shorten(phinb.gallery("evaluate-demo")), name="evaluate", folder=folder)
    assert config.passes == {}
    assert phinb.preflight(config).ok
    run = phinb.run(config)
    assert run.state.status == "succeeded", run.log_tail()
    (measured,) = run.state.metrics
    assert 1 < measured.values["perplexity"] < 5000
    assert measured.values["latency-avg"] > 0
    assert any(notice.code == "evaluated" and "perplexity" in notice.message for notice in run.state.notices)
    assert list(run.variants) == ["base"]
    again = phinb.run(config)
    assert again.state.metrics[0].values["latency-avg"] != measured.values["latency-avg"], "measured anew, not kept"
    comparison = phinb.compare(run)
    assert list(comparison.frame.index) == ["base"]
    assert comparison.frame.loc["base", "n"] == 40
