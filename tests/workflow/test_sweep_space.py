"""What a sweep tries: reading it, refusing what would fail, making the trials' configurations, drawing settings."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import tukey_hsd

from phinb.errors import PhinbError
from phinb.workflow.sweep_results import Setting, chance_of_lead, judge, table
from phinb.workflow.sweep_sampler import make_sampler
from phinb.workflow.sweep_space import (
    Range,
    check_space,
    count_settings,
    list_grid,
    make_trial,
    read_assignments,
    read_space,
    read_values,
    shorten,
)
from phinb.workflow.sweep_store import SweepRecord, SweepState, Trial
from tests.workflow.conftest import MakeConfig

RATE = "passes.lora.training_args.learning_rate"


def make_record(space: dict[str, Any], **changes: Any) -> SweepRecord:
    values: dict[str, Any] = {"sampler": "grid", "trials": 4, "seeds": (42,), "objective": "accuracy", **changes}
    return SweepRecord("s-1", "small", 0.0, ".", read_space(space), **values)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("8,16,32", (8, 16, 32)),
        ("0.001", (0.001,)),
        ("float32,bfloat16", ("float32", "bfloat16")),
        ('["q_proj"],["q_proj","v_proj"]', (["q_proj"], ["q_proj", "v_proj"])),
        ("true,false", (True, False)),
        ("1e-5..1e-3", Range(1e-5, 1e-3)),
        ("4..64", Range(4, 64)),
    ],
)
def test_values_are_read_as_json_and_else_as_texts(text: str, values: Any) -> None:
    assert read_values(text) == values


@pytest.mark.parametrize("text", ["1.2.3..5", "....", "1..2..3", "-..5"])
def test_what_only_looks_like_a_range_is_a_text(text: str) -> None:
    assert read_values(text) == (text,)


@pytest.mark.parametrize("text", ["8,,16", "8,16,", ",", "a, ,b"])
def test_a_comma_too_many_is_no_value(text: str) -> None:
    with pytest.raises(PhinbError, match="comma with no value"):
        read_values(text)


def test_numbers_of_numpy_are_numbers() -> None:
    space = read_space({RATE: np.logspace(-4, -2, 3), "passes.lora.r": [np.int64(8), 16]})
    assert space == {RATE: pytest.approx((1e-4, 1e-3, 1e-2)), "passes.lora.r": (8, 16)}
    assert json.dumps(space)


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1, 2}, b"8"])
def test_a_value_that_no_configuration_can_hold_is_refused(value: object) -> None:
    with pytest.raises(PhinbError, match=r"passes\.lora\.r cannot be"):
        read_space({"passes.lora.r": [8, value]})
    with pytest.raises(PhinbError, match=r"cannot be nan"):
        read_space({"passes.lora.r": "8,NaN"})


def test_a_range_knows_what_it_is() -> None:
    assert Range(4, 64).is_whole
    assert Range(1e-5, 1e-3).is_logarithmic
    assert not Range(0.1, 0.5).is_logarithmic
    with pytest.raises(PhinbError, match="empty"):
        Range(2, 1)
    with pytest.raises(PhinbError, match="no end inf"):
        read_values("1..1e400")
    with pytest.raises(PhinbError, match="no end 'a'"):
        Range("a", "b")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "what to try"),
        ({"passes.lora.r": 8}, "list of values"),
        ({"passes.lora.r": []}, "no values"),
        ({"passes.lora.r": [8, 8]}, "8 twice"),
        ({"passes.lora.r": "8,8.0"}, "8 twice"),
        ({"passes.lora.r": ""}, "no values"),
    ],
)
def test_a_space_that_says_too_little_is_refused(space: dict[str, Any], message: str) -> None:
    with pytest.raises(PhinbError, match=message):
        read_space(space)
    with pytest.raises(PhinbError, match="is given twice"):
        read_assignments(["a.b=1", "a.b=2"])
    with pytest.raises(PhinbError, match="is given twice"):
        read_assignments(["a.b=1", "a.b =2"])
    with pytest.raises(PhinbError, match="no path with values"):
        read_assignments([" =2"])
    with pytest.raises(PhinbError, match="no path with values"):
        read_assignments(["a.b"])


def test_a_grid_is_all_combinations_in_order() -> None:
    grid = list_grid(read_space({"a": [1, 2], "b": "x,y"}))
    assert [tuple(one.values()) for one in grid] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    with pytest.raises(PhinbError, match=r"range a=1\.\.2"):
        list_grid({"a": Range(1, 2)})
    with pytest.raises(PhinbError, match="1,000 combinations"):
        list_grid({"a": tuple(range(1000))})


def test_short_names_tell_paths_apart() -> None:
    paths = ["passes.lora.r", "passes.more.r", "passes.lora.alpha"]
    assert shorten(paths) == {"passes.lora.r": "lora.r", "passes.more.r": "more.r", "passes.lora.alpha": "alpha"}


def test_what_leads_nowhere_is_refused_before_anything_starts(make_config: MakeConfig) -> None:
    config = make_config()
    check_space(config, read_space({"passes.lora.r": [4, 8], RATE: "0.001..0.01"}))
    with pytest.raises(PhinbError, match=r"no passes\.lroa\.r") as error:
        check_space(config, {"passes.lroa.r": (4,)})
    assert "passes.lora.r" in error.value.hint
    with pytest.raises(PhinbError, match=r"passes\.lora\.r=-4"):
        check_space(config, {"passes.lora.r": (4, -4)})
    with pytest.raises(PhinbError, match="rank"):
        check_space(config, {"passes.lora.rank": (4,)})
    for path in ("phinb.seed", "passes.lora.training_args.seed"):
        with pytest.raises(PhinbError) as error:
            check_space(config, {path: (1, 2)})
        assert "repeats=3" in error.value.hint


def test_a_trial_has_its_values_and_its_seed_everywhere(make_config: MakeConfig) -> None:
    config = make_config({"passes.lora.training_args.seed": 7})
    effective = make_trial(config, {"passes.lora.r": 16, RATE: 0.005}, seed=43).effective()
    assert [effective[path].value for path in ("passes.lora.r", RATE)] == [16, 0.005]
    assert effective["passes.lora.training_args.seed"].value == 43
    assert make_trial(config, {}, seed=43).phinb["seed"] == 43
    other = make_trial(make_config(), {}, seed=43)
    assert '"seed": 43' in other.dumps("json")
    assert other.dumps("json").count('"seed"') == 1, "the order of the rows follows phinb's"


def draw(record: SweepRecord) -> list[dict[str, Any]]:
    """The settings of a sweep whose best learning rate is 0.001."""
    sampler, values = make_sampler(record, [], higher=False), []
    while (one := sampler.ask()) is not None:
        values.append(one)
        sampler.tell(one, miss(one))
    return values


def miss(values: dict[str, Any]) -> float:
    return abs(math.log(values[RATE] / 1e-3))


def test_the_same_sweep_draws_the_same_and_learns() -> None:
    space = {RATE: "1e-5..1e-1", "passes.lora.r": [4, 8]}
    record = make_record(space, sampler="tpe", trials=30)
    drawn, chance = draw(record), draw(make_record(space, sampler="random", trials=30))
    assert drawn == draw(record)
    assert len(drawn) == 30
    assert min(map(miss, drawn)) < min(map(miss, chance)) / 2
    again = make_sampler(record, drawn[:29], higher=False)
    assert again.ask() not in drawn[:29]
    assert again.ask() is None


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_nothing_is_drawn_twice(sampler: str) -> None:
    """The same setting with the same seed is the same run: it would be compared with itself."""
    space = {"passes.lora.r": [2, 4, 8], RATE: "0.001,0.01"}
    record = make_record(space, sampler=sampler, trials=40)
    made = make_sampler(record, [], higher=False)
    drawn = []
    while (one := made.ask()) is not None:
        drawn.append(one)
        made.tell(one, miss(one))
    keys = [json.dumps(one) for one in drawn]
    assert len(keys) == len(set(keys)) == 6
    again = make_sampler(record, drawn[:5], higher=False)
    assert (again.ask(), again.ask()) == (next(one for one in drawn if one not in drawn[:5]), None)
    assert count_settings(record.space) == 6
    assert count_settings(read_space({"a": "1..3", "b": "x,y"})) == 6
    assert count_settings(read_space({"a": "0.1..0.3"})) is None


def settings(*scores: tuple[float, ...]) -> list[Setting]:
    made = [Setting(number, {"r": number}, (), one) for number, one in enumerate(scores, 1)]
    return sorted(made, key=lambda one: -(one.mean or 0))


def test_the_chance_of_a_lead_is_tukeys() -> None:
    groups = [(0.80, 0.84, 0.82), (0.86, 0.83, 0.87), (0.79, 0.85, 0.81)]
    ordered = settings(*groups)
    expected = tukey_hsd(*(one.scores for one in ordered)).pvalue[0, 1]
    assert chance_of_lead(ordered) == pytest.approx(expected, abs=1e-6)
    assert chance_of_lead(settings((0.8,), (0.9,))) is None
    assert chance_of_lead(settings((0.8, 0.8), (0.9, 0.9))) == 0.0


def trials(*scores: tuple[float, ...]) -> tuple[Trial, ...]:
    made = []
    for number, one in enumerate(scores, 1):
        for seed, score in enumerate(one, 42):
            metrics = {"accuracy": score, "loss": 2.0, "seconds": 3.0}
            made.append(Trial(number, {"passes.lora.r": 4 * number}, seed, "done", f"r-{number}{seed}", metrics))
    return tuple(made)


def test_what_is_luck_is_called_luck() -> None:
    record = make_record({"passes.lora.r": [4, 8]}, seeds=(42, 43, 44))
    close = SweepState("succeeded", trials((0.80, 0.84, 0.82), (0.82, 0.85, 0.81)))
    told = " ".join(judge(record, close))
    assert "Best: r=8, accuracy 82.7 % on average of 3 seeds" in told
    assert "0.7 points ahead of r=4" in told
    assert "may well be luck" in told
    clear = SweepState("succeeded", trials((0.50, 0.51, 0.50), (0.82, 0.83, 0.82)))
    assert "hardly luck" in " ".join(judge(record, clear))
    single = SweepState("succeeded", trials((0.80,), (0.82,)))
    assert "--repeats 3 tells" in " ".join(judge(record, single))
    assert judge(record, SweepState()) == []
    same = SweepState("succeeded", trials((0.8,), (0.8,), (0.8,)))
    assert "2 others are as good" in " ".join(judge(record, same))


def test_the_table_has_the_best_first_and_the_spread_of_the_seeds() -> None:
    record = make_record({"passes.lora.r": [4, 8]}, seeds=(42, 43))
    state = SweepState("running", (*trials((0.80, 0.84), (0.82, 0.86)), Trial(3, {"passes.lora.r": 12}, 42)))
    head, rows = table(record, state)
    assert head == ("r", "accuracy", "over the seeds", "loss", "took", "runs")
    assert rows[0] == ("8", "84.0 %", "82.0 % to 86.0 %", "2.00", "6.0 s", "r-242 r-243")
    assert rows[2][:2] == ("12", "waiting")
    lower = make_record({"passes.lora.r": [4, 8]}, objective="loss")
    assert table(lower, SweepState("succeeded", trials((0.8,))))[0] == ("r", "training loss", "took", "runs")
