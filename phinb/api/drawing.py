"""Plots of all that can be plotted, their tables, pictures and the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.api.comparing import compare, load_comparison
from phinb.api.rows import Rows
from phinb.config import load_config
from phinb.data.preview import Preview, preview
from phinb.errors import PhinbError
from phinb.types import Event, RunState
from phinb.workflow.runner import Run, open_run
from phinb.workflow.sweep import Sweep, open_sweep

if TYPE_CHECKING:
    import pandas

    from phinb.evaluation.choice import Choice
    from phinb.evaluation.comparison import Comparison


def figure(source: Comparison | Choice | Preview | Run | RunState | Sweep, kind: str) -> Any:
    """A plotly figure of a comparison, a choice, a preview, a run or a sweep.

    kind: of a comparison or a choice "quality_latency"; of a comparison "stages", "latency", "ttft_by_length",
    "confusion"; of a comparison or a run "history" (the runs of the same name); of a preview "lengths" (tokens a row
    and where they are cut), "labels" (rows a label), "padding" (its share of a training step, by how batches are made);
    of a run "loss"; of a sweep "parallel".

    Raises PhinbError, naming the kinds there are, for one that does not fit, and where there is nothing to show.
    """
    from phinb.plots import figure as draw

    return draw(source.state if isinstance(source, Run) else source, kind)


def table(source: Comparison | Preview | Run | RunState | Sweep, kind: str) -> pandas.DataFrame:
    """The figures that `figure(source, kind)` shows, as a pandas frame: what is unknown is NaN or None."""
    from phinb.plots import table as tabulate

    return tabulate(source, kind)


def save_figure(
    source: Comparison | Preview | Run | RunState | Sweep,
    kind: str,
    path: str | Path,
    *,
    dark: bool = False,
    width: int = 820,
    height: int | None = None,
    scale: float = 2.0,
) -> Path:
    """Draw `figure(source, kind)` into a file: .png, .svg, .pdf, .webp or .jpeg. Returns its path.

    width, height: in CSS pixels, the height by default the figure's own; scale: how many pixels there are to one.
    Raises PhinbError for another ending, and where kaleido (`pip install "phinb[pictures]"`) or a Chromium is missing.
    """
    from phinb.plots.pictures import save_figure as save

    return save(source, kind, path, dark=dark, width=width, height=height, scale=scale)


def report(
    source: Comparison | Run | str,
    path: str | Path,
    *,
    rows: str | Path | Rows | None = None,
    overwrite: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Path:
    """Write one HTML file with all of a comparison; it opens offline, in both themes, and prints. Returns its path.

    It holds the table, what changed in words, every plot with its table, settings, machine, versions, problems and
    lineage, in about 2.1 MB.

    source: a comparison, or the file that comparison.save wrote; or a run (or its name), which is compared on `rows`
    (what was measured is kept) and adds its passes and its loss.
    Raises PhinbError where the file is there already, unless `overwrite`, or cannot be written.
    """
    from phinb.plots.report import save_report

    if isinstance(source, str):
        source = load_comparison(source) if Path(source).is_file() else open_run(source)
    if isinstance(source, Run):
        comparison = compare(source, rows=rows, on_event=on_event)
        return save_report(comparison, path, source.state, overwrite=overwrite)
    return save_report(source, path, overwrite=overwrite)


def open_source(
    reference: str,
    kind: str,
    rows: str | Path | Rows | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Comparison | Preview | Run | Sweep:
    """What `figure(source, kind)` takes, by name: for "loss" and "history" a run, for "lengths", "labels" and "padding"
    the preview of a configuration's file, for "parallel" a sweep, else a comparison: that of a run, or a file that
    comparison.save wrote. A run is compared on `rows`, as `compare` does it.

    Raises PhinbError for an unknown kind, and where nothing has that name.
    """
    from phinb.plots.figures import KINDS

    takers = {taker for taker, kinds in KINDS.items() if kind in kinds}
    if not takers:
        every = dict.fromkeys(kind for kinds in KINDS.values() for kind in kinds)
        raise PhinbError(f"There is no figure {kind!r}.", f"The kinds are: {', '.join(every)}.")
    if Preview in takers:
        return preview(load_config(Path(reference)))
    if Sweep in takers:
        return open_sweep(reference)
    if Path(reference).is_file():
        return load_comparison(reference)
    run = open_run(reference)
    return run if RunState in takers else compare(run, rows=rows, on_event=on_event)
