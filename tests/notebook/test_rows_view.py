"""The table of rows: a page at a time, as datasets made them; a search that says how far it has looked."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from phinb.data.source import open_rows
from phinb.notebook import rows_view
from phinb.notebook.rows_view import RowsView


def view_of(folder: Path, name: str, **loading: Any) -> RowsView:
    kind = {"jsonl": "json", "txt": "text"}.get(name.split(".")[-1], name.split(".")[-1])
    loading = {"data_name": kind, "data_files": name, "split": "train", **loading}
    return RowsView(open_rows({"name": "train", "load_dataset_config": loading}, folder))


@pytest.fixture
def view(tmp_path: Path) -> RowsView:
    rows = [{"phrase": f"Phrase {number}", "tone": "joy" if number % 4 else "fear"} for number in range(2500)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return view_of(tmp_path, "rows.jsonl")


def shown(view: RowsView) -> list[int]:
    return [row["row"] for row in view.describe()["rows"]]


def test_pages(view: RowsView) -> None:
    state = view.describe()
    assert json.loads(json.dumps(state)) == state
    assert [row["row"] for row in state["rows"]] == list(range(20))
    assert state["rows"][1]["cells"] == [{"text": "Phrase 1", "kind": "text"}, {"text": "joy", "kind": "text"}]
    assert (state["place"], state["total"]) == ("1 to 20 of 2,500", 2500)
    view.receive({"action": "rows", "start": 40})
    assert shown(view) == list(range(40, 60))
    view.receive({"action": "rows", "start": 1_000_000})
    state = view.describe()
    assert [row["row"] for row in state["rows"]] == list(range(2480, 2500)), "beyond the end is the last page"
    assert (state["place"], state["total"]) == ("2,481 to 2,500 of 2,500", 2500)
    view.receive({"action": "row", "row": 3})
    assert view.describe()["chosen"] == 3
    view.show(47)
    assert (view.describe()["chosen"], shown(view)[0]) == (47, 40)


def test_a_search_looks_at_all_rows_and_says_so(view: RowsView) -> None:
    view.receive({"action": "rows", "query": "phrase 24"})
    state = view.describe()
    assert state["told"] == "Found in 111 rows among all 2,500 rows."
    assert [row["row"] for row in state["rows"][:12]] == [24, *range(240, 250), 2400]
    assert (state["place"], state["further"]) == ("1 to 20 of 111 found", False)
    view.receive({"action": "rows", "start": 100})
    assert shown(view) == list(range(2489, 2500))
    view.receive({"action": "rows", "query": ""})
    assert (shown(view)[:2], view.describe()["told"]) == ([0, 1], "")
    view.receive({"action": "rows", "query": "nowhere"})
    assert (shown(view), view.describe()["place"]) == ([], "no rows")


def test_a_search_that_takes_long_goes_on_when_it_is_asked_to(view: RowsView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_view, "WITHIN_S", 0.0)
    view.receive({"action": "rows", "query": "phrase"})
    assert view.describe()["told"] == "Found in 0 rows among the first 0 rows."
    assert view.describe()["further"] is True
    monkeypatch.setattr(rows_view, "WITHIN_S", 60.0)
    monkeypatch.setattr(rows_view, "MOST_FOUND", 1000)
    view.receive({"action": "rows", "further": True})
    assert view.describe()["told"] == "Found in 1,000 rows among the first 1,000 rows."
    monkeypatch.setattr(rows_view, "MOST_FOUND", 10_000)
    view.receive({"action": "rows", "further": True})
    assert view.describe()["told"] == "Found in 2,500 rows among all 2,500 rows."


def test_columns_are_told_of_as_many_rows_as_were_looked_at(view: RowsView) -> None:
    state = view.describe()
    assert "in the first 1,000 rows" in state["among"]
    tone = state["columns"][1]
    assert (tone["name"], tone["type"], tone["missing"], tone["distinct"]) == ("tone", "text", 0, 2)
    assert tone["classes"] == [["joy", 750, 0.75], ["fear", 250, 0.25]]
    assert tone["imbalance"] == "the most frequent 3.0 times as often as the rarest"
    assert state["columns"][0]["classes"] == []
    view.count_columns(should_stop=lambda: True)
    assert "in the first 1,000 rows" in view.describe()["among"], "what was stopped tells nothing"
    view.count_columns()
    assert "in all 2,500 rows" in view.describe()["among"]


def test_values_are_those_that_datasets_made(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,tone,text\n007,NA,a\n8,,b\n9,joy,\n", encoding="utf-8")
    state = view_of(tmp_path, "rows.csv").describe()
    texts = [[(cell["text"], cell["kind"]) for cell in row["cells"]] for row in state["rows"]]
    assert texts == [
        [("7", "number"), ("None", "missing"), ("a", "text")],
        [("8", "number"), ("None", "missing"), ("b", "text")],
        [("9", "number"), ("joy", "text"), ("None", "missing")],
    ]
    assert ["'007', which becomes 7" in one["message"] for one in state["retyped"]] == [True, False, False]
    assert [column["retyped"] for column in state["columns"]] == [True, True, True]
    assert [(column["type"], column["missing"]) for column in state["columns"]] == [
        ("whole number", 0),
        ("text", 2),
        ("text", 1),
    ]
    (tmp_path / "rows.jsonl").write_text(
        '{"day": "2024-05-01", "list": [1, "ü"], "yes": true, "long": "' + "x" * 500 + '"}\n', encoding="utf-8"
    )
    cells = view_of(tmp_path, "rows.jsonl").describe()["rows"][0]["cells"]
    assert cells[0]["text"] == "2024-05-01 00:00:00"
    assert (cells[2]["text"], cells[2]["kind"]) == ("True", "text")
    assert (len(cells[3]["text"]), cells[3]["length"]) == (rows_view.CELL, 500)


def test_what_cannot_be_read_is_said_beside_what_can(tmp_path: Path) -> None:
    good = "".join(f'{{"a": "x{number}"}}\n' for number in range(30))
    (tmp_path / "rows.jsonl").write_text(good + "{\n", encoding="utf-8")
    view = view_of(tmp_path, "rows.jsonl")
    view.receive({"action": "rows", "start": 20})
    state = view.describe()
    assert "line 31, is not a JSON object" in state["said"]
    missing = view_of(tmp_path, "none.jsonl").describe()
    assert (missing["rows"], missing["columns"]) == ([], [])


def test_hostile_values_can_be_sent_and_seen(tmp_path: Path) -> None:
    text = "\x1b[31m\u202e\x00\ud800<b>\n"
    (tmp_path / "rows.jsonl").write_text(json.dumps({"a": text}) + "\n" + json.dumps({"a": [text]}) + "\n")
    (tmp_path / "more.jsonl").write_text(json.dumps({"a": text.replace("\ud800", "")}) + "\n")
    state = view_of(tmp_path, "more.jsonl").describe()
    assert state["rows"][0]["cells"][0]["text"] == "\\u001b[31m\\u202e\\u0000<b>\n"
    for name in ("rows.jsonl", "more.jsonl"):
        json.dumps(view_of(tmp_path, name).describe(), ensure_ascii=False).encode()


@pytest.mark.slow
def test_a_million_rows_are_never_loaded(tmp_path: Path) -> None:
    line = json.dumps({"phrase": "a phrase of some words, as they are", "tone": "joy"}) + "\n"
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(1000):
            file.write(line * 1000)
    tracemalloc.start()
    view = view_of(tmp_path, "rows.jsonl")
    state = view.describe()
    assert (state["place"], state["total"]) == ("1 to 20, the rest not counted yet", None)
    view.receive({"action": "rows", "start": 999_990})
    assert shown(view) == list(range(999_990, 1_000_000))
    view.receive({"action": "rows", "query": "nowhere"})
    assert view.search.looked_at > 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000
