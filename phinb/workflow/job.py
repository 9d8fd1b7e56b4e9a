"""From a run's folder to what Olive gets: the model found, contents hashed, cache and checkpoints in their places."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phinb.config import Config
from phinb.config.search import Search
from phinb.data.component import place_component
from phinb.models.references import resolve_model
from phinb.workflow import reuse
from phinb.workflow.checkpoints import place_checkpoints
from phinb.workflow.inputs import Inputs, gather_inputs, write_inputs
from phinb.workflow.store import RunFolder, RunRecord, write_atomically

Told = Callable[[str, float | None, float | None], None]
"""Hears of (what, done, total)."""


@dataclass(frozen=True)
class Job:
    """What the worker runs. `olive` is completed by `place`; the rest is what phinb does beside it."""

    olive: dict[str, Any]
    inputs: Inputs
    key: str
    cache: Path
    base_model: str
    seed: int
    attempt: int
    pass_types: dict[str, tuple[str, ...]]
    """Pass name -> its type; the types of its alternatives, where it is a list of passes."""
    forced: tuple[str, ...]
    base: Path
    phinb: Mapping[str, Any]
    search: Search | None = None

    @property
    def layers(self) -> int | None:
        """How many decoder layers the model has, if its configuration tells."""
        try:
            text = (Path(self.base_model) / "config.json").read_text(encoding="utf-8")
            return int(json.loads(text)["num_hidden_layers"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def prepare(record: RunRecord, config: Config, attempt: int, told: Told) -> Job:
    """Find or fetch the model and hash what the results depend on; nothing that exists is changed.

    Raises ConfigError for a configuration with errors and PhinbError for a model that is not there.
    """
    base = Path(record.base)
    olive = config.to_olive()
    # Without passes there is only the input model to be evaluated.
    olive["passes"] = {name: value for name, value in (olive.get("passes") or {}).items() if name in record.passes}
    told("finding the model", None, None)
    model = _find_model(str(olive["input_model"]["model_path"]), base, told)
    olive["input_model"]["model_path"] = model
    told("hashing model and data", None, None)
    seed = int(config.phinb["seed"])
    inputs = gather_inputs(olive, config.phinb, base, model=model, seed=seed)
    key = inputs.key(record.run_id)
    forced = record.passes if record.fresh or olive.pop("clean_cache", False) else ()
    if not forced and record.from_pass:
        forced = record.passes[record.passes.index(record.from_pass) :]
    return Job(
        olive=olive,
        inputs=inputs,
        key=key,
        cache=reuse.cache_folder(key),
        base_model=model,
        seed=seed,
        attempt=attempt,
        pass_types={
            name: (kind,) if isinstance(kind, str) else tuple(kind)
            for name, kind in config.passes.items()
            if name in record.passes
        },
        forced=forced,
        base=base,
        phinb=config.phinb,
        search=config.search,
    )


def place(job: Job, folder: RunFolder, base: Path) -> int | None:
    """Complete job.olive with its folders and write it to olive.json, and inputs.json; the cache's lock must be held.

    Returns the step of the checkpoint that training will go on from. In a run's first attempt, the checkpoints of
    passes that must run anew are deleted. Raises PhinbError where the loss cannot be put on the completion.
    """
    olive = job.olive
    olive["cache_dir"] = str(job.cache)
    olive.setdefault("output_dir", str(folder.path / "output"))
    # Not in the run's own folder: Olive's cache knows a pass by its data config, the script's path included.
    place_component(olive, job.phinb, job.cache)
    anew = job.forced if job.attempt == 1 else ()
    step = place_checkpoints(olive, job.key, job.cache / "checkpoints", base, seed=job.seed, anew=anew)
    write_atomically(folder.path / "olive.json", json.dumps(olive, indent=1))
    write_inputs(folder, job.inputs)
    return step


def _find_model(reference: str, base: Path, told: Told) -> str:
    """A local folder, or an address that only Olive can read. A model of the hub is fetched first: its files, and not
    its name, tell whether an earlier result is of the same model."""
    found = resolve_model(reference, folder=base, progress=told)
    if isinstance(found, Path) or "://" in found:
        return str(found)
    from huggingface_hub import snapshot_download

    told(f"downloading {found}", None, None)
    return str(snapshot_download(found, ignore_patterns=["*.gguf", "*.onnx*", "*.h5", "*.msgpack", "original/*"]))
