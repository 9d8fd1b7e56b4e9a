"""phinb's eyes inside Olive, installed in the worker process only.

Olive has no progress interface. These are the places that were found to hold (all of them private names of
Olive 0.13): the engine's `_run_pass`, its cache's `load_run_from_model_id`, LoRA's `get_datasets` and the
trainer's default callbacks. `install` checks that they exist and says so where one does not, and then the run
goes on without what it would have told.
"""

from __future__ import annotations

import logging
import shutil
import traceback
from pathlib import Path
from typing import Any

from phinb.workflow.checkup import Broken
from phinb.workflow.reporter import Reporter
from phinb.workflow.training import make_callback
from phinb.workflow.watch import Watch


class Listener(logging.Handler):
    """Turns what Olive logs into notices, and keeps the last errors for explaining a failure."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self._reporter = reporter
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info))
        if record.levelno >= logging.ERROR or record.exc_info:
            self.errors.append(text)
        elif "ignor" in text.lower() or "not supported" in text.lower():
            self._reporter.notice("warning", "olive_says", text.split("\n")[0][:500])


def install(watch: Watch) -> Listener:
    """Put the hooks in place; Olive must be importable. Returns the listener on Olive's log."""
    listener = Listener(watch.reporter)
    logging.getLogger("olive").addHandler(listener)
    missing = [
        name
        for name, put in (
            ("the passes' starts and ends", _watch_passes),
            ("reuse", _watch_cache),
            ("the training data", _watch_datasets),
            ("training steps", _watch_training),
        )
        if not put(watch, listener)
    ]
    for what in missing:
        watch.reporter.notice("warning", "hook_missing", f"This version of Olive does not let phinb see {what}.")
    return listener


def _watch_passes(watch: Watch, listener: Listener) -> bool:
    from olive.engine.engine import FAILED_CONFIG, PRUNED_CONFIGS, Engine

    original = getattr(Engine, "_run_pass", None)
    if original is None:
        return False

    def run_pass(engine: Any, pass_name: str, *arguments: Any, **named: Any) -> Any:
        watch.begin_pass(pass_name, engine.computed_passes_configs[pass_name].type)
        listener.errors.clear()
        try:
            result, model_id = original(engine, pass_name, *arguments, **named)
        except BaseException as error:
            watch.fail_pass(pass_name, error, "".join(traceback.format_exception(error)))
            if isinstance(error, Broken):
                watch.discard(pass_name, None)
            raise
        if result in PRUNED_CONFIGS:
            watch.fail_pass(pass_name, None, "\n".join(listener.errors) or "Olive called its configuration invalid.")
            if model_id is not None:
                # Olive remembers failures, and would fail again at once after the cause is gone.
                shutil.rmtree(engine.cache.get_run_path(model_id), ignore_errors=True)
            return result, model_id
        run_path = Path(engine.cache.get_run_path(model_id))
        try:
            watch.finish_pass(pass_name, run_path, result)
        except Broken as error:
            watch.fail_pass(pass_name, error, "".join(traceback.format_exception(error)))
            watch.discard(pass_name, run_path)
            return FAILED_CONFIG, model_id
        return result, model_id

    Engine._run_pass = run_pass
    return True


def _watch_cache(watch: Watch, listener: Listener) -> bool:
    from olive.cache import OliveCache

    original = getattr(OliveCache, "load_run_from_model_id", None)
    if original is None:
        return False

    def load_run(cache: Any, model_id: str) -> Any:
        return original(cache, model_id) if watch.may_reuse(Path(cache.get_run_path(model_id))) else {}

    OliveCache.load_run_from_model_id = load_run
    return True


def _watch_datasets(watch: Watch, listener: Listener) -> bool:
    from olive.passes.pytorch.lora import LoRA

    original = getattr(LoRA, "get_datasets", None)
    if original is None:
        return False

    def get_datasets(config: Any) -> tuple[Any, Any]:
        train, evaluation = original(config)
        watch.describe_data(train, evaluation)
        return train, evaluation

    LoRA.get_datasets = staticmethod(get_datasets)
    return True


def _watch_training(watch: Watch, listener: Listener) -> bool:
    import transformers.trainer

    callbacks = getattr(transformers.trainer, "DEFAULT_CALLBACKS", None)
    if callbacks is None:
        return False

    class Checkup(transformers.TrainerCallback):  # type: ignore[misc]
        """Tries the trained model out while it is in memory."""

        def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            watch.check_model(model)

    callbacks.extend((make_callback(watch), Checkup))
    return True
