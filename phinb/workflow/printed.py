"""Progress that Olive's libraries only print: tqdm bars and ModelBuilder's "Reading layer N"."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from typing import TextIO

# Such as `Loading weights:  42%|████▏     | 31/73 [00:01<00:02, 20.31it/s]`.
_BAR = re.compile(r"(?:^|[\r\n])\s*(?P<what>[^\r\n|%]{0,60}?):?\s+\d+%\|[^|]*\|\s*(?P<done>\d+)/(?P<total>\d+)\s*\[")
_LAYER = re.compile(r"^Reading (?:decoder )?layer (?P<layer>\d+)\s*$")

OnProgress = Callable[[float, float | None, str], None]
"""Called with (done, total, unit)."""


class Reader:
    """Reads printed lines and calls `on_progress`. `layers` is how many decoder layers the model has, if known."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.layers: int | None = None
        self._on_progress = on_progress

    def read(self, line: str) -> None:
        """Take one line, or one state of a bar that redraws itself (what stands between two \\r)."""
        if match := _LAYER.match(line):
            # Layers are read, then the model is saved behind a bar of its own; total counts the layers only.
            self._on_progress(int(match["layer"]) + 1, self.layers, "layers")
        elif match := _BAR.search(line):
            what = match["what"].strip().lower()
            self._on_progress(int(match["done"]), int(match["total"]), what or "steps")


class Tee(io.TextIOBase):
    """A text stream that passes everything on to `target` and each finished line to `read`.

    A log that cannot be written (a full disk) must not end a training: what it would have held is lost, no more.
    """

    def __init__(self, target: TextIO, read: Callable[[str], None]) -> None:
        self._target = target
        self._read = read
        self._open_line = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property in the base class that typeshed has as a field
        return self._target.encoding or "utf-8"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._target.fileno()

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._target.write(text)
        *lines, self._open_line = re.split(r"[\r\n]", self._open_line + text)
        # tqdm draws "\rbar" without an end of line: what is open is a whole bar as well.
        for line in [*lines, self._open_line if "%|" in self._open_line else ""]:
            if line:
                self._read(line)
        self._open_line = self._open_line[-500:]
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._target.flush()
