"""The preview in JupyterLab: tokens by mouse and keyboard, remedies, what is typed, hostile rows that do nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import Lab, restart_kernel
from tests.notebook.hostile import HOSTILE, NAME

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONFIG = {
    "input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"},
    "data_configs": [
        {
            "name": "train",
            "type": "HuggingfaceContainer",
            "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
            "pre_process_data_config": {
                "text_template": "### Text: {phrase}\n### The tone is:\n{tone}",
                "strategy": "line-by-line",
                "max_seq_len": 80,
                "pad_to_max_len": False,
            },
        }
    ],
    "passes": {
        "lora": {"type": "LoRA", "r": 8, "torch_dtype": "float32", "train_data_config": "train",
                 "training_args": {"max_steps": 2}},
    },
    "phinb": {"loss_on": "completion"},
}  # fmt: skip
ROWS = [{"phrase": f"I {word} it so much", "tone": tone} for word, tone in [("love", "joy"), ("fear", "fear")] * 20]


def cell(**params: Any) -> str:
    """A cell with a configuration whose pre-process has these parameters as well; None takes one out."""
    config = json.loads(json.dumps(CONFIG))
    process = config["data_configs"][0]["pre_process_data_config"] | params
    config["data_configs"][0]["pre_process_data_config"] = {k: v for k, v in process.items() if v is not None}
    return f"%%olive_config emotion\n{json.dumps(config, indent=2)}"


@pytest.fixture
def opened(
    open_notebook: Callable[..., Lab], write_notebook: Callable[..., Path], tmp_path: Path
) -> Callable[..., Lab]:
    """opened(rows, *cells, **params) -> the page with the panel of the preview; the cells come after its own."""

    def open_panel(
        rows: Sequence[dict[str, Any]] = ROWS, *cells: str, theme: str = "light", show: str = "", **params: Any
    ) -> Lab:
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        notebook = write_notebook("%load_ext phinb", cell(**params), f"%olive_preview emotion {show}", *cells)
        lab = open_notebook(notebook, theme, files=[file])
        for index in range(3):
            lab.run_cell(index)
        lab.page.wait_for_selector(".phinb-preview .phinb-doing:has-text('are counted')")
        return lab

    return open_panel


def panel(lab: Lab) -> Any:
    return lab.page.locator(".phinb-preview")


def pieces(lab: Lab) -> str:
    """The text of the tokens that are in the page."""
    return "".join(lab.page.locator(".phinb-preview .phinb-view .phinb-token").all_text_contents())


def details(lab: Lab) -> str:
    return str(lab.page.locator(".phinb-preview .phinb-token-about").inner_text())


def wait_for_text(lab: Lab, selector: str, text: str) -> None:
    lab.page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
    )


def serious(lab: Lab) -> list[str]:
    """What axe-core calls serious or critical in the panel."""
    from axe_playwright_python.sync_playwright import Axe

    response = Axe().run(lab.page, context=".phinb-preview").response
    assert len(response["passes"]) > 10, "axe has looked at something"
    found = [one for one in response["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


def test_tokens_by_mouse_and_by_keyboard_in_both_themes(opened: Callable[..., Lab]) -> None:
    lab = opened([*ROWS, {"phrase": "I love " * 40, "tone": "joy"}])
    view = lab.page.get_by_role("listbox", name="sequence 1")
    view.get_by_role("option", name="ve, id").first.hover()
    assert "column phrase" in details(lab)
    view.focus()
    keyboard = lab.page.keyboard
    keyboard.press("Home")
    assert details(lab).startswith("<s>")
    keyboard.press("End")
    assert "<|endoftext|>" in details(lab)
    assert "position 38 of 38" in details(lab)
    assert "trained on (label" in details(lab)
    keyboard.press("ArrowUp")
    assert "in context only (label −100)" in details(lab)
    active = view.get_attribute("aria-activedescendant")
    assert lab.page.locator(f"[id='{active}']").get_attribute("aria-selected") == "true"
    # From one sequence to another, and in another order, without the mouse.
    lab.page.get_by_role("button", name="Next sequence").focus()
    keyboard.press("Enter")
    wait_for_text(lab, ".phinb-preview .phinb-caption", "sequence 2 ·")
    lab.page.get_by_label("Order of the sequences").select_option("truncated")
    wait_for_text(lab, ".phinb-preview .phinb-caption", "sequence 41 ·")
    assert lab.page.locator(".phinb-lane-x").count() > 2
    lab.page.get_by_label("Order of the sequences").select_option("data")
    number = lab.page.get_by_role("spinbutton", name="Sequence")
    number.fill("7")
    number.press("Enter")
    wait_for_text(lab, ".phinb-preview .phinb-caption", "sequence 7 ·")
    for summary in panel(lab).locator("details > summary").all():
        summary.press("Enter")
    panel(lab).get_by_role("button", name="Show row 3", exact=True).click()
    wait_for_text(lab, ".phinb-preview .phinb-caption", "sequence 3 ·")
    for theme in ("light", "dark"):
        lab.set_theme(theme)  # type: ignore[arg-type]
        assert serious(lab) == []
    for width in (1180, 600):
        lab.page.set_viewport_size({"width": width, "height": 900})
        assert panel(lab).evaluate("node => node.scrollWidth - node.clientWidth") <= 0


def test_a_remedy_reaches_the_form_and_the_cell(opened: Callable[..., Lab]) -> None:
    lab = opened(max_seq_len=24)
    assert lab.page.locator(".phinb-lane-x").count() > 2
    panel(lab).get_by_role("button", name="Allow 38 tokens").first.click()
    lab.page.wait_for_selector(".phinb-config .phinb-strip :text('1 change, not in the cell yet.')")
    lab.page.wait_for_function("() => !document.querySelector('.phinb-view .phinb-lane-x')")
    lab.page.get_by_role("button", name="Write to the cell").click()
    script = "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.getSource()"
    assert '"max_seq_len": 38' in lab.page.evaluate(script)
    panel(lab).get_by_role("button", name="Undo").click()
    lab.page.wait_for_selector(".phinb-view .phinb-lane-x")


def test_what_is_typed_into_the_template_is_tokenised_at_once(opened: Callable[..., Lab]) -> None:
    lab = opened()
    panel(lab).get_by_text("Edit the template").click()
    area = panel(lab).get_by_role("combobox", name="Text template").or_(panel(lab).get_by_label("Text template")).first
    area.click()
    lab.page.keyboard.press("Control+Home")
    lab.page.evaluate(
        """() => {
            window.seen = [];
            const view = document.querySelector('.phinb-preview .phinb-view');
            const area = document.querySelector('.phinb-preview textarea');
            area.addEventListener('input', () => { window.typed = performance.now(); });
            new MutationObserver(() => {
                const text = view.textContent;
                if (window.typed && text !== window.before) window.seen.push(performance.now() - window.typed);
                window.before = text;
            }).observe(view, { childList: true, subtree: true });
        }"""
    )
    for letter in "abcde":
        lab.page.keyboard.type(letter)
        lab.page.wait_for_timeout(600)
    wait_for_text(lab, ".phinb-preview .phinb-view", "e#")
    seen = lab.page.evaluate("() => window.seen")
    print("from a key to its tokens, ms:", [round(one) for one in seen])
    assert min(seen) < 100
    assert area.input_value().startswith("abcde### Text")
    wait_for_text(lab, ".phinb-config .phinb-strip", "1 change, not in the cell yet.")


def test_thousands_of_tokens_scroll_smoothly(opened: Callable[..., Lab]) -> None:
    words = " ".join(f"word{number} love" for number in range(3000))
    lab = opened([{"phrase": words, "tone": "joy"}] * 2, max_seq_len=8000)
    figures = lab.page.evaluate(
        """async () => {
            const view = document.querySelector('.phinb-preview .phinb-view');
            const [times, nodes] = [[], []];
            let last = await new Promise(requestAnimationFrame);
            for (let step = 0; step < 60; step += 1) {
                view.scrollTop += 240;
                const now = await new Promise(requestAnimationFrame);
                times.push(now - last);
                nodes.push(view.querySelectorAll('*').length);
                last = now;
            }
            return { times: times.sort((a, b) => a - b), nodes: Math.max(...nodes), height: view.scrollHeight };
        }"""
    )
    median = figures["times"][30]
    print(f"frame: median {median:.1f} ms, worst {figures['times'][-1]:.1f} ms; {figures['nodes']} nodes")
    assert figures["nodes"] < 2500
    assert figures["height"] > 2000, "there is more than what is drawn"
    assert median < 50
    view = panel(lab).get_by_role("listbox")
    view.focus()
    lab.page.keyboard.press("End")
    assert "cut off" in details(lab)
    lab.page.keyboard.press("PageUp")
    lab.page.keyboard.press("Home")
    assert "position 1 of 8000" in details(lab)
    view.evaluate("node => { node.scrollTop = 2000; }")
    lab.page.wait_for_timeout(100)
    first = """() => {
        const view = document.querySelector('.phinb-view');
        const top = view.getBoundingClientRect().top - 1;
        const inside = [...view.querySelectorAll('.phinb-token')].find(node => node.getBoundingClientRect().top >= top);
        return Number(inside.dataset.at);
    }"""
    before = lab.page.evaluate(first)
    lab.page.set_viewport_size({"width": 700, "height": 900})
    lab.page.wait_for_timeout(300)
    after = lab.page.evaluate(first)
    assert abs(after - before) < 60, "what was at the top stays there"
    outside = """() => {
        const view = document.querySelector('.phinb-view');
        const right = view.getBoundingClientRect().left + view.clientWidth + 1;
        const rights = [...view.querySelectorAll('.phinb-token')].map(node => node.getBoundingClientRect().right);
        return rights.filter(one => one > right).length;
    }"""
    assert lab.page.evaluate(outside) == 0


def test_it_survives_a_reload_two_views_and_the_end_of_the_kernel(opened: Callable[..., Lab]) -> None:
    lab = opened()
    lab.page.get_by_role("button", name="Next sequence").click()
    wait_for_text(lab, ".phinb-preview .phinb-caption", "sequence 2 ·")
    lab.page.wait_for_timeout(1500)  # the saved form is made a second after the last number
    notebook = lab.save()
    outputs = notebook["cells"][2]["outputs"]
    assert "40 rows → 40 sequences" in "".join(outputs[0]["data"]["text/html"])
    assert len(json.dumps(outputs)) < 100_000
    lab.reload()
    wait_for_text(lab, ".phinb-preview .phinb-caption", "sequence 2 ·")
    assert lab.page.locator(".phinb-twin:visible").count() == 0
    # A second view of the same output shows the same, and hears of what is done in the first.
    lab.page.evaluate(
        """async () => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = 2;
            await window.jupyterapp.commands.execute('notebook:create-output-view');
        }"""
    )
    lab.page.wait_for_function("() => document.querySelectorAll('.phinb-preview').length === 2")
    lab.page.locator(".phinb-preview").first.get_by_role("button", name="Next sequence").click()
    lab.page.wait_for_function(
        """() => [...document.querySelectorAll('.phinb-preview .phinb-reader > .phinb-caption:first-child')]
            .every(node => node.textContent.startsWith('sequence 3 '))"""
    )
    lab.shut_kernel_down()
    lab.page.reload()
    lab.page.wait_for_selector(".phinb-twin .phinb-token")
    assert "40 rows → 40 sequences" in lab.page.locator(".jp-Notebook").inner_text()
    assert "Error displaying widget" not in lab.page.locator(".jp-Notebook").inner_text()


def test_a_kernel_that_is_gone_is_said(opened: Callable[..., Lab]) -> None:
    """Restarted beneath the page while it counts, and while it waits: nothing is said to go on that does not."""
    lab = opened()
    file = lab.path.parent / "rows.jsonl"
    few = file.read_bytes()
    file.write_bytes(few * 10_000)
    lab.run_cell(2)
    lab.page.wait_for_selector(".phinb-preview .phinb-doing:has-text('Counting: ')")
    restart_kernel(lab)
    wait_for_text(lab, ".phinb-preview .phinb-note", "The kernel does not answer")
    assert lab.page.locator(".phinb-preview .phinb-doing").inner_text().startswith("Was counting: ")
    assert lab.page.locator(".phinb-preview .phinb-bar:visible").count() == 0
    assert panel(lab).get_by_role("button", name="Stop").count() == 0
    assert serious(lab) == []
    file.write_bytes(few)
    for index in range(3):
        lab.run_cell(index)
    lab.page.wait_for_selector(".phinb-preview .phinb-doing:has-text('are counted')")
    lab.page.get_by_role("button", name="Next sequence").click()
    wait_for_text(lab, ".phinb-preview .phinb-caption", "sequence 2 ·")
    restart_kernel(lab)
    lab.page.get_by_role("button", name="Next sequence").click()
    wait_for_text(lab, ".phinb-preview .phinb-note", "The kernel does not answer")


def test_hostile_rows_do_nothing(opened: Callable[..., Lab]) -> None:
    """Rows, columns and labels with scripts in them, in the panel, the saved HTML, the tables and the figure."""
    rows = [{"phrase": text, "tone": text[:40], NAME: text} for text in HOSTILE] * 3
    figure = "import phinb\nphinb.figure(phinb.preview(emotion), 'labels')"
    lab = opened(rows, figure, "%olive_preview emotion --limit 5", max_seq_len=300)
    asked: list[str] = []
    lab.page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    lab.page.on("request", lambda request: asked.append(request.url) if "pixel" in request.url else None)
    for summary in panel(lab).locator("details > summary").all():
        summary.click()
    panel(lab).locator(".phinb-rows-scroller td").first.wait_for()
    for _ in range(len(HOSTILE) - 1):
        lab.page.get_by_role("button", name="Next sequence").click()
        lab.page.wait_for_timeout(120)
        panel(lab).locator(".phinb-token").last.hover()
    lab.run_cell(3)
    lab.page.wait_for_selector(".js-plotly-plot .main-svg")
    lab.run_cell(4)
    lab.page.wait_for_function("() => document.querySelectorAll('.phinb-preview').length === 2")
    lab.page.wait_for_timeout(1500)
    # The saved form, as a page of a later reader without a kernel.
    lab.save()
    lab.shut_kernel_down()
    lab.page.reload()
    lab.page.wait_for_selector(".phinb-twin .phinb-token")
    lab.page.wait_for_timeout(500)
    assert lab.page.evaluate("() => window.ran") is None
    assert asked == []
    strange = ".phinb :is(script, img, iframe, a, textarea + b)"
    assert lab.page.locator(strange).count() == 0
    assert "window.ran" in lab.page.locator(".phinb-twin:has(.phinb-token)").first.inner_text(), (
        "it is there, to be read"
    )
