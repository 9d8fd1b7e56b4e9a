"""The standby: a worker that has Olive imported already and waits for one run, so that this begins at once.

At most one waits on a machine for a user, however many notebooks are open. It holds about 0.7 GB, leaves when nothing
touched it for a while or memory runs short, and takes a run only where a worker started for it would be the same:
same Python, same packages, same settings of the libraries. PHINB_STANDBY=0 turns it off.

<home>/standby/<host>/waiting.json   which process waits, and what it is good for; deleted by whoever takes it
                      order-*.json   what the one that was taken is to run
                      log.txt        what it printed while it waited
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from phinb import folders
from phinb.workflow.process import find_process, kill_tree, note_process, start_worker, wait_until, worker_environment
from phinb.workflow.reuse import installed_versions
from phinb.workflow.store import write_atomically

IDLE_S = 600.0
"""Seconds without a touch after which the standby leaves."""

MEMORY_BYTES = 1_000_000_000
"""What a standby is taken to hold (0.63 to 0.75 GB were seen with torch 2.13 and transformers 5.23 for the CPU)."""

SPARE_BYTES = 2 * MEMORY_BYTES
"""Memory that must be left beside it, else none is started, and one that waits leaves."""

LIBRARY_PREFIXES = (
    "ACCELERATE_", "CUDA_", "GOMP_", "HF_", "HIP_", "HUGGINGFACE_", "KMP_", "LD_", "MALLOC_", "MKL_", "NVIDIA_",
    "OLIVE_", "OMP_", "OPENBLAS_", "ORT", "PHINB_", "PYTHON", "PYTORCH_", "ROCR_", "TOKENIZERS_", "TORCH",
    "TRANSFORMERS_", "XDG_CACHE",
)  # fmt: skip
"""Variables that libraries read while they are imported; all others are set when a run is taken."""


@dataclass(frozen=True)
class Standby:
    """A worker that waits. `ready`: Olive is imported; `rss_bytes`: what it holds now."""

    pid: int
    ready: bool
    rss_bytes: int


@dataclass(frozen=True)
class Order:
    """What a standby is given: the run's folder, the working directory, the environment, where to print."""

    folder: str
    cwd: str
    log: str
    environment: Mapping[str, str]


def keep_standby(environment: Mapping[str, str] | None = None) -> Standby | None:
    """See to it that a worker waits, and that it goes on waiting; returns at once.

    environment: the one to start it in, by default worker_environment(). None where it is turned off, memory is
    short, the folder cannot be written, or another process is at it.
    """
    if not is_wanted() or psutil.virtual_memory().available < MEMORY_BYTES + SPARE_BYTES:
        return None
    environment = environment if environment is not None else worker_environment()
    fits = fingerprint(environment)
    with contextlib.suppress(OSError, Timeout), _lock():
        found = _find()
        if found is not None and _read_note().get("fits") == fits:
            touch()
            return found
        if found is not None:
            _kill(found)
        return _start(environment, fits)
    return None


def find_standby() -> Standby | None:
    """The worker that waits on this machine, if any."""
    return _find()


def dismiss_standby() -> bool:
    """End the worker that waits; says whether there was one."""
    with contextlib.suppress(OSError, Timeout), _lock():
        found = _find()
        if found is not None:
            _kill(found)
            return True
    return False


def hand_over(folder: Path, cwd: Path, log: Path) -> int | None:
    """Give a run to the worker that waits; returns its pid, or None where none waits that fits."""
    if not is_wanted():
        return None
    environment = worker_environment()
    with contextlib.suppress(OSError, Timeout), _lock(timeout=0.5):
        found, note = _find(), _read_note()
        if found is None or note.get("fits") != fingerprint(environment):
            return None
        order = Order(str(folder), str(cwd), str(log), environment)
        write_atomically(_folder() / f"order-{note['token']}.json", json.dumps(asdict(order)))
        _note_path().unlink()
        return found.pid
    return None


def settle_standby(within_s: float = 10.0) -> None:
    """Return once no standby is importing Olive any more: what is measured meanwhile would be slower than it is."""
    wait_until(lambda: (found := find_standby()) is None or found.ready, within_s)


def describe_standby(found: Standby | None) -> str:
    """A sentence on what waits, and what it holds."""
    if found is None:
        off = "" if is_wanted() else " (PHINB_STANDBY is 0)"
        return f"No worker is waiting{off}; a run loads Olive first, which takes 5 to 10 s."
    state = "has Olive loaded" if found.ready else "is loading Olive"
    held = f"holds {found.rss_bytes / 1e9:.1f} GB" if found.rss_bytes else "will hold about 0.7 GB"
    idle = f"leaves after {IDLE_S / 60:.0f} minutes without use"
    return f"A worker {state} and waits for the next run; it {held}, and {idle} (process {found.pid})."


def is_wanted() -> bool:
    return os.environ.get("PHINB_STANDBY", "1") != "0"


def fingerprint(environment: Mapping[str, str]) -> str:
    """What a worker that is started now in this environment is like, as far as its imports settle it."""
    libraries = {key: value for key, value in sorted(environment.items()) if key.startswith(LIBRARY_PREFIXES)}
    source = Path(__file__).parents[1]
    # Whoever works on phinb itself must not be run by what it was before.
    changed = max(path.stat().st_mtime_ns for path in source.rglob("*.py"))
    known = [sys.executable, sys.version, libraries, str(source), changed, installed_versions()]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


# -------------------------------------------------------------------------------------- the waiting worker's side


def touch() -> None:
    """Somebody edits or runs: the standby is still of use."""
    with contextlib.suppress(OSError):
        _note_path().touch()


def note_ready(token: str) -> None:
    """The worker of `token` has imported what it needs."""
    with contextlib.suppress(OSError, Timeout), _lock():
        note = _read_note()
        if note.get("token") == token:
            write_atomically(_note_path(), json.dumps(note | {"ready": True}))


def take_order(token: str) -> Order | None:
    """The order for the worker of `token`, once; None while there is none."""
    path = _folder() / f"order-{token}.json"
    try:
        order = Order(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    path.unlink(missing_ok=True)
    return order


def may_leave(token: str, idle_s: float = IDLE_S) -> bool:
    """Whether the worker of `token` is of no more use: idle, replaced, or in the way of others' memory.

    Where it is, it is no longer offered to anybody, and must leave.
    """
    try:
        idle = time.time() - _note_path().stat().st_mtime > idle_s
    except OSError:
        idle = True
    own = _read_note().get("token") == token
    if own and not idle and psutil.virtual_memory().available > SPARE_BYTES:
        return False
    with contextlib.suppress(OSError, Timeout), _lock():
        if (_folder() / f"order-{token}.json").exists():
            return False
        if _read_note().get("token") == token:
            _note_path().unlink(missing_ok=True)
        return True
    return False


# ---------------------------------------------------------------------------------------------------------- files


def _start(environment: Mapping[str, str], fits: str) -> Standby:
    token = secrets.token_hex(8)
    for left in _folder().glob("order-*.json"):
        left.unlink(missing_ok=True)
    log = _folder() / "log.txt"
    log.unlink(missing_ok=True)
    module = "phinb.workflow.standby_worker"
    pid = start_worker(module, [token], cwd=folders.home(), log=log, environment=environment)
    note = {**note_process(pid), "token": token, "fits": fits, "ready": False}
    write_atomically(_note_path(), json.dumps(note))
    return Standby(pid, ready=False, rss_bytes=0)


def _kill(found: Standby) -> None:
    _note_path().unlink(missing_ok=True)
    with contextlib.suppress(psutil.NoSuchProcess):
        kill_tree(psutil.Process(found.pid))


def _find() -> Standby | None:
    note = _read_note()
    with contextlib.suppress(psutil.Error):
        if process := find_process(note):
            return Standby(process.pid, bool(note.get("ready")), process.memory_info().rss)
    return None


def _read_note() -> dict[str, object]:
    try:
        note = json.loads(_note_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _note_path() -> Path:
    return _folder() / "waiting.json"


def _folder() -> Path:
    return folders.home() / "standby" / socket.gethostname()


def _lock(timeout: float = 2.0) -> FileLock:
    _folder().mkdir(parents=True, exist_ok=True)
    return FileLock(_folder() / ".lock", timeout=timeout)
