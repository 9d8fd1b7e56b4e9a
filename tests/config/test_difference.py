"""Two configurations side by side: what runs differently, and nothing else."""

from __future__ import annotations

from phinb.config import load_config
from phinb.config.difference import compare_effective, same_value

A = """{
  "input_model": {"type": "HfModel", "model_path": "phinb://tiny"},
  "passes": {"lora": {"type": "LoRA", "r": 64, "alpha": 16, "train_data_config": "train"}}
}"""


def test_the_same_values_are_no_difference_whoever_wrote_them() -> None:
    without = A.replace('"r": 64, "alpha": 16, ', "")
    assert compare_effective(load_config(A), load_config(without)) == ()


def test_a_value_that_differs_has_both_origins() -> None:
    found = compare_effective(load_config(A), load_config(A.replace('"alpha": 16', '"lora_alpha": 32')))
    assert [(one.path, one.a.value, one.b.value) for one in found if one.a and one.b] == [("passes.lora.alpha", 16, 32)]
    assert [(one.a.origin, one.b.origin) for one in found if one.a and one.b] == [("you", "upgrade")]


def test_a_pass_that_only_one_has_is_told_by_what_was_written() -> None:
    more = A.replace('"lora": {', '"int4": {"type": "ModelBuilder", "precision": "int4"}, "lora": {')
    found = compare_effective(load_config(A), load_config(more))
    assert [one.path for one in found] == ["passes.int4.type", "passes.int4.precision"]
    assert all(one.a is None for one in found)


def test_a_number_is_a_number_and_true_is_none() -> None:
    assert same_value(8, 8.0)
    assert not same_value(1, True)
    assert same_value({"a": [1, {"b": 2}]}, {"a": [1.0, {"b": 2}]})
    assert not same_value({"a": [1]}, {"a": [True]})
