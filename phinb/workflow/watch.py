"""What the worker knows of the run going on: its passes, what may be reused, the variants that it leaves behind."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from phinb.data.completion_loss import IGNORED
from phinb.types import MetricLogged, PassFailed, PassFinished, PassStarted, Variant
from phinb.workflow import reuse
from phinb.workflow.checkpoints import is_training
from phinb.workflow.failures import explain
from phinb.workflow.job import Job
from phinb.workflow.reporter import Control, Reporter


class Watch:
    """What the hooks know of the run going on, and what they leave behind."""

    def __init__(self, job: Job, reporter: Reporter, control: Control) -> None:
        self.job = job
        self.reporter = reporter
        self.control = control
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
            "base": Variant("base", job.base_model, "base", from_pass=""),
        }

    # ------------------------------------------------------------------ passes

    def begin_pass(self, name: str, pass_type: str) -> None:
        import transformers

        self.current, self.started, self.reused_from, self.reason = name, time.time(), "", ""
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
            self.reason = problem
        self._clear(run_path)
        run_path.mkdir(parents=True, exist_ok=True)
        self.ran_anew = True
        return False

    def finish_pass(self, name: str, run_path: Path, model_config: Any) -> None:
        reused = bool(self.reused_from)
        if not reused:
            self.entries.append(run_path)
            # Without a manifest no later run takes it: what was cut short, and what came of that, is this run's alone.
            if not self.cut_short:
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
            self._clear(path)

    def _clear(self, run_path: Path) -> None:
        """Delete a cache entry and what Olive measured on its model."""
        shutil.rmtree(run_path, ignore_errors=True)
        (run_path.parent.parent / "evaluations" / f"{run_path.name}.json").unlink(missing_ok=True)

    def _note_variant(self, name: str, models: Path, artefact: Path, model_config: Any) -> None:
        values = model_config.to_json() if hasattr(model_config, "to_json") else dict(model_config)
        config, kind = values.get("config", {}), str(values.get("type", "")).lower()

        def own(path: str) -> str:
            """The path of a cached file, in this run's artefacts."""
            return str(artefact / Path(path).relative_to(models)) if Path(path).is_relative_to(models) else path

        if adapter := config.get("adapter_path"):
            variant = Variant("adapter", own(adapter), "adapter", name, base_path=self.job.base_model)
        elif kind == "onnxmodel":
            path = Path(own(str(config["model_path"])))
            folder = path.parent if path.suffix == ".onnx" else path
            precision = str(self.job.precisions.get(name, "")) or name
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
        if self.job.phinb.get("loss_on") == "completion":
            trained, tokens = _count_tokens(train)
            text = f"The loss is on the completion: {trained:,} of {tokens:,} tokens are trained on."
            self.reporter.notice("info", "loss_on", text)

    def log_metrics(self, step: int, logs: dict[str, Any]) -> None:
        values = {key: float(value) for key, value in logs.items() if isinstance(value, int | float)}
        if values:
            self.reporter.emit(MetricLogged(pass_name=self.current, step=step, values=values))


def _count_tokens(dataset: Any) -> tuple[int, int]:
    """(tokens that have a label, all that are no padding) of a dataset of sequences."""
    trained = tokens = 0
    for batch in dataset.with_format(None).iter(batch_size=1000):
        trained += sum(label != IGNORED for labels in batch["labels"] for label in labels)
        tokens += sum(map(sum, batch["attention_mask"]) if "attention_mask" in batch else map(len, batch["input_ids"]))
    return trained, tokens
