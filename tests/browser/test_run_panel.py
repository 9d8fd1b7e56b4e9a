"""The run panel in JupyterLab under Chromium: it moves, its buttons act, it outlives page and kernel."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phinb.types import MetricLogged
from phinb.workflow.runner import open_run
from tests.browser.lab import Lab
from tests.golden.replay import Replay
from tests.notebook.test_config_magics import GOOD, ROWS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
OpenNotebook = Callable[..., Lab]


@pytest.fixture
def training(replay: Callable[..., Replay]) -> Replay:
    """A run in the middle of its training, with a loss and an eval loss."""
    run = replay("success")
    run.play_until(lambda event: isinstance(event, MetricLogged) and "eval_loss" in event.values)
    run.play(2)
    return run


@pytest.fixture
def attached(training: Replay, open_notebook: OpenNotebook, write_notebook: Callable[..., Path]) -> Callable[..., Lab]:
    """attached(theme) -> the page with the run's panel in view."""

    def attach(theme: str = "light") -> Lab:
        lab = open_notebook(write_notebook("%load_ext phinb", f"%olive_attach {training.run_id}", "1 + 1"), theme)
        lab.run_all()
        lab.page.wait_for_selector(".phinb [role=progressbar][aria-valuenow]")
        return lab

    return attach


def bar(lab: Lab, name: str) -> Any:
    return lab.page.get_by_role("progressbar", name=name, exact=True)


def button(lab: Lab, name: str) -> Any:
    return lab.page.get_by_role("button", name=name, exact=True)


def expect_status(lab: Lab, status: str) -> None:
    lab.page.wait_for_selector(f".phinb:not(.phinb-twin) .phinb-pill:text-is('{status}')")


def press(lab: Lab, name: str, key: str) -> None:
    """Reach a button from the one before it by keyboard alone, and press it."""
    button(lab, "Log").focus()
    for _ in range(5):
        if lab.page.evaluate("() => document.activeElement.textContent") == name:
            break
        lab.page.keyboard.press("Tab")
    lab.page.keyboard.press(key)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_bar_moves_and_the_losses_are_drawn(attached: Callable[..., Lab], training: Replay, theme: str) -> None:
    lab = attached(theme)
    assert bar(lab, "lora").get_attribute("aria-valuenow") == "33"
    assert "20 / 60 steps" in (bar(lab, "lora").get_attribute("aria-valuetext") or "")
    assert bar(lab, "merge").get_attribute("aria-valuenow") is None
    training.play_until(lambda event: getattr(event, "done", 0) == 40)
    lab.page.wait_for_selector("[role=progressbar][aria-label=lora][aria-valuenow='67']")
    lab.page.get_by_role("img", name=re.compile("Loss of lora: 2.38 at step 40")).wait_for()  # the twin's is hidden
    assert lab.page.locator(".phinb-live .phinb-chart .phinb-eval").count() == 2
    samples = lab.page.locator(".phinb-live").get_by_role("group", name="Samples")
    assert samples.locator(".phinb-step").all_inner_texts() == ["step 20", "step 40"]
    heights = samples.locator(".phinb-step").evaluate_all(
        "nodes => nodes.map(node => node.getBoundingClientRect().height)"
    )
    assert max(heights) < 24, "each on one line"
    assert samples.locator(".phinb-answer").all_inner_texts() == ["joy", "fear "]
    assert lab.page.locator(".phinb-twin").is_hidden()
    colour = lab.page.locator(".phinb-live .phinb-loss").evaluate("node => getComputedStyle(node).stroke")
    assert colour == ("rgb(0, 114, 178)" if theme == "light" else "rgb(86, 180, 233)")
    assert lab.page.get_by_role("status").filter(has_text="emotion running.").count() == 1
    assert serious(lab) == []
    shoot(lab, f"run-{theme}")


def test_stop_and_cancel_by_keyboard_while_the_run_goes_on(attached: Callable[..., Lab], training: Replay) -> None:
    lab = attached()
    press(lab, "Stop and keep", "Enter")
    expect_status(lab, "stopping")
    lab.page.wait_for_function("() => document.activeElement.textContent === 'Stopping …'")  # focus stays
    assert training.control() == "stop"
    lab.page.keyboard.press("Enter")  # a button that is off does nothing
    training.play(1)
    press(lab, "Cancel", "Space")
    expect_status(lab, "cancelled")
    assert open_run(training.run_id).state.status == "cancelled"
    assert training.worker.wait(5) == 0
    button(lab, "Resume").wait_for()
    # The next cell that runs puts the saved form in the panel's place; the buttons are gone with it.
    lab.run_cell(2)
    lab.page.wait_for_function("() => document.querySelectorAll('.phinb button').length === 0")
    expect_status(lab, "cancelled")
    saved, gone = lab.save()["cells"][1]["outputs"]
    assert WIDGET_MIME not in gone["data"]
    assert "cancelled" in "".join(saved["data"]["text/html"])


def test_a_reload_loses_nothing(attached: Callable[..., Lab], training: Replay) -> None:
    lab = attached()
    button(lab, "Log").click()
    lab.page.get_by_role("log").filter(has_text="Loading weights").wait_for()
    lab.save()
    lab.reload()
    lab.page.wait_for_selector("[role=progressbar][aria-label=lora][aria-valuenow]")
    lab.page.get_by_role("log").filter(has_text="Loading weights").wait_for()
    training.play_until(lambda event: getattr(event, "done", 0) == 60)
    lab.page.wait_for_selector("[role=progressbar][aria-label=lora][aria-valuenow='100']")
    press(lab, "Cancel", "Enter")
    expect_status(lab, "cancelled")


def test_an_ended_run_is_saved_as_it_ended(attached: Callable[..., Lab], training: Replay) -> None:
    lab = attached()
    training.play_all()
    lab.page.wait_for_function("() => document.querySelectorAll('.phinb button').length === 0")
    expect_status(lab, "succeeded")
    output, gone = lab.save()["cells"][1]["outputs"]
    assert "phinb-gone" in "".join(gone["data"]["text/html"])
    assert set(output["data"]) == {"text/html", "text/plain", "application/vnd.phinb.run.v1+json"}
    # A later reader has no kernel: the page alone must show it.
    lab.shut_kernel_down()
    lab.page.reload()
    expect_status(lab, "succeeded")
    assert "reused: same input" in lab.page.locator(".phinb").inner_text()


def test_the_panel_stays_within_a_narrow_cell(attached: Callable[..., Lab]) -> None:
    lab = attached()
    for width in (1180, 760, 480):
        lab.page.set_viewport_size({"width": width, "height": 900})
        lab.page.wait_for_timeout(200)
        overflow = lab.page.locator(".phinb-live").evaluate("node => node.scrollWidth - node.clientWidth")
        assert overflow <= 0, width
    shoot(lab, "run-narrow")


def test_nothing_jumps_while_the_run_moves(attached: Callable[..., Lab], training: Replay) -> None:
    """The way out stays in its corner and the bars keep their place and length, whatever the words beside them."""
    lab = attached()

    def places() -> list[Any]:
        selectors = ".phinb-live .phinb-buttons button, .phinb-live .phinb-bar"
        return lab.page.locator(selectors).evaluate_all(
            "nodes => nodes.map(node => { const box = node.getBoundingClientRect(); "
            "return [box.left, box.top, box.width].map(Math.round); })"
        )

    before = places()
    while not training.over:
        training.play(1)
        if getattr(training.last, "done", 0) == 60:
            break
        lab.page.wait_for_timeout(150)
        assert places() == before
    press(lab, "Stop and keep", "Enter")
    expect_status(lab, "stopping")
    assert places() == before


def test_another_curve_is_chosen_by_keyboard_and_stays_chosen(attached: Callable[..., Lab], training: Replay) -> None:
    lab = attached()
    values = {"loss": 2.4, "learning_rate": 1e-4, "grad_norm": 0.8, "tokens_per_s": 412.0}
    training.folder.append(MetricLogged("lora", 21, values))
    rate = button(lab, "learning rate")
    rate.wait_for()
    rate.focus()
    lab.page.keyboard.press("Enter")
    lab.page.get_by_role("img", name=re.compile("Learning rate of lora: 1e-4 at step 21")).wait_for()
    assert lab.page.evaluate("() => document.activeElement.textContent") == "learning rate"
    lab.save()
    lab.reload()
    lab.page.get_by_role("img", name=re.compile("Learning rate of lora: 1e-4 at step 21")).wait_for()
    assert button(lab, "learning rate").get_attribute("aria-pressed") == "true"
    assert "412 tokens/s" in lab.page.locator(".phinb-live .phinb-strip").inner_text()


def test_a_panel_whose_kernel_is_gone_says_so(attached: Callable[..., Lab], training: Replay) -> None:
    """Restarted beneath the page: the panel offers nothing any more. Loaded anew: the saved form is what is left."""
    lab = attached()
    lab.save()
    restart_kernel(lab)
    lab.page.wait_for_selector(".phinb-live .phinb-pill:text-is('was running')")
    assert f"%olive_attach {training.run_id} shows the run" in lab.page.locator(".phinb-live .phinb-note").inner_text()
    assert button(lab, "Cancel").get_attribute("aria-disabled") == "true"
    shoot(lab, "run-kernel-gone")
    lab.reload()
    lab.page.wait_for_selector(".phinb-twin .phinb-pill:text-is('running')")
    assert lab.page.locator(".phinb-live").count() == 0
    text = lab.page.locator(".jp-OutputArea").nth(1).inner_text()
    assert "as it was then" in text
    assert "Error displaying widget" not in text


@pytest.fixture
def real(open_notebook: OpenNotebook, write_notebook: Callable[..., Path], tmp_path: Path) -> Lab:
    """A notebook that trains the tiny model for longer than anyone waits, and compares what comes of it."""
    config = GOOD.replace('"max_steps": 2', '"max_steps": 4000, "logging_steps": 5, "per_device_train_batch_size": 2')
    path = write_notebook(
        "%load_ext phinb",
        f"%%olive_config tiny\n{config}",
        "run = %olive_run tiny --fresh",
        "%load_ext phinb\n%olive_attach tiny",
        "%olive_compare tiny --rows rows.jsonl",
    )
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return open_notebook(path, "light", files=[tmp_path / "rows.jsonl"])


def test_start_reload_restart_attach_stop_and_compare(real: Lab) -> None:
    """The whole way on the tiny model: a run outlives the page and the kernel, and what it made is compared."""
    lab = real
    for cell in range(3):
        lab.run_cell(cell)
    wait_for_steps(lab, 50)
    lab.save()
    lab.reload()
    seen = steps(lab)
    wait_for_steps(lab, seen + 50)
    restart_kernel(lab)
    lab.run_cell(3)
    lab.page.wait_for_selector(f"{PANELS[3]} [role=progressbar][aria-label=lora][aria-valuenow]")
    seen = steps(lab, 3)
    wait_for_steps(lab, seen + 50, 3)
    lab.page.locator(PANELS[3]).get_by_role("button", name="Stop and keep", exact=True).press("Enter")
    lab.page.wait_for_selector(f"{PANELS[3]} .phinb-pill:text-is('stopped')", timeout=60_000)
    text = lab.page.locator(f"{PANELS[3]} [aria-label=lora]").get_attribute("aria-valuetext") or ""
    assert re.search(r"[\d,]+ / 4,000 steps", text), text
    lab.run_cell(4)
    lab.page.wait_for_selector(".js-plotly-plot .main-svg", timeout=120_000)
    saved, gone, figure = lab.save()["cells"][4]["outputs"]
    assert "merged" in "".join(saved["data"]["text/html"])
    assert "application/vnd.plotly.v1+json" in figure["data"]
    assert WIDGET_MIME not in gone["data"]
    shoot(lab, "run-compared")


PANELS = [f".jp-Cell:nth-of-type({number}) .phinb-live" for number in range(1, 6)]


def steps(lab: Lab, cell: int = 2) -> int:
    """How many steps the panel of a cell tells."""
    label = lab.page.wait_for_selector(f"{PANELS[cell]} [role=progressbar][aria-label=lora][aria-valuetext*='/ 4,000']")
    return int((label.get_attribute("aria-valuetext") or "0").split(" ")[0].replace(",", ""))


def wait_for_steps(lab: Lab, count: int, cell: int = 2) -> None:
    deadline = time.monotonic() + 60
    while steps(lab, cell) < count:
        assert time.monotonic() < deadline, f"only {steps(lab, cell)} steps"
        lab.page.wait_for_timeout(200)


def restart_kernel(lab: Lab) -> None:
    lab.page.evaluate(
        """async () => {
            const context = window.jupyterapp.shell.currentWidget.sessionContext;
            await context.session.kernel.restart();
            await context.session.kernel.info;
        }"""
    )


def serious(lab: Lab) -> list[str]:
    """What axe-core calls serious or critical in the panel."""
    from axe_playwright_python.sync_playwright import Axe

    response = Axe().run(lab.page, context=".phinb-live").response
    assert len(response["passes"]) > 10, "axe has looked at something"
    found = response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def shoot(lab: Lab, name: str) -> None:
    """A picture for whoever looks at the feel: $PHINB_SHOTS names the folder."""
    if folder := os.environ.get("PHINB_SHOTS"):
        lab.page.screenshot(path=Path(folder) / f"{name}.png")
