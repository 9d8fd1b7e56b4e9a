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
from phinb.workflow.failures import OUT_OF_MEMORY
from phinb.workflow.store import RunFolder, read_json, write_atomically

UNWRITABLE = 74
"""The exit code of a worker that could not write its last words (EX_IOERR of sysexits.h)."""

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
    """{pid, created, identity, host, oom_kills}: a pid alone may belong to another process after a while.

    oom_kills: how often the system has ended a process for want of memory so far, or None where it does not count.
    """
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        created = 0.0
    return {
        "pid": pid,
        "created": created,
        "identity": _identify(pid),
        "host": socket.gethostname(),
        "oom_kills": _count_oom_kills(),
    }


def _identify(pid: int) -> str:
    """Boot and time since it at which a process began; "" where /proc does not tell.

    psutil's create_time() moves with the clock when that is set, and a worker must not be missed for it.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return f"{boot}:{text.rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return ""


def _count_oom_kills() -> int | None:
    try:
        text = Path("/proc/vmstat").read_text(encoding="ascii")
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None


def worker_is_elsewhere(folder: RunFolder) -> bool:
    """Whether the run's worker was started on another machine (a shared folder), where its pid means nothing here."""
    return bool(read_note(folder).get("host", socket.gethostname()) != socket.gethostname())


def find_worker(folder: RunFolder) -> psutil.Process | None:
    """The living worker of a run, or None."""
    return find_process(read_note(folder))


def find_process(note: Any) -> psutil.Process | None:
    """The process of a note of note_process, if it still lives."""
    try:
        pid = int(note["pid"])
        exit_code(pid)
        process = psutil.Process(pid)
        known, found = note.get("identity"), _identify(pid)
        same = known == found if known and found else abs(process.create_time() - float(note["created"])) < 2
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (ValueError, KeyError, TypeError, AttributeError, psutil.Error):
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


def describe_death(folder: RunFolder, rss_bytes: int | None) -> tuple[int | None, int | None, str]:
    """(signal, exit code, cause in words) of a run's worker that is gone without a word; rss_bytes: what it held."""
    note = read_note(folder)
    pid = note.get("pid")
    code = exit_code(pid if isinstance(pid, int) else None, timeout=1.0)
    number = -code if code is not None and code < 0 else None
    starved = _ran_out_of_memory(note, rss_bytes)
    if number == getattr(signal, "SIGKILL", 9):
        return number, None, starved or "It was killed from outside (signal 9)."
    if number is not None:
        return number, None, f"It ended by signal {number} ({signal.Signals(number).name})."
    if code == UNWRITABLE:
        return None, code, f"It could not write into {folder.path}; the log's tail may tell why."
    if code is not None:
        return None, code, f"It ended with exit code {code} before it could say why; the log's tail may tell."
    return None, None, starved or "Its process no longer exists: it was killed, or the machine was restarted."


def _ran_out_of_memory(note: Mapping[str, Any], rss_bytes: int | None) -> str:
    """A sentence where the system is known, or likely, to have ended the worker for want of memory; else ""."""
    before, now = note.get("oom_kills"), _count_oom_kills()
    total = psutil.virtual_memory().total
    held = f" It held {rss_bytes / 1e9:.1f} GB of {total / 1e9:.1f} GB when it was last looked at." if rss_bytes else ""
    if isinstance(before, int) and now is not None and now > before:
        return f"{OUT_OF_MEMORY}{held}"
    if rss_bytes and rss_bytes > 0.6 * total:
        return f"{OUT_OF_MEMORY}, most likely.{held}".replace(".,", ",")
    return ""


def read_note(folder: RunFolder) -> dict[str, Any]:
    """What worker.json says of the run's worker; empty where it cannot be read."""
    try:
        note = read_json(folder.path / "worker.json")
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def wait_until(condition: Any, timeout: float, interval: float = 0.05) -> bool:
    """Poll `condition()` until it is true; False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True
