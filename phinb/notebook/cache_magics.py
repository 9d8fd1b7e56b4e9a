"""%olive_cache: the copies of rows that datasets has left on the disk, and how they are deleted."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import show

if TYPE_CHECKING:
    from phinb.data.cache import CachedCopy


@magics_class
class CacheMagics(Magics):  # type: ignore[misc]
    """What is left of your rows outside your own files."""

    @line_magic(argument("--delete", action="store_true", help="delete them all; your own files are not touched"))
    def olive_cache(self, options: Namespace) -> None:
        """List the copies of your rows that looking at them and training on them have left, or delete them."""
        from phinb.api import cached_data, delete_cached_data
        from phinb.evaluation.wording import size

        if options.delete:
            print(f"{size(delete_cached_data())} deleted.")
        copies = cached_data()
        if copies or not options.delete:
            show(copies_bundle(copies))


def copies_bundle(copies: Sequence[CachedCopy]) -> dict[str, Any]:
    """The copies as a table, in HTML and in text."""
    from phinb.data.cache import users_cache
    from phinb.evaluation.wording import size
    from phinb.notebook.html import frame, table_html, tag, visible
    from phinb.workflow.text import table_text

    head = ("made from", "size", "folder")
    rows = [(copy.source, size(copy.bytes), str(copy.path)) for copy in copies]
    notes = [] if copies else ["There is no copy of your rows."]
    if copies:
        notes.append("%olive_cache --delete deletes them; another look at the data makes them anew.")
    if (own := users_cache()) is not None:
        notes.append(f"$HF_DATASETS_CACHE is set: copies are made in {own}, which phinb leaves alone.")
    table = [table_html(head, rows, label="Copies of your rows", numbers=[1])] if rows else []
    html = frame(*table, *(tag("div", note, class_="phinb-dim") for note in notes), label="Copies of your rows")
    text = [*([table_text(head, rows, numbers=[1])] if rows else []), *notes]
    return {"text/html": html, "text/plain": visible("\n".join(text))}
