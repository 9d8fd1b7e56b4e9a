"""%olive_cache: the copies of rows as a table, and gone when that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import phinb
from phinb.data.cache import CachedCopy
from phinb.data.source import open_rows
from phinb.notebook.cache_magics import copies_bundle
from tests.notebook.conftest import Shell


def test_copies_are_listed_and_deleted(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHINB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    assert "There is no copy of your rows." in shell.text("%olive_cache")
    (tmp_path / "rows.csv").write_text("phrase,tone\nx,joy\n", encoding="utf-8")
    loading = {"data_name": "csv", "data_files": "rows.csv", "split": "train"}
    assert len(open_rows({"name": "train", "load_dataset_config": loading}, tmp_path)) == 1
    html, text = shell.html("%olive_cache"), shell.text("%olive_cache")
    assert '<th scope="row">rows.csv</th>' in html
    assert str(tmp_path / "home") in text
    assert "%olive_cache --delete deletes them" in text
    assert "deleted." in shell.text("%olive_cache --delete")
    assert phinb.cached_data() == ()


def test_names_of_files_are_shown_and_not_obeyed() -> None:
    hostile = CachedCopy(Path("/x/<b>y"), 12, "<script>alert(1)</script>\u202e\x1b[31m.csv")
    bundle = copies_bundle([hostile])
    assert "<script>" not in bundle["text/html"]
    assert "<b>y" not in bundle["text/html"]
    for text in bundle.values():
        assert "\u202e" not in text
    assert "\x1b" not in bundle["text/plain"]
