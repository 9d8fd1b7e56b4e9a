"""phinb's eyes inside Olive, installed in the worker process only.

Olive has no progress interface. These are the places that were found to hold (all of them private names of
Olive 0.13): the engine's `_run_pass`, its cache's `load_run_from_model_id`, LoRA's `get_datasets` and the
trainer's default callbacks. `install` checks that they exist and says so where one does not, and then the run
goes on without what it would have told.
"""

from __future__ import annotations

import logging
import shutil
import time
import traceback
from pathlib import Path
from typing import Any

from phinb.types import MetricLogged, PassFailed, PassFinished, PassStarted, Variant
from phinb.workflow import reuse
from phinb.workflow.checkpoints import is_training
from phinb.workflow.failures import explain
from phinb.workflow.reporter import Control, Reporter

OLD_OLIVE_SPLIT_SEED = 42
"""Olive up to 0.6 split `eval_dataset_size` off the tokenised sequences, shuffled with this seed."""


class Watch:
    """What the hooks know of the run going on, and what they leave behind."""

    def __init__(
        self,
        reporter: Reporter,
        control: Control,
        *,
        pass_types: dict[str, str],
        seed: int,
        base_model: Path,
        eval_split: float | None,
        forced: tuple[str, ...],
        precisions: dict[str, str],
    ) -> None:
        self.reporter = reporter
        self.control = control
        self.pass_types = pass_types
        """Pass name -> type as the configuration writes it (Olive lowers it), in order."""
        self.seed = seed
        self.base_model = base_model
        self.eval_split = eval_split
        self.forced = forced
        """Passes that must run although an earlier result exists."""
        self.precisions = precisions
        """Pass name -> precision, for those that have one."""
        self.current = ""
        self.is_training = False
        self.failed = False
        self.cut_short = False
        """Whether training was ended early: what came of it must not be taken for the whole later."""
        self.ran_anew = False
        self.entries: list[Path] = []
        """Cache entries that this run wrote."""
        self.reused_from = ""
        self.reason = ""
        self.started = 0.0
        self.variants: dict[str, Variant] = {
            "base": Variant("base", str(base_model), "base", from_pass=""),
        }

    # ------------------------------------------------------------------ passes

    def begin_pass(self, name: str, pass_type: str) -> None:
        import transformers

        self.current, self.started, self.reused_from, self.reason = name, time.time(), "", ""
        self.is_training = is_training(pass_type)
        names = list(self.pass_types)
        index = names.index(name) if name in names else len(names)
        shown = self.pass_types.get(name, pass_type)
        self.reporter.emit(PassStarted(pass_name=name, pass_type=shown, index=index))
        # Olive's own seed does not cover the initialisation of LoRA's weights.
        transformers.set_seed(self.seed)

    def may_reuse(self, run_path: Path) -> bool:
        """Whether Olive may take the cache entry at `run_path`; clears away what must not be taken."""
        if self.current in self.forced:
            self.reason = "a fresh run was asked for"
        elif self.ran_anew:
            self.reason = "an earlier pass ran anew"
        elif not (run_path / "run.json").is_file():
            self.reason = "first time with this configuration and data"
        else:
            self.reused_from, self.reason = reuse.check_manifest(run_path)
            if self.reused_from:
                return True
        # Half of an artefact, or one that is damaged, must not be mixed with what is now written.
        shutil.rmtree(run_path, ignore_errors=True)
        run_path.mkdir(parents=True, exist_ok=True)
        self.ran_anew = True
        return False

    def finish_pass(self, name: str, run_path: Path, model_config: Any) -> None:
        reused = bool(self.reused_from)
        if not reused:
            self.entries.append(run_path)
            reuse.write_manifest(run_path, self.reporter.folder.path.name)
        artefact = self.reporter.folder.artefacts / name
        if (run_path / "models").is_dir():
            reuse.link_tree(run_path / "models", artefact)
        self._note_variant(name, run_path / "models", artefact, model_config)
        reason = f"same configuration, data, model and versions as {self.reused_from}" if reused else self.reason
        self.reporter.emit(
            PassFinished(
                pass_name=name,
                seconds=time.time() - self.started,
                reused=reused,
                reason=reason,
                artefact=f"artefacts/{name}",
            )
        )

    def fail_pass(self, name: str, error: BaseException | None, text: str) -> None:
        """Say why a pass failed. `text` is what was logged or raised, the newest last."""
        self.failed = True
        _, cause, remedy = explain(text)
        kind = type(error).__name__ if error else "OlivePassError"
        last = str(error).strip() if error else text.strip().rsplit("\n", 1)[-1]
        message = f"Pass {name} failed: {last or kind}"
        self.reporter.emit(PassFailed(pass_name=name, error=kind, message=message[:2000], cause=cause, remedy=remedy))

    def drop_entries(self) -> None:
        """Take back from the cache what this run wrote: training was cut short, the artefacts are this run's alone."""
        for path in self.entries:
            shutil.rmtree(path, ignore_errors=True)

    def _note_variant(self, name: str, models: Path, artefact: Path, model_config: Any) -> None:
        values = model_config.to_json() if hasattr(model_config, "to_json") else dict(model_config)
        config, kind = values.get("config", {}), str(values.get("type", "")).lower()

        def own(path: str) -> str:
            """The path of a cached file, in this run's artefacts."""
            return str(artefact / Path(path).relative_to(models)) if Path(path).is_relative_to(models) else path

        if adapter := config.get("adapter_path"):
            variant = Variant("adapter", own(adapter), "adapter", name, base_path=str(self.base_model))
        elif kind == "onnxmodel":
            path = Path(own(str(config["model_path"])))
            folder = path.parent if path.suffix == ".onnx" else path
            precision = str(self.precisions.get(name, "")) or name
            variant = Variant(precision, str(folder), "onnx", name, precision=precision)
        else:
            variant = Variant("merged", own(str(config["model_path"])), "merged", name)
        if variant.name in self.variants:
            variant = Variant(name, variant.path, variant.kind, name, variant.base_path, variant.precision)
        self.variants[variant.name] = variant
        self.reporter.folder.write_variants(self.variants)

    # ---------------------------------------------------------------- training

    def describe_data(self, train: Any, evaluation: Any) -> None:
        count = len(train)
        if not count:
            raise ValueError("The data gave no training sequences.")
        text = f"{count:,} training sequence{'' if count == 1 else 's'}"
        if evaluation is not None:
            text += f", {len(evaluation):,} held out for evaluation"
        self.reporter.notice("info", "sequences", text + ".")

    def split_off(self, train: Any) -> tuple[Any, Any]:
        """Old Olive's eval_dataset_size: a share of the tokenised sequences, shuffled, seed 42."""
        if self.eval_split is None or len(train) < 2:
            return train, None
        parts = train.train_test_split(test_size=self.eval_split, shuffle=True, seed=OLD_OLIVE_SPLIT_SEED)
        return parts["train"], parts["test"]

    def log_metrics(self, step: int, logs: dict[str, Any]) -> None:
        values = {key: float(value) for key, value in logs.items() if isinstance(value, int | float)}
        if values:
            self.reporter.emit(MetricLogged(pass_name=self.current, step=step, values=values))


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
    from olive.engine.engine import PRUNED_CONFIGS, Engine

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
            raise
        if result in PRUNED_CONFIGS:
            watch.fail_pass(pass_name, None, "\n".join(listener.errors) or "Olive called its configuration invalid.")
            if model_id is not None:
                # Olive remembers failures, and would fail again at once after the cause is gone.
                shutil.rmtree(engine.cache.get_run_path(model_id), ignore_errors=True)
            return result, model_id
        watch.finish_pass(pass_name, Path(engine.cache.get_run_path(model_id)), result)
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
        if evaluation is None:
            train, evaluation = watch.split_off(train)
        watch.describe_data(train, evaluation)
        return train, evaluation

    LoRA.get_datasets = staticmethod(get_datasets)
    return True


def _watch_training(watch: Watch, listener: Listener) -> bool:
    import transformers.trainer

    callbacks = getattr(transformers.trainer, "DEFAULT_CALLBACKS", None)
    if callbacks is None:
        return False

    class TrainingWatch(transformers.TrainerCallback):  # type: ignore[misc]
        """Steps, metrics, and the user's wish to stop."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.reporter.progress(watch.current, state.global_step, state.max_steps, "steps")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.reporter.progress(watch.current, state.global_step, state.max_steps, "steps")
            if watch.control.stopping.is_set() and state.global_step < state.max_steps:
                watch.cut_short = True
                control.should_training_stop = True
                control.should_save = True

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            watch.log_metrics(state.global_step, logs or {})

    callbacks.append(TrainingWatch)
    return True
