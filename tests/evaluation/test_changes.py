"""Which rows a stage broke or mended: counted as the comparison counts, exported whole, shown without harm."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.changes import find_changes
from phinb.evaluation.results import Comparison, load_comparison
from phinb.types import RowScore

from .examples import make_comparison
from .test_results import HOSTILE, Tags


@pytest.fixture
def comparison() -> Comparison:
    made = make_comparison(("base", "adapter", "merged", "int4"))
    prompts = tuple(f"Phrase {row}:" for row in range(240))
    return replace(made, prompts=prompts, fields=tuple({"phrase": f"phrase {row}"} for row in range(240)))


def test_the_changed_rows_are_those_that_the_sentences_count(comparison: Comparison) -> None:
    changes = comparison.changed("merged", "int4")
    assert changes.counts == {"broken": 19, "mended": 10, "otherwise": 0}
    assert changes.describe() == "merged -> int4: of 240 rows 19 broken, 10 mended, 0 answered otherwise."
    assert [change.kind for change in changes] == ["broken"] * 19 + ["mended"] * 10
    broken = changes[0]
    assert (broken.row, broken.prompt, broken.fields) == (100, "Phrase 100:", {"phrase": "phrase 100"})
    assert broken.before == broken.answer != broken.after
    assert sum(broken.after_distribution.values()) == pytest.approx(1)
    assert broken.shift is not None
    assert broken.shift < -0.9


def test_by_default_it_is_the_last_stage(comparison: Comparison) -> None:
    assert comparison.changed().describe() == comparison.changed("merged", "int4").describe()
    assert len(comparison.changed("adapter", "merged")) == 0
    # Any two may be held against each other.
    assert comparison.changed("int4", "merged").counts["mended"] == 19


@pytest.mark.parametrize(("names", "words"), [(("merged", "int8"), "no variant 'int8'"), ((None, "base"), "no stage")])
def test_a_variant_that_is_not_there_is_named(
    comparison: Comparison, names: tuple[str | None, str], words: str
) -> None:
    with pytest.raises(PhinbError, match=words):
        comparison.changed(*names)


def test_rows_have_a_column_a_variant(comparison: Comparison) -> None:
    frame = comparison.rows
    assert list(frame.columns) == ["phrase", "answer", "base", "adapter", "merged", "int4"]
    assert len(frame) == 240
    assert (frame["int4"] == frame["answer"]).mean() == pytest.approx(comparison.summaries[3].accuracy)


def test_exports_hold_every_row(comparison: Comparison, tmp_path: Path) -> None:
    comparison.save_rows(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 240
    assert [row["int4"] for row in table] == list(comparison.rows["int4"])
    changes = comparison.changed("merged", "int4")
    changes.save(tmp_path / "changed.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "changed.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["row"] for line in lines] == [change.row for change in changes]
    assert lines[0]["p(fear) merged"] == pytest.approx(changes.frame["p(fear) merged"].iloc[0])
    with pytest.raises(PhinbError, match=r"neither \.csv nor \.jsonl"):
        changes.save(tmp_path / "changed.xlsx")


def make_texts(before: str, after: str, answer: str = "right") -> tuple[tuple[RowScore, ...], tuple[RowScore, ...]]:
    first, second = (RowScore(0, answer, text, {}, matches=False) for text in (before, after))
    return (first,), (second,)


def test_free_text_is_shown_as_a_word_diff() -> None:
    changes = find_changes(("merged", "int4"), make_texts("the happy cat", "the sad cat"), ["Say:"])
    assert changes[0].kind == "otherwise"
    assert "the [-happy-]{+sad+} cat" in changes.to_text()
    assert "<del>happy</del><ins>sad</ins>" in changes.to_html()


def test_hostile_text_does_nothing() -> None:
    hostile = HOSTILE + "\x1b[31m\u202e\ud800"
    changes = find_changes((HOSTILE, "int4"), make_texts(hostile, hostile + "x", hostile), [hostile], [{"f": hostile}])
    tags = Tags()
    html = changes.to_html()
    tags.feed(html)
    assert tags.open == []
    assert not tags.seen & {"script", "img", "link", "iframe"}
    for text in (html, changes.to_text()):
        assert not set(text) & set("\x1b\u202e\ud800")
        text.encode()


def test_a_formula_stays_a_text_in_a_spreadsheet(tmp_path: Path) -> None:
    changes = find_changes(("a", "b"), make_texts("=1+1", "\ud800"), ["p"])
    changes.save(tmp_path / "x.csv")
    assert "'=1+1" in (tmp_path / "x.csv").read_text(encoding="utf-8")
    changes.save(tmp_path / "x.jsonl")
    assert json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8"))["a"] == "=1+1"


def test_html_stays_small_and_says_what_it_leaves_out() -> None:
    scores = tuple(tuple(RowScore(row, "x" * 3000, text * 3000, {}) for row in range(900)) for text in ("ab ", "cd "))
    html = find_changes(("a", "b"), scores).to_html()  # type: ignore[arg-type]
    shown = html.count("<tr>") - 1
    assert f"{900 - shown} more rows are not shown" in html
    assert shown > 20
    assert len(html.encode()) < 200_000


def test_prompts_and_fields_survive_a_save(comparison: Comparison, tmp_path: Path) -> None:
    comparison.save(tmp_path / "c.json")
    again = load_comparison(tmp_path / "c.json")
    assert again == comparison
    assert again.changed("merged", "int4").records() == comparison.changed("merged", "int4").records()


def test_a_comparison_of_the_first_format_is_read(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    comparison.save(path)
    record = json.loads(path.read_text(encoding="utf-8")) | {"version": 1}
    del record["prompts"], record["fields"]
    for measurement in record["measurements"]:
        for key in ("prior", "texts", "losses", "next_tokens", "values", "harness", "max_new_tokens"):
            del measurement[key]
        for score in measurement["scores"]:
            for key in ("tokens", "scores", "matches"):
                del score[key]
    path.write_text(json.dumps(record), encoding="utf-8")
    again = load_comparison(path)
    assert again.summaries[3].change == comparison.summaries[3].change
    assert len(again.changed("merged", "int4")) == 29


def test_labels_are_told_one_by_one(comparison: Comparison) -> None:
    frame = comparison.per_label
    assert len(frame) == 4 * 4
    assert frame.loc["int4", "support"].sum() == 240
    low, value, high = (frame.loc[("int4", "joy"), name] for name in ("recall_low", "recall", "recall_high"))
    assert 0 < low < value < high < 1
    lines = comparison.label_text().splitlines()
    assert len(lines) == 2 + 16
    assert re.search(r"^int4: joy +\d+\.\d % \(\d+\.\d – \d+\.\d\) .* 60$", "\n".join(lines), re.MULTILINE)
