"""Between two passes: what the last one left in memory is given back, so that the next one's peak is its own."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys


def settle_imports() -> None:
    """Let no later collection look at what the libraries have loaded: that takes 0.25 s each time, and Olive asks too.

    Next to nothing where it was done before, as by a worker that has waited.
    """
    gc.freeze()


def release_memory() -> None:
    """Collect what only cycles hold (a trainer and its model), and give free pages back to the system.

    glibc keeps them for itself otherwise: 0.5 to 1 GB after a training of the demo model.
    """
    gc.collect()
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):  # another C library has none
            ctypes.CDLL(None).malloc_trim(0)
