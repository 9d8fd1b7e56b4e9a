"""How many tokens a second training goes through: those of its sequences, padding not counted, while it steps."""

from __future__ import annotations

import time
from collections.abc import Callable


class Throughput:
    """Counts the tokens that the trainer has seen, and the seconds of the optimizer steps in which it saw them.

    Evaluation, sampling and saving lie between steps, and are not counted. `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._seconds = 0.0
        self._told: int | None = None

    def begin_step(self, seen: int) -> None:
        """A step begins; `seen` tokens have been gone through before it."""
        if self._told is None:
            self._told = seen
        self._began = self._clock()

    def end_step(self) -> None:
        if self._began is not None:
            self._seconds += self._clock() - self._began
            self._began = None

    def take(self, seen: int) -> float | None:
        """Tokens a second since the last time; None where none were counted."""
        tokens, seconds = seen - (self._told or 0), self._seconds
        self._told, self._seconds = seen, 0.0
        return tokens / seconds if tokens > 0 and seconds > 0 else None
