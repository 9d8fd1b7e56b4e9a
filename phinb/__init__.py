"""phinb: the fine-tuning bench inside a notebook. It drives Microsoft Olive and shows what is really done.

    import phinb
    config = phinb.load_config("emotion.json")
    run = phinb.start(config)
    comparison = phinb.compare(run)

The public names are loaded when first used, so that `import phinb` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phinb.api import (
        LatencySettings,
        Range,
        advise,
        apply_advice,
        cached_data,
        chat,
        chat_many,
        check_plain_olive,
        choose,
        compare,
        delete_cached_data,
        delete_runs,
        disk_usage,
        dismiss_standby,
        export,
        export_plain,
        figure,
        find_standby,
        gallery,
        keep_standby,
        load_comparison,
        load_config,
        new_config,
        open_chat,
        open_run,
        open_sweep,
        preflight,
        preview,
        report,
        row_tokens,
        run,
        runs,
        save_figure,
        search_precisions,
        start,
        sweep,
        sweeps,
        table,
    )
    from phinb.errors import ConfigError, PhinbError

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "LatencySettings",
    "PhinbError",
    "Range",
    "advise",
    "apply_advice",
    "cached_data",
    "chat",
    "chat_many",
    "check_plain_olive",
    "choose",
    "compare",
    "delete_cached_data",
    "delete_runs",
    "disk_usage",
    "dismiss_standby",
    "export",
    "export_plain",
    "figure",
    "find_standby",
    "gallery",
    "keep_standby",
    "load_comparison",
    "load_config",
    "new_config",
    "open_chat",
    "open_run",
    "open_sweep",
    "preflight",
    "preview",
    "report",
    "row_tokens",
    "run",
    "runs",
    "save_figure",
    "search_precisions",
    "start",
    "sweep",
    "sweeps",
    "table",
]


def __getattr__(name: str) -> Any:
    if name in ("ConfigError", "PhinbError"):
        return getattr(import_module("phinb.errors"), name)
    if name in __all__:
        return getattr(import_module("phinb.api"), name)
    raise AttributeError(f"module 'phinb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext phinb`: register the magics."""
    from phinb.notebook import register

    register(ipython)
