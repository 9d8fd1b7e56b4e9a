"""The figures of a preview: what they draw is what was counted of real rows with a real tokenizer."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from phinb.data.preview import Preview, preview_data
from phinb.errors import PhinbError
from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.plots.figures import KINDS, figure

LINES = {"text_template": "{text} => {tone}", "strategy": "line-by-line", "pad_to_max_len": False}
SETTINGS = {"batch_size": 4, "accumulation": 2}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(make_tiny(tmp_path_factory.mktemp("models") / "tiny"))


def make_rows(tones: tuple[str, ...] = ("joy", "fear")) -> list[dict[str, str]]:
    return [
        {"text": " ".join(["word"] * (1 + number % 17)), "tone": tones[number % len(tones)]} for number in range(102)
    ]


def look(
    folder: Path, tokenizer: Tokenizer, params: dict[str, Any], rows: list[dict[str, str]] | None = None, **more: Any
) -> Preview:
    lines = [json.dumps(row) for row in (make_rows() if rows is None else rows)]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    config = {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
        "pre_process_data_config": params,
    }
    return preview_data(config, tokenizer, folder, **{**SETTINGS, **more})


def drawn(shown: Any) -> dict[str, Any]:
    return json.loads(shown.to_json())  # type: ignore[no-any-return]


def words(shown: dict[str, Any]) -> str:
    title = shown["layout"]["title"]
    return f"{title['text']}: {title['subtitle']['text'].replace('<br>', ' · ')}"


def test_every_row_is_in_one_bar_and_none_on_both_sides_of_the_cut(tmp_path: Path, tokenizer: Tokenizer) -> None:
    preview = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 20})
    over = sum(length > 20 for length in preview.stats.lengths)
    shown = drawn(figure(preview, "lengths"))
    whole, cut = shown["data"]
    assert (whole["name"], cut["name"]) == ("whole", "cut off")
    assert (sum(whole["y"]), sum(cut["y"])) == (102 - over, over)
    assert 0 < over < 102
    (line,) = shown["layout"]["shapes"]
    assert line["x0"] == 20.5
    assert max(x + w / 2 for x, w in zip(whole["x"], whole["width"], strict=True)) <= 20.5
    assert min(x - w / 2 for x, w in zip(cut["x"], cut["width"], strict=True)) >= 20.5
    assert whole["marker"]["pattern"]["shape"] != cut["marker"]["pattern"]["shape"]
    assert "train · n 102 rows" in words(shown)
    assert f"{over} longer than 20: training loses {preview.stats.lost_tokens:,} tokens" in words(shown)


def test_rows_that_are_joined_are_not_said_to_be_cut(tmp_path: Path, tokenizer: Tokenizer) -> None:
    shown = drawn(figure(look(tmp_path, tokenizer, {**LINES, "strategy": "join", "max_seq_len": 20}), "lengths"))
    assert [trace["name"] for trace in shown["data"]] == ["whole"]
    assert not shown["layout"].get("shapes")
    assert "joined to sequences of 20" in words(shown)


def test_a_long_tail_stands_apart_and_says_what_it_holds(tmp_path: Path, tokenizer: Tokenizer) -> None:
    rows = make_rows() * 2
    rows[7] = {"text": "word " * 2000, "tone": "joy"}
    preview = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 512}, rows)
    shown = drawn(figure(preview, "lengths"))
    assert sum(sum(trace["y"]) for trace in shown["data"]) == 204
    assert shown["data"][1]["y"] == [1]
    assert shown["layout"]["xaxis"]["ticktext"][-1] == "513+"


def test_labels_are_counted_and_compared(tmp_path: Path, tokenizer: Tokenizer) -> None:
    preview = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 64}, make_rows(("joy", "joy", "fear")))
    shown = drawn(figure(preview, "labels"))
    (bars,) = shown["data"]
    assert bars["x"] == [68, 34]
    assert shown["layout"]["yaxis"]["ticktext"] == ["joy ", "fear "]
    assert "2 labels · the first is 2.0 times as frequent as the last" in words(shown)
    assert bars["text"][0].strip() == "68 · 66.7 %"


def test_many_labels_end_in_one_bar_for_the_rest(tmp_path: Path, tokenizer: Tokenizer) -> None:
    preview = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 64}, make_rows(tuple(map(str, range(40)))))
    shown = drawn(figure(preview, "labels"))
    assert len(shown["data"][0]["x"]) == 31
    assert sum(shown["data"][0]["x"]) == 102
    assert shown["layout"]["yaxis"]["ticktext"][-1] == "10 rarer ones "


def test_padding_shows_what_is_configured_first(tmp_path: Path, tokenizer: Tokenizer) -> None:
    for params, sampling, told in (
        ({"pad_to_max_len": True}, "random", "all filled to max_seq_len"),
        ({}, "random", "batches in random order"),
        ({}, "group_by_length", "batches grouped by length"),
        ({}, "sequential", "batches in the data's order"),
    ):
        preview = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 48, **params}, sampling=sampling)
        shown = drawn(figure(preview, "padding"))
        (bars,) = shown["data"]
        assert bars["customdata"][0] == told
        assert bars["x"][0] == pytest.approx(100 * preview.stats.padding["configured"])
        assert len(set(bars["customdata"])) == len(bars["customdata"])
        assert sorted(bars["x"][1:], reverse=True) == bars["x"][1:]
        assert "n 102 sequences · batches of 4, 2 a step" in words(shown)


def test_what_there_is_nothing_of_says_so(tmp_path: Path, tokenizer: Tokenizer) -> None:
    nothing = look(tmp_path, tokenizer, {**LINES, "text_template": "{nowhere}"})
    assert not nothing.ok
    for kind in KINDS[Preview]:
        with pytest.raises(PhinbError):
            figure(nothing, kind)
    many = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 64}, make_rows(tuple(map(str, range(102)))))
    with pytest.raises(PhinbError, match="no labels"):
        figure(many, "labels")
    with pytest.raises(PhinbError) as caught:
        figure(many, "stages")
    assert caught.value.hint == "The kinds are: lengths, labels, padding."


def test_numbers_that_are_not_all_counted_are_called_that(tmp_path: Path, tokenizer: Tokenizer) -> None:
    preview = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 20})
    half = dataclasses.replace(preview, stats=dataclasses.replace(preview.stats, exact=False))
    for kind, what in (("lengths", "rows"), ("labels", "rows"), ("padding", "sequences")):
        assert f"n 102 {what} so far" in words(drawn(figure(half, kind)))


@pytest.mark.parametrize("kind", KINDS[Preview])
@pytest.mark.parametrize("dark", [None, False, True])
def test_labels_and_names_are_shown_and_not_obeyed(
    kind: str, dark: bool | None, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    hostile = "<a href='javascript:x'>$\\href{x}{y}$%{x}\u202e\x1b[31m\x00"
    rows = make_rows((hostile, "joy", "", "007"))
    preview = look(tmp_path, tokenizer, {**LINES, "max_seq_len": 24}, rows)
    preview = dataclasses.replace(preview, name=hostile)
    text = json.dumps(drawn(figure(preview, kind, dark=dark)), ensure_ascii=False)
    assert not re.search(r"<a |\$\\\\href|%\{x\}\\\\u202e|[\u202e\x1b\x00]", text)
    if kind == "labels":
        assert "(empty) " in drawn(figure(preview, kind))["layout"]["yaxis"]["ticktext"]
    assert "&lt;a href=" in text
