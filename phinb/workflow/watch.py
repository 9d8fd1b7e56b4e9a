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
from phinb.workflow.search import find_choice, make_search_watch
from phinb.workflow.store import write_atomically
from phinb.workflow.variants import describe_variant, move_variant
from phinb.workflow.wording import agree, write_count, write_part

RUN_AGAIN = "Run it again to have it made of what is there now."


class Watch:
    """What the hooks know of the run going on, and what they leave behind."""

    def __init__(self, job: Job, reporter: Reporter, control: Control) -> None:
        self.job = job
        self.reporter = reporter
        self.control = control
        self.search = make_search_watch(job, reporter)
        """Where Olive searches: then passes run once a trial."""
        self.current = ""
        """What the events call the pass that runs, "" between passes: what is printed then (by an evaluator that loads
        the model) is no progress of theirs. `pass_name` is the last pass's name in the configuration."""
        self.pass_name = ""
        self.is_training = False
        self.failure = ""
        """What went wrong, once something has."""
        self.cut_short = False
        """Whether training was ended early: what came of it must not be taken for the whole later."""
        self.of_unknown_inputs = False
        """Whether what the passes read was changed under them: what came of it is never reused."""
        self.entries: list[Path] = []
        """Cache entries that this run wrote."""
        self.lineage: list[dict[str, Any]] = []
        self.reused_from = ""
        self.reason = ""
        self._began_with = ""
        self._lines: dict[str, str] = {}
        """Olive's id of a result -> the line that made or took it first in this run."""
        self._anew: set[str] = set()
        """Ids of results that this run made anew."""
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
        return any(key.endswith("data_config") and item for key, item in self._settings.items())

    @property
    def _settings(self) -> dict[str, Any]:
        """The parameters of the pass that runs, as its trial has them."""
        choice = self.search.choice(self.pass_name) if self.search is not None else None
        return find_choice(self.job.olive["passes"].get(self.pass_name) or {}, choice)

    # ------------------------------------------------------------------ passes

    def is_told(self, name: str) -> bool:
        """Whether this pass is one that all trials share, and an earlier trial has told of it."""
        return self.search is not None and self.search.is_shared(name) and name in self._lines.values()

    def begin_pass(self, name: str, pass_type: str, began_with: str) -> None:
        """`began_with` is Olive's id of the model that the pass is given."""
        import transformers

        if self._anew:
            release_memory()  # what is reused leaves nothing behind
        line = self.search.line(name) if self.search is not None else name
        self.current, self.pass_name, self.reused_from, self.reason = line, name, "", ""
        self._began_with = began_with
        # Not the clock: that may be set while the pass runs.
        self.began, self.step, self.check_seconds = time.monotonic(), 0, 0.0
        self.is_training = is_training(pass_type)
        names = list(self.job.pass_types)
        index = names.index(name) if name in names else len(names)
        # Olive lowers a type's name; the configuration's own spelling is shown.
        written = self.job.pass_types.get(name, ())
        shown = next((kind for kind in written if kind.lower() == pass_type.lower()), pass_type)
        self.reporter.emit(PassStarted(pass_name=line, pass_type=shown, index=index))
        # Olive's own seed does not cover the initialisation of LoRA's weights.
        transformers.set_seed(self.job.seed)

    def may_reuse(self, run_path: Path) -> bool:
        """Whether Olive may take the cache entry at `run_path`; clears away what must not be taken."""
        if run_path.name in self._lines:
            self.reused_from, self.reason = self.reporter.folder.path.name, f"the same as {self._lines[run_path.name]}"
            return True
        made_by, problem = reuse.check_manifest(run_path)
        # What an earlier attempt of this very run has finished is not made again, even where the run began afresh.
        own = self.job.attempt > 1 and made_by == self.reporter.folder.path.name
        if self.pass_name in self.job.forced and not own:
            self.reason = "a fresh run was asked for"
        elif self._began_with in self._anew:
            self.reason = "an earlier pass ran anew"
        elif made_by:
            self.reused_from = made_by
            self.reason = f"same configuration, data, model and versions as {made_by}"
            return True
        else:
            self.reason = self._explain_first() if problem == reuse.FIRST_TIME else problem
        self._clear(run_path)
        run_path.mkdir(parents=True, exist_ok=True)
        self._anew.add(run_path.name)
        return False

    def finish_pass(self, run_path: Path, model_config: Any) -> None:
        """Take over what a pass made. Raises Broken where that is of no use: then nothing of it is kept."""
        reused = bool(self.reused_from)
        seconds = time.monotonic() - self.began - self.check_seconds
        name = self.current
        variant = describe_variant(self.job.base_model, self.pass_name, self._settings, model_config)
        variant = replace(variant, from_pass=name)
        if not reused:
            self._check(variant)
            self._remember(run_path)
        artefact = self.reporter.folder.artefacts / name
        if (run_path / "models").is_dir():
            reuse.link_tree(run_path / "models", artefact)
        self._note_variant(move_variant(variant, run_path / "models", artefact))
        self._note_lineage(name, run_path)
        self._lines.setdefault(run_path.name, name)
        if self.search is not None:
            self.search.note_line(name)
        # Cache, workflow, "runs", result: what old runs leave behind is told from what this one still needs.
        self.reporter.folder.note_result(Path(*run_path.parts[-4:]).as_posix())
        done = PassFinished(name, seconds, reused=reused, reason=self.reason, artefact=f"artefacts/{name}")
        self.reporter.emit(done)
        self.current = ""

    def _note_lineage(self, name: str, run_path: Path) -> None:
        """What each artefact was made of, by whom, and what it holds. Of what is never reused no hashes are known."""
        made_by = self.reused_from or self.reporter.folder.path.name
        made_from = self._lines.get(self._began_with, "base")
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
        told = explain_difference(inputs, self.job.inputs, self.pass_name)
        return told or f"{run_id} was the same, but did not finish this pass, or its result is no longer in the cache"

    def fail_pass(self, error: BaseException | None, text: str) -> None:
        """Say why the pass failed. `text` is what was logged or raised, the newest last."""
        name = self.current
        if self.search is not None and self.search.is_shared(self.pass_name):
            self.search.hopeless = True
        _, cause, remedy = explain(text)
        kind = type(error).__name__ if error else "OlivePassError"
        last = str(error).strip() if error else text.strip().rsplit("\n", 1)[-1]
        self.failure = f"Pass {name} failed: {last or kind}"[:2000]
        self.reporter.emit(PassFailed(pass_name=name, error=kind, message=self.failure, cause=cause, remedy=remedy))
        self.current = ""

    def discard(self, run_path: Path | None) -> None:
        """Take a broken result out of the cache, and the checkpoints that led to it: training begins anew next time."""
        if run_path is not None:
            self._clear(run_path)
        if self.search is not None and not self.search.is_shared(self.pass_name):
            self.search.drop_checkpoints(self.pass_name)
        else:
            drop_checkpoints(self.job.olive, (self.pass_name,))

    def drop_entries(self) -> None:
        """Take back from the cache what this run wrote since training was cut short: that is this run's alone."""
        for path in self.entries:
            if not reuse.has_manifest(path):
                self._clear(path)

    def _clear(self, run_path: Path) -> None:
        """Delete a cache entry and what Olive measured on its model."""
        shutil.rmtree(run_path, ignore_errors=True)
        (run_path.parent.parent / "evaluations" / f"{run_path.name}.json").unlink(missing_ok=True)

    def _note_variant(self, variant: Variant) -> None:
        if self.search is not None and not self.search.is_shared(self.pass_name):
            if not self.search.is_output(self.pass_name):
                return  # what a trial makes on its way is kept, and is no model of its own to be chosen
            variant = replace(variant, name=self.search.label, parameters=dict(self.search.parameters))
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
            part = f"{write_part(trained, tokens, 'token')} {agree(trained, 'is', 'are')}"
            text = f"The loss is on the completion: {part} trained on."
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
