"""SIGTERM and SIGINT to a worker, heard at once, whatever its main thread is doing.

Python runs a handler only when the main thread is between two of its own instructions, and a pass may be in native
code for minutes. What the C part of Python does at once is to write the signal's number to a socket; the control
thread reads it there.
"""

from __future__ import annotations

import os
import signal
import socket

HEARD = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """The signals that were sent to this process since `catch`."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def catch(self) -> None:
        """From now on neither of HEARD ends the process by itself. To be called in the main thread."""
        for number in HEARD:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        if hasattr(os, "register_at_fork"):
            # A process that loads data is forked from this one, and ended by SIGTERM: it must not take us with it.
            os.register_at_fork(after_in_child=_let_go)

    def heard(self) -> signal.Signals | None:
        """The first of HEARD that has come, or None."""
        try:
            numbers = self._receiver.recv(64)
        except OSError:
            return None
        return next((signal.Signals(number) for number in numbers if number in HEARD), None)


def _let_go() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
