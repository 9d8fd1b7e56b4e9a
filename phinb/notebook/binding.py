"""The Config that a variable of the notebook is bound to, as all panels of that variable share it.

A change in one panel makes a new Config and binds it anew; the others hear of it. There is one history to take back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from phinb.errors import PhinbError
from phinb.types import Edit

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.notebook.cells import Cells

Listener = Callable[[], None]


class Binding:
    """What `variable` is bound to. `given` is as the cells brought it, `history` what can be taken back.

    Callbacks come on a thread that depends on the version of ipykernel: `lock` guards the binding and every panel that
    listens to it. Listeners are called with the lock held.
    """

    def __init__(self, shell: Any, variable: str, config: Config, cells: Cells) -> None:
        self.variable = variable
        self.config = self.given = config
        self.history: list[Config] = []
        self.lock = threading.RLock()
        self._shell, self._cells = shell, cells
        self._listeners: list[Listener] = []
        self._merging = ""

    @property
    def is_current(self) -> bool:
        """Whether the variable still means this configuration; a file has no variable, and never does."""
        return bool(self.variable) and self._shell.user_ns.get(self.variable) is self.config

    def listen(self, listener: Listener) -> None:
        """Call `listener` after each change, whoever made it."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def check(self) -> None:
        """Raises PhinbError where the variable has become something else: it is the user's."""
        if not self.variable:
            raise PhinbError("A file is not changed here.", "Read it in a cell: %%olive_config NAME.")
        if not self.is_current:
            raise PhinbError(*self._tell_gone())

    def edit(self, *edits: Edit, merge: str = "") -> None:
        """Make these edits. Those that follow each other with the same `merge` are taken back as one.

        Raises PhinbError as `check` and Config.edit do.
        """
        self.check()
        self.bind(self.config.edit(*edits), merge=merge)

    def bind(self, config: Config, *, merge: str = "") -> None:
        """`config` is what the variable means from now on. Raises PhinbError as `check` does."""
        self.check()
        if not merge or merge != self._merging:
            self.history.append(self.config)
        self._merging = merge
        self._rebind(config)

    def take_back(self) -> None:
        """Undo the last change, if there is one. Raises PhinbError as `check` does."""
        self.check()
        self._merging = ""
        if self.history:
            self._rebind(self.history.pop())

    def renew(self, config: Config) -> None:
        """A cell has brought `config`, and the variable is bound to it already: a new history begins."""
        with self.lock:
            self.config = self.given = config
            self.history = []
            self._merging = ""
            self._tell()

    def _tell_gone(self) -> tuple[str, str]:
        """What the variable is instead, and what brings a panel of it back."""
        from phinb.config import Config

        name, namespace = self.variable, self._shell.user_ns
        again = f"Run the %%olive_config {name} cell again."
        if not self._cells.pieces_of(self.config):
            again = f"Run the cell that makes {name} again, then this one."
        if name not in namespace:
            return f"{name} is deleted.", again
        if isinstance(namespace[name], Config):
            return f"{name} is something else by now.", f"%olive_config {name} shows it."
        return f"{name} is something else by now, and no configuration.", again

    def _rebind(self, config: Config) -> None:
        if self._cells.pieces_of(self.config):
            self._cells.bind(config)
        self.config = config
        self._shell.user_ns[self.variable] = config
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


_known: WeakKeyDictionary[Any, dict[str, Binding]] = WeakKeyDictionary()


def binding_of(shell: Any, variable: str, config: Config, cells: Cells) -> Binding:
    """The one binding of a variable of the notebook, which means `config` now; each file has one of its own."""
    if not variable:
        return Binding(shell, variable, config, cells)
    known = _known.setdefault(shell, {})
    if variable not in known:
        known[variable] = Binding(shell, variable, config, cells)
    elif known[variable].config is not config:
        known[variable].renew(config)
    return known[variable]
