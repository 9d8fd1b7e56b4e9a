"""One measuring process: started, listened to, stopped with all its children, its result or its death read."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from phinb.evaluation.records import decode_measurement
from phinb.types import Event, Measurement, Variant
from phinb.workflow.event_lines import decode_event
from phinb.workflow.process import kill_tree, worker_environment

POLL_S = 0.1
MODULE = "phinb.evaluation.measure"


def run_measurement(
    variant: Variant,
    request: Mapping[str, Any],
    folder: Path,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> Measurement | None:
    """The measurement of `variant` by a process of its own; None where `should_stop()` ended it.

    should_stop is asked every 0.1 s. Whatever happens here (an interrupt included), the process and its children
    are gone when this returns. A process that died says so in the measurement's `error`, with its last words.
    """
    with tempfile.TemporaryDirectory(prefix=".measure-", dir=folder) as name:
        asked, answered, log = (Path(name) / file for file in ("request.json", "result.json", "log.txt"))
        asked.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
        with log.open("wb") as errors:
            child = _start([str(asked), str(answered)], errors)
        try:
            finished = _listen(child, on_event, should_stop)
        finally:
            _end(child)
        if not finished:
            return None
        try:
            return decode_measurement(json.loads(answered.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return Measurement(variant, error=_explain_death(variant, child.returncode, log))


def _start(arguments: list[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
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
        [sys.executable, "-P", "-m", MODULE, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        **options,
    )


def _listen(child: subprocess.Popen[bytes], on_event: Callable[[Event], None], should_stop: Callable[[], bool]) -> bool:
    """Pass events on until the process has ended (True) or is to be stopped (False)."""
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    assert child.stdout is not None
    threading.Thread(target=_read, args=(child.stdout, lines), daemon=True).start()
    while True:
        if should_stop():
            return False
        try:
            line = lines.get(timeout=POLL_S)
        except queue.Empty:
            if child.poll() is not None and lines.empty():
                return True  # a grandchild may hold the pipe open
            continue
        if line is None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)  # its traceback may still be on the way
            return True
        if event := decode_event(line.decode("utf-8", errors="replace")):
            on_event(event)


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


def _explain_death(variant: Variant, code: int, log: Path) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        how = f"was ended by signal {-code} ({name})"
        why = "When memory runs out, the system does that: close other programs." if name == "SIGKILL" else ""
    else:
        how, why = f"ended with exit code {code} and no result", ""
    lines = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").strip().splitlines()
    tail = "\n".join(line for line in lines[-6:] if line.strip())
    return "\n".join(part for part in (f"{variant.name}: the measuring process {how}.", why, tail) if part)
