"""What fits into memory is said before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.memory_plan import GENAI_BYTES, PYTORCH_BYTES, count_parameters, estimate_memory, plan_memory
from phinb.types import Variant


@pytest.fixture
def base(tiny: Path) -> Variant:
    return Variant("base", str(tiny), "base", "")


def test_parameters_are_counted_by_the_header(base: Variant) -> None:
    from safetensors import safe_open

    (file,) = Path(base.path).glob("*.safetensors")
    with safe_open(file, "numpy") as tensors:
        parameters = sum(tensors.get_tensor(name).size for name in tensors.keys())  # noqa: SIM118 (it is no dict)
    assert count_parameters(file) == parameters
    assert estimate_memory(base) == PYTORCH_BYTES + 4 * parameters


def test_a_header_that_is_none_counts_nothing(tmp_path: Path) -> None:
    for content in (b"", b"\xff" * 8, b"\x02\x00\x00\x00\x00\x00\x00\x00{}", b"\x05\x00\x00\x00\x00\x00\x00\x00[1,2]"):
        (tmp_path / "x.safetensors").write_bytes(content)
        assert count_parameters(tmp_path / "x.safetensors") == 0


def test_those_that_fit_are_loaded_and_the_others_named(base: Variant, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x" * 1000)
    for name in ("genai_config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    onnx = Variant("int4", str(tmp_path), "onnx", "int4", precision="int4")
    assert estimate_memory(onnx) == GENAI_BYTES + 1004
    assert plan_memory([base, onnx], 10**10).told == ""
    plan = plan_memory([base, onnx], 200_000_000)
    assert (plan.fits, plan.later) == (("int4",), ("base",))
    assert "200 MB are free" in plan.told
    assert "base about" in plan.told
    assert "int4 can be loaded" in plan.told
    assert plan_memory([base, onnx], 1000).told.count("None of them") == 1
    with pytest.raises(PhinbError, match="does not exist"):
        plan_memory([Variant("gone", str(tmp_path / "gone"), "merged", "merge")], 10**10)
