"""The report as text: complete, escaped, of bounded size, and with nothing that a browser would fetch."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison
from phinb.plots.figures import tabulate
from phinb.plots.report import save_report, write_report
from phinb.plots.tables import write_rows
from phinb.types import Metric, PassState, Problem, RunState
from tests.evaluation.examples import make_comparison
from tests.plots.examples import FOUR, keep_run, make_named

HOSTILE = "<img src=x onerror=window.hit=1>"


class Page(HTMLParser):
    """What a page is made of: its tags with their attributes, and the texts outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        elif self._inside != "style" and data.strip():
            self.texts.append(data.strip())


def make_hostile() -> Comparison:
    """Labels, a variant, the template, a setting and a problem that want to be more than text."""
    labels = (HOSTILE, "</script><script>window.hit=2</script>", "{{ 7*7 }}", "abc\u202edef")
    comparison = replace(make_comparison(FOUR, labels=labels), name=HOSTILE)
    first = comparison.measurements[0]
    renamed = replace(first, variant=replace(first.variant, name="</title><script>window.hit=3</script>"))
    settings = {
        **comparison.settings,
        "template": "<script>window.hit=4</script>{phrase}",
        "versions": {"x": "</table>"},
    }
    problems = (Problem("warning", "odd", "<svg onload=window.hit=5>", "", hint="javascript:window.hit=6"),)
    return replace(
        comparison, measurements=(renamed, *comparison.measurements[1:]), settings=settings, problems=problems
    )


def test_everything_is_in_it() -> None:
    comparison = make_named("emotion")
    keep_run(comparison, 1_000_000.0)
    run = RunState(
        run_id="r-1",
        name="emotion",
        status="succeeded",
        seed=42,
        passes={"lora": PassState("done", seconds=12.5)},
        metrics=(Metric("lora", 5, {"loss": 4.0}), Metric("lora", 10, {"loss": 3.0})),
    )
    text = write_report(comparison, run)
    page = Page(text)
    shown = "\n".join(page.texts)
    for sentence in comparison.sentences():
        assert sentence in shown
    assert {"Example 9000", "{phrase} {tone}", "12.5 s", "machine.processor", "latency.new_tokens"} <= set(page.texts)
    kinds = [attributes["data-kind"] for _, attributes in page.tags if "data-kind" in attributes]
    assert kinds == ["quality_latency", "stages", "latency", "ttft_by_length", "confusion", "history", "loss"]
    for kind in kinds[:5]:
        for row in write_rows(tabulate(comparison, str(kind)))[1]:
            assert set(row) <= set(page.texts), kind
    for attributes, script in page.scripts:
        if attributes.get("type") == "application/json":
            assert {"data", "layout"} <= set(json.loads(script))
    assert len([one for one, _ in page.scripts if "data-dark" in one]) == len(kinds)


def test_nothing_is_fetched_and_the_size_is_bounded() -> None:
    text = write_report(make_named("emotion"))
    page = Page(text)
    for tag, attributes in page.tags:
        assert not {"src", "href", "action", "data", "poster", "srcset"} & set(attributes), tag
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
    (policy,) = (attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    scripts = re.search(r"script-src ([^;]*)", policy)
    assert scripts is not None
    assert re.fullmatch(r"'sha256-[\w+/]{43}=' 'sha256-[\w+/]{43}='", scripts[1])
    assert len(text) < 2_400_000


def test_hostile_texts_stay_texts() -> None:
    text = write_report(make_hostile())
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {"img", "svg"} <= {"svg"}, "the table draws its whiskers itself"
    assert not [tag for tag, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    runs = [script for attributes, script in page.scripts if not attributes.get("type")]
    assert len(runs) == 1
    assert "window.hit" not in runs[0]
    assert "\u202e" not in text
    assert "abc\\u202edef" in text
    assert "{{ 7*7 }}" in page.texts
    assert "<script>window.hit=4</script>{phrase}" in "".join(page.texts)


def test_one_variant_has_no_stages_and_the_report_says_so() -> None:
    page = Page(write_report(make_comparison(("base",))))
    assert any("There is only one stage" in text for text in page.texts)
    kinds = [attributes["data-kind"] for _, attributes in page.tags if "data-kind" in attributes]
    assert kinds == ["quality_latency", "latency", "ttft_by_length", "confusion"]


def test_no_path_of_this_machine_is_in_it() -> None:
    comparison = make_comparison(FOUR)
    first = comparison.measurements[0]
    there = replace(first, variant=replace(first.variant, path="/home/somebody/secret/model"))
    text = write_report(replace(comparison, measurements=(there, *comparison.measurements[1:])))
    assert "somebody" not in text


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_is_there_is_kept_unless_it_may_go(tmp_path: Path, overwrite: bool) -> None:
    path: Any = tmp_path / "report.html"
    path.write_text("mine", encoding="utf-8")
    if overwrite:
        save_report(make_comparison(FOUR), path, overwrite=True)
        assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
        return
    with pytest.raises(PhinbError, match="is there already"):
        save_report(make_comparison(FOUR), path)
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_folder_or_a_missing_one_is_no_file(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "report.html", "no such folder")):
        with pytest.raises(PhinbError, match=message):
            save_report(make_comparison(FOUR), path)
