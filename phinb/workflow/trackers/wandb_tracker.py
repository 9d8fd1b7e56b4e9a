"""Weights & Biases: online where somebody has logged in (or WANDB_MODE says so), else files in the run's folder."""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from phinb.workflow.trackers.tracker import Begun, Ending, Fact, Measured, Subject

QUIET = {
    "WANDB_ERROR_REPORTING": "false",  # sends what goes wrong in it to its makers
    "WANDB_SILENT": "true",
    "WANDB_CONSOLE": "off",
    "WANDB_DISABLE_CODE": "true",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_X_DISABLE_STATS": "true",  # the machine as this process sees it, which is not the one that trains
    "WANDB_X_DISABLE_META": "true",
}
"""Variables of its own, set where the user has not set them."""

_FOREIGN = re.compile(r"[/\\#?%:\s]")


class WandbTracker:
    """A run under the id of phinb's run, with a count of steps of its own for each training."""

    def begin(self, subject: Subject, key: str) -> Begun:
        for variable, value in QUIET.items():
            os.environ.setdefault(variable, value)
        import wandb

        offline = not os.environ.get("WANDB_MODE") and not is_logged_in(os.environ)
        subject.own.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _FOREIGN.sub("-", subject.name)[:128],
            id=subject.run_id,
            name=os.environ.get("WANDB_NAME") or subject.run_id,
            config=dict(subject.parameters),
            dir=os.environ.get("WANDB_DIR") or str(subject.own),
            mode="offline" if offline else None,
            resume=None if offline else "allow",
            # Not the global run, which the trainer's own integration would take for its own.
            reinit="create_new",
        )
        self._axes: set[str] = set()
        for path in subject.texts:
            self._run.save(str(path), base_path=str(path.parent), policy="now")
        return Begun(str(self._run.id), bool(key) and bool(self._run.resumed), *self._describe())

    def log(self, measured: Sequence[Measured]) -> None:
        for one in measured:
            self._define(one)
            # Its own count of steps may not go back, and the next training's begins again: hence the axis.
            self._run.log({**one.values, one.axis: one.step})

    def note(self, facts: Mapping[str, Fact]) -> None:
        self._run.summary.update(dict(facts))

    def end(self, ending: Ending) -> None:
        import wandb

        self._run.finish(exit_code=0 if ending in ("succeeded", "stopped") else 1)
        wandb.teardown()

    def _define(self, one: Measured) -> None:
        for name in one.values:
            if name not in self._axes:
                self._axes.add(name)
                self._run.define_metric(name, step_metric=one.axis)

    def _describe(self) -> tuple[str, str]:
        """Where it is, and how to look at it."""
        if self._run.offline:
            folder = Path(self._run.dir).parent
            return f"Weights & Biases has this run in {folder}, offline.", f"To send it: wandb sync {folder}"
        if self._run.disabled:
            return "Weights & Biases is turned off by WANDB_MODE.", ""
        return f"Weights & Biases has this run at {self._run.url}.", ""


def is_logged_in(environment: Mapping[str, str]) -> bool:
    """Whether there is a key for its server: in the variables that it reads, or in .netrc, where its login puts one."""
    if environment.get("WANDB_API_KEY") or environment.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(environment.get("WANDB_BASE_URL") or "https://api.wandb.ai").netloc
    named = environment.get("NETRC")
    places = [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    found: list[Any] = []
    for place in places:
        try:
            found.append(netrc.netrc(place).authenticators(host))
        except (OSError, netrc.NetrcParseError):
            continue
    return any(found)
