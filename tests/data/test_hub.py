"""Data of the hub where there is no hub: said plainly, and at once."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from phinb.data.cache import datasets_cache
from phinb.data.hub import check_hub
from phinb.data.rows import Unreadable
from phinb.data.source import read_rows

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def read(folder: Path, **params: Any) -> Any:
    loading = {"data_name": "someone/something", "split": "train", **params}
    return read_rows({"name": "train", "load_dataset_config": loading}, folder)


@pytest.mark.parametrize("streaming", [False, True])
def test_offline_is_said(streaming: bool, tmp_path: Path) -> None:
    (problem,) = read(tmp_path, streaming=streaming, subset="plain").problems
    assert (problem.code, problem.path) == ("hub_unreachable", "data_configs.train.load_dataset_config.data_name")
    assert "works offline (HF_HUB_OFFLINE is set)" in problem.message
    assert '"data_files"' in problem.hint


def test_a_hub_that_does_not_answer_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    began = time.monotonic()
    (problem,) = read(tmp_path).problems
    assert "the hub cannot be asked for it: 127.0.0.1 does not answer" in problem.message
    assert time.monotonic() - began < 3.5


def test_what_is_here_needs_no_hub(tmp_path: Path) -> None:
    from phinb.data.files import find_files

    (tmp_path / "data").mkdir()
    for name in ("json", "data"):
        check_hub(find_files(name, {}, tmp_path), "")
    with pytest.raises(Unreadable):
        check_hub(find_files("else/where", {}, tmp_path), "")
    copy = datasets_cache() / "else___where"
    copy.mkdir(parents=True)
    check_hub(find_files("else/where", {}, tmp_path), "")
    copy.rmdir()
