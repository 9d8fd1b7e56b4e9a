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
from phinb.workflow.mends import mend_search
from phinb.workflow.reporter import Reporter
from phinb.workflow.training import make_callback
from phinb.workflow.variants import free_of_links
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
            ("what Olive measures", _watch_measuring),
            ("the trials of a search", _watch_search),
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

    def run_pass(engine: Any, pass_name: str, model_config: Any, input_id: str, *arguments: Any, **named: Any) -> Any:
        free_of_links(model_config)
        if watch.is_told(pass_name):
            return original(engine, pass_name, model_config, input_id, *arguments, **named)
        watch.begin_pass(pass_name, engine.computed_passes_configs[pass_name].type, input_id)
        listener.errors.clear()
        try:
            result, model_id = original(engine, pass_name, model_config, input_id, *arguments, **named)
        except BaseException as error:
            watch.fail_pass(error, "".join(traceback.format_exception(error)))
            if isinstance(error, Broken):
                watch.discard(None)
            raise
        if result in PRUNED_CONFIGS:
            watch.fail_pass(None, "\n".join(listener.errors) or "Olive called its configuration invalid.")
            if model_id is not None:
                # Olive remembers failures, and would fail again at once after the cause is gone.
                shutil.rmtree(engine.cache.get_run_path(model_id), ignore_errors=True)
            return result, model_id
        run_path = Path(engine.cache.get_run_path(model_id))
        try:
            watch.finish_pass(run_path, result)
        except Broken as error:
            watch.fail_pass(error, "".join(traceback.format_exception(error)))
            watch.discard(run_path)
            return FAILED_CONFIG, model_id
        return result, model_id

    Engine._run_pass = run_pass
    return True


def _watch_measuring(watch: Watch, listener: Listener) -> bool:
    from olive.engine.engine import Engine

    original = getattr(Engine, "_evaluate_model", None)
    if original is None:
        return False

    def evaluate_model(engine: Any, model_config: Any, *arguments: Any, **named: Any) -> Any:
        free_of_links(model_config)
        if watch.search is not None:
            watch.search.measuring()
        return original(engine, model_config, *arguments, **named)

    Engine._evaluate_model = evaluate_model
    return True


def _watch_search(watch: Watch, listener: Listener) -> bool:
    """Each trial of Olive's search, its measurement and its end; nothing where Olive does not search."""
    search = watch.search
    if search is None:
        return True
    from olive.engine.engine import Engine
    from olive.search.search_strategy import SearchStrategy

    compute = getattr(Engine, "_compute_search_pass_configs", None)
    record = getattr(SearchStrategy, "record_feedback_signal", None)
    should_stop = getattr(SearchStrategy, "should_stop", None)
    if compute is None or record is None or not isinstance(should_stop, property):
        return False
    says_stop = should_stop.fget

    def compute_configs(engine: Any, accelerator: Any, sample: Any) -> None:
        compute(engine, accelerator, sample)
        listener.errors.clear()
        search.begin(sample.passes_configs or {}, sample.model_ids[0], engine.computed_passes_configs)

    def record_signal(strategy: Any, index: int, signal: Any, model_ids: Any, should_prune: bool = False) -> None:
        values = None if signal is None else {name: signal[name].value for name in signal}
        reason = listener.errors[-1].strip().rsplit("\n", 1)[-1] if listener.errors else ""
        search.end(values, list(model_ids), reason)
        record(strategy, index, signal, model_ids, should_prune)

    def ends(strategy: Any) -> bool:
        if watch.control.stopping.is_set():
            search.wants_no_more()
            return True
        return search.hopeless or bool(says_stop and says_stop(strategy))

    Engine._compute_search_pass_configs = compute_configs
    SearchStrategy.record_feedback_signal = record_signal
    SearchStrategy.should_stop = property(ends)
    mend_search(watch.job.olive["search_strategy"])
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
