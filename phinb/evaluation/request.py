"""One operation that a serving process is at: what it is asked, what it may tell before it ends, whether to go on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from phinb.types import Event, Progress
from phinb.workflow.event_lines import encode_event


class Cancelled(Exception):
    """Who asked does not want the answer any more."""


class Request:
    """One operation that is under way: what it is asked, and what it may tell before it ends."""

    def __init__(
        self, number: int, payload: dict[str, Any], name: str, write: Callable[[dict[str, Any]], None]
    ) -> None:
        self.number = number
        self.payload = payload
        self.name = name
        self._write = write
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Called from another thread."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raises Cancelled where the request was; called between tokens, between rows."""
        if self.cancelled:
            raise Cancelled

    def emit(self, event: Event) -> None:
        self._write({"id": self.number, "event": json.loads(encode_event(event))})

    def part(self, record: dict[str, Any]) -> None:
        self._write({"id": self.number, "part": record})

    def count(self, unit: str) -> Callable[[int, int], None]:
        """report(done, total): Progress events, at most ten a second, with the time left at the speed so far."""
        began = time.perf_counter()
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            self.check()
            now = time.perf_counter()
            if now - last < 0.1 and done < total:
                return
            last = now
            self.emit(Progress(self.name, done, total, unit, (now - began) / done * (total - done)))

        return report
