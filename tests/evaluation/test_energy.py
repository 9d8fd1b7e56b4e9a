"""Joules from Linux's counters, read from a folder that is laid out as the kernel does."""

from __future__ import annotations

from pathlib import Path

import pytest

from phinb.evaluation.energy import EnergyMeter


def make_counter(folder: Path, name: str, microjoules: int | str) -> Path:
    (folder / name).mkdir()
    (folder / name / "energy_uj").write_text(f"{microjoules}\n", encoding="utf-8")
    return folder / name / "energy_uj"


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    first = make_counter(tmp_path, "intel-rapl:0", 1_500_000)
    make_counter(tmp_path, "intel-rapl:0:0", 900_000)
    make_counter(tmp_path, "intel-rapl:1", 2_000_000)
    meter = EnergyMeter("cpu", tmp_path)
    before = meter.read()
    first.write_text("4500000\n", encoding="utf-8")
    after = meter.read()
    assert before == pytest.approx(3.5)
    assert after == pytest.approx(6.5)


def test_what_the_machine_does_not_tell_is_unknown(tmp_path: Path) -> None:
    assert EnergyMeter("cpu", tmp_path).read() is None
    make_counter(tmp_path, "intel-rapl:0", "no number")
    assert EnergyMeter("cpu", tmp_path).read() is None


def test_a_processors_counter_is_not_a_cards(tmp_path: Path) -> None:
    make_counter(tmp_path, "intel-rapl:0", 1)
    assert EnergyMeter("dml", tmp_path).read() is None
