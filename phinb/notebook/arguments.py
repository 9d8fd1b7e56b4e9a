"""What a magic's NAME or RUN stands for: a variable of the notebook, a file, an id, or a configuration's name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.workflow.runner import Run


def find_config(namespace: dict[str, Any], name: str) -> Config:
    """The Config of a variable, or of a file. Raises PhinbError where there is neither."""
    from phinb.config import Config, load_config

    value = namespace.get(name)
    if isinstance(value, Config):
        return value
    if Path(name).is_file():
        return load_config(Path(name))
    known = sorted(key for key, item in namespace.items() if isinstance(item, Config) and not key.startswith("_"))
    hint = f"There is: {', '.join(known)}." if known else "Run its %%olive_config cell first, or name a file."
    raise PhinbError(f"There is no configuration {name!r} in this notebook, nor a file of that name.", hint)


def find_run(namespace: dict[str, Any], reference: str | None) -> Run:
    """The Run of a variable, of a configuration's variable (the newest), of an id, or of a folder; None: the newest.

    Raises PhinbError where nothing fits.
    """
    from phinb.api import open_run, runs
    from phinb.config import Config
    from phinb.workflow.runner import Run

    if reference is None:
        newest = next(iter(runs()), None)
        if newest is None:
            raise PhinbError("There is no run yet.", "%olive_run NAME starts one.")
        return newest
    value = namespace.get(reference)
    if isinstance(value, Run):
        return value
    return open_run(value.name if isinstance(value, Config) else reference)
