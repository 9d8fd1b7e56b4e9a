"""Whether a data set of the hub can be had here and now, asked before the library waits half a minute for it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from phinb.data.cache import datasets_cache
from phinb.data.files import READERS, Sources
from phinb.data.rows import Unreadable
from phinb.types import Problem

WAIT_S = 3.0
HINT = (
    'For files of your own, set "data_name" to json, csv, parquet or text, and "data_files" to them; '
    "a folder is found beside the configuration."
)


def check_hub(sources: Sources, where: str) -> None:
    """Raises Unreadable where the rows lie on the hub, no copy is here, and the hub cannot be reached."""
    name = sources.arguments["path"]
    if name in READERS or Path(name).exists() or _has_copy(name):
        return
    if _is_offline():
        why = "phinb works offline (HF_HUB_OFFLINE is set)"
    elif getproxies() or (reason := _find_obstacle()) is None:
        return
    else:
        why = reason
    message = f'"{name}" is no file or folder here, and the hub cannot be asked for it: {why}.'
    raise Unreadable(Problem("error", "hub_unreachable", message, f"{where}.data_name", hint=HINT))


def _is_offline() -> bool:
    """As huggingface_hub.constants reads it."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    return any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in names)


def _has_copy(name: str) -> bool:
    """Whether the library has read it before: then it needs no hub."""
    return (datasets_cache() / name.replace("/", "___")).is_dir()


def _find_obstacle() -> str | None:
    address = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    host = address.hostname or "huggingface.co"
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((host, port), timeout=WAIT_S).close()
    except (OSError, ValueError) as error:
        return f"{host} does not answer ({error})"
    return None
