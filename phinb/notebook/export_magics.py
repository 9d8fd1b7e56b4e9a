"""%olive_export: a variant as a folder that runs elsewhere."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import Magics, magics_class

from phinb.errors import PhinbError
from phinb.notebook.arguments import find_run
from phinb.notebook.decorators import argument, line_magic

if TYPE_CHECKING:
    from phinb.evaluation.export import Export


@magics_class
class ExportMagics(Magics):  # type: ignore[misc]
    """Taking a model home."""

    @line_magic(
        argument("run", metavar="RUN", help="an id, a configuration's name or a variable"),
        argument("variant", metavar="VARIANT", help="int4, merged, adapter, base, ..."),
        argument("folder", metavar="FOLDER", help="where it goes; made anew"),
        argument("--comparison", metavar="NAME", help="a variable or a file: whose figures the card tells"),
        argument("--overwrite", action="store_true", help="replace the folder where it is there and not empty"),
    )
    def olive_export(self, options: Namespace) -> Export:
        """Write a variant into a folder: model, tokenizer, checksums, model card, and programs that answer the prompt.

        The card tells what the run's last comparison measured, with n and intervals; without one it says so.
        """
        from phinb.api import export, load_comparison
        from phinb.evaluation.results import Comparison

        given = self.shell.user_ns.get(options.comparison) if options.comparison else None
        if options.comparison and not isinstance(given, Comparison):
            if not Path(options.comparison).is_file():
                raise PhinbError(
                    f"There is no comparison {options.comparison!r}.", "Name a variable, or what comparison.save wrote."
                )
            given = load_comparison(options.comparison)
        run = find_run(self.shell.user_ns, options.run)
        return export(run, options.variant, options.folder, comparison=given, overwrite=options.overwrite)
