"""A comparison as one HTML file: no request, both themes, for the screen and for paper.

plotly.js travels in it once, packed (1.9 MB instead of 4.8); a page's policy admits that script and the file's own, and
nothing else. Without scripts, every table is there and open.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from phinb.data.signs import UNSEEN, spell_out
from phinb.errors import PhinbError
from phinb.evaluation.colours import choose_looks
from phinb.evaluation.results import Comparison
from phinb.evaluation.tables import describe
from phinb.evaluation.wording import size
from phinb.plots.figures import KINDS, figure, tabulate
from phinb.plots.tables import write_rows
from phinb.types import RunState
from phinb.workflow.store import write_atomically

HERE = Path(__file__).parent
MOST_ROWS = 400
"""Rows of a table that are written out; of more the first ones, and how many there are."""


@dataclass(frozen=True)
class Plot:
    """One plot: its figure for each theme, and its table; or why there is none."""

    kind: str
    title: str
    light: str = ""
    dark: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    numbers: Sequence[bool] = ()
    left_out: int = 0
    missing: str = ""


def save_report(
    comparison: Comparison, path: str | Path, run: RunState | None = None, *, overwrite: bool = False
) -> Path:
    """Write the report, of a `run` with its passes and its loss. Returns the path.

    Raises PhinbError where the file is there and `overwrite` is not given, or where it cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise PhinbError(f"{target} is a folder.", "Name a file that ends in .html.")
    if target.exists() and not overwrite:
        raise PhinbError(f"{target} is there already.", "Name another file, or say to write over it.")
    if not target.absolute().parent.is_dir():
        raise PhinbError(f"{target} cannot be written: there is no such folder.", "Make it first.")
    text = write_report(comparison, run)
    try:
        write_atomically(target, text)
    except OSError as error:
        raise PhinbError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    return target


def write_report(comparison: Comparison, run: RunState | None = None) -> str:
    """The report as HTML, of about 2.1 MB."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = _show
    template = environment.from_string((HERE / "report.html.jinja").read_text(encoding="utf-8"))
    packed, plotly_hash = _read_plotly()
    script = (HERE / "report.js").read_text(encoding="utf-8")
    plots = [_make_plot(comparison, kind) for kind in KINDS[Comparison]]
    if run is not None:
        plots.append(_make_plot(run, "loss"))
    text = template.render(
        title=f"{comparison.name or 'A comparison'} compared",
        written=time.strftime("%Y-%m-%d %H:%M %z"),
        style=(HERE / "report.css").read_text(encoding="utf-8"),
        dark_colours=_write_dark_colours(comparison),
        policy=f"'{_hash(script)}' '{plotly_hash}'",
        script=script,
        table=comparison.to_html(),
        about=describe(comparison),
        lineage=_list_lineage(comparison),
        run=run and _describe_run(run),
        plots=plots,
        settings=_list_settings(comparison),
        template=str(comparison.settings.get("template", "")),
        labels=[str(label) for label in comparison.settings.get("labels") or ()],
        problems=comparison.problems,
    )
    # What no escaping touches: signs that turn the text's direction, or that nobody sees.
    text = UNSEEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
    return text.replace("@PLOTLY@", packed)


@cache
def _read_plotly() -> tuple[str, str]:
    """plotly.js packed (gzip, base64), and its hash for the page's policy."""
    import plotly.offline

    script: str = plotly.offline.get_plotlyjs()
    return base64.b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode(), _hash(script)


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _make_plot(source: Comparison | RunState, kind: str) -> Plot:
    """The plot of that kind; where there is nothing to show, or only one point of it, the reason."""
    title = kind.replace("_", " ").replace("ttft", "first token").capitalize()
    try:
        drawn = [figure(source, kind, dark=dark) for dark in (False, True)]
        rows = tabulate(source, kind)
    except PhinbError as error:
        return Plot(kind, title, missing=error.message)
    head, cells, numbers = write_rows(rows[:MOST_ROWS])
    light, dark = (_embed(one) for one in drawn)
    title = str(drawn[0].layout.title.text)
    return Plot(kind, title, light, dark, head, cells, numbers, max(0, len(rows) - MOST_ROWS))


def _embed(drawn: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends that element, or begins another."""
    return str(drawn.to_json()).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _show(value: Any) -> str:
    """A text on one line, with what cannot be seen written out."""
    return spell_out(str(value))


def _write_dark_colours(comparison: Comparison) -> str:
    """The variants' brighter shades, for the table under a dark theme."""
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    return "".join(f"--v{index}:{look.dark};" for index, look in enumerate(looks.values()))


def _list_lineage(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """(variant, kind, the pass that made it, the stage it is held against); no path of this machine."""
    before = {summary.name: summary.before for summary in comparison.summaries}
    return [
        (v.name, v.kind + (f", {v.precision}" if v.precision else ""), v.from_pass or "–", before.get(v.name) or "–")
        for v in (measured.variant for measured in comparison.measurements)
    ]


def _list_settings(comparison: Comparison) -> list[tuple[str, str]]:
    """Every setting but the template and the labels, one a line; nested ones by dotted path."""
    apart = ("template", "labels")
    plain = {key: value for key, value in comparison.settings.items() if key not in apart}
    return [(path, _write_setting(path, value)) for path, value in _flatten(plain, "")]


def _flatten(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [pair for key, item in value.items() for pair in _flatten(item, f"{path}.{key}" if path else str(key))]
    return [(path, value)]


def _write_setting(path: str, value: Any) -> str:
    if path.endswith("bytes") and isinstance(value, int):
        return size(value)
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _describe_run(run: RunState) -> Mapping[str, Any]:
    """The run's id, when it began, how it ended, and its passes as (name, status, seconds)."""
    began = time.strftime("%Y-%m-%d %H:%M %z", time.localtime(run.started_at)) if run.started_at else "–"
    passes = [
        (name, one.status + (", reused" if one.reused else ""), "–" if one.seconds is None else f"{one.seconds:,.1f} s")
        for name, one in run.passes.items()
    ]
    seed = "–" if run.seed is None else str(run.seed)
    return {"id": run.run_id, "began": began, "status": run.status, "seed": seed, "passes": passes}
