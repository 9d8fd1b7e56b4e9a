"""The magic about data: %olive_preview. What it needs is imported when it is first used."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.notebook.arguments import find_config
from phinb.notebook.cells import cells_of
from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import Host, find_host, show

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.notebook.preview_panel import PreviewPanel


@magics_class
class PreviewMagics(Magics):  # type: ignore[misc]
    """The exact tokens that a model will be trained on."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._cells = cells_of(shell)
        self._panels: dict[tuple[str, str, str], tuple[int, PreviewPanel]] = {}

    @line_magic(
        argument("name", metavar="NAME", help="a configuration of this notebook, or a file"),
        argument("--data", metavar="CONFIG", help="the data config, by default the training data"),
        argument("--limit", metavar="N", type=int, default=3, help="sequences in the saved form (3)"),
    )
    def olive_preview(self, options: Namespace) -> None:
        """Show what training gets from a configuration's data: tokens, what is trained on, numbers, and mistakes.

        First sequences are there at once, numbers fill in. Problems come with a button that mends the configuration;
        its template can be edited. In a notebook that runs alone, and in a terminal, the first sequences and the
        numbers are shown.
        """
        config = find_config(self.shell.user_ns, options.name)
        variable = options.name if self.shell.user_ns.get(options.name) is config else ""
        if find_host(self.shell) is Host.PANEL:
            self._open(variable, config, options)
            return
        from phinb.api import preview
        from phinb.notebook.preview_html import preview_bundle

        found = preview(config, options.data, max(options.limit, 0))
        show(preview_bundle(variable or config.name, found, options.limit))

    def _open(self, variable: str, config: Config, options: Namespace) -> None:
        from phinb.data.preview import find_data_config
        from phinb.notebook.preview_panel import PreviewPanel

        if config.ok:
            find_data_config(config.to_olive(), options.data)
        self._close_earlier(options.name)
        panel = PreviewPanel(self.shell, variable, config, self._cells, options.data, max(options.limit, 0))
        key = (self._cells.running, options.name, options.data or "")
        self._panels[key] = self.shell.execution_count, panel
        panel.open()

    def _close_earlier(self, name: str) -> None:
        """The panels of this cell's earlier executions are gone from the page; without cell ids: those of the name."""
        cell, now = self._cells.running, self.shell.execution_count
        for key, (executed, panel) in list(self._panels.items()):
            if key[0] == cell and (executed != now if cell else key[1] == name):
                panel.close()
                del self._panels[key]
