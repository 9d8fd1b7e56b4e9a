"""The chat in JupyterLab: two variants stream, one is stopped, a row is added; hostile text does nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phinb.workflow.process import wait_until
from phinb.workflow.runner import Run
from tests.browser.lab import Lab, Theme
from tests.notebook.hostile import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIVE = ".phinb-chat.phinb-live"
DONE = f"{LIVE} .phinb-turns .phinb-turn"


def wait_ready(lab: Lab) -> None:
    lab.page.wait_for_selector(f"{LIVE} .phinb-head .phinb-pill:text-is('ready')", timeout=180_000)


def replies(lab: Lab, number: int) -> list[str]:
    """The replies' words in the panel of that prompt, going on or over."""
    return list(lab.page.locator(f"{LIVE} .phinb-turn[data-number='{number}'] .phinb-figures").all_inner_texts())


def serious(lab: Lab) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    response = Axe().run(lab.page, context=LIVE).response
    assert len(response["passes"]) > 10, "axe has looked at something"
    found = [one for one in response["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


def test_a_chat_by_keyboard_in_both_themes(
    tiny_run: Run, open_notebook: Callable[..., Lab], write_notebook: Callable[..., Path]
) -> None:
    line = f"%olive_chat {tiny_run.id} --variants base,int4 --temperature 2 --seed 3 --max-new-tokens 300"
    lab = open_notebook(write_notebook("%load_ext phinb", line, "1 + 1"))
    page, keyboard = lab.page, lab.page.keyboard
    for index in range(2):
        lab.run_cell(index)
    page.wait_for_selector(LIVE)
    wait_ready(lab)

    # Both stream, one after the other; all by keyboard.
    page.evaluate(
        """selector => {
            window.seen = [];
            new MutationObserver(() => {
                const replies = [...document.querySelectorAll(`${selector} .phinb-turn .phinb-reply`)];
                window.seen.push(replies.map(node => node.innerText));
            }).observe(document.querySelector(selector), { subtree: true, childList: true, characterData: true });
        }""",
        LIVE,
    )
    phrase = page.get_by_label("phrase")
    phrase.focus()
    keyboard.type("I could have danced all night")
    keyboard.press("Control+Enter")
    page.wait_for_selector(f"{DONE}[data-number='1']", timeout=120_000)
    wait_ready(lab)
    seen = page.evaluate("() => window.seen")
    going = [texts for texts in seen if len(texts) >= 2 and "…" in texts[0].split("\n")[0]]
    assert any("tokens/s" in texts[0] and "no token yet" in texts[1] for texts in going), "the first streamed alone"
    assert any("no token yet" not in texts[1] for texts in seen if len(texts) >= 2)
    figures = page.locator(f"{DONE}[data-number='1'] .phinb-reply .phinb-figures").all_inner_texts()
    assert sum("first after" in text for text in figures) == 2
    assert lab.page.locator(".jp-Notebook .jp-Cell").count() == 3, "Ctrl+Enter is no shortcut of the notebook's here"

    # The exact prompt, with its tokens.
    page.locator(f"{LIVE} summary:has-text('The prompt as it is sent')").press("Enter")
    page.wait_for_selector(f"{LIVE} .phinb-sent:has-text('### The tone is:')")
    assert "tokens to base" in page.locator(f"{LIVE} .phinb-chat-form").inner_text()

    # A long reply is stopped, and what is there stays.
    page.locator(f"{LIVE} summary:has-text('Settings')").press("Enter")
    page.get_by_label("Most new tokens").fill("3000")
    phrase.fill(HOSTILE[0] + HOSTILE[1])
    page.get_by_role("button", name="Send", exact=True).press("Enter")
    page.wait_for_selector(f"{LIVE} .phinb-turn[data-number='2'] .phinb-reply >> text=tokens/s", timeout=120_000)
    page.get_by_role("button", name="Stop", exact=True).press("Enter")
    page.wait_for_selector(f"{DONE}[data-number='2']", timeout=60_000)
    assert any("stopped" in text for text in replies(lab, 2))
    assert page.evaluate("() => window.ran") is None
    assert "<script>" in page.locator(f"{DONE}[data-number='2'] dd").inner_text()

    # A test row beside the notebook.
    turn = page.locator(f"{DONE}[data-number='1']")
    turn.locator("summary:has-text('Add as a test row')").press("Enter")
    turn.get_by_label("The right tone").fill("joy")
    keyboard.press("Enter")
    turn.locator("code:has-text('%olive_compare')").wait_for()
    rows = lab.path.parent / "chat_rows.jsonl"
    assert wait_until(rows.exists, 5)
    row = json.loads(rows.read_text(encoding="utf-8"))
    assert row == {"phrase": "I could have danced all night", "tone": "joy"}

    themes: tuple[Theme, ...] = ("light", "dark")
    for theme in themes:
        lab.set_theme(theme)
        assert serious(lab) == []
    for width in (1180, 600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(LIVE).evaluate("node => node.scrollWidth - node.clientWidth") <= 0

    # What is saved can be read without a kernel, and after a reload the panel is still there.
    saved: Any = lab.save()["cells"][1]["outputs"]
    html = "".join(saved[0]["data"]["text/html"])
    assert "I could have danced all night" in html
    assert "<script" not in html.partition("</style>")[2]
    assert len(json.dumps(saved)) < 200_000
    lab.reload()
    page.wait_for_selector(f"{DONE}[data-number='2']")
