"""The client of a serving process: started, asked, listened to, ended with all its children, its death explained.

    with VariantProcess(variant) as process:
        loaded = process.load(on_event, should_stop)
        answer = process.ask("generate", {"prompts": [ids], "max_new_tokens": 20}, on_part=show, should_stop=...)

What can be asked, and what the parts and results are: phinb.evaluation.protocol.
"""

from __future__ import annotations

import json
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any

from phinb.errors import PhinbError
from phinb.evaluation.protocol import decode_line, encode_line
from phinb.types import Event, Variant
from phinb.workflow.event_lines import decode_event
from phinb.workflow.process import kill_tree, worker_environment

POLL_S = 0.1
MODULE = "phinb.evaluation.server"

OnEvent = Callable[[Event], None]
OnPart = Callable[[dict[str, Any]], None]
ShouldStop = Callable[[], bool]


class Stopped(Exception):
    """`should_stop()` said so: the process and its children are gone."""


class Cancelled(Exception):
    """`cancel()` was called, and the operation has no result for it; the model stays loaded."""


class ProcessDied(PhinbError):
    """The process ended without an answer; the message has its last words."""


class VariantProcess:
    """One variant in a process of its own. `ask` from one thread at a time; `cancel` and `close` from any.

    The process starts with `load`; its own death and an end by `should_stop` leave a closed object: `load` starts anew.
    """

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self._child: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._number = 0
        self._asked: int | None = None
        self._writing = threading.Lock()

    def __enter__(self) -> VariantProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """None where no process runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def load(self, on_event: OnEvent | None = None, should_stop: ShouldStop | None = None) -> dict[str, Any]:
        """Start the process and load the variant. Returns load_s, size_bytes, settings, ... (see protocol).

        Raises PhinbError where the variant cannot be used, ProcessDied, Stopped.
        """
        if self.pid is None:
            self._start()
        return self.ask("load", {"variant": asdict(self.variant)}, on_event, should_stop)

    def ask(
        self,
        op: str,
        payload: Mapping[str, Any] | None = None,
        on_event: OnEvent | None = None,
        should_stop: ShouldStop | None = None,
        on_part: OnPart | None = None,
    ) -> dict[str, Any]:
        """The result of an operation. on_event gets its events, on_part what is there before the end.

        should_stop is asked every 0.1 s; once true, the process is killed with its children. An exception of any of
        the three (an interrupt, too) does the same. Raises PhinbError for what the process can explain, then it may
        be asked again; ProcessDied; Stopped; Cancelled.
        """
        if self._child is None:
            raise PhinbError(f"{self.variant.name} is not loaded.", "Call load() first.")
        self._number += 1
        number = self._asked = self._number
        try:
            self._write({"id": number, "op": op, "payload": dict(payload or {})})
            return self._listen(number, on_event, should_stop or (lambda: False), on_part)
        except PhinbError as error:
            if isinstance(error, ProcessDied):
                self.close()
            raise
        except Cancelled:
            raise
        except BaseException:
            self.close()
            raise
        finally:
            self._asked = None

    def cancel(self) -> None:
        """End the operation that is under way, between two tokens or two rows, and keep the model loaded."""
        if self._asked is not None:
            self._write({"cancel": self._asked})

    def close(self) -> None:
        """End the process and its children. May be called again, and from another thread."""
        child, self._child = self._child, None
        if child is not None:
            _end(child)
        log, self._log = self._log, None
        if log is not None:
            log.close()

    def _start(self) -> None:
        self.close()
        self._log = tempfile.TemporaryFile(prefix="phinb-serving-")  # noqa: SIM115 (closed by close)
        self._lines = queue.SimpleQueue()
        self._child = _start(self._log)
        threading.Thread(target=_read, args=(self._child.stdout, self._lines), daemon=True).start()

    def _write(self, record: dict[str, Any]) -> None:
        child = self._child
        if child is None or child.stdin is None:
            return
        # A process that is gone is noticed where its answer is awaited.
        with self._writing, suppress(OSError, ValueError):
            child.stdin.write(encode_line(record))
            child.stdin.flush()

    def _listen(
        self, number: int, on_event: OnEvent | None, should_stop: ShouldStop, on_part: OnPart | None
    ) -> dict[str, Any]:
        while True:
            if should_stop():
                raise Stopped
            line = self._next_line()
            answer = decode_line(line) if line else None
            if answer is None or answer.get("id") != number:
                continue
            if "event" in answer:
                if on_event is not None and (event := decode_event(json.dumps(answer["event"]))):
                    on_event(event)
            elif "part" in answer:
                if on_part is not None:
                    on_part(answer["part"])
            else:
                return _read_end(answer)

    def _next_line(self) -> bytes | None:
        """What the process says within 0.1 s, if it does. Raises ProcessDied; Stopped where `close` was called."""
        child = self._child
        if child is None:
            raise Stopped
        try:
            line = self._lines.get(timeout=POLL_S)
        except queue.Empty:
            if child.poll() is None or not self._lines.empty():
                return None
            line = None  # it ended, and a grandchild may hold the pipe open
        if line is not None:
            return line
        if self._child is None:
            raise Stopped
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5)  # its traceback may still be on the way
        raise ProcessDied(*_explain_death(self.variant, child.returncode, self._log))


def _read_end(answer: Mapping[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise PhinbError(answer["error"]["message"], answer["error"]["hint"])
    if "cancelled" in answer:
        raise Cancelled
    result: dict[str, Any] = answer["result"]
    return result


def _start(errors: IO[bytes]) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True  # Ctrl-C reaches us only; we end the child ourselves
    # Every model is a folder by now: the hub is not asked.
    environment = worker_environment() | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    # OpenMP's threads wait by spinning. Where a neighbour wants the processor they spin away the time of the thread
    # they wait for: seen on two busy cores, 1.5 tokens/s instead of 14. On quiet ones it makes no difference.
    environment.setdefault("GOMP_SPINCOUNT", "1000")
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        **options,
    )


def _read(pipe: IO[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    with suppress(ValueError):  # closed while we read: the process was ended
        for line in pipe:
            lines.put(line)
    lines.put(None)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the process and of its children."""
    import psutil

    if child.poll() is None:
        with suppress(psutil.NoSuchProcess):
            kill_tree(psutil.Process(child.pid))
    child.wait()
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()


_BAR = re.compile(r"\d+%\||Warning: |warnings\.warn")
"""Progress bars and warnings, which say nothing about a death."""


def _explain_death(variant: Variant, code: int | None, log: IO[bytes] | None) -> tuple[str, str]:
    """(what happened, what to do and the last lines that it printed)"""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        how = f"was ended by signal {-code} ({name})"
        memory = "When memory runs out, the system does that: close other programs."
        why = memory if name == "SIGKILL" else "Another program ended it." if name == "SIGTERM" else ""
    else:
        how, why = f"ended with exit code {code} and no result", ""
    lines: list[str] = []
    if log is not None:
        log.seek(0)
        lines = log.read().decode("utf-8", errors="replace").replace("\r", "\n").strip().splitlines()
    told = [line for line in lines if line.strip() and not _BAR.search(line)]
    tail = "\n".join(told[-6:])
    hint = "\n".join(part for part in (why, tail) if part)
    return f"{variant.name}: the measuring process {how}.", hint
