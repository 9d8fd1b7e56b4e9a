"""What a comparison says of made-up measurements: table, words, HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from phinb.evaluation.colours import choose_looks
from phinb.evaluation.results import Comparison
from phinb.evaluation.wording import p_value, size
from phinb.types import RowLoss

from .examples import make_comparison


def test_the_stage_before_is_of_an_earlier_kind() -> None:
    comparison = make_comparison(("base", "adapter", "merged", "int4", "int8"))
    assert [summary.before for summary in comparison.summaries] == ["", "base", "adapter", "merged", "merged"]


def test_a_stage_that_failed_is_passed_over() -> None:
    comparison = fail(make_comparison(("base", "adapter", "merged", "int4")), "merged", "It broke.\nMend it.")
    by_name = {summary.name: summary for summary in comparison.summaries}
    assert by_name["int4"].before == "adapter"
    assert by_name["merged"].accuracy is None


def fail(comparison: Comparison, name: str, error: str) -> Comparison:
    measurements = tuple(
        replace(m, scores=(), latencies=(), load_s=None, size_bytes=None, peak_memory_bytes=None, error=error)
        if m.variant.name == name
        else m
        for m in comparison.measurements
    )
    return replace(comparison, measurements=measurements)


def test_gains_and_losses_in_words() -> None:
    texts = make_comparison(("base", "adapter", "merged", "int4")).sentences()
    assert texts == (
        "adapter gains 41.7 points against base, more than noise at n = 240: 6 rows broken, 106 mended "
        "(McNemar p < 0.001). 0.84 times as fast, adds 9.0 MB to base.",
        "merged answers all 240 rows as adapter does. 1.19 times as fast.",
        "int4 loses 3.8 points against merged, within noise at n = 240: 19 rows broken, 10 mended "
        "(McNemar p = 0.14). 6.7 times faster, 0.38 of the size.",
    )


def test_a_failed_variant_is_said_to_be() -> None:
    comparison = fail(make_comparison(("base", "adapter")), "adapter", "adapter: it is torn.\nRun the pass again.")
    assert comparison.sentences() == ("adapter was not measured: adapter: it is torn.",)
    text = comparison.to_text()
    assert "adapter was not measured" in text
    assert "adapter's size" not in text


def test_the_text_table_is_aligned_and_says_n_and_interval() -> None:
    lines = make_comparison(("base", "adapter", "merged", "int4")).to_text().splitlines()
    head, rule, *rows = lines[:6]
    assert len({len(line) for line in (head, rule, *rows)}) == 1
    assert re.search(r"95 % interval +n +first token", head)
    assert re.search(r"^int4 +80\.4 % +74\.9 – 84\.9 % +240 +51 ms +128 /s", rows[3])
    assert "240 rows, 4 labels (fear, joy, sadness, surprise)" in "\n".join(lines)


class Tags(HTMLParser):
    """Notes the tags and attributes, and fails for one that is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in ("br", "path", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("br", "path", "circle"):
            assert self.open.pop() == tag


HOSTILE = "<img src=x onerror=alert(1)>\"'&</style><script>alert(2)</script>"


def test_html_escapes_whatever_rows_and_names_hold() -> None:
    comparison = make_comparison(("base", "adapter"), labels=(HOSTILE, "joy", "sadness", "surprise"))
    first = comparison.measurements[0]
    named = replace(first, variant=replace(first.variant, name=HOSTILE))
    comparison = replace(comparison, measurements=(named, *comparison.measurements[1:]))
    comparison = fail(comparison, "adapter", f"{HOSTILE} broke\n{HOSTILE}")
    tags = Tags()
    tags.feed(comparison.to_html())
    assert tags.open == []
    assert not tags.seen & {"script", "img", "link", "iframe"}
    assert not [name for name, _ in tags.attributes if name.startswith("on") or name in ("src", "href")]
    assert "&lt;img src=x" in comparison.to_html()


def test_html_needs_no_other_file_and_follows_the_theme() -> None:
    html = make_comparison(("base", "adapter", "merged", "int4")).to_html()
    assert "http" not in html
    assert "<script" not in html
    assert 'data-jp-theme-light="false"' in html
    assert "var(--jp-ui-font-color1,inherit)" in html
    assert 'aria-label="80.4 %, 95 % interval 74.9 % to 84.9 %"' in html


def test_the_whisker_lies_where_the_figures_say() -> None:
    html = make_comparison(("base",)).to_html()
    low, high = map(float, re.search(r'd="M([\d.]+) 7H([\d.]+)" style="stroke:var\(--v0', html).groups())  # type: ignore[union-attr]
    summary = make_comparison(("base",)).summaries[0]
    assert low == pytest.approx(5 + 160 * (summary.accuracy_low or 0), abs=0.06)
    assert high == pytest.approx(5 + 160 * (summary.accuracy_high or 0), abs=0.06)


def test_the_same_variant_has_the_same_look_everywhere() -> None:
    looks = choose_looks([("int8", "onnx"), ("int4", "onnx"), ("base", "base"), ("fp16", "onnx")])
    assert looks["int4"].colour == "#c77f00"
    assert looks["base"].colour == "#7a7a85"
    assert len({look.colour for look in looks.values()}) == len({look.symbol for look in looks.values()}) == 4


def contrast(first: str, second: str) -> float:
    """WCAG 2.1's contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_marks_can_be_seen_on_white_and_on_dark() -> None:
    """3:1, as WCAG asks of graphical objects."""
    from phinb.evaluation.colours import BY_KIND, FURTHER

    for look in (*BY_KIND.values(), *FURTHER):
        assert contrast(look.colour, "#ffffff") >= 3, look
        assert contrast(look.colour, "#111111") >= 3, look
        assert contrast(look.dark, "#111111") >= 6, look


def test_sizes_and_p_values_are_written_shortly() -> None:
    assert [size(n) for n in (12, 9_100_000, 517_000_000, 999_900, 1_360_000_000, None)] == [
        "12 B",
        "9.1 MB",
        "517 MB",
        "1.0 MB",
        "1.4 GB",
        "–",
    ]
    assert [p_value(p) for p in (0.0004, 0.0042, 0.14, 1.0)] == ["< 0.001", "= 0.004", "= 0.14", "= 1.00"]


def test_where_only_rows_were_predicted_there_is_no_accuracy_and_no_word_of_it() -> None:
    comparison = make_comparison(("base", "merged"))
    measured = []
    for index, one in enumerate(comparison.measurements):
        losses = tuple(RowLoss(row, (2.0 - 0.5 * index) * (5 + row % 7), 5 + row % 7, 20) for row in range(240))
        measured.append(replace(one, scores=(), losses=losses))
    comparison = replace(comparison, measurements=tuple(measured), settings={**comparison.settings, "labels": []})
    assert [summary.accuracy for summary in comparison.summaries] == [None, None]
    assert comparison.sentences()[0].startswith("merged against base, n = 240: perplexity -2.9")
    assert "more than noise, lower is better" in comparison.sentences()[0]
    text, html = comparison.to_text(), comparison.to_html()
    assert re.search(r"merged +4\.48", text)
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert "–" in html
    assert comparison.frame["accuracy"].isna().all()
