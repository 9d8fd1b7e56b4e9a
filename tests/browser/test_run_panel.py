"""The run panel in JupyterLab under Chromium: it moves, its buttons act, it survives a reload, and it can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phinb.types import MetricLogged
from phinb.workflow.runner import open_run
from tests.browser.conftest import Lab
from tests.golden.replay import Replay
from tests.notebook.test_config_magics import GOOD, ROWS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
OpenNotebook = Callable[..., Lab]


@pytest.fixture
def replay() -> Iterator[Callable[..., Replay]]:
    made: list[Replay] = []

    def make(golden: str, **options: Any) -> Replay:
        made.append(Replay(golden, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


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
    lab.page.wait_for_selector(f".phinb-pill:text-is('{status}')")


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
    chart = lab.page.get_by_role("img", name=re.compile("Loss of lora: 2.38 at step 40"))
    assert chart.count() == 1
    assert lab.page.locator(".phinb-chart .phinb-eval").count() == 2
    colour = lab.page.locator(".phinb-loss").evaluate("node => getComputedStyle(node).stroke")
    assert colour == ("rgb(0, 114, 178)" if theme == "light" else "rgb(86, 180, 233)")
    assert lab.page.get_by_role("status").filter(has_text="emotion running.").count() == 1


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
    output = lab.save()["cells"][1]["outputs"][0]
    assert WIDGET_MIME not in output["data"]
    assert "cancelled" in "".join(output["data"]["text/html"])


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
    output = lab.save()["cells"][1]["outputs"][0]
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
        overflow = lab.page.locator(".phinb").evaluate("node => node.scrollWidth - node.clientWidth")
        assert overflow <= 0, width


def test_nothing_jumps_while_the_run_moves(attached: Callable[..., Lab], training: Replay) -> None:
    """The way out stays in its corner and the bars keep their place and length, whatever the words beside them."""
    lab = attached()

    def places() -> list[Any]:
        selectors = ".phinb-buttons button, .phinb-bar"
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


def test_a_config_a_real_run_and_its_comparison(
    open_notebook: OpenNotebook, write_notebook: Callable[..., Path], tmp_path: Path
) -> None:
    """Everything at once on the tiny model: cells end at once, the table and the figure come later."""
    path = write_notebook(
        "%load_ext phinb",
        f"%%olive_config tiny\n{GOOD}",
        "run = %olive_run tiny --fresh",
        "%olive_compare tiny --rows rows.jsonl",
    )
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    lab = open_notebook(path, "light", files=[tmp_path / "rows.jsonl"])
    lab.run_all()
    lab.page.wait_for_selector(".phinb-pill:text-is('succeeded')", timeout=180_000)
    lab.page.wait_for_selector(".js-plotly-plot .main-svg", timeout=300_000)
    notebook = lab.save()
    table, figure = notebook["cells"][3]["outputs"]
    assert "merged" in "".join(table["data"]["text/html"])
    assert "application/vnd.plotly.v1+json" in figure["data"]
    assert WIDGET_MIME not in table["data"]
