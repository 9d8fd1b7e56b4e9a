"""What is got ready in the background while somebody reads and edits a configuration: a worker, and the tokenizer."""

from __future__ import annotations

import threading
from contextlib import suppress

from phinb.config import Config
from phinb.errors import PhinbError


def get_ready(config: Config) -> threading.Thread:
    """Begin to load what a run and a preview of `config` will need; nothing is made, fetched or said."""
    thread = threading.Thread(target=_get_ready, args=(config,), daemon=True)
    thread.start()
    return thread


def _get_ready(config: Config) -> None:
    from phinb.api import keep_standby
    from phinb.data.preview import open_scan
    from phinb.models.references import is_made

    keep_standby()
    if config.ok and is_made(str(config.to_olive()["input_model"].get("model_path", ""))):
        with suppress(PhinbError):  # whatever it is, the preview says it
            open_scan(config)
