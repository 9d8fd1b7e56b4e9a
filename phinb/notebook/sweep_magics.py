"""%olive_sweep: try other settings of a configuration, watch the sweep, and see what they came to."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.errors import PhinbError
from phinb.notebook.arguments import find_config
from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import Host, find_host, show

if TYPE_CHECKING:
    from phinb.workflow.sweep import Sweep


@magics_class
class SweepMagics(Magics):  # type: ignore[misc]
    """Sweeps."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._shown_in: dict[str, int] = {}
        if getattr(shell, "kernel", None) is not None:
            formatter = shell.display_formatter.ipython_display_formatter
            formatter.for_type_by_name("phinb.workflow.sweep", "Sweep", self._display_sweep)

    @line_magic(
        argument("name", metavar="NAME", nargs="?", help="a configuration of this notebook, a file, or a sweep's id"),
        argument("settings", metavar="PATH=VALUES", nargs="*", help="passes.lora.r=8,16,32; 1e-5..1e-3 to draw from"),
        argument("--repeats", type=int, default=1, metavar="N", help="runs a setting, each with another seed"),
        argument("--sampler", choices=["grid", "tpe", "random"], default="grid", help="all settings, or drawn ones"),
        argument("--trials", type=int, metavar="N", help="how many settings a sampler draws"),
        argument("--objective", metavar="FIGURE", help="accuracy, eval_loss, loss, ttft_ms_p50, ...: what is compared"),
        argument("--variant", metavar="VARIANT", help="the model that is measured; else the last that a run makes"),
        argument("--until", metavar="PASS", help="end each run after this pass"),
        argument("--at-once", type=int, default=1, metavar="N", help="runs at the same time, as far as memory does"),
    )
    def olive_sweep(self, options: Namespace) -> Sweep:
        """Run a configuration with other settings, each trial an ordinary run; the cell ends at once.

        With a name and no settings, or nothing at all: the panel of the sweep of that id or name, or of the newest.
        """
        from phinb.api import open_sweep, sweep, sweeps
        from phinb.workflow.sweep_space import read_assignments, read_options

        if not options.settings:
            found = self.shell.user_ns.get(options.name) if options.name else next(iter(sweeps()), None)
            if found is None and not options.name:
                raise PhinbError("There is no sweep yet.", "%olive_sweep NAME passes.lora.r=8,16 starts one.")
            from phinb.workflow.sweep import Sweep as SweepType

            return self._watch(found if isinstance(found, SweepType) else open_sweep(options.name))
        started = sweep(
            find_config(self.shell.user_ns, options.name),
            read_assignments(options.settings),
            **read_options(options),
        )
        return self._watch(started)

    def _watch(self, sweep: Sweep) -> Sweep:
        """Show it as the host allows; returns it, so that an assignment gets it."""
        self._shown_in[sweep.id] = self.shell.execution_count
        from phinb.notebook.sweep_panel import SweepPanel, sweep_bundle, sweep_figure

        if find_host(self.shell) is Host.PANEL:
            SweepPanel(sweep).open()
            return sweep
        from phinb.workflow.sweep_text import follow_in_text

        follow_in_text(sweep, print, time.sleep)
        show(sweep_bundle(sweep))
        if drawn := sweep_figure(sweep):
            show(drawn)
        return sweep

    def _display_sweep(self, sweep: Sweep) -> None:
        """A Sweep as a cell's last value is its panel, unless this very cell has shown it already."""
        if self._shown_in.get(sweep.id) != self.shell.execution_count:
            self._watch(sweep)
