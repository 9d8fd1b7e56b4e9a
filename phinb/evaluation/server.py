"""`python -m phinb.evaluation.server`: one variant, loaded once, asked as often as one likes (see protocol.py).

A process of its own, so that load time, peak memory and speed are the variant's and no neighbour's, and so that a
crash of a native library is one variant's error.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import IO, Any

from phinb.errors import PhinbError
from phinb.evaluation.protocol import decode_line, encode_line
from phinb.evaluation.request import Cancelled, Request


class _Server:
    """Requests come from a thread that reads; the main thread, which the native libraries like best, answers them."""

    def __init__(self, source: IO[bytes], answers: IO[bytes]) -> None:
        self._source = source
        self._answers = answers
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._open: dict[int, Request] = {}
        self._ops: dict[int, str] = {}
        self._lock = threading.Lock()
        self._name = ""

    def run(self) -> None:
        from phinb.evaluation.operations import OPERATIONS, Served

        threading.Thread(target=self._read, daemon=True).start()
        served = Served()
        while (request := self._requests.get()) is not None:
            op = self._ops.pop(request.number)
            request.name = served.variant.name if served.variant else ""
            try:
                request.check()
                if op not in OPERATIONS:
                    raise PhinbError(f"There is no operation {op!r}.", f"There are: {', '.join(OPERATIONS)}.")
                answer: dict[str, Any] = {"result": OPERATIONS[op](served, request)}
            except Cancelled:
                answer = {"cancelled": True}
            except PhinbError as error:
                answer = {"error": {"message": error.message, "hint": error.hint}}
            except MemoryError:
                traceback.print_exc()
                answer = {"error": {"message": "The memory did not suffice.", "hint": "Close other programs."}}
            with self._lock:
                self._open.pop(request.number, None)
            self._write({"id": request.number, **answer})

    def _read(self) -> None:
        for line in self._source:
            record = decode_line(line)
            if record is None:
                continue
            if "cancel" in record:
                with self._lock:
                    request = self._open.get(record["cancel"])
                if request is not None:
                    request.cancel()
                continue
            request = Request(record["id"], record.get("payload") or {}, "", self._write)
            with self._lock:
                self._open[request.number] = request
            self._ops[request.number] = record["op"]
            self._requests.put(request)
        os._exit(0)  # whoever asked is gone: nobody waits for what is being worked on

    def _write(self, record: dict[str, Any]) -> None:
        self._answers.write(encode_line(record))
        self._answers.flush()


def main() -> None:
    """Standard output is for answers alone: what libraries print, native ones too, is led to standard error."""
    sys.stdout.flush()
    source = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        _Server(source, answers).run()


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # some native libraries hang while Python takes itself apart
