"""The magics about runs: %olive_run, %olive_runs, %olive_attach, %olive_stop, %olive_compare.

What a magic needs is imported when it is first used: %load_ext loads this file and next to nothing else.
"""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.errors import ConfigError
from phinb.evaluation.comparison_options import OPTIONS, read_options
from phinb.notebook.arguments import find_config, find_run
from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import Host, find_host, show

if TYPE_CHECKING:
    from phinb.workflow.runner import Run


@magics_class
class RunMagics(Magics):  # type: ignore[misc]
    """Starting runs, watching them, ending them, and comparing what they made."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._shown_in: dict[str, int] = {}
        if getattr(shell, "kernel", None) is not None:
            formatter = shell.display_formatter.ipython_display_formatter
            formatter.for_type_by_name("phinb.workflow.runner", "Run", self._display_run)

    @line_magic(
        argument("name", metavar="NAME", help="a configuration of this notebook, or a file"),
        argument("--until", metavar="PASS", help="end after this pass"),
        argument("--from", dest="from_", metavar="PASS", help="run this pass and the later ones anew"),
        argument("--fresh", action="store_true", help="use no earlier result and no checkpoint"),
        argument("--anyway", action="store_true", help="also where memory or disk will probably not do"),
        argument("--wait", action="store_true", help="end the cell only when the run has ended"),
    )
    def olive_run(self, options: Namespace) -> Run | None:
        """Start a run and show its panel; the cell ends at once, the run goes on in a process of its own.

        `run = %olive_run NAME` also gives the Run. In a notebook that runs alone (nbconvert, papermill), and in a
        terminal, it waits and prints a line for each change.
        """
        from phinb.api import start
        from phinb.notebook.open_previews import previews_of

        config = find_config(self.shell.user_ns, options.name)
        try:
            run: Run = start(
                config, until=options.until, from_=options.from_, fresh=options.fresh, anyway=options.anyway
            )
        except ConfigError as error:
            from phinb.notebook.failure import fail

            fail(self.shell, error)
            return None
        if told := previews_of(self.shell).look_before_run(config):
            print(told)
        return self._watch(run, wait=options.wait)

    @line_magic(
        argument(
            "run", metavar="RUN", nargs="?", help="an id, a configuration's name or a variable; else the newest run"
        ),
        argument("--wait", action="store_true", help="end the cell only when the run has ended"),
    )
    def olive_attach(self, options: Namespace) -> Run:
        """Show the panel of a run, whoever started it; of one that ended early with a button to resume it."""
        return self._watch(find_run(self.shell.user_ns, options.run), wait=options.wait)

    @line_magic(
        argument("--all", action="store_true", help="all runs, not only the newest twenty"),
        argument("--delete", metavar="RUN", nargs="+", default=[], help="delete these, and results that none needs"),
        argument("--keep", metavar="N", type=int, help="delete all ended runs but the newest N"),
        argument("--older", metavar="AGE", help="delete runs that ended longer ago: 12h, 30d, 8w"),
        argument("--cache", action="store_true", help="delete what no run needs of Olive's results"),
        argument("--yes", action="store_true", help="delete; without it, only say what would go"),
    )
    def olive_runs(self, options: Namespace) -> None:
        """List the runs, newest first, with what they take on the disk; delete old ones, never one that goes on."""
        from phinb.api import delete_runs, disk_usage, runs
        from phinb.notebook.run_table import deletion_bundle, runs_bundle

        if options.delete or options.keep is not None or options.older is not None or options.cache:
            named = [find_run(self.shell.user_ns, name) for name in options.delete]
            asked = {"keep": options.keep, "older": options.older, "cache": options.cache}
            show(deletion_bundle(delete_runs(*named, **asked, dry_run=not options.yes)))
            return
        states = {run.id: run.state for run in runs()[: None if options.all else 20]}
        show(runs_bundle(states, disk_usage(), time.time()))

    @line_magic(
        argument("run", metavar="RUN", help="an id, a configuration's name or a variable"),
        argument("--cancel", action="store_true", help="end it now; nothing but its checkpoints is kept"),
    )
    def olive_stop(self, options: Namespace) -> None:
        """End a run's training after its current step; what is trained is kept, merged and quantized."""
        run = find_run(self.shell.user_ns, options.run)
        if run.state.ended:
            print(f"Run {run.id} has ended already: {run.state.status}.")
        elif options.cancel:
            run.cancel()
            print(f"Run {run.id}: {run.state.status}. %olive_attach {run.id} offers to resume it.")
        else:
            run.stop()
            print(f"Run {run.id} ends its training after the current step; what is trained is kept and goes on.")

    @line_magic(
        argument("--off", action="store_true", help="end the one that waits"),
    )
    def olive_standby(self, options: Namespace) -> None:
        """Have a worker load Olive and wait, so that the next run begins at once; %%olive_config does it by itself."""
        from phinb.api import dismiss_standby, keep_standby
        from phinb.workflow.standby import describe_standby

        if options.off:
            dismiss_standby()
        print(describe_standby(None if options.off else keep_standby()))

    @line_magic(
        argument("run", metavar="RUN", help="an id, a configuration's name or a variable"),
        argument("--rows", metavar="ROWS", help="a file, a data config's name or a variable; else the eval data"),
        *(argument(flag, **given) for flag, given in OPTIONS),
    )
    def olive_compare(self, options: Namespace) -> None:
        """Measure a run's models on the same rows and show what each gained and lost; the cell ends at once.

        A run that is still going on is waited for. Results are kept: phinb.compare(run), or this line again, gives
        the same comparison at once.
        """
        run = find_run(self.shell.user_ns, options.run)
        rows = self.shell.user_ns.get(options.rows, options.rows) if options.rows else None
        asked = read_options(options)
        if find_host(self.shell) is Host.PANEL:
            from phinb.notebook.comparison_panel import ComparisonPanel

            ComparisonPanel(run, rows, asked).open()
            return
        from phinb.notebook.comparison_output import compare_in_text

        compare_in_text(run, rows, asked)

    def _watch(self, run: Run, wait: bool) -> Run:
        """Show `run` as the host allows; returns it, so that an assignment gets it."""
        self._shown_in[run.id] = self.shell.execution_count
        if find_host(self.shell) is not Host.PANEL:
            from phinb.notebook.waiting import wait_and_show

            wait_and_show(run)
            return run
        from phinb.notebook.run_panel import RunPanel

        panel = RunPanel(run, self.shell, busy=wait)
        panel.open()
        if wait:
            panel.wait()
        return run

    def _display_run(self, run: Run) -> None:
        """A Run as a cell's last value is its panel, unless this very cell has shown it already."""
        if self._shown_in.get(run.id) != self.shell.execution_count:
            self._watch(run, wait=False)
