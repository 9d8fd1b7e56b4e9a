"""Worker processes: starting one that outlives its notebook, telling whether it lives, ending it with its children."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from phinb import folders
from phinb.workflow.store import RunFolder, write_atomically

# Children of this process, by pid: only a parent learns an exit code, and must collect it (else a zombie stays).
_children: dict[int, subprocess.Popen[bytes]] = {}


def start_worker(
    module: str, arguments: list[str], *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None
) -> int:
    """Start `python -m module arguments` in a session of its own, printing into `log`; return its pid.

    environment: by default worker_environment().
    A session of its own: interrupting or restarting the kernel must not reach it. -P: a file `datasets.py` in
    the user's folder must not stand in for the library.
    """
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            cwd=cwd,
            env=environment if environment is not None else worker_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,
        )
    _children[child.pid] = child
    return child.pid


def worker_environment() -> dict[str, str]:
    """The environment of a worker: this one, telemetry off, UTF-8, and phinb importable as it is here."""
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])
    path = [root, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path))
    environment["PYTHONUTF8"] = "1"
    # Olive and the hub's client report home unless told otherwise; a user who wants that sets them to 0.
    environment.setdefault("OLIVE_DISABLE_TELEMETRY", "1")
    environment.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # GNU OpenMP's threads spin while they wait; beside any other busy process that made training 4 to 5 times slower
    # (tests/benchmarks/threads.py), and on a quiet machine it gains next to nothing.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What `datasets` makes of the user's rows stays in a folder of phinb's own, which one command empties.
    environment.setdefault("HF_DATASETS_CACHE", str(folders.cache() / "datasets"))
    # The tokenizer's threads before a fork make it print a warning and switch itself off in the children.
    environment.setdefault("TOKENIZERS_PARALLELISM", "true")
    return environment


def remember_worker(folder: RunFolder, pid: int) -> None:
    """Note which process works on the run."""
    write_atomically(folder.path / "worker.json", json.dumps(note_process(pid)))


def note_process(pid: int) -> dict[str, Any]:
    """{pid, created, host}: a pid alone may belong to another process after a while."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        created = 0.0
    return {"pid": pid, "created": created, "host": socket.gethostname()}


def worker_is_elsewhere(folder: RunFolder) -> bool:
    """Whether the run's worker was started on another machine (a shared folder), where its pid means nothing here."""
    try:
        host = json.loads((folder.path / "worker.json").read_text(encoding="utf-8"))["host"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(host != socket.gethostname())


def find_worker(folder: RunFolder) -> psutil.Process | None:
    """The living worker of a run, or None."""
    try:
        return find_process(json.loads((folder.path / "worker.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def find_process(note: Any) -> psutil.Process | None:
    """The process of a note of note_process, if it still lives."""
    try:
        pid = int(note["pid"])
        exit_code(pid)
        process = psutil.Process(pid)
        same = abs(process.create_time() - float(note["created"])) < 2
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (ValueError, KeyError, TypeError, psutil.Error):
        return None


def exit_code(pid: int | None, timeout: float = 0.0) -> int | None:
    """The exit code of a child of this process that has ended (negative: the signal), else None.

    A process that was killed shows up as gone a moment before its last thread is, and its code can be had:
    `timeout` (seconds) waits for that.
    """
    child = _children.get(pid) if pid is not None else None
    if child is None:
        return None
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        return None


def kill_tree(process: psutil.Process, wait: float = 1.0) -> None:
    """End a process and all its descendants, whatever they are doing; returns when they are gone."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(family, timeout=wait)
    exit_code(process.pid)


def describe_death(pid: int | None, rss_bytes: int | None) -> tuple[int | None, int | None, str]:
    """(signal, exit code, cause in words) of a worker that is gone without a word."""
    code = exit_code(pid, timeout=1.0)
    number = -code if code is not None and code < 0 else None
    if number == getattr(signal, "SIGKILL", 9):
        total = psutil.virtual_memory().total
        if rss_bytes and rss_bytes > 0.6 * total:
            return (
                number,
                None,
                f"It was killed while it held {rss_bytes / 1e9:.1f} GB of {total / 1e9:.1f} GB of memory.",
            )
        return number, None, "It was killed from outside (signal 9); the system does that, too, when memory runs out."
    if number is not None:
        return number, None, f"It ended by signal {number} ({signal.Signals(number).name})."
    if code is not None:
        return None, code, f"It ended with exit code {code} before it could say why; the log's tail may tell."
    return None, None, "Its process no longer exists: it was killed, or the machine was restarted."


def wait_until(condition: Any, timeout: float, interval: float = 0.05) -> bool:
    """Poll `condition()` until it is true; False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True
