"""The rows that changed: which are shown, in what order; one of them in full; the saved form and the export."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison
from phinb.evaluation.row_tokens import RowTokens
from phinb.notebook.changes_details import describe_details, describe_tokens
from phinb.notebook.changes_html import changes_bundle
from phinb.notebook.changes_view import PAGE, ChangesView
from phinb.types import RowScore
from tests.evaluation.examples import make_comparison
from tests.evaluation.test_results import Tags
from tests.notebook.hostile import HALF, HOSTILE, NAME


@pytest.fixture
def comparison() -> Comparison:
    made = make_comparison(("base", "adapter", "merged", "int4"))
    prompts = tuple(f"Phrase {row}:" for row in range(240))
    fields = tuple({"phrase": f"phrase {row}"} for row in range(240))
    return replace(made, prompts=prompts, fields=fields, name="emotion")


@pytest.fixture
def view(comparison: Comparison) -> ChangesView:
    return ChangesView(comparison)


def shown(view: ChangesView) -> list[int]:
    return [row["number"] for row in view.describe()["rows"]]


def free_text(comparison: Comparison, texts: dict[str, str]) -> Comparison:
    """The same variants with texts of their own as answers to three rows."""
    measured = tuple(
        replace(m, scores=tuple(RowScore(row, "right", texts[m.variant.name], {}, matches=False) for row in range(3)))
        for m in comparison.measurements
    )
    settings = {**comparison.settings, "labels": [], "n": 3}
    return replace(comparison, measurements=measured, settings=settings)


def test_counts_are_those_of_the_sentences(view: ChangesView, comparison: Comparison) -> None:
    summaries = {summary.name: summary for summary in comparison.summaries}
    for after in ("adapter", "merged", "int4"):
        change = summaries[after].change
        assert change is not None
        names = view.rows.names
        view.receive({"action": "pair", "before": names.index(summaries[after].before), "after": names.index(after)})
        state = view.describe()
        assert f"✗ broken ({change.broken})" in [text for _, text in state["kinds"]]
        assert f"✓ mended ({change.mended})" in [text for _, text in state["kinds"]]
        assert state["total"] == change.broken + change.mended + view.changes.counts["otherwise"]
        for kind in ("broken", "mended"):
            view.receive({"action": "kind", "kind": kind})
            assert view.describe()["total"] == getattr(change, kind)
        view.receive({"action": "kind", "kind": "changed"})


def test_pages_filters_and_a_search(view: ChangesView) -> None:
    state = view.describe()
    assert json.loads(json.dumps(state)) == state
    assert (state["pair"], state["kind"], state["place"]) == ([2, 3], "changed", "1 to 20 of 29")
    assert shown(view) == [*range(10), *range(100, 110)]
    view.receive({"action": "rows", "start": 20})
    assert shown(view) == list(range(110, 119))
    view.receive({"action": "rows", "start": 1_000_000})
    assert shown(view) == list(range(110, 119)), "beyond the end is the last page"
    view.receive({"action": "kind", "kind": "all"})
    assert view.describe()["place"] == "1 to 20 of 240"
    view.receive({"action": "rows", "query": "PHRASE 11"})
    assert shown(view) == [11, *range(110, 120)]
    view.receive({"action": "kind", "kind": "broken"})
    assert shown(view) == list(range(110, 119))
    view.receive({"action": "rows", "query": "nowhere"})
    assert (shown(view), view.describe()["place"]) == ([], "no rows")


@pytest.mark.parametrize(
    "message",
    [
        {"action": "pair", "before": 1, "after": 1},
        {"action": "pair", "before": -1, "after": 9},
        {"action": "kind", "kind": "__class__"},
        {"action": "sort", "column": 99},
        {"action": "row", "row": 10_000},
        {"action": "rows", "start": "x"},
        {"action": "rows", "start": -5},
        {},
    ],
)
def test_what_makes_no_sense_changes_nothing(view: ChangesView, message: dict[str, Any]) -> None:
    before = view.describe()
    view.receive(message)
    assert view.describe() == before


def test_every_column_sorts_both_ways(view: ChangesView) -> None:
    view.receive({"action": "kind", "kind": "all"})
    names = [column.key for column in view.columns]
    assert names == ["change", "phrase", "answer", *(k for n in view.rows.names for k in (n, f"p({n})")), "shift"]
    for place, column in enumerate(view.columns, 1):
        view.receive({"action": "sort", "column": place})
        first = [column.value(row) for row in view.shown]
        view.receive({"action": "sort", "column": place})
        second = [column.value(row) for row in view.shown]
        falling, rising = (first, second) if column.kind == "number" else (second, first)
        known = [value for value in rising if value is not None]
        assert known == sorted(known), column.key
        assert [value for value in falling if value is not None] == known[::-1]
    view.receive({"action": "sort", "column": 0})
    assert view.shown == list(range(240))
    view.receive({"action": "sort", "column": 0})
    assert view.shown == list(range(240))[::-1]
    # What was lost most comes last of the falling, first of the rising order.
    view.receive({"action": "sort", "column": len(names)})
    view.receive({"action": "sort", "column": len(names)})
    assert view.rows.kind(view.shown[0], "merged", "int4") == "broken"


def test_a_row_is_opened_closed_and_gone_to(view: ChangesView) -> None:
    view.receive({"action": "row", "row": 3})
    assert view.describe()["chosen"] == 3
    view.receive({"action": "row", "row": 3})
    assert view.describe()["chosen"] is None
    view.receive({"action": "go", "number": 119})
    assert (view.chosen, view.start) == (118, PAGE)
    view.receive({"action": "go", "number": 9999})
    assert view.chosen == 239, "not among those that are shown, but opened"


def test_a_row_in_full(view: ChangesView) -> None:
    details = describe_details(view.rows, 100, "merged", "int4")
    assert (details["title"], details["sign"], details["told"]) == ("Row 101", "✗", "broken, merged → int4")
    assert (details["prompt"], details["answer"]) == ("Phrase 100:", "fear")
    assert [(line["label"], line["right"]) for line in details["labels"]] == [
        ("fear", True), ("joy", False), ("sadness", False), ("surprise", False)
    ]  # fmt: skip
    for place in range(4):
        assert sum(line["bars"][place]["share"] for line in details["labels"]) == pytest.approx(1)
    merged, int4 = details["labels"][0]["bars"][2:]
    assert (merged["predicted"], int4["predicted"]) == (True, False)
    assert merged["about"] == "log-likelihood -1.000 nats"
    assert "softmax of the labels' log-likelihoods" in details["measure"]
    json.dumps(details)


def test_a_free_text_has_a_word_diff_and_no_probability(comparison: Comparison) -> None:
    texts = {"base": "a b", "adapter": "a b c", "merged": "the old words", "int4": "the new words"}
    view = ChangesView(free_text(comparison, texts))
    assert [column.key for column in view.columns] == [
        "change",
        "phrase",
        "answer",
        "base",
        "adapter",
        "merged",
        "int4",
    ]
    assert view.describe()["total"] == 3
    details = describe_details(view.rows, 0, "merged", "int4")
    assert "labels" not in details
    assert details["diff"] == [["same", "the "], ["removed", "old"], ["added", "new"], ["same", " words"]]
    html = changes_bundle(view)["text/html"]
    assert "the old words" in html
    view.receive({"action": "row", "row": 0})
    assert "<del>old</del><ins>new</ins>" in changes_bundle(view)["text/html"]


def test_tokens_of_other_tokenizers_stand_apart(view: ChangesView) -> None:
    parts: Any = ("prompt", "answer")
    one = RowTokens("base", (1, 2), ("a", "b"), parts, (None, -1.0))
    other = RowTokens("int4", (1, 3), ("a", "b"), parts, (None, -2.0))
    failed = RowTokens("merged", error="merged: the folder does not exist.")
    told = describe_tokens(view.rows, [one, replace(one, variant="adapter"), failed, other])
    assert [[name["name"] for name in table["names"]] for table in told["tables"]] == [["base", "adapter"], ["int4"]]
    assert told["tables"][0]["tokens"][1] == ["b", 2, "answer", [[pytest.approx(math.exp(-1)), "36.8 %"]] * 2]
    assert told["tables"][1]["sums"] == ["−2.000"]
    assert told["errors"] == [["merged", "merged: the folder does not exist."]]
    assert told["apart"]


def test_fewer_than_two_variants_have_nothing_to_show() -> None:
    with pytest.raises(PhinbError, match="only base answered"):
        ChangesView(make_comparison(("base",)))


def test_a_comparison_of_an_older_phinb_says_what_it_lacks(comparison: Comparison) -> None:
    view = ChangesView(replace(comparison, prompts=(), fields=()))
    assert [column.key for column in view.columns][:2] == ["change", "answer"]
    assert "kept no prompts" in describe_details(view.rows, 0, "base", "int4")["prompt"]


# --------------------------------------------------------------------------------------- export, saved form


def test_what_is_shown_is_exported(view: ChangesView, tmp_path: Path) -> None:
    view.receive({"action": "kind", "kind": "broken"})
    view.receive({"action": "rows", "query": "phrase 11"})
    first, second = view.export(".csv", tmp_path), view.export(".csv", tmp_path)
    assert (first.name, second.name) == ("emotion-merged-int4-broken.csv", "emotion-merged-int4-broken-2.csv")
    lines = list(csv.DictReader(first.open(encoding="utf-8", newline="")))
    assert [int(line["row"]) for line in lines] == list(range(110, 119))
    assert list(lines[0])[:4] == ["row", "change", "phrase", "answer"]
    assert {line["change"] for line in lines} == {"broken"}
    path = view.export(".jsonl", tmp_path)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["row"] for record in records] == list(range(110, 119))
    assert records[0]["p(int4)"] == pytest.approx(float(lines[0]["p(int4)"]))
    assert -1 <= records[0]["shift"] < -0.9


def test_a_field_that_bears_a_columns_name_keeps_both(comparison: Comparison, tmp_path: Path) -> None:
    fields = tuple({"answer": f"field {row}", "row": "x"} for row in range(240))
    view = ChangesView(replace(comparison, fields=fields))
    record = json.loads(view.export(".jsonl", tmp_path).read_text(encoding="utf-8").splitlines()[0])
    assert (record["row"], record["field row"], record["field answer"]) == (0, "x", "field 0")
    assert record["answer"] == "fear"


def test_the_saved_form_is_small_and_says_what_it_leaves_out(comparison: Comparison) -> None:
    fields = tuple({"phrase": "<&>\"' " * 200} for _ in range(240))
    view = ChangesView(replace(comparison, fields=fields, prompts=("<&> " * 20_000,) * 240))
    view.receive({"action": "kind", "kind": "all"})
    view.receive({"action": "row", "row": 0})
    parts: Any = ("prompt",) * 5000
    tokens = [RowTokens(name, tuple(range(5000)), ("<",) * 5000, parts, (-1.0,) * 5000) for name in view.rows.names]
    bundle = changes_bundle(view, tokens, note="The last comparison of run r-1.")
    size = len(bundle["text/html"].encode())
    print("bytes of the saved form:", size)
    assert 50_000 < size < 200_000
    assert len(bundle["text/plain"]) < 25_000
    left = int(re.findall(r"(\d+) more rows are not shown here", bundle["text/html"])[0])
    assert 0 < left < 240
    assert "The first 4,750 tokens are left out here." in bundle["text/html"]
    assert bundle["text/plain"].startswith("The last comparison of run r-1.\nmerged -> int4: of 240 rows 19 broken")


def test_hostile_texts_can_be_sent_and_do_nothing(comparison: Comparison) -> None:
    hostile = [*HOSTILE, HALF]
    labels = tuple(hostile[:4])
    made = make_comparison(("base", "int4"), labels)
    fields = tuple({NAME: hostile[row % len(hostile)]} for row in range(240))
    prompts = tuple(hostile[row % len(hostile)] for row in range(240))
    view = ChangesView(replace(made, name=HALF + NAME, fields=fields, prompts=prompts))
    view.receive({"action": "rows", "query": HALF})
    view.receive({"action": "rows", "query": ""})
    view.receive({"action": "kind", "kind": "all"})
    parts: Any = ("prompt",)
    for row in range(len(hostile)):
        view.chosen = row
        tokens = [RowTokens("base", (1,), (hostile[row],), parts, (None,))]
        sent = [view.describe(), describe_details(view.rows, row, "base", "int4"), describe_tokens(view.rows, tokens)]
        # No half of a character, no escape sequence, no sign that turns the text's direction.
        wire = json.dumps(sent, ensure_ascii=False)
        wire.encode()
        bundle = changes_bundle(view, tokens)
        for text in (wire, bundle["text/html"], bundle["text/plain"]):
            text.encode()
            assert not re.search("[\x00\x1b\x9b\u202e\u2066\ud800-\udfff]", text)
        tags = Tags()
        tags.feed(bundle["text/html"])
        assert tags.open == []
        assert not tags.seen & {"script", "img", "iframe", "a", "svg", "textarea"}
        assert not [name for name, _ in tags.attributes if name.startswith("on") or name in ("src", "href", "srcdoc")]


def test_the_magic_shows_saves_and_says_what_is_missing(
    shell: Any, comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHINB_HOME", str(tmp_path / "home"))
    file = tmp_path / "comparison.json"
    comparison.save(file)
    text = shell.text(f"%olive_changes {file}")
    assert "merged -> int4: of 240 rows 19 broken, 10 mended" in text
    shell.ip.user_ns["measured"] = comparison
    assert "base -> int4: of 240 rows" in shell.text("%olive_changes measured --before base")
    out = tmp_path / "rows.csv"
    assert "is written" in shell.text(f"%olive_changes measured --save {out}")
    assert len(list(csv.DictReader(out.open(encoding="utf-8", newline="")))) == 29
    shell.execute("%olive_changes measured --after nothing")
    assert "no variant 'nothing'" in str(shell.result.error_in_exec)
    shell.execute("%olive_changes measured --before int4 --after int4")
    assert "against itself" in str(shell.result.error_in_exec)
    shell.execute("%olive_changes")
    assert "There is no run yet" in str(shell.result.error_in_exec)
