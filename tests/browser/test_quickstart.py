"""The quickstart in JupyterLab, as a newcomer meets it: all cells, the demo model, real training, the comparison."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import phinb

ROOT = Path(__file__).resolve().parents[2]
WAIT_MS = 20 * 60 * 1000

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]


def bar_position(bar: Any) -> float:
    return float(bar.get_attribute("aria-valuenow") or 0)


def test_the_quickstart_trains_and_compares(open_notebook: Callable[..., Any], tmp_path: Path) -> None:
    lab = open_notebook(ROOT / "notebooks" / "01_quickstart.ipynb", beside=[ROOT / "sample_data"])
    page = lab.page
    lab.run_all()
    page.locator(".phinb-preview :text('360 rows → 360 sequences')").wait_for(timeout=WAIT_MS)
    bar = page.locator('.phinb:not(.phinb-preview) [role="progressbar"][aria-valuenow]').first
    bar.wait_for(timeout=WAIT_MS)
    first, deadline = bar_position(bar), time.monotonic() + 300
    while bar_position(bar) <= first and time.monotonic() < deadline:
        page.wait_for_timeout(500)
    assert bar_position(bar) > first, "the bar moves while the run goes on"
    page.locator(".js-plotly-plot").first.wait_for(timeout=WAIT_MS)
    page.locator(".updatemenu-button", has_text="confusion").click()
    page.locator(".js-plotly-plot .gtitle", has_text="Which labels are taken for which").wait_for()
    plain = page.locator(".jp-OutputArea").filter(has_text="plain Olive").first.inner_text()
    assert "alpha" in plain
    for theme in ("light", "dark"):
        lab.set_theme(theme)
        page.screenshot(path=tmp_path / f"quickstart-{theme}.png")
    assert page.locator(".jp-OutputArea [data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []
    check_comparison(phinb.compare("emotion"))


def check_comparison(comparison: Any) -> None:
    """What the project promises of its demo on the 120 test rows."""
    frame = comparison.frame
    print(comparison.to_text())
    assert set(comparison.reused) == {"base", "adapter", "merged", "int4"}, "what the notebook measured is kept"
    assert list(frame["n"]) == [120] * 4
    assert frame.loc["adapter", "accuracy"] >= frame.loc["base", "accuracy"] + 0.20
    assert frame.loc["merged", "agreement"] >= 0.99
    assert frame.loc["int4", "accuracy"] >= frame.loc["merged", "accuracy"] - 0.08
    for name in ("base", "adapter", "merged", "int4"):
        assert frame.loc[name, "accuracy_low"] < frame.loc[name, "accuracy"] < frame.loc[name, "accuracy_high"]
        assert frame.loc[name, "decode_tokens_per_s"] > 0
        assert frame.loc[name, "size_bytes"] > 0
