"""What the worker knows of the run going on: its passes, what may be reused, the variants that it leaves behind."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from phinb.data.completion_loss import IGNORED
from phinb.types import MetricLogged, PassFailed, PassFinished, PassStarted, Variant
from phinb.workflow import reuse
from phinb.workflow.checkpoints import drop_checkpoints, is_training
from phinb.workflow.checkup import NotTried, check_artefact, check_trained
from phinb.workflow.differences import explain_difference, find_earlier
from phinb.workflow.failures import explain
from phinb.workflow.inputs import Inputs
from phinb.workflow.job import Job
from phinb.workflow.release import release_memory
from phinb.workflow.reporter import Control, Reporter
from phinb.workflow.store import write_atomically
from phinb.workflow.wording import write_count

RUN_AGAIN = "Run it again to have it made of what is there now."


class Watch:
    """What the hooks know of the run going on, and what they leave behind."""

    def __init__(self, job: Job, reporter: Reporter, control: Control) -> None:
        self.job = job
        self.reporter = reporter
        self.control = control
        self.current = ""
        self.is_training = False
        self.failure = ""
        """What went wrong, once something has."""
        self.cut_short = False
        """Whether training was ended early: what came of it must not be taken for the whole later."""
        self.of_unknown_inputs = False
        """Whether what the passes read was changed under them: what came of it is never reused."""
        self.ran_anew = False
        self.entries: list[Path] = []
        """Cache entries that this run wrote."""
        self.lineage: list[dict[str, Any]] = []
        self.reused_from = ""
        self.reason = ""
        self.began = 0.0
        self.step = 0
        self.check_seconds = 0.0
        self._earlier: tuple[str, Inputs] | Literal["not asked"] | None = "not asked"
        self.variants: dict[str, Variant] = {
            "base": Variant("base", job.base_model, "base", from_pass=""),
        }

    @property
    def is_reading_data(self) -> bool:
        """Whether the pass that runs names data of its own (training, calibration, evaluation in it)."""
        value = self.job.olive["passes"].get(self.current) or {}
        settings = value[0] if isinstance(value, list) else value
        return any(key.endswith("data_config") and item for key, item in settings.items())

    # ------------------------------------------------------------------ passes

    def begin_pass(self, name: str, pass_type: str) -> None:
        import transformers

        release_memory()
        self.current, self.reused_from, self.reason = name, "", ""
        # Not the clock: that may be set while the pass runs.
        self.began, self.step, self.check_seconds = time.monotonic(), 0, 0.0
        self.is_training = is_training(pass_type)
        names = list(self.job.pass_types)
        index = names.index(name) if name in names else len(names)
        # Olive lowers a type's name; the configuration's own spelling is shown.
        shown = self.job.pass_types.get(name, pass_type)
        self.reporter.emit(PassStarted(pass_name=name, pass_type=shown, index=index))
        # Olive's own seed does not cover the initialisation of LoRA's weights.
        transformers.set_seed(self.job.seed)

    def may_reuse(self, run_path: Path) -> bool:
        """Whether Olive may take the cache entry at `run_path`; clears away what must not be taken."""
        made_by, problem = reuse.check_manifest(run_path)
        # What an earlier attempt of this very run has finished is not made again, even where the run began afresh.
        own = self.job.attempt > 1 and made_by == self.reporter.folder.path.name
        if self.current in self.job.forced and not own:
            self.reason = "a fresh run was asked for"
        elif self.ran_anew:
            self.reason = "an earlier pass ran anew"
        elif made_by:
            self.reused_from = made_by
            return True
        else:
            self.reason = self._explain_first() if problem == reuse.FIRST_TIME else problem
        self._clear(run_path)
        run_path.mkdir(parents=True, exist_ok=True)
        self.ran_anew = True
        return False

    def finish_pass(self, name: str, run_path: Path, model_config: Any) -> None:
        """Take over what a pass made. Raises Broken where that is of no use: then nothing of it is kept."""
        reused = bool(self.reused_from)
        seconds = time.monotonic() - self.began - self.check_seconds
        variant = describe_variant(self.job, name, model_config)
        if not reused:
            self._check(variant)
            self._remember(run_path)
        artefact = self.reporter.folder.artefacts / name
        if (run_path / "models").is_dir():
            reuse.link_tree(run_path / "models", artefact)
        self._note_variant(move_variant(variant, run_path / "models", artefact))
        self._note_lineage(name, run_path)
        # Cache, workflow, "runs", result: what old runs leave behind is told from what this one still needs.
        self.reporter.folder.note_result(Path(*run_path.parts[-4:]).as_posix())
        reason = f"same configuration, data, model and versions as {self.reused_from}" if reused else self.reason
        self.reporter.emit(
            PassFinished(pass_name=name, seconds=seconds, reused=reused, reason=reason, artefact=f"artefacts/{name}")
        )

    def _note_lineage(self, name: str, run_path: Path) -> None:
        """What each artefact was made of, by whom, and what it holds. Of what is never reused no hashes are known."""
        made_by = self.reused_from or self.reporter.folder.path.name
        made_from = self.lineage[-1]["artefact"] if self.lineage else "base"
        self.lineage.append(
            {
                "artefact": name,
                "made_from": made_from,
                "made_by": made_by,
                "cache_entry": str(run_path),
                "sha256": reuse.read_hashes(run_path),
            }
        )
        write_atomically(self.reporter.folder.path / "artefacts.json", json.dumps(self.lineage, indent=1))

    def _check(self, variant: Variant) -> None:
        """Look whether the artefact is sound; the seconds that it took are no part of the pass's."""
        began = time.monotonic()
        try:
            check_artefact(variant)
        except NotTried as reason:
            text = f"{self.current} was not tried out: {reason}"
            self.reporter.notice("info", "not_tried", text)
        self.check_seconds += time.monotonic() - began

    def _remember(self, run_path: Path) -> None:
        """Leave the entry to later runs, unless it is not known what it was made of, or training was cut short."""
        self.entries.append(run_path)
        changed = self.job.inputs.changed_sources()
        if self.is_reading_data and not self.is_training:
            changed += self.job.inputs.changed_data()
        if changed:
            text = f"{' and '.join(changed)} changed while {self.current} ran: its result will not be used again."
            self.reporter.notice(
                "warning", "inputs_changed", text, "Run it again to have it made of what is there now."
            )
            self.of_unknown_inputs = True
        began = time.monotonic()
        # Without a manifest no later run takes it: what was cut short, and what came of that, is this run's alone.
        if not self.cut_short and not self.of_unknown_inputs:
            reuse.write_manifest(run_path, self.reporter.folder.path.name)
        values = {"check_s": round(self.check_seconds, 3), "hash_s": round(time.monotonic() - began, 3)}
        self.reporter.emit(MetricLogged(pass_name=self.current, step=self.step, values=values))

    def _explain_first(self) -> str:
        """Why there is no earlier result: what has changed since the last run of the same name."""
        if self._earlier == "not asked":
            self._earlier = find_earlier(self.reporter.folder.record)
        if self._earlier is None:
            return reuse.FIRST_TIME
        run_id, inputs = self._earlier
        told = explain_difference(inputs, self.job.inputs, self.current)
        return told or f"{run_id} was the same, but did not finish this pass, or its result is no longer in the cache"

    def fail_pass(self, name: str, error: BaseException | None, text: str) -> None:
        """Say why a pass failed. `text` is what was logged or raised, the newest last."""
        _, cause, remedy = explain(text)
        kind = type(error).__name__ if error else "OlivePassError"
        last = str(error).strip() if error else text.strip().rsplit("\n", 1)[-1]
        self.failure = f"Pass {name} failed: {last or kind}"[:2000]
        self.reporter.emit(PassFailed(pass_name=name, error=kind, message=self.failure, cause=cause, remedy=remedy))

    def discard(self, name: str, run_path: Path | None) -> None:
        """Take a broken result out of the cache, and the checkpoints that led to it: training begins anew next time."""
        if run_path is not None:
            self._clear(run_path)
        drop_checkpoints(self.job.olive, (name,))

    def drop_entries(self) -> None:
        """Take back from the cache what this run wrote: training was cut short, the artefacts are this run's alone."""
        for path in self.entries:
            self._clear(path)

    def _clear(self, run_path: Path) -> None:
        """Delete a cache entry and what Olive measured on its model."""
        shutil.rmtree(run_path, ignore_errors=True)
        (run_path.parent.parent / "evaluations" / f"{run_path.name}.json").unlink(missing_ok=True)

    def _note_variant(self, variant: Variant) -> None:
        if variant.name in self.variants:
            variant = replace(variant, name=variant.from_pass)
        self.variants[variant.name] = variant
        self.reporter.folder.write_variants(self.variants)

    # ---------------------------------------------------------------- training

    def check_model(self, model: Any) -> None:
        """Called when training has ended, with the model still in memory. Raises Broken."""
        began = time.monotonic()
        try:
            check_trained(model)
        except NotTried as reason:
            self.reporter.notice("info", "not_tried", f"{self.current} was not tried out: {reason}")
        finally:
            self.check_seconds = time.monotonic() - began

    def describe_data(self, train: Any, evaluation: Any) -> None:
        """Called when the training data were read. Raises ValueError where they are not the ones that were hashed."""
        if changed := self.job.inputs.changed_data():
            raise ValueError(f"{' and '.join(changed)} changed between being hashed and being read.")
        count = len(train)
        if not count:
            raise ValueError("The data gave no training sequences.")
        text = write_count(count, "training sequence")
        if evaluation is not None:
            text += f", {len(evaluation):,} held out for evaluation"
        self.reporter.notice("info", "sequences", text + ".")
        if self.job.phinb.get("loss_on") == "completion":
            trained, tokens = _count_tokens(train)
            text = f"The loss is on the completion: {trained:,} of {tokens:,} tokens are trained on."
            self.reporter.notice("info", "loss_on", text)

    def log_metrics(self, step: int, logs: dict[str, Any]) -> None:
        values = {key: float(value) for key, value in logs.items() if isinstance(value, int | float)}
        self.step = max(step, self.step)
        if values:
            self.reporter.emit(MetricLogged(pass_name=self.current, step=step, values=values))


def _count_tokens(dataset: Any) -> tuple[int, int]:
    """(tokens that have a label, all that are no padding) of a dataset of sequences."""
    trained = tokens = 0
    for batch in dataset.with_format(None).iter(batch_size=1000):
        trained += sum(label != IGNORED for labels in batch["labels"] for label in labels)
        tokens += sum(map(sum, batch["attention_mask"]) if "attention_mask" in batch else map(len, batch["input_ids"]))
    return trained, tokens


def describe_variant(job: Job, name: str, model_config: Any) -> Variant:
    """What a pass made, as it lies in Olive's cache."""
    values = model_config.to_json() if hasattr(model_config, "to_json") else dict(model_config)
    config, kind = values.get("config", {}), str(values.get("type", "")).lower()
    if adapter := config.get("adapter_path"):
        return Variant("adapter", str(adapter), "adapter", name, base_path=job.base_model)
    if kind == "onnxmodel":
        path = Path(str(config["model_path"]))
        precision = str(job.precisions.get(name, "")) or name
        return Variant(
            precision, str(path.parent if path.suffix == ".onnx" else path), "onnx", name, precision=precision
        )
    return Variant("merged", str(config["model_path"]), "merged", name)


def move_variant(variant: Variant, models: Path, artefact: Path) -> Variant:
    """The same, in the run's artefacts, if it lies in the cache's folder `models`."""
    path = Path(variant.path)
    return replace(variant, path=str(artefact / path.relative_to(models))) if path.is_relative_to(models) else variant
