"""%olive_report and %olive_figure: a comparison as a file to hand on, and one plot, shown or saved."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import show

if TYPE_CHECKING:
    from phinb.evaluation.comparison import Comparison
    from phinb.workflow.runner import Run


@magics_class
class ReportMagics(Magics):  # type: ignore[misc]
    """What is measured, as something to show to others."""

    @line_magic(
        argument("run", metavar="RUN", help="a run's id, a configuration's name, or a variable: a run, a comparison"),
        argument("path", metavar="FILE", help="the HTML file to write"),
        argument("--rows", metavar="ROWS", help="a file, a data config's name or a variable; else the eval data"),
        argument("--force", action="store_true", help="write over a file that is there"),
    )
    def olive_report(self, options: Namespace) -> None:
        """Write one HTML file with all of a comparison; it opens offline. What was not measured is measured first."""
        from phinb.api import report

        rows = self.shell.user_ns.get(options.rows, options.rows) if options.rows else None
        found = _find_measured(self.shell.user_ns, options.run)
        path = report(found, options.path, rows=rows, overwrite=options.force)
        print(f"{path} is written, {path.stat().st_size / 1e6:.1f} MB.")

    @line_magic(
        argument("source", metavar="SOURCE", help="a run, comparison, preview, configuration or sweep, or its name"),
        argument(
            "kind", metavar="KIND", help="quality_latency, stages, latency, ttft_by_length, confusion, history, ..."
        ),
        argument("--save", metavar="PATH", help="write it: .png, .svg, .pdf, .webp, .jpeg; or .csv for its table"),
        argument("--dark", action="store_true", help="a picture on a dark ground"),
        argument("--table", action="store_true", help="show its table instead"),
        argument("--rows", metavar="ROWS", help="a file, a data config's name or a variable; else the eval data"),
    )
    def olive_figure(self, options: Namespace) -> None:
        """Show a plot, show the figures that it holds, or save either."""
        from phinb.api import save_figure
        from phinb.plots.figures import figure, save_table, table

        source = self._open(options)
        if options.save:
            path = Path(options.save)
            if path.suffix.lower() == ".csv":
                save_table(source, options.kind, path)
            else:
                save_figure(source, options.kind, path, dark=options.dark)
            print(f"{path} is written.")
        elif options.table:
            from IPython.display import display

            display(table(source, options.kind))
        else:
            from phinb.notebook.comparison_output import plotly_bundle
            from phinb.plots.figures import describe_table

            show(plotly_bundle(figure(source, options.kind), describe_table(source, options.kind)))

    def _open(self, options: Namespace) -> Any:
        """The source of a variable, or what phinb.api.open_source finds of that name."""
        from phinb.api import open_source, preview
        from phinb.config import Config
        from phinb.plots.figures import KINDS
        from phinb.types import RunState
        from phinb.workflow.runner import Run

        value = self.shell.user_ns.get(options.source)
        rows = self.shell.user_ns.get(options.rows, options.rows) if options.rows else None
        if isinstance(value, Run):
            if options.kind in KINDS[RunState]:
                return value
            return open_source(value.id, options.kind, rows)
        if isinstance(value, tuple(KINDS)):
            return value
        if isinstance(value, Config):
            if options.kind in ("lengths", "labels", "padding"):
                return preview(value)
            return open_source(value.name, options.kind, rows)
        return open_source(options.source, options.kind, rows)


def _find_measured(namespace: dict[str, Any], reference: str) -> Comparison | Run | str:
    """A comparison or a run: a variable's, or one of that name or file."""
    from phinb.evaluation.comparison import Comparison
    from phinb.notebook.arguments import find_run

    value = namespace.get(reference)
    if isinstance(value, Comparison):
        return value
    return reference if value is None and Path(reference).is_file() else find_run(namespace, reference)
