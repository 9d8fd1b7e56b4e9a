"""The table of rows in Chromium: pages, a jump, a search, the keyboard; hostile values stay text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phinb.data.source import open_rows
from phinb.notebook.rows_view import RowsView
from tests.browser.component_page import ComponentPage, open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>\x1b[31m\u202e\x00 **bold** {phrase.__class__}"


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    with open_page(chromium, 1000, 700) as page:
        yield page


@pytest.fixture
def table(page: Any, tmp_path: Path) -> ComponentPage:
    rows = [
        {"phrase": f"phrase number {number}", "tone": "joy" if number % 3 else "fear", "n": number or None}
        for number in range(130)
    ]
    rows[1]["phrase"] = HOSTILE
    rows[2]["phrase"] = "a very long text " * 40
    rows[3]["tone"] = ""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    loading = {"data_name": "json", "data_files": "rows.jsonl", "split": "train"}
    view = RowsView(open_rows({"name": "train", "load_dataset_config": loading}, tmp_path))

    def answer(message: dict[str, Any]) -> dict[str, Any]:
        view.receive(message)
        return view.describe()

    shown = ComponentPage(page, "RowsTable", ("rows_table.js",), ("rows_table.css",), answer)
    shown.fill(view.describe())
    return shown


def numbers(table: ComponentPage) -> list[str]:
    found: list[str] = table.page.locator(".phinb-row-number").all_inner_texts()
    return found


def place(table: ComponentPage, text: str) -> None:
    table.page.locator(f".phinb-rows-place:text-is('{text}')").wait_for()


def test_pages_a_jump_and_a_choice(table: ComponentPage) -> None:
    page = table.page
    assert numbers(table) == [str(number) for number in range(1, 21)]
    assert page.get_by_role("button", name="The rows before").get_attribute("aria-disabled") == "true"
    page.get_by_role("button", name="The next rows").click()
    place(table, "21 to 40 of 130")
    page.get_by_label("Row", exact=True).fill("125")
    page.keyboard.press("Enter")
    place(table, "125 to 130 of 130")
    assert page.get_by_role("button", name="The next rows").get_attribute("aria-disabled") == "true"
    page.get_by_role("button", name="Show row 125").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("[aria-current=true]:text-is('126')").wait_for()
    assert table.sent[-1] == {"action": "row", "row": 125}
    assert [message for message in table.sent if message["action"] == "rows"] == [
        {"action": "rows", "start": 20},
        {"action": "rows", "start": 124},
    ]


def test_a_search_says_how_far_it_has_looked(table: ComponentPage) -> None:
    page = table.page
    page.get_by_role("searchbox").press_sequentially("NUMBER 12", delay=10)
    page.get_by_text("Found in 11 rows among all 130 rows.").wait_for()
    assert numbers(table) == ["13", *[str(number) for number in range(121, 131)]]
    assert not page.get_by_role("button", name="Look further").is_visible()
    page.get_by_role("searchbox").fill("")
    place(table, "1 to 20 of 130")


def test_columns_say_what_they_hold(table: ComponentPage) -> None:
    assert table.page.locator("thead th").all_inner_texts() == ["row", "phrase", "tone", "n"]
    about = [text.split("\n") for text in table.page.locator(".phinb-about td").all_inner_texts()]
    assert about[1] == ["text", "130 different values"]
    assert {"▲ 1 without a value", "joy", "86 (67 %)", "fear", "43 (33 %)"} <= set(about[2])
    assert "the most frequent 2.0 times as often as the rarest" in about[2]
    assert about[3][:2] == ["whole number", "▲ 1 without a value"]
    assert table.page.get_by_text("counted in all 130 rows, as datasets reads them").is_visible()
    cells = table.page.locator("tbody tr").first.locator("td")
    assert cells.nth(2).get_attribute("data-kind") == "missing"
    assert "680 characters" in table.page.locator("tbody tr").nth(2).inner_text()


def test_any_of_many_columns_is_found(page: Any, tmp_path: Path) -> None:
    row = {f"feature_{number}": number for number in range(10_000)}
    (tmp_path / "rows.jsonl").write_text((json.dumps(row) + "\n") * 3, encoding="utf-8")
    loading = {"data_name": "json", "data_files": "rows.jsonl", "split": "train"}
    view = RowsView(open_rows({"name": "train", "load_dataset_config": loading}, tmp_path), ("feature_9999",))

    def answer(message: dict[str, Any]) -> dict[str, Any]:
        view.receive(message)
        return view.describe()

    table = ComponentPage(page, "RowsTable", ("rows_table.js",), ("rows_table.css",), answer)
    table.fill(view.describe())
    heads = page.locator("thead tr:first-child th")
    assert heads.count() == 51
    assert heads.last.inner_text() == "feature_9999"
    page.get_by_text("and 9,950 more").wait_for()
    page.get_by_label("Find a column").fill("ture_777")
    page.wait_for_function("() => document.querySelectorAll('thead tr:first-child th').length === 13")
    assert heads.all_inner_texts() == [
        "row",
        "feature_777",
        *(f"feature_777{digit}" for digit in range(10)),
        "feature_9999",
    ]
    assert table.serious() == []


def test_values_are_only_text(table: ComponentPage) -> None:
    dialogs: list[str] = []
    table.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    cell = table.page.locator("tbody tr").nth(1).locator(".phinb-cell").first
    spelt = {"\x1b": "\\u001b", "\u202e": "\\u202e", "\x00": "\\u0000"}
    assert cell.inner_text() == "".join(spelt.get(sign, sign) for sign in HOSTILE)
    assert table.page.locator(".phinb img, .phinb script").count() == 0
    assert dialogs == []


def test_it_is_readable_in_both_themes_and_narrow(table: ComponentPage) -> None:
    for width in (1000, 460):
        table.page.set_viewport_size({"width": width, "height": 700})
        for theme in ("light", "dark"):
            table.set_theme(theme)  # type: ignore[arg-type]
            assert table.serious() == []
        assert table.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
