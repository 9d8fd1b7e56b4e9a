"""What every live panel is made of: a widget that gets its scripts and styles from files, and the user's messages.

Importing this module loads ipywidgets; it is imported when a panel is first shown, not by %load_ext.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget

HERE = Path(__file__).parent


def join_files(names: Sequence[str]) -> str:
    """The text of these scripts or styles, one behind the other: a panel's module is one."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class PanelWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget whose messages go to `on_message`, on a thread that depends on the version of ipykernel."""

    def __init__(self, on_message: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self.on_msg(lambda _widget, content, _buffers: on_message(content) if isinstance(content, dict) else None)

    def mimebundle(self, told: str = "The panel needs a live kernel: run the cell again.") -> dict[str, Any]:
        """The widget's view; `told` stands in its place where there is no text/html to be seen."""
        reference = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {"application/vnd.jupyter.widget-view+json": reference, "text/plain": told}
