"""The previews that are open in a notebook: they are asked whether their data are still those that they show.

Nobody watches the files: they are looked at after each cell, and before a run is started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from phinb.config import Config


class Shown(Protocol):
    """A preview's panel."""

    def look(self) -> str:
        """Look at the files once, and count them anew where they have changed; the data config's name then, or ""."""

    def is_of(self, config: Config) -> bool:
        """Whether it shows data of this configuration."""


class OpenPreviews:
    """Those of one notebook."""

    def __init__(self) -> None:
        self._shown: list[Shown] = []

    def enter(self, one: Shown) -> None:
        self._shown.append(one)

    def leave(self, one: Shown) -> None:
        if one in self._shown:
            self._shown.remove(one)

    def look(self, _result: Any = None) -> None:
        """A cell has run (IPython's post_run_cell): it may have written data, or somebody else has meanwhile."""
        for one in tuple(self._shown):
            one.look()

    def look_before_run(self, config: Config) -> str:
        """What has to be said where a run of `config` gets other rows than a preview of it shows; else ""."""
        changed = dict.fromkeys(name for one in tuple(self._shown) if one.is_of(config) and (name := one.look()))
        if not changed:
            return ""
        return (
            f"The data of {' and '.join(changed)} have changed on disk since they were previewed: the run trains on "
            "what is there now, and the preview counts them anew."
        )


_known: WeakKeyDictionary[Any, OpenPreviews] = WeakKeyDictionary()


def previews_of(shell: Any) -> OpenPreviews:
    """The open previews of a shell's notebook; a reload of the extension keeps them."""
    if shell not in _known:
        _known[shell] = OpenPreviews()
        shell.events.register("post_run_cell", _known[shell].look)
    return _known[shell]
