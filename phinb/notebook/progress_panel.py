"""The live panel: a View on the wire, and the buttons that come back. progress_panel.js draws it.

Importing this module loads ipywidgets; it is imported when a panel is first shown, not by %load_ext.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from phinb.workflow.view import View

HERE = Path(__file__).parent


class ProgressPanel(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget that shows a View and calls `on_action(action)` for each button pressed.

    `view` and `chart` are sent only where they changed; `log_open` is the browser's to set, so that it survives a
    reload of the page. Callbacks come on a thread that depends on the version of ipykernel and must be short.
    """

    _esm = HERE / "progress_panel.js"
    _css = HERE / "panel.css"

    view = traitlets.Dict().tag(sync=True)
    chart = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    log_text = traitlets.Unicode().tag(sync=True)
    log_open = traitlets.Bool(False).tag(sync=True)

    def __init__(self, on_action: Callable[[str], None]) -> None:
        super().__init__()
        self.on_msg(lambda _widget, content, _buffers: self._receive(content, on_action))

    def show(self, view: View) -> None:
        """Send what changed of `view`."""
        self.chart = asdict(view.chart) if view.chart else None
        self.view = asdict(replace(view, chart=None))

    def mimebundle(self) -> dict[str, Any]:
        """The widget's view alone; whoever displays it adds the static twins."""
        reference = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {"application/vnd.jupyter.widget-view+json": reference}

    @staticmethod
    def _receive(content: Any, on_action: Callable[[str], None]) -> None:
        action = content.get("action") if isinstance(content, dict) else None
        if isinstance(action, str):
            on_action(action)
