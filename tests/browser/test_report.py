"""The report in Chromium without a network, as it lies on somebody's disk: drawn, inert, accessible, printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from phinb.evaluation.results import Comparison
from phinb.plots.report import save_report
from tests.plots.examples import keep_run, make_named
from tests.plots.test_report import make_hostile

pytestmark = [pytest.mark.slow, pytest.mark.browser]

DRAWN = "() => document.documentElement.dataset.drawn"


@pytest.fixture
def open_report(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """open_report(comparison, theme, scripts=True) -> page. Nothing but the file may have been asked for."""
    contexts, asked, errors = [], [], []

    def open_one(comparison: Comparison, theme: Literal["light", "dark"] = "light", scripts: bool = True) -> Any:
        path = save_report(comparison, tmp_path / "report.html", overwrite=True)
        context = chromium.new_context(
            viewport={"width": 1000, "height": 800}, color_scheme=theme, offline=True, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri())
        if scripts:
            page.wait_for_function(DRAWN)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert {url.split(":")[0] for url in asked} == {"file"}, asked
    assert len(asked) == len(contexts)
    assert [error for error in errors if "Content Security Policy" not in error] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_drawn_offline_in_both_themes_and_axe_finds_nothing(
    open_report: Callable[..., Any], theme: Literal["light", "dark"], tmp_path: Path
) -> None:
    comparison = make_named("emotion")
    keep_run(comparison, 1_000_000.0)
    page = open_report(comparison, theme)
    assert page.locator(".plot .main-svg").first.is_visible()
    assert page.evaluate(DRAWN) == "6"
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if theme == "light" else "rgb(17, 17, 19)")
    ink = page.locator(".plot .gtitle").first.evaluate("node => getComputedStyle(node).fill")
    assert ink == ("rgb(85, 85, 95)" if theme == "light" else "rgb(182, 182, 194)")
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    for summary in page.locator("summary").all():
        summary.click()
    page.screenshot(path=tmp_path / f"report-{theme}.png", full_page=True)
    assert serious(page) == []


def test_the_theme_may_change_and_paper_is_light_with_every_table_open(
    open_report: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_report(make_named("emotion"), "light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.plot .gtitle')).fill === 'rgb(182, 182, 194)'"
    )
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.wait_for_function("() => getComputedStyle(document.querySelector('.plot .gtitle')).fill === 'rgb(85, 85, 95)'")
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    pdf = page.pdf(path=tmp_path / "report.pdf")
    assert pdf.startswith(b"%PDF")


def test_hostile_texts_do_nothing(open_report: Callable[..., Any]) -> None:
    page = open_report(make_hostile())
    assert page.evaluate("() => window.hit") is None
    assert page.locator("img").count() == 0
    # What is refused is refused by the page itself, whatever comes in later.
    violated = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener('securitypolicyviolation', event => resolve(event.violatedDirective));
            const script = document.createElement('script');
            script.textContent = 'window.hit = 9';
            document.body.append(script);
        })"""
    )
    assert violated.startswith("script-src")
    assert page.evaluate("() => window.hit") is None


def test_without_scripts_the_figures_are_in_the_tables(open_report: Callable[..., Any]) -> None:
    page = open_report(make_named("emotion"), scripts=False)
    assert "Scripts are off" in page.locator("noscript").inner_text()
    page.locator("summary").first.click()
    assert "198 MB" in page.locator("details table").first.inner_text()


def serious(page: Any) -> list[str]:
    """What axe-core calls serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    response = Axe().run(page).response
    assert len(response["passes"]) > 10, "axe has looked at something"
    found = [one for one in response["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]
