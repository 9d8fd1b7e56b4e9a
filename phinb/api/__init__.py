"""The public functions. Magics, panels and the command line call these and nothing beneath them."""

from __future__ import annotations

from phinb.api.chatting import chat, chat_many, open_chat
from phinb.api.comparing import choose, compare, export, load_comparison, row_tokens, search_precisions
from phinb.api.drawing import figure, open_source, report, save_figure, table
from phinb.api.starting import (
    advise,
    cached_data,
    delete_cached_data,
    delete_runs,
    disk_usage,
    gallery,
    new_config,
    run,
    start,
)
from phinb.api.sweeping import measure_trial, sweep
from phinb.config import load_config
from phinb.data.cache import CachedCopy
from phinb.data.component import export_plain
from phinb.data.preview import preview
from phinb.evaluation.latency import LatencySettings
from phinb.workflow.advice import Advice, apply_advice
from phinb.workflow.plain_view import PlainRow, check_plain_olive
from phinb.workflow.preflight import preflight
from phinb.workflow.runner import open_run, runs
from phinb.workflow.standby import Standby, dismiss_standby, find_standby, keep_standby
from phinb.workflow.sweep import Sweep, open_sweep, sweeps
from phinb.workflow.sweep_space import Range
from phinb.workflow.tidying import Deletion, Usage

__all__ = [
    "Advice",
    "CachedCopy",
    "Deletion",
    "LatencySettings",
    "PlainRow",
    "Range",
    "Standby",
    "Sweep",
    "Usage",
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
    "measure_trial",
    "new_config",
    "open_chat",
    "open_run",
    "open_source",
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
