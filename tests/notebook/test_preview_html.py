"""The saved form of a preview: the same tokens and numbers, bounded in size, and nothing in it that could act."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phinb
from phinb.data.length_bars import count_lengths
from phinb.data.preview import Preview
from phinb.notebook.preview_histogram import draw_lengths
from phinb.notebook.preview_html import preview_bundle
from phinb.notebook.preview_tokens import piece_text, show_piece
from phinb.types import DataStats
from phinb.workflow.preview_figures import write_head
from phinb.workflow.wording import write_share
from tests.notebook.hostile import HALF, HOSTILE, NAME
from tests.notebook.test_config_magics import GOOD, ROWS

CONFIG = GOOD.replace('"max_seq_len": 80', '"max_seq_len": 80, "pad_to_max_len": false')


def look(folder: Path, rows: Sequence[Mapping[str, Any]], text: str = CONFIG, **options: Any) -> Preview:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return phinb.preview(phinb.load_config(text, folder=folder), **options)


class Reader(HTMLParser):
    """The elements of a page, its texts, and the pieces of its tokens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def classes(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.elements if name in (attrs.get("class") or "").split()]


def test_it_holds_head_tokens_and_numbers(tmp_path: Path) -> None:
    preview = look(tmp_path, ROWS)
    bundle = preview_bundle("emotion", preview, 2)
    page = Reader(bundle["text/html"])
    told = "8 rows → 8 sequences · 296 tokens an epoch · 100 % trained on"
    assert told in page.texts
    assert told in bundle["text/plain"]
    shown = sum(len(sequence.input_ids) for sequence in preview.sequences[:2])
    legend = 5
    assert len(page.classes("phinb-token")) == shown + legend
    assert len(page.classes("phinb-lane-t")) == shown + 1
    assert "⟦<s>·###·Text:·I love it so much⏎###·The tone is:⏎joy·<|endoftext|>⟧" in bundle["text/plain"]
    assert "tokens a row, median" in page.texts
    assert any(tag == "svg" for tag, _ in page.elements)


@pytest.mark.slow
def test_it_stays_small_however_long_the_sequences_are(tmp_path: Path) -> None:
    rows = [{"phrase": f"{number} I love it so much " * 2000, "tone": f"tone {number}"} for number in range(40)]
    preview = look(tmp_path, rows, CONFIG.replace('"max_seq_len": 80', '"max_seq_len": 8000'))
    bundle = preview_bundle("emotion", preview, 40)
    assert len(json.dumps(bundle)) < 100_000
    assert "more tokens are in the live panel." in bundle["text/html"]


def test_what_is_wrong_comes_first(tmp_path: Path) -> None:
    preview = look(
        tmp_path, ROWS, CONFIG.replace("line-by-line", "join").replace('"max_seq_len": 80', '"max_seq_len": 4096')
    )
    bundle = preview_bundle("emotion", preview)
    assert "There is no training sequence" in bundle["text/html"]
    assert "error, " in bundle["text/plain"].splitlines()[1]


def test_hostile_rows_are_text_and_nothing_else(tmp_path: Path) -> None:
    rows = [{"phrase": text, "tone": text[:30], NAME: text} for text in HOSTILE] * 3
    text = CONFIG.replace('"max_seq_len": 80', '"max_seq_len": 400')
    bundle = preview_bundle("emotion", look(tmp_path, rows, text), 5)
    page = Reader(bundle["text/html"])
    known = {
        "style",
        "div",
        "b",
        "span",
        "i",
        "br",
        "svg",
        "path",
        "rect",
        "title",
        "text",
        "table",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert {tag for tag, _ in page.elements} <= known | {"details", "summary", "p"}
    assert not [key for _, attrs in page.elements for key in attrs if key.startswith("on") or key in ("href", "src")]
    assert len([tag for tag, _ in page.elements if tag == "style"]) == 1
    for kind in ("text/html", "text/plain"):
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff\ud800-\udfff]", bundle[kind]
        )
    assert "window.ran" in bundle["text/plain"], "it is there, to be read"
    assert "\\u001b[31mred" in bundle["text/plain"].replace("·", " ")


def test_half_a_character_is_told_and_sent_nowhere(tmp_path: Path) -> None:
    bundle = preview_bundle("emotion", look(tmp_path, [{"phrase": HALF, "tone": "x"}, *ROWS]))
    assert "line 1" in bundle["text/plain"]
    json.dumps(bundle, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        (" word", " word"),
        (" ", ["", "·"]),
        ("  x", ["", "··", "x"]),
        ("x ", ["x", "·"]),
        (".\n\n", [".", "⏎⏎"]),
        ("\t", ["", "⇥"]),
        ("\x1b[1m", ["", "\\u001b", "[1m"]),
        ("a\u202eb", ["a", "\\u202e", "b"]),
        ("\ud83d", ["", "\\ud83d"]),
        ("\u0301", ["", "◌", "\u0301"]),
        ("\u3164", ["", "\\u3164"]),
        ("", ["", "nothing"]),
        ("é😀", "é😀"),
        ("y" * 130, ["y" * 120, "… 10 more"]),
    ],
)
def test_nothing_of_a_piece_is_unseen(piece: str, shown: Any) -> None:
    assert show_piece(piece) == shown
    assert piece_text(show_piece(piece)).isprintable()


@pytest.mark.parametrize("cut", [None, 10, 62, 80, 1024, 4999])
@pytest.mark.parametrize("tail", [[], [5000] * 3])
def test_the_histogram_has_every_row_once_and_none_on_both_sides_of_the_cut(cut: int | None, tail: list[int]) -> None:
    values = [*np.random.default_rng(0).integers(8, 64, 500).tolist(), *tail]
    bars = count_lengths(np.asarray(values), cut)
    drawn = draw_lengths(values, cut)
    assert drawn is not None
    assert sum(bar.rows for bar in bars) == len(values)
    over = sum(bar.rows for bar, seen in zip(bars, drawn["bars"], strict=True) if seen["cut"])
    assert over == (0 if cut is None else sum(value > cut for value in values))
    assert all(bar["x"] >= 0 and bar["x"] + bar["width"] <= drawn["width"] for bar in drawn["bars"])


def test_the_head_says_what_is_known_so_far() -> None:
    stats = DataStats(1000, 998, 20_000, 0, 0, 0, 2, exact=False)
    assert write_head(stats) == "1,000 rows so far → 998 sequences · 20,000 tokens so far · 0 % trained on"


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (-1e-17, "0 %"), (0.001, "< 1 %"), (0.999, "> 99 %"), (1, "100 %")]
)
def test_a_share_is_never_rounded_to_nothing_or_all(share: float, text: str) -> None:
    assert write_share(share) == text
