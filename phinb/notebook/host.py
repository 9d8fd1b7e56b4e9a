"""Where the output goes: a notebook with somebody in front of it, one that runs alone, or a terminal."""

from __future__ import annotations

import os
from enum import Enum
from typing import Any


class Host(Enum):
    """PANEL: live widgets, cells return at once. HEADLESS and TERMINAL: nobody can click, so cells wait and print."""

    PANEL = "panel"
    HEADLESS = "headless"
    TERMINAL = "terminal"


def find_host(shell: Any) -> Host:
    """What `shell` is part of. PHINB_HEADLESS=1 or 0 overrides what is found in a kernel.

    Nothing tells a kernel who its client is. But JupyterLab, Notebook and VS Code let a cell ask the user for
    input, and nbclient (with nbconvert, papermill and nbmake on top of it) does not.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Host.TERMINAL
    chosen = os.environ.get("PHINB_HEADLESS", "")
    if chosen in ("0", "1"):
        return Host.HEADLESS if chosen == "1" else Host.PANEL
    return Host.PANEL if getattr(kernel, "_allow_stdin", True) else Host.HEADLESS


def show(bundle: dict[str, Any], display_id: str | None = None) -> None:
    """Display a MIME bundle, under `display_id` where it is to be replaced later."""
    from IPython.display import display

    display(bundle, raw=True, display_id=display_id)


def replace_shown(bundle: dict[str, Any], display_id: str) -> None:
    """Replace what was displayed under `display_id`, wherever it stands; works from any thread."""
    from IPython.display import publish_display_data

    publish_display_data(bundle, transient={"display_id": display_id}, update=True)
