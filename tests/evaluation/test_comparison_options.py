"""The options of the command and the magic are the arguments of phinb.compare."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.comparison_options import OPTIONS, read_options
from phinb.evaluation.latency import LatencySettings


def read(line: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    for flag, options in OPTIONS:
        parser.add_argument(flag, **options)
    return read_options(parser.parse_args(line.split()))


def test_what_is_not_given_is_left_to_the_defaults() -> None:
    assert read("") == {}


def test_everything_is_passed_on() -> None:
    found = read(
        "--variants base,r-1/int4 --metrics accuracy,f1 --scoring mean --prompts 3 --repeats 4 --new-tokens 8 "
        "--warm-up 0 --lengths 512,32 --batches 4 --fresh"
    )
    latency = LatencySettings(3, 4, 8, 0, (32, 512), (1, 4))
    assert found == {
        "variants": ["base", "r-1/int4"],
        "metrics": ["accuracy", "f1"],
        "scoring": "mean",
        "latency": latency,
        "fresh": True,
    }


@pytest.mark.parametrize("line", ["--lengths 32,many", "--batches x", "--repeats 0"])
def test_what_is_no_number_or_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(PhinbError):
        read(line)
