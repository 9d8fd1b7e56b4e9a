"""What changed between stages in JupyterLab: by mouse and by keyboard, a row's tokens, the export, hostile texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from phinb.evaluation.comparison import Comparison
from tests.browser.lab import Lab
from tests.notebook.hostile import HOSTILE, NAME
from tests.notebook.real_comparison import make_comparison

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PANEL = ".phinb-live.phinb-changes"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return make_comparison(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def opened(
    open_notebook: Callable[..., Lab], write_notebook: Callable[..., Path], tmp_path: Path
) -> Callable[..., Lab]:
    def open_panel(comparison: Comparison) -> Lab:
        file = tmp_path / "measured.json"
        comparison.save(file)
        lab = open_notebook(write_notebook("%load_ext phinb", "%olive_changes measured.json"), files=[file])
        for index in range(2):
            lab.run_cell(index)
        lab.page.locator(f"{PANEL} tbody tr").first.wait_for()
        return lab

    return open_panel


def serious(lab: Lab) -> list[str]:
    """What axe-core calls serious or critical in the panel."""
    from axe_playwright_python.sync_playwright import Axe

    response = Axe().run(lab.page, context=PANEL).response
    assert len(response["passes"]) > 10, "axe has looked at something"
    found = [one for one in response["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


def test_rows_and_tokens_by_mouse_and_by_keyboard(opened: Callable[..., Lab], comparison: Comparison) -> None:
    lab = opened(comparison)
    page, panel = lab.page, lab.page.locator(PANEL)
    change = comparison.summaries[1].change
    assert change is not None
    panel.get_by_text(f"base -> merged: of 60 rows {change.broken} broken, {change.mended} mended").first.wait_for()
    # All rows, sorted by what changed most, by keyboard alone.
    panel.get_by_role("button", name="all rows (60)").press("Enter")
    panel.locator(".phinb-rows-place:text-is('1 to 20 of 60')").wait_for()
    sort = panel.get_by_role("button", name="change of the right answer's probability, sort")
    sort.press("Enter")
    panel.locator("th[aria-sort=descending]").wait_for()
    sort.press("Enter")
    panel.locator("th[aria-sort=ascending]").wait_for()
    shifts = [float(text.replace("−", "-")) for text in panel.locator("tbody tr td:last-child").all_inner_texts()]
    assert shifts == sorted(shifts)
    panel.locator("tbody button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    details = panel.locator(".phinb-changes-details")
    details.wait_for()
    number = panel.locator("tbody tr").nth(1).locator("button").inner_text()
    assert details.get_attribute("aria-label") == f"Row {number}"
    right = panel.locator("tbody tr").nth(1).locator("td").nth(2).inner_text()
    assert details.locator(".phinb-changes-answer").inner_text() == right
    assert details.locator(".phinb-changes-chosen:text-is('◀')").count() == 2
    # Its tokens, from the variants' processes.
    details.get_by_role("button", name="Read its tokens").press("Enter")
    details.get_by_role("button", name="Stop").wait_for()
    assert serious(lab) == []
    tokens = details.locator(".phinb-changes-tokens")
    page.wait_for_function(
        "() => document.querySelectorAll('.phinb-changes-tokens thead th').length === 4", timeout=120_000
    )
    assert tokens.locator("tbody tr").last.inner_text().count("%") == 2
    score = comparison.measurements[0].scores[int(number) - 1]
    shown = float(tokens.locator("tfoot td").nth(1).inner_text().replace("−", "-"))
    assert shown == pytest.approx(score.log_likelihoods[score.label], abs=2e-3)
    # What is shown, as a file beside the notebook.
    panel.get_by_role("button", name="Write JSON lines").click()
    panel.get_by_text("60 rows are written: ").wait_for()
    (path,) = lab.path.parent.glob("tiny-base-merged-rows.jsonl")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 60
    for theme in ("light", "dark"):
        lab.set_theme(theme)
        assert serious(lab) == []
    for width in (1180, 600):
        page.set_viewport_size({"width": width, "height": 900})
        assert panel.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    panel.get_by_label("Row", exact=True).fill("7")
    page.keyboard.press("Enter")
    panel.locator("[aria-label='Row 7']").wait_for()
    page.wait_for_timeout(1500)  # the saved form is made a second after the last change
    outputs = lab.save()["cells"][1]["outputs"]
    assert len(json.dumps(outputs)) < 200_000
    lab.shut_kernel_down()
    page.reload()
    page.locator(".phinb-twin").get_by_text("Row 7", exact=True).wait_for()
    assert "Error displaying widget" not in page.locator(".jp-Notebook").inner_text()


def test_thousands_of_hostile_rows_do_nothing_and_turn_quickly(
    opened: Callable[..., Lab], comparison: Comparison
) -> None:
    many = 5000
    fields = tuple({NAME: HOSTILE[row % len(HOSTILE)]} for row in range(many))
    prompts = tuple(HOSTILE[row % len(HOSTILE)] for row in range(many))
    measured = tuple(
        replace(m, scores=tuple(replace(m.scores[row % 60], row=row) for row in range(many)))
        for m in comparison.measurements
    )
    lab = opened(replace(comparison, measurements=measured, fields=fields, prompts=prompts, name=NAME))
    page, panel = lab.page, lab.page.locator(PANEL)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url) if "pixel" in request.url else None)
    panel.get_by_role("button", name="all rows (5,000)").click()
    panel.locator(".phinb-rows-place:text-is('1 to 20 of 5,000')").wait_for()
    for start in range(21, 102, 20):
        panel.get_by_role("button", name="The next rows").click()
        panel.locator(f".phinb-rows-place:text-is('{start:,} to {start + 19:,} of 5,000')").wait_for()
    assert panel.locator("*").count() < 1500
    for row in range(len(HOSTILE)):
        panel.locator("tbody tr").nth(row).locator("td").nth(1).click()
        panel.locator(f"[aria-label='Row {101 + row}']").wait_for()
    panel.get_by_role("searchbox").fill("window.ran")
    panel.get_by_text("of 2,500 found").or_(panel.get_by_text("found")).first.wait_for()
    page.wait_for_timeout(1500)
    lab.save()
    lab.shut_kernel_down()
    page.reload()
    page.locator(".phinb-twin").first.wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("() => window.ran") is None
    assert asked == []
    assert page.locator(".phinb :is(script, img, iframe, a, textarea)").count() == 0
    assert "window.ran" in page.locator(".phinb-twin").inner_text(), "it is there, to be read"
