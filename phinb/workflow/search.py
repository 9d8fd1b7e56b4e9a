"""Olive's search while it goes on: which trial runs, what its passes are called in the events, what came of it.

What the lines are called stands in lines.py. Of a trial only the last model is a variant; the others are kept
beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from phinb.config.search import Search
from phinb.types import MetricLogged, Notice, Preparing
from phinb.workflow.checkpoints import clean_checkpoints, is_training
from phinb.workflow.evaluation_only import name_metric
from phinb.workflow.job import Job
from phinb.workflow.lines import find_shared
from phinb.workflow.reporter import Reporter
from phinb.workflow.reuse import hash_settings


def find_choice(settings: Any, choice: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings of a pass as a trial has them; without a choice, those of its first alternative."""
    at, params = (choice["index"], choice["params"]) if choice else (0, {})
    chosen = settings[at] if isinstance(settings, list) else settings
    return {**chosen, **{key: _plain(value) for key, value in params.items()}}


class SearchWatch:
    """One search. `hopeless`: a pass that all trials share has failed. `ended_early`: by the user's wish."""

    def __init__(self, search: Search, job: Job, reporter: Reporter) -> None:
        self.number = 0
        self.hopeless = False
        self.ended_early = False
        self.label = ""
        """What the trial is called; "" while only shared passes run."""
        self.parameters: dict[str, Any] = {}
        """Dotted path -> what the trial has there; of a list of passes, the number of the alternative, from 1."""
        self._search, self._job, self._reporter = search, job, reporter
        self._shared = frozenset(find_shared(search, tuple(job.pass_types)))
        self._choices: dict[str, Any] = {}
        self._passes: tuple[str, ...] = ()
        self._line = ""
        self._chains: dict[str, dict[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._folders: dict[str, Path] = {}
        self._used: set[Path] = set()
        self._measured = 0

    # ------------------------------------------------------------------- names

    def is_shared(self, pass_name: str) -> bool:
        return pass_name in self._shared

    def is_output(self, pass_name: str) -> bool:
        """Whether what the pass makes is what the trial makes."""
        return not self.is_shared(pass_name) and self._passes[-1:] == (pass_name,)

    def line(self, pass_name: str) -> str:
        return pass_name if self.is_shared(pass_name) or not self.label else f"{self.label}/{pass_name}"

    def choice(self, pass_name: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._choices.get(pass_name)
        return found

    # ------------------------------------------------------------------ trials

    def begin(self, choices: Mapping[str, Any], first_id: str, computed: Mapping[str, Any]) -> None:
        """A trial: `choices` are {pass: {index, params}}, `first_id` is the model that it begins with, `computed` are
        Olive's settings of its passes, in which a training gets a checkpoint folder of the trial's own."""
        self._passes = tuple(computed)
        # Pass by pass, a trial goes on from what an earlier one made.
        self._choices = {**self._chains.get(first_id, {}), **choices}
        self.label, self.parameters = "", {}
        if not set(self._passes) - self._shared:
            return
        self.number += 1
        self.parameters = self._name_choices()
        labels = self._search.labels
        self.label = labels[choices[self._search.varying[0]]["index"]] if labels else f"trial-{self.number}"
        most = self._most
        if labels:
            what = f"output {self.number} of {len(labels)}: {self.label}"
        else:
            count = f"{self.number} of at most {most}" if most else str(self.number)
            what = f"trial {count}: {self._describe()}"
        self._reporter.emit(Preparing(what, self.number - 1, most))
        self._place_checkpoints(computed)

    def measuring(self) -> None:
        what = self.label.replace("trial-", "trial ") or (self._line or "the input model")
        self._reporter.emit(Preparing(f"measuring {what}", None, None))

    def note_line(self, line: str) -> None:
        """The line that was the last to finish: what is measured next is what it made."""
        self._line = line

    def end(self, values: Mapping[str, float] | None, ids: Sequence[str], reason: str) -> None:
        """What Olive measured, None where the trial failed; `ids` of what its passes made, `reason` of a failure."""
        if ids:
            self._chains.setdefault(ids[-1], dict(self._choices))
        what = self._title()
        if values is None:
            text = f"{what} failed: {reason or 'Olive gave no reason; the log may tell.'}"
            self._reporter.emit(Notice("warning", "trial_failed", text))
            return
        self._measured += 1
        if self.label:
            self._names.setdefault(ids[-1], self.label)
        named = {name_metric(key): float(value) for key, value in values.items()}
        self._reporter.emit(MetricLogged(pass_name=self._line, step=0, values=named))
        self._reporter.emit(Notice("info", "trial", f"{what}: {_list_values(named.items())}"))

    def judge(
        self, output: Any, failure: str, *, cut_short: bool
    ) -> tuple[Literal["succeeded", "stopped", "failed"], str]:
        """The run's status and message."""
        if not output.has_output_model():
            if self._measured and not failure:
                return "failed", f"Olive chose none of the {self.number} trials: none met the goals of its metrics."
            return "failed", failure or "Olive's search made no model and gave no reason; the log may tell."
        best = self._names.get(output.get_best_candidate().model_id, "")
        told = f"Olive's best of {self._count()} is {best}." if best else ""
        if told:
            self._reporter.notice("info", "best_trial", told)
        if self.ended_early or cut_short:
            return "stopped", f"The search was ended after {self._count()}; what was made is kept. {told}".strip()
        return "succeeded", told

    def wants_no_more(self) -> None:
        """The user has asked for an end."""
        self.ended_early = self.ended_early or self.number != self._most

    def drop_checkpoints(self, pass_name: str | None = None) -> None:
        """Delete the checkpoints of all trials, or of one pass of this trial."""
        for folder in self._used if pass_name is None else {self._folders.get(pass_name)} - {None}:
            shutil.rmtree(folder, ignore_errors=True)  # type: ignore[arg-type]

    # ------------------------------------------------------------------- parts

    @property
    def _most(self) -> int | None:
        whole = set(self._search.varying) <= set(self._job.olive["passes"])
        return self._search.most if whole else None

    def _name_choices(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, choice in self._choices.items():
            listed = isinstance(self._job.olive["passes"].get(name), list)
            if name in self._search.alternatives:
                found[f"passes.{name}"] = choice["index"] + 1
            prefix = f"passes.{name}.{choice['index']}" if listed else f"passes.{name}"
            found |= {f"{prefix}.{key}": _plain(value) for key, value in choice["params"].items()}
        return found

    def _place_checkpoints(self, computed: Mapping[str, Any]) -> None:
        """Olive goes on from the last checkpoint in a folder, whatever it was trained with: each choice has its own.

        The folder is the one that an ordinary run with these settings has, so that each may use what the other made.
        """
        self._folders = {}
        settings = self._job.inputs.settings["passes"]
        resolved = [(name, find_choice(value, self._choices.get(name))) for name, value in settings.items()]
        for name, config in computed.items():
            if self.is_shared(name) or not is_training(str(config.type)):
                continue
            arguments = config.config.training_args
            upto = list(settings).index(name) + 1
            folder = Path(arguments.output_dir).parent / f"{name}-{hash_settings(self._job.key, resolved[:upto])}"
            if self._job.attempt == 1 and name in self._job.forced and folder not in self._used:
                shutil.rmtree(folder, ignore_errors=True)
            clean_checkpoints(folder)
            arguments.output_dir = str(folder)
            self._folders[name] = folder
            self._used.add(folder)

    def _title(self) -> str:
        if not self.label:
            return self._line
        title = self.label.replace("trial-", "Trial ")
        described = self._describe()
        return f"{title} ({described})" if described and not self._search.labels else title

    def _describe(self) -> str:
        return ", ".join(f"{path.removeprefix('passes.')} {value}" for path, value in self.parameters.items())

    def _count(self) -> str:
        return f"{self.number} trial{'' if self.number == 1 else 's'}"


def make_search_watch(job: Job, reporter: Reporter) -> SearchWatch | None:
    """None where the run has nothing to choose."""
    if job.search is None or not set(job.search.varying) & set(job.olive["passes"]):
        return None
    return SearchWatch(job.search, job, reporter)


def _list_values(values: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:,.4g}" if abs(value) < 1e4 else f"{name} {value:,.0f}" for name, value in values)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
