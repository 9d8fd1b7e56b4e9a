"""What a cell shows while something goes on: a saved form, and the live panel below it, which hides it while it lives.

A saved notebook, and a page whose kernel is gone, have only the saved form; so it is renewed every now and then.
"""

from __future__ import annotations

import secrets
from typing import Any

from phinb.notebook.host import replace_shown, show

NOTHING = {"text/html": '<div class="phinb-gone" hidden></div>', "text/plain": ""}


class LiveOutput:
    """Two outputs of the cell that is being executed; `renew` and `settle` reach them from any thread.

    A page that was reloaded in between does not know the outputs' ids any more: it gets no replacement, and goes on
    showing the panel. So the widget is never closed.
    """

    def __init__(self) -> None:
        self.saved_id, self.live_id = (f"phinb-{secrets.token_hex(8)}" for _ in range(2))

    def open(self, saved: dict[str, Any], live: dict[str, Any]) -> None:
        """Display both: `saved` is a MIME bundle with the class phinb-twin in it, `live` a widget's."""
        show(saved, self.saved_id)
        show(live, self.live_id)

    def renew(self, saved: dict[str, Any]) -> None:
        replace_shown(saved, self.saved_id)

    def settle(self, saved: dict[str, Any]) -> None:
        """Put the saved form in the panel's place for good; `saved` without the class phinb-twin."""
        replace_shown(saved, self.saved_id)
        replace_shown(NOTHING, self.live_id)
