"""Where one is in the sequences of a counting, and the sequence that stands there."""

from __future__ import annotations

from typing import Any, cast, get_args

from phinb.data.scan import Order, Scan
from phinb.notebook.counting import Counting
from phinb.notebook.preview_tokens import describe_sequence, read_sequence


class SequenceReader:
    """A place in an order of the sequences. It is kept while the data are counted anew, and taken as soon as it can."""

    def __init__(self) -> None:
        self.order: Order = "data"
        self.position = 0
        self._shown: tuple[Any, ...] = ()

    @property
    def start(self) -> int:
        """The sequence that is to be made before all are counted."""
        return self.position if self.order == "data" else 0

    def move(self, order: object, position: object) -> None:
        """Take an order and a place in it, counted from 1; what is neither changes nothing."""
        if isinstance(order, str) and order in get_args(Order):
            self.order = cast(Order, order)
        if isinstance(position, int):
            self.position = max(position - 1, 0)

    def go_to(self, index: int) -> None:
        """Take the sequence of this number, counted from 0."""
        self.order, self.position = "data", index

    def read(self, counting: Counting) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """(where one is, the sequence there as preview_tokens.py describes it); None for what is as it was.

        Raises PhinbError where the rows can no longer be read.
        """
        scan = counting.scan
        if scan is None or not (counting.first or scan.count):
            return None, None
        counted = scan.count
        order = scan.order(self.order) if self.order != "data" and counted else None
        total = len(order) if order is not None else max(counted, counting.start + len(counting.first))
        at = min(self.position, total - 1)
        index = -1 if at < 0 else at if order is None else int(order[at])
        place = {"order": self.order, "position": at + 1, "total": total, "more": not scan.done}
        # What follows a sequence is known once it is counted, and what follows the last one once all are.
        shown = (counting, index, index < counted, scan.done)
        if shown == self._shown:
            return place, None
        described = self._describe(counting, scan, index, counted)
        if described is not None:
            self._shown = shown
        return place, described

    @staticmethod
    def _describe(counting: Counting, scan: Scan, index: int, counted: int) -> dict[str, Any] | None:
        if index < 0:
            return {}
        if index < counted:
            return read_sequence(scan, index)
        if index < counting.start:
            return None
        one = counting.first[index - counting.start]
        return describe_sequence(one, index, scan.tally.tokenizer, after="unknown")
