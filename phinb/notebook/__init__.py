"""The notebook room: magics and panels. `%load_ext phinb` comes here and loads nothing that a panel would need."""

from __future__ import annotations

from typing import Any

__all__ = ["register"]


def register(ipython: Any) -> None:
    """Register the magics with an IPython shell, and how a Run shows itself as a cell's last value."""
    from phinb.notebook.cache_magics import CacheMagics
    from phinb.notebook.config_magics import ConfigMagics
    from phinb.notebook.new_magics import NewMagics
    from phinb.notebook.preview_magics import PreviewMagics
    from phinb.notebook.run_magics import RunMagics
    from phinb.notebook.sweep_magics import SweepMagics

    ipython.register_magics(ConfigMagics)
    ipython.register_magics(NewMagics)
    ipython.register_magics(PreviewMagics)
    ipython.register_magics(RunMagics)
    ipython.register_magics(SweepMagics)
    ipython.register_magics(CacheMagics)
