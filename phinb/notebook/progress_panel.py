"""The live panel: a View on the wire, and the buttons that come back. progress_panel.js draws it.

Importing this module loads ipywidgets; it is imported when a panel is first shown, not by %load_ext.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import traitlets

from phinb.notebook.widget import PanelWidget, join_files
from phinb.workflow.view import View

SCRIPTS = ("elements.js", "cards.js", "chart.js", "progress_panel.js")
STYLES = ("panel.css", "controls.css")

CHARTS_INTERVAL_S = 0.5
"""Curves are the larger part of what is sent, and move slowly."""


class ProgressPanel(PanelWidget):
    """A widget that shows a View and calls `on_action(action, number)` for each button pressed; number: of which card.

    What changed of a view is one message. `beat` counts them, and is -1 where no more are to come: a browser that hears
    nothing for some seconds knows that the kernel is gone, or busy. So `show` must be called every second.

    `log_open` and `chart_key` are the browser's to set, so that they survive a reload of the page. Callbacks come on a
    thread that depends on the version of ipykernel and must be short.
    """

    _esm = join_files(SCRIPTS)
    _css = join_files(STYLES)

    view = traitlets.Dict().tag(sync=True)
    beat = traitlets.Int(0).tag(sync=True)
    charts = traitlets.List().tag(sync=True)
    chart_key = traitlets.Unicode("loss").tag(sync=True)
    log_text = traitlets.Unicode().tag(sync=True)
    log_open = traitlets.Bool(False).tag(sync=True)

    def __init__(self, on_action: Callable[[str, int], None]) -> None:
        super().__init__(lambda content: self._receive(content, on_action))
        self._drawn = 0.0

    def show(self, view: View, log: str | None = None, *, last: bool = False) -> None:
        """Send what changed of `view` and of the log's tail; the curves only now and then, unless it is the last."""
        now = time.monotonic()
        with self.hold_sync():
            if last or now - self._drawn >= CHARTS_INTERVAL_S:
                self.charts = [asdict(chart) for chart in view.charts]
                self._drawn = now
            self.view = asdict(replace(view, charts=()))
            self.beat = -1 if last else abs(self.beat) + 1
            if log is not None:
                self.log_text = log

    @staticmethod
    def _receive(content: dict[str, Any], on_action: Callable[[str, int], None]) -> None:
        action = content.get("action")
        number = content.get("number", 0)
        if isinstance(action, str) and isinstance(number, int):
            on_action(action, number)
