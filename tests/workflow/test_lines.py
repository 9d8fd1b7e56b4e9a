"""What a run's lines are called where Olive searches, what that is forecast to take, and its variants on disk."""

from __future__ import annotations

from pathlib import Path

from phinb.config.search import Search
from phinb.types import Variant
from phinb.workflow.forecast import Forecast, PassForecast, repeat
from phinb.workflow.lines import plan_lines
from phinb.workflow.store import RunFolder

PASSES = ("lora", "merge", "int4")
RANKS = Search("joint", {"passes.lora.r": (4, 8)}, varying=("lora",), combinations=2, most=2)
OUTPUTS = Search("joint", alternatives={"int4": 2}, varying=("int4",), labels=("int4", "fp32"), combinations=2, most=2)


def test_lines_that_are_known_before_a_run() -> None:
    assert plan_lines(None, PASSES) == PASSES
    assert plan_lines(RANKS, PASSES) == ("trial-1/lora", "trial-1/merge", "trial-1/int4")
    assert plan_lines(OUTPUTS, PASSES) == ("lora", "merge", "int4/int4", "fp32/int4")
    assert plan_lines(OUTPUTS, PASSES[:2]) == PASSES[:2]
    greedy = Search("pass-by-pass", {"passes.merge.x": (1, 2)}, varying=("merge",))
    assert plan_lines(greedy, PASSES) == ("lora", "trial-1/merge")


def test_what_stands_before_every_choice_is_forecast_once() -> None:
    passes = (
        PassForecast("lora", "LoRA", seconds=10.0, disk_bytes=1),
        PassForecast("merge", "MergeAdapterWeights", seconds=2.0, disk_bytes=10),
        PassForecast("int4", "ModelBuilder", seconds=3.0, disk_bytes=100),
    )
    one = Forecast(disk_bytes=111, memory_bytes=5, how="by runs", seconds=15.0, passes=passes)
    ranks = repeat(one, RANKS)
    assert (ranks.seconds, ranks.disk_bytes, ranks.memory_bytes) == (30.0, 222, 5)
    assert "2 trials at most" in ranks.how
    twice = Forecast(211, 5, "by runs", 18.0, passes=(*passes, PassForecast("int4", "ModelBuilder", 4.0, disk_bytes=1)))
    outputs = repeat(twice, OUTPUTS)
    assert (outputs.seconds, outputs.disk_bytes) == (19.0, 112)
    unknown = Search("joint", {"passes.lora.r": ()}, varying=("lora",))
    assert repeat(one, unknown).seconds is None


def test_a_variants_parameters_come_back_as_they_were(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    variant = Variant("trial-1", "x", "onnx", "trial-1/int4", parameters={"passes.lora.r": 8, "passes.int4.x": True})
    folder.write_variants({"trial-1": variant})
    assert folder.read_variants() == {"trial-1": variant}
    (tmp_path / "variants.json").write_text(
        '[{"name": "base", "path": "p", "kind": "base", "from_pass": ""}]', encoding="utf-8"
    )
    assert folder.read_variants()["base"].parameters == {}
