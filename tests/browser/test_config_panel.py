"""The panel of a configuration in JupyterLab: its form changes the text, the text goes back into the cell."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import Lab
from tests.notebook.test_config_magics import GOOD

pytestmark = [pytest.mark.browser, pytest.mark.slow]
OpenNotebook = Callable[..., Lab]

TEXT = GOOD.replace('"r": 8,', '"r": 8, // small\n     ').rstrip("\n")
CELL = f"%%olive_config emotion\n{TEXT}"
PIECES = (
    '%%olive_config emotion\n"input_model": {"type": "HfModel", "model_path": "phinb://tiny"},',
    """%%olive_config emotion
"data_configs": [{
  "name": "train", "type": "HuggingfaceContainer",
  "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
  "pre_process_data_config": {"text_template": "{phrase} {tone}", "strategy": "line-by-line", "max_seq_len": 80}
}],""",
    """%%olive_config emotion
"lora": {"type": "LoRA", "r": 8, "train_data_config": "train"},
"merge": {"type": "MergeAdapterWeights"},""",
)


@pytest.fixture
def opened(open_notebook: OpenNotebook, write_notebook: Callable[..., Path]) -> Callable[..., Lab]:
    """opened(*cells) -> the page, the extension loaded and the cells run, with the last one's panel in view."""

    def open_cells(*cells: str, run: int | None = None, theme: str = "light") -> Lab:
        lab = open_notebook(write_notebook("%load_ext phinb", *cells), theme)
        for index in range(1 + (len(cells) if run is None else run)):
            lab.run_cell(index)
        lab.page.wait_for_selector(".phinb-config .phinb-field >> visible=true")
        return lab

    return open_cells


def field(lab: Lab, role: str, name: str) -> Any:
    return lab.page.get_by_role(role, name=name, exact=True)


def press(lab: Lab, name: str) -> None:
    lab.page.get_by_role("button", name=name, exact=True).click()


def expect_verdict(lab: Lab, verdict: str) -> None:
    lab.page.wait_for_selector(f".phinb-config .phinb-pill:text-is('{verdict}')")


def expect_standing(lab: Lab, text: str) -> None:
    lab.page.wait_for_selector(f".phinb-strip span:text-is('{text}')")


def source(lab: Lab, index: int) -> str:
    """The text that a cell of the notebook holds, whatever its editor draws."""
    script = "index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.getSource()"
    return str(lab.page.evaluate(script, index))


def printed(lab: Lab, index: int) -> str:
    """What a cell prints when it is run now."""
    lab.run_cell(index)
    outputs = lab.save()["cells"][index]["outputs"]
    return "".join("".join(output.get("text", "")) for output in outputs)


def active_label(lab: Lab) -> str:
    script = """() => {
        const node = document.activeElement;
        return node.getAttribute('aria-label') ?? node.labels?.[0]?.textContent ?? node.textContent;
    }"""
    return str(lab.page.evaluate(script))


def tab_to(lab: Lab, label: str, most: int = 60) -> None:
    """Reach a control by the Tab key alone."""
    for _ in range(most):
        if active_label(lab).strip() == label:
            return
        lab.page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {label!r}")


def test_a_change_in_the_form_reaches_the_text_and_the_cell(opened: Callable[..., Lab]) -> None:
    lab = opened(CELL, "%olive_config emotion --show", "emotion.effective()['passes.lora.r']", run=1)
    rank = field(lab, "spinbutton", "r rank")
    assert rank.input_value() == "8"
    rank.fill("16")
    rank.press("Enter")
    expect_standing(lab, "1 change, not in the cell yet.")
    changed = TEXT.replace('"r": 8,', '"r": 16,')
    assert printed(lab, 2) == changed + "\n"
    assert source(lab, 1) == CELL
    press(lab, "Write to the cell")
    expect_standing(lab, "As it stands in the cell.")
    assert source(lab, 1) == f"%%olive_config emotion\n{changed}"
    # It is the user's own edit: one step of undo takes it back, in the editor itself.
    lab.page.locator(".jp-CodeCell .cm-content").nth(1).focus()
    lab.page.keyboard.press("Control+z")
    assert source(lab, 1) == CELL
    lab.page.keyboard.press("Control+Shift+z")
    assert source(lab, 1) == f"%%olive_config emotion\n{changed}"
    lab.run_cell(1)
    expect_standing(lab, "As it stands in the cell.")
    lab.run_cell(3)
    assert "value=16" in "".join(lab.save()["cells"][3]["outputs"][0]["data"]["text/plain"])


def test_a_wrong_key_is_named_at_its_line_and_mended(opened: Callable[..., Lab]) -> None:
    lab = opened(CELL)
    expect_verdict(lab, "ok")
    word = lab.page.locator(".cm-content").nth(1).get_by_text('"max_seq_len"', exact=True)
    word.scroll_into_view_if_needed()
    word.dblclick()
    lab.page.keyboard.type("max_seq_lem")
    line = next(number for number, text in enumerate(source(lab, 1).splitlines(), 1) if '"max_seq_lem"' in text)
    lab.run_cell(1)
    expect_verdict(lab, "1 error")
    card = lab.page.locator(".phinb-config .phinb-card[data-severity=error]")
    assert f"line {line}," in card.inner_text()
    # The place leads to the field, whose own section comes to the front.
    card.get_by_role("button", name=re.compile(f"line {line},")).click()
    assert active_label(lab) == "max_seq_lem"
    card.get_by_role("button", name="Rename to max_seq_len").click()
    expect_verdict(lab, "ok")
    press(lab, "Write to the cell")
    expect_standing(lab, "As it stands in the cell.")
    assert source(lab, 1) == CELL


def test_the_keyboard_alone_is_enough_and_axe_finds_nothing(opened: Callable[..., Lab]) -> None:
    lab = opened(CELL.replace('"alpha"', '"alhpa"'))
    lab.page.get_by_role("button", name="Diff", exact=True).focus()
    tab_to(lab, "Passes, 1 problem")
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("Home")
    assert active_label(lab) == "Data"
    assert field(lab, "textbox", "text_template").is_visible()
    lab.page.keyboard.press("ArrowLeft")
    lab.page.keyboard.press("ArrowLeft")
    tab_to(lab, "r rank")
    lab.page.keyboard.press("ArrowUp")
    expect_standing(lab, "1 change, not in the cell yet.")
    assert active_label(lab) == "r rank", "focus stays while the panel is drawn anew"
    tab_to(lab, "torch_dtype")
    lab.page.keyboard.press("b")
    lab.page.keyboard.press("Tab")
    expect_standing(lab, "2 changes, not in the cell yet.")
    assert len(lab.save()["cells"]) == 2, "a letter typed at a list is none of JupyterLab's shortcuts"
    tab_to(lab, "Rename to alpha")
    lab.page.keyboard.press("Enter")
    expect_verdict(lab, "ok")
    assert lab.page.evaluate("() => document.activeElement.closest('.phinb-side') !== null"), "focus is not lost"
    lab.page.get_by_role("button", name="Undo", exact=True).focus()
    lab.page.keyboard.press("Space")
    expect_verdict(lab, "1 error")
    press(lab, "Diff")
    for theme in ("light", "dark"):
        lab.set_theme(theme)  # type: ignore[arg-type]
        assert serious(lab) == []


def serious(lab: Lab) -> list[str]:
    """What axe-core calls serious or critical in the panel, with its filter and its rarer fields open."""
    from axe_playwright_python.sync_playwright import Axe

    for more in lab.page.locator(".phinb-config .phinb-more[aria-expanded=false]").all():
        if more.is_visible():
            more.click()
    response = Axe().run(lab.page, context=".phinb-config").response
    assert len(response["passes"]) > 10, "axe has looked at something"
    found = response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def test_several_cells_make_one_configuration(opened: Callable[..., Lab]) -> None:
    lab = opened(*PIECES, run=1)
    expect_verdict(lab, "1 piece")
    assert "still to come: " in lab.page.locator(".phinb-told").inner_text()
    assert lab.page.locator(".phinb-config .phinb-card").count() == 0
    lab.run_cell(2)
    expect_verdict(lab, "2 pieces")
    lab.run_cell(3)
    expect_verdict(lab, "ok")
    heads = lab.page.locator(".phinb-config .phinb-head").all_inner_texts()
    assert ["shown at In [" in head for head in heads] == [True, True, False]
    assert "3 pieces" in heads[2]
    field(lab, "spinbutton", "r rank").fill("16")
    lab.page.keyboard.press("Enter")
    lab.page.get_by_role("tab", name="Data").click()
    field(lab, "spinbutton", "max_seq_len").fill("64")
    lab.page.keyboard.press("Enter")
    expect_standing(lab, "2 changes, not in the cell yet.")
    press(lab, "Write to the cell")
    expect_standing(lab, "As it stands in the cell.")
    assert source(lab, 1) == PIECES[0]
    assert source(lab, 2) == PIECES[1].replace("80", "64")
    assert source(lab, 3) == PIECES[2].replace('"r": 8', '"r": 16')
    # Running a cell again replaces its piece, and the panel moves there.
    lab.run_cell(2)
    expect_verdict(lab, "ok")
    lab.page.get_by_role("tab", name="Data").wait_for()
    # A later reader has no kernel: what was saved must show it, and nothing else.
    notebook = lab.save()
    assert all("text/html" in cell["outputs"][0]["data"] for cell in notebook["cells"][1:])
    lab.shut_kernel_down()
    lab.page.reload()
    lab.page.wait_for_selector(".phinb-twin .phinb-pill:text-is('ok')")
    assert "Error displaying widget" not in lab.page.locator(".jp-Notebook").inner_text()


def test_nothing_jumps_and_nothing_is_cut_off(opened: Callable[..., Lab]) -> None:
    """Fields keep their places while problems come and go; the panel stays within a narrow cell."""
    lab = opened(CELL)
    panel = lab.page.locator(".phinb-config")

    def places() -> Any:
        script = """nodes => nodes.filter(node => node.offsetParent).map(node => {
            const box = node.getBoundingClientRect();
            const top = node.closest('.phinb-config').getBoundingClientRect().top;
            return [box.left, box.top - top, box.width].map(Math.round);
        })"""
        return panel.locator(".phinb-field :is(input, select)").evaluate_all(script)

    def settled() -> Any:
        """The places once the page has taken its new size."""
        until = time.monotonic() + 10
        before = None
        while (now := places()) != before:
            assert time.monotonic() < until
            before = now
            lab.page.wait_for_timeout(300)
        return before

    for width in (1180, 660):
        lab.page.set_viewport_size({"width": width, "height": 900})
        before = settled()
        rank = field(lab, "spinbutton", "r rank")
        rank.fill("-4")
        rank.press("Enter")
        expect_verdict(lab, "1 error")
        assert rank.get_attribute("aria-invalid") == "true"
        assert places() == before
        assert panel.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
        rank.fill("8")
        rank.press("Enter")
        expect_verdict(lab, "ok")
        assert places() == before
