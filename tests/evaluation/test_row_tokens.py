"""A row's tokens under real variants: they add up to what was scored, are kept, and reading them can be stopped."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from phinb.errors import PhinbError
from phinb.evaluation.comparison import Comparison, compare_variants
from phinb.evaluation.latency import LatencySettings
from phinb.evaluation.row_tokens import RowTokens, TokenReader
from phinb.types import Event, Preparing, Variant

from .conftest import TEMPLATE

pytestmark = pytest.mark.slow
NAMES = ("base", "adapter", "int4")


@pytest.fixture(scope="module")
def comparison(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    folder = tmp_path_factory.mktemp("comparison")
    quick = LatencySettings(prompts=1, repeats=1, new_tokens=2, warm_up=0)
    chosen = [variants[name] for name in NAMES]
    return compare_variants(chosen, rows[:6], template=TEMPLATE, folder=folder, latency=quick)


def test_the_answers_tokens_add_up_to_what_was_scored(comparison: Comparison, tmp_path: Path) -> None:
    events: list[Event] = []
    seen: list[str] = []
    with TokenReader(comparison, tmp_path) as reader:
        assert reader.look_up(2) == ()
        found = reader.read(2, events.append, on_found=lambda one: seen.append(one.variant))
        assert [one.error for one in found] == ["", "", ""]
        assert seen == list(NAMES) == [one.variant for one in found]
        loaded = [event for event in events if isinstance(event, Preparing)]
        assert len(loaded) == 3
        for one, measured in zip(found, comparison.measurements, strict=True):
            score = measured.scores[2]
            assert one.answer_log_likelihood == pytest.approx(score.log_likelihoods[score.label], abs=2e-4)
            assert "".join(one.texts).endswith(score.label)
            assert comparison.prompts[2] in "".join(one.texts)
            assert one.log_probabilities[0] is None
            assert all(value is not None and 0 <= value <= 1 for value in one.probabilities[1:])
            assert one.parts.count("answer") == measured.scores[2].tokens.get(score.label, one.parts.count("answer"))
        assert len({one.ids for one in found}) == 1
        # The processes stay for the next row.
        reader.read(3, events.append)
        assert len([event for event in events if isinstance(event, Preparing)]) == 3
    # Another reader has what this one kept, and starts nothing.
    again = TokenReader(comparison, tmp_path)
    assert again.look_up(2) == found
    started: list[Event] = []
    assert again.read(2, started.append) == found
    assert started == []
    assert again.look_up(5) == ()


def test_a_stop_leaves_what_is_read_and_no_process(comparison: Comparison, tmp_path: Path) -> None:
    found: list[RowTokens] = []
    before = set(psutil.Process().children(recursive=True))
    reader = TokenReader(comparison, tmp_path)
    read = reader.read(0, should_stop=lambda: len(found) == 1, on_found=found.append)
    assert [one.variant for one in read] == ["base"]
    assert reader.look_up(0) == (), "of a row that is read in part nothing is shown as whole"
    reader.close()
    assert not [
        child for child in psutil.Process().children(recursive=True) if child not in before and child.is_running()
    ]


def test_what_cannot_be_read_is_said(comparison: Comparison, tmp_path: Path) -> None:
    base, _, int4 = comparison.measurements
    folder = Path(shutil.copytree(base.variant.path, tmp_path / "broken"))
    (folder / "model.safetensors").write_bytes(b"")
    broken = replace(base, variant=replace(base.variant, path=str(folder)))
    with TokenReader(replace(comparison, measurements=(broken, int4))) as reader:
        found = reader.read(1)
        assert "base" in found[0].error
        assert found[0].ids == ()
        assert found[1].error == ""
        assert math.isfinite(found[1].answer_log_likelihood or math.nan)
        with pytest.raises(PhinbError, match="no row 7"):
            reader.read(6)
    with pytest.raises(PhinbError, match="kept no prompts"):
        TokenReader(replace(comparison, prompts=(), fields=())).read(0)
