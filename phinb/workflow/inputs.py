"""What a run's results depend on, by content: model, data, scripts, versions, seed and settings.

The worker gathers it before the first pass and writes it to inputs.json in the run's folder. The key of Olive's cache
is made of it, and a later run is compared with it to say why something is not reused.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from phinb.data.component import script_text
from phinb.models.references import hash_model
from phinb.workflow.contents import FileContent, read_content
from phinb.workflow.reuse import PACKAGES, data_files, installed_versions, script_files
from phinb.workflow.store import RunFolder, read_json, write_atomically

NAME = "inputs.json"

# What of phinb's own section changes what is trained; the rest is only about looking at it.
TRAINING_KEYS = ("eval_split", "loss_on", "answer", "seed")


@dataclass(frozen=True)
class Inputs:
    """model: {path, hash}. unpinned: data that no local file stands for. settings: input_model, data_configs, passes
    as Olive gets them, phinb (what of its section counts in training) and the script that puts the loss in its place.
    """

    model: Mapping[str, str]
    data: tuple[FileContent, ...] = ()
    scripts: tuple[FileContent, ...] = ()
    unpinned: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def key(self, run_id: str) -> str:
        """A hexadecimal key of everything but the passes themselves that the passes' results depend on.

        Data that no local file stands for may change without a sign: then the run's own id is part of the key, so that
        the run can be resumed, and no other run reuses its results.
        """
        counted = {
            "versions": {name: version for name, version in self.versions.items() if name in PACKAGES},
            "model": self.model["hash"],
            "settings": {name: value for name, value in self.settings.items() if name != "passes"},
            "seed": self.seed,
            "files": [[content.name, content.sha256] for content in (*self.data, *self.scripts)],
            "run": run_id if self.unpinned else "",
        }
        return hashlib.sha256(json.dumps(counted, sort_keys=True, default=str).encode()).hexdigest()

    def changed_data(self) -> list[str]:
        """The names of data files that hold something else by now."""
        return [content.name for content in self.data if content.has_changed()]

    def changed_sources(self) -> list[str]:
        """The model and the scripts that are something else by now, by name."""
        changed = [content.name for content in self.scripts if content.has_changed()]
        if not _is_model(self.model):
            changed.insert(0, "the model")
        return changed


def gather_inputs(
    olive: Mapping[str, Any], phinb_section: Mapping[str, Any], base: Path, *, model: str, seed: int
) -> Inputs:
    """Hash all that `olive` (as Olive gets it, before its folders are put in) reads.

    Raises OSError where a file cannot be read.
    """
    files, unpinned = data_files(olive, base)
    return Inputs(
        model={"path": model, "hash": hash_model(model)},
        data=tuple(read_content(path, with_rows=True) for path in files),
        scripts=tuple(read_content(path) for path in script_files(olive, base)),
        unpinned=tuple(unpinned),
        versions={"python": sys.version.split()[0], **installed_versions()},
        seed=seed,
        # A copy: the folders that are put into `olive` later are no settings.
        settings=deepcopy(
            {
                "input_model": {k: v for k, v in olive.get("input_model", {}).items() if k != "model_path"},
                "data_configs": olive.get("data_configs", []),
                "passes": olive.get("passes", {}),
                "phinb": {key: phinb_section.get(key) for key in TRAINING_KEYS},
                "script": script_text(olive, phinb_section),
            }
        ),
    )


def write_inputs(folder: RunFolder, inputs: Inputs, changed: tuple[str, ...] = ()) -> None:
    """changed: what of it was found to be something else while the run went on."""
    text = json.dumps({**asdict(inputs), "changed_meanwhile": list(changed)}, indent=1, default=str)
    write_atomically(folder.path / NAME, text)


def read_inputs(folder: RunFolder) -> Inputs | None:
    """What a run depended on; None where it did not get that far, or the file cannot be read."""
    try:
        values = read_json(folder.path / NAME)
        known = {item.name for item in fields(Inputs)}
        values = {name: value for name, value in values.items() if name in known}
        for name in ("data", "scripts"):
            values[name] = tuple(FileContent(**content) for content in values.get(name, ()))
        values["unpinned"] = tuple(values.get("unpinned", ()))
        return Inputs(**values)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _is_model(model: Mapping[str, str]) -> bool:
    try:
        return hash_model(model["path"]) == model["hash"]
    except OSError:
        return False
