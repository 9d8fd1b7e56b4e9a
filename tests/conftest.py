"""What every test shares: a home of its own for phinb, and quiet threads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.golden.replay import Replay

ROOT = Path(__file__).resolve().parents[1]

# Set before anything starts: worker processes inherit it, and so does torch where a test loads it itself.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OLIVE_DISABLE_TELEMETRY"] = "1"
os.environ["PHINB_STANDBY"] = "0"  # tests of it, and the browser's quickstart, turn it on


@pytest.fixture(scope="session", autouse=True)
def phinb_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs, caches and models of the whole session lie here; the user's own are never touched."""
    home = tmp_path_factory.mktemp("phinb-home")
    os.environ["PHINB_HOME"] = str(home)
    yield home
    os.environ.pop("PHINB_HOME", None)


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return ROOT / "sample_data"


@pytest.fixture(scope="session")
def tiny_run(phinb_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real run of the tiny model that has ended: base, adapter, merged, int4. For slow tests."""
    from phinb.api import run
    from tests.workflow.conftest import TINY

    folder = tmp_path_factory.mktemp("tiny-run")
    shutil.copy(ROOT / "sample_data" / "emotion_train.jsonl", folder / "train.jsonl")
    (folder / "tones.json").write_text(json.dumps(TINY), encoding="utf-8")
    ended = run(folder / "tones.json")
    assert ended.state.status == "succeeded", ended.state
    return ended


@pytest.fixture
def replay() -> Iterator[Callable[..., Replay]]:
    """replay(golden, **options) -> Replay; its worker is gone after the test."""
    made: list[Replay] = []

    def make(golden: str, **options: Any) -> Replay:
        made.append(Replay(golden, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()
