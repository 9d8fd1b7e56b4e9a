"""The two embedded models, made once a session in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from phinb.models.demo import make_demo
from phinb.models.tiny import make_tiny

Step = tuple[str, float | None, float | None]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def demo_steps() -> list[Step]:
    """What making the demo model reported."""
    return []


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, demo_steps: list[Step]) -> Path:
    """Fetched and converted anew, so that the whole way is tried; needs a package index."""
    return make_demo(tmp_path_factory.mktemp("models") / "demo", lambda *step: demo_steps.append(step))
