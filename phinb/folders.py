"""Where phinb keeps what outlives a kernel: runs in the user's data folder, converted models in the cache.

`PHINB_HOME` puts all of it in one folder. The functions only name folders; whoever writes makes them, and what
takes long to make appears at once or not at all (`build_folder`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

Report = Callable[[str, float | None, float | None], None]
"""What long work calls to say where it is: report(what, done, total); done and total are None while unknown."""


def home() -> Path:
    """The folder of everything that must not be lost: $PHINB_HOME, else the user's data folder."""
    chosen = os.environ.get("PHINB_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("phinb", appauthor=False)


def runs() -> Path:
    """The folder with one folder a run."""
    return home() / "runs"


def cache() -> Path:
    """The folder of what can be made again: $PHINB_HOME/cache, else the user's cache folder."""
    if os.environ.get("PHINB_HOME"):
        return home() / "cache"
    from platformdirs import user_cache_path

    return user_cache_path("phinb", appauthor=False)


def build_folder(target: Path, build: Callable[[Path], None]) -> Path:
    """Make `target` by calling `build` on an empty folder beside it, unless it is there already.

    The folder gets its name once `build` has returned, so that a `target` that exists is whole, whatever killed
    an earlier attempt. One process builds, the others wait for it under a lock. What `build` raises comes
    through, and nothing is left behind.
    """
    if target.is_dir():
        return target
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        if target.is_dir():
            return target
        for left_over in target.parent.glob(f".{target.name}.*.part"):
            shutil.rmtree(left_over, ignore_errors=True)  # we hold the lock: whoever began it is gone
        # a name of its own, for a child of the one who is gone may still be writing into the other
        part = target.parent / f".{target.name}.{uuid4().hex[:8]}.part"
        part.mkdir()
        try:
            build(part)
            part.rename(target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return target
