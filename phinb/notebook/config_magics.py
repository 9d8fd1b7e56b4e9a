"""The magics about a configuration: %%olive_config, %olive_check, %olive_plain; and %olive_doctor.

What a magic needs is imported when it is first used: %load_ext loads this file and next to nothing else.
"""

from __future__ import annotations

import builtins
import keyword
from argparse import Namespace
from typing import Any

from IPython.core.magic import Magics, magics_class

from phinb.errors import PhinbError
from phinb.notebook.arguments import find_config, line_offset, remember_cell
from phinb.notebook.decorators import argument, cell_magic, line_magic
from phinb.notebook.host import show


@magics_class
class ConfigMagics(Magics):  # type: ignore[misc]
    """What a configuration says, and whether it can be run."""

    @cell_magic(
        argument("name", metavar="NAME", help="the variable that gets the configuration"),
    )
    def olive_config(self, options: Namespace, cell: str) -> None:
        """Read the cell as an Olive configuration (JSON, comments allowed, or YAML) and bind it to NAME.

        Problems are shown with their lines in the cell; the Config is bound all the same, so that it can be looked at.
        """
        from phinb.api import load_config
        from phinb.notebook.config_html import config_bundle

        name = options.name
        if not name.isidentifier() or keyword.iskeyword(name) or hasattr(builtins, name):
            raise PhinbError(f"{name!r} cannot be a configuration's name.", "Take a new Python name, such as emotion.")
        config = load_config(cell, name=name)
        remember_cell(config)
        self.shell.push({name: config})
        show(config_bundle(config, line_offset(config)))

    @line_magic(
        argument("name", metavar="NAME", help="a configuration of this notebook, or a file"),
    )
    def olive_check(self, options: Namespace) -> None:
        """Check a configuration with all that files, data, disk and memory can tell before a run."""
        from phinb.api import preflight
        from phinb.notebook.config_html import config_bundle

        config = find_config(self.shell.user_ns, options.name)
        result = preflight(config) if config.ok else None
        show(config_bundle(config, line_offset(config), result))

    @line_magic(
        argument("name", metavar="NAME", help="a configuration of this notebook, or a file"),
        argument("--model", metavar="MODEL", help="take this model's tokenizer instead of the configuration's own"),
    )
    def olive_plain(self, options: Namespace) -> None:
        """Show what plain Olive, without phinb, makes of the same text, beside what will run here.

        Olive itself is asked, in a process of its own: it tokenises the data and trains nothing (10 to 20 s).
        """
        from phinb.api import check_plain_olive
        from phinb.notebook.config_html import plain_bundle

        config = find_config(self.shell.user_ns, options.name)
        show(plain_bundle(config.name, check_plain_olive(config, options.model)))

    @line_magic()
    def olive_doctor(self, options: Namespace) -> Any:
        """Look at the installation: versions, runtimes that clash, disk, memory, accelerators."""
        from phinb.doctor import diagnose
        from phinb.notebook.config_html import findings_bundle

        show(findings_bundle(diagnose()))
