"""%olive_changes: the rows that a stage broke, mended or answered otherwise, of what a comparison has measured."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.errors import PhinbError
from phinb.notebook.arguments import find_run
from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import Host, find_host, show

if TYPE_CHECKING:
    from phinb.evaluation.comparison import Comparison
    from phinb.evaluation.row_tokens import RowTokens


@magics_class
class ChangesMagics(Magics):  # type: ignore[misc]
    """What a comparison has to tell row by row."""

    @line_magic(
        argument("run", metavar="RUN", nargs="?", help="a run, a comparison's variable or file; else the newest run"),
        argument("--before", metavar="VARIANT", help="hold it against this one; else the stage before"),
        argument("--after", metavar="VARIANT", help="look at this one; else the last stage"),
        argument("--all", action="store_true", help="all rows, not only those that changed"),
        argument("--row", metavar="ROW", type=int, help="show this row, from 1, in full as well"),
        argument("--tokens", action="store_true", help="without a panel: also read the tokens of --row"),
        argument("--save", metavar="FILE", help="write the changed rows as .csv or .jsonl instead of showing them"),
    )
    def olive_changes(self, options: Namespace) -> None:
        """Show which rows a stage broke, mended or answered otherwise, and one of them in full, with its tokens.

        It shows the run's last comparison (%olive_compare) and measures nothing, but for a row's tokens when they are
        asked for. In Python: comparison.changed(before, after), phinb.row_tokens(run, row).
        """
        from phinb.notebook.changes_html import changes_bundle
        from phinb.notebook.changes_view import ChangesView

        comparison, folder, note = find_measured(self.shell.user_ns, options.run)
        if options.save:
            changes = comparison.changed(options.before, options.after)
            changes.save(options.save)
            print(f"{options.save} is written: {changes.describe()}")
            return
        if find_host(self.shell) is Host.PANEL:
            from phinb.notebook.changes_panel import ChangesPanel

            panel = ChangesPanel(comparison, folder, note)
            _turn(panel.view, options)
            panel.open()
            return
        view = ChangesView(comparison)
        _turn(view, options)
        tokens = _read_tokens(view, comparison, folder) if options.tokens else ()
        show(changes_bundle(view, tokens, note=note))


def _turn(view: Any, options: Namespace) -> None:
    """To the variants and the rows that were asked for. Raises PhinbError for a variant that is not there."""
    after = options.after or view.after
    changes = view.rows.comparison.changed(options.before, after)
    names = view.rows.names
    if changes.before == changes.after:
        raise PhinbError(f"{after} cannot be held against itself.", f"There are: {', '.join(names)}.")
    view.receive({"action": "pair", "before": names.index(changes.before), "after": names.index(changes.after)})
    if options.all:
        view.receive({"action": "kind", "kind": "all"})
    if options.row is not None:
        if not 1 <= options.row <= view.rows.n:
            raise PhinbError(f"There is no row {options.row}.", f"The comparison has rows 1 to {view.rows.n}.")
        view.receive({"action": "go", "number": options.row})


def _read_tokens(view: Any, comparison: Comparison, folder: Path | None) -> tuple[RowTokens, ...]:
    """In this cell, which waits."""
    from phinb.evaluation.row_tokens import TokenReader

    if view.chosen is None:
        raise PhinbError("--tokens belongs to a row.", "Name it: --row 17 --tokens.")
    with TokenReader(comparison, folder) as reader:
        return reader.read(view.chosen)


def find_measured(namespace: dict[str, Any], reference: str | None) -> tuple[Comparison, Path | None, str]:
    """(the comparison of a variable, a file, or a run's last one; where the run keeps what is measured; what it is).

    Raises PhinbError where there is none: nothing is measured here.
    """
    from phinb.evaluation.comparison import Comparison, load_comparison
    from phinb.evaluation.history import LATEST

    value = namespace.get(reference) if reference else None
    if isinstance(value, Comparison):
        return value, None, ""
    if reference and value is None and Path(reference).is_file():
        return load_comparison(reference), None, f"From {reference}."
    run = find_run(namespace, reference)
    if not (run.folder / LATEST).is_file():
        raise PhinbError(f"Run {run.id} has not been compared yet.", f"%olive_compare {run.id} measures it.")
    folder = (run.folder / LATEST).parent
    return load_comparison(run.folder / LATEST), folder, f"The last comparison of run {run.id}."
