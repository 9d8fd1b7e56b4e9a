"""`figure(object, kind)` and `table(object, kind)`: the one door to all plots, and to the figures that they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.data.preview import Preview
from phinb.data.signs import spell_out
from phinb.errors import PhinbError
from phinb.evaluation.choice import Choice
from phinb.evaluation.results import Comparison
from phinb.plots.choice import plot_choice
from phinb.plots.confusion import plot_confusion
from phinb.plots.history import plot_history
from phinb.plots.labels import plot_labels
from phinb.plots.latency import plot_latency
from phinb.plots.lengths import plot_lengths
from phinb.plots.loss import plot_loss
from phinb.plots.padding import plot_padding
from phinb.plots.parallel import plot_parallel
from phinb.plots.quality_latency import plot_quality_latency
from phinb.plots.stages import plot_stages
from phinb.plots.tables import TABLES, Rows, frame_of, write_rows
from phinb.plots.template import Palette, choose_palette
from phinb.plots.ttft_by_length import plot_ttft_by_length
from phinb.types import RunState
from phinb.workflow.sweep import Sweep
from phinb.workflow.text import table_text

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects as go

Plot = Callable[[Any, Palette], "go.Figure"]

KINDS: Mapping[type, Mapping[str, Plot]] = {
    Comparison: {
        "quality_latency": plot_quality_latency,
        "stages": plot_stages,
        "latency": plot_latency,
        "ttft_by_length": plot_ttft_by_length,
        "confusion": plot_confusion,
        "history": plot_history,
    },
    Choice: {"quality_latency": plot_choice},
    Preview: {"lengths": plot_lengths, "labels": plot_labels, "padding": plot_padding},
    RunState: {"loss": plot_loss, "history": plot_history},
    Sweep: {"parallel": plot_parallel},
}


def figure(source: Any, kind: str, *, dark: bool | None = None) -> go.Figure:
    """A plotly figure of a Comparison, a Choice, a Preview, a RunState, or whatever has a RunState as `state` (a run).

    kind: quality_latency, stages, latency, ttft_by_length, confusion or history for a comparison; lengths, labels or
    padding for a preview; loss or history for a run, parallel for a sweep. dark: the theme it is for; None gives
    colours that can be read on both.

    Raises PhinbError for an unknown kind or object, and where there is nothing to show yet.
    """
    shown, plot = _find(KINDS, source, kind)
    return plot(shown, choose_palette(dark))


def table(source: Any, kind: str) -> pandas.DataFrame:
    """The figures that `figure(source, kind)` shows, as a frame. Raises PhinbError as it does."""
    return frame_of(tabulate(source, kind))


def tabulate(source: Any, kind: str) -> Rows:
    """The same as rows, one dict each."""
    shown, rows_of = _find(TABLES, source, kind)
    rows: Rows = rows_of(shown)
    return rows


def describe_table(source: Any, kind: str) -> str:
    """The same as text, in aligned columns."""
    head, cells, numbers = write_rows(tabulate(source, kind))
    shown = [[spell_out(cell) for cell in row] for row in cells]
    return table_text(head, shown, [index for index, number in enumerate(numbers) if number])


def save_table(source: Any, kind: str, path: Path) -> None:
    """Write it as CSV, unrounded. Raises PhinbError where the file cannot be written."""
    frame = table(source, kind)
    try:
        frame.to_csv(path, index=False)
    except OSError as error:
        raise PhinbError(f"{path} cannot be written: {error.strerror or error}.", "Name another file.") from None


def _find(doors: Mapping[type, Mapping[str, Any]], source: Any, kind: str) -> tuple[Any, Any]:
    """What is shown (of a run its state), and what shows it as that kind."""
    state = getattr(source, "state", None)
    shown = state if isinstance(state, RunState) else source  # a sweep's is another
    known = next((kinds for kind_of, kinds in doors.items() if isinstance(shown, kind_of)), None)
    if known is None:
        raise PhinbError(
            f"There is no figure of a {type(source).__name__}.",
            "Give a comparison, a preview or a run: phinb.figure(comparison, kind).",
        )
    if kind not in known:
        raise PhinbError(f"There is no figure {kind!r} of this object.", f"The kinds are: {', '.join(known)}.")
    return shown, known[kind]
