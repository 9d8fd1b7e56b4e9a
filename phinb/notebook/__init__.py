"""The notebook room: magics and panels. `%load_ext phinb` comes here and loads nothing that a panel would need."""

from __future__ import annotations

from typing import Any

__all__ = ["register"]


def register(ipython: Any) -> None:
    """Register the magics with an IPython shell, and how a Run shows itself as a cell's last value."""
    from phinb.notebook.cache_magics import CacheMagics
    from phinb.notebook.changes_magics import ChangesMagics
    from phinb.notebook.chat_magics import ChatMagics
    from phinb.notebook.choice_magics import ChoiceMagics
    from phinb.notebook.config_magics import ConfigMagics
    from phinb.notebook.export_magics import ExportMagics
    from phinb.notebook.new_magics import NewMagics
    from phinb.notebook.preview_magics import PreviewMagics
    from phinb.notebook.report_magics import ReportMagics
    from phinb.notebook.run_magics import RunMagics
    from phinb.notebook.sweep_magics import SweepMagics

    ipython.register_magics(ConfigMagics)
    ipython.register_magics(NewMagics)
    ipython.register_magics(PreviewMagics)
    ipython.register_magics(RunMagics)
    ipython.register_magics(ChangesMagics)
    ipython.register_magics(ChoiceMagics)
    ipython.register_magics(ChatMagics)
    ipython.register_magics(ExportMagics)
    ipython.register_magics(ReportMagics)
    ipython.register_magics(SweepMagics)
    ipython.register_magics(CacheMagics)
