"""The magics about a configuration: %%olive_config, %olive_config, %olive_check, %olive_plain; and %olive_doctor.

What a magic needs is imported when it is first used: %load_ext loads this file and next to nothing else.
"""

from __future__ import annotations

import builtins
import keyword
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.errors import PhinbError
from phinb.notebook.arguments import find_config
from phinb.notebook.cells import cells_of
from phinb.notebook.decorators import argument, line_cell_magic, line_magic
from phinb.notebook.host import Host, find_host, show

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.notebook.config_panel import ConfigPanel


@magics_class
class ConfigMagics(Magics):  # type: ignore[misc]
    """What a configuration says, and whether it can be run."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._cells = cells_of(shell)
        self._panels: dict[str, ConfigPanel] = {}

    @line_cell_magic(
        argument("name", metavar="NAME", help="the variable that gets the configuration; in a line also a file"),
        argument("--new", action="store_true", help="begin afresh: forget the pieces that other cells gave to NAME"),
        argument("--show", action="store_true", help="print the text, with what was changed in the panel"),
        argument("--against", metavar="OTHER", help="show where another configuration, or a file, differs"),
    )
    def olive_config(self, options: Namespace, cell: str | None = None) -> None:
        """Read the cell as an Olive configuration (JSON, comments allowed, or YAML) and bind it to NAME.

        Several cells may hold a piece of it each; running one again replaces its piece. Problems are shown with their
        lines in the cell; the Config is bound all the same. `%olive_config NAME` shows its panel again, `--show` its
        text, `--against OTHER` both side by side.
        """
        if cell is not None:
            self._read(options.name, cell, options.new)
        elif options.against:
            self._compare(options.name, options.against)
        elif options.show:
            print(self._text(self._find(options.name)), end="")
        else:
            self._open(options.name, self._find(options.name))

    def _read(self, name: str, text: str, new: bool) -> None:
        from phinb.config import load_config
        from phinb.notebook.cells import as_source

        if not name.isidentifier() or keyword.iskeyword(name) or hasattr(builtins, name):
            raise PhinbError(f"{name!r} cannot be a configuration's name.", "Take a new Python name, such as emotion.")
        pieces = self._cells.put(name, text, self.shell.execution_count, new=new)
        config = load_config(as_source(pieces), name=name)
        self._cells.bind(config)
        self.shell.push({name: config})
        self._open(name, config)
        if find_host(self.shell) is not Host.TERMINAL:
            from phinb.notebook.preparation import get_ready

            get_ready(config)

    def _open(self, name: str, config: Config) -> None:
        """The panel where somebody can use it, else the saved form; a file has no name that a panel could bind."""
        from phinb.notebook.config_html import config_bundle

        if find_host(self.shell) is not Host.PANEL or self.shell.user_ns.get(name) is not config:
            show(config_bundle(config))
            return
        from phinb.notebook.config_panel import ConfigPanel

        earlier = self._panels.get(name)
        if earlier is not None:
            earlier.leave()
        self._panels[name] = panel = ConfigPanel(self.shell, name, config, self._cells)
        panel.open()
        if earlier is not None:
            earlier.move(self._cells.running, f"In [{self.shell.execution_count}]")

    def _text(self, config: Config) -> str:
        """The text, of several pieces each under its cell's label."""
        texts = self._cells.written_texts(config)
        comment = "#" if config.format == "yaml" else "//"
        shown = [f"{comment} {label}\n{text}" if len(texts) > 1 else text for label, text in texts]
        return "\n".join(text if text.endswith("\n") else f"{text}\n" for text in shown)

    def _compare(self, name: str, other: str) -> None:
        from phinb.notebook.config_html import difference_bundle

        a, b = self._find(name), self._find(other)
        show(difference_bundle(a, b))

    def _find(self, name: str) -> Config:
        """The configuration, with whatever its panel is about to change."""
        if name in self._panels:
            self._panels[name].settled()
        return find_config(self.shell.user_ns, name)

    @line_magic(
        argument("name", metavar="NAME", help="a configuration of this notebook, or a file"),
    )
    def olive_check(self, options: Namespace) -> None:
        """Check a configuration with all that files, data, disk and memory can tell before a run."""
        from phinb.api import preflight
        from phinb.notebook.config_html import config_bundle

        config = self._find(options.name)
        result = preflight(config) if config.ok else None
        show(config_bundle(config, result))

    @line_magic(
        argument("name", metavar="NAME", help="a configuration of this notebook, or a file"),
        argument("--apply", action="store_true", help="write the advice into the configuration that NAME is bound to"),
    )
    def olive_advise(self, options: Namespace) -> None:
        """Say what makes the training faster or smaller on this machine without changing what it learns.

        The first time it measures the machine (5 s). `--apply` changes the configuration as its panel would; the
        cell's own text stays, and `%olive_config NAME --show` prints the new one.
        """
        from phinb.api import advise, apply_advice
        from phinb.notebook.advice_html import advice_bundle
        from phinb.notebook.binding import binding_of

        config = self._find(options.name)
        advice = advise(config)
        variable = options.name if self.shell.user_ns.get(options.name) is config else ""
        if not options.apply:
            if variable and find_host(self.shell) is Host.PANEL:
                from phinb.notebook.advice_panel import AdvicePanel

                AdvicePanel(self.shell, variable, config, self._cells, advice).open()
                return
            show(advice_bundle(config, advice))
            return
        binding = binding_of(self.shell, variable, config, self._cells)
        with binding.lock:
            binding.check()
            changed, done = apply_advice(config, advice)
            if done:
                binding.bind(changed)
        show(advice_bundle(changed, advice, done))

    @line_magic(
        argument("name", metavar="NAME", help="a configuration of this notebook, or a file"),
        argument("--model", metavar="MODEL", help="take this model's tokenizer instead of the configuration's own"),
        argument("--export", metavar="FOLDER", help="write what `olive run` needs to train as phinb does instead"),
    )
    def olive_plain(self, options: Namespace) -> None:
        """Show what plain Olive, without phinb, makes of the same text, beside what will run here.

        Olive itself is asked, in a process of its own: it tokenises the data and trains nothing (10 to 20 s).
        """
        from phinb.api import check_plain_olive, export_plain
        from phinb.notebook.config_html import plain_bundle

        config = self._find(options.name)
        if options.export:
            print(f"olive run --config {export_plain(config, options.export)}")
            return
        show(plain_bundle(config.name, check_plain_olive(config, options.model)))

    @line_magic()
    def olive_doctor(self, options: Namespace) -> Any:
        """Look at the installation: versions, runtimes that clash, disk, memory, accelerators."""
        from phinb.doctor import diagnose
        from phinb.notebook.config_html import findings_bundle

        show(findings_bundle(diagnose()))
