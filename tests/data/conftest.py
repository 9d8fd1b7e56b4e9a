"""The tiny model, whose tokenizer the data tests use."""

from __future__ import annotations

from pathlib import Path

import pytest

from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import Tokenizer, load_tokenizer


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tokenizer(tiny: Path) -> Tokenizer:
    return load_tokenizer(tiny)
