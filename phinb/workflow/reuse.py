"""When an earlier result may be used again.

Olive's cache knows a pass's parameters and the path of its input; it looks neither into the data files nor into
the model. So phinb gives Olive a cache folder whose name is the hash of all that: two runs share a folder, and
so results, only where contents, scripts, seed and versions are the same. Within it Olive tells passes apart.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from glob import glob
from importlib import metadata
from pathlib import Path
from typing import Any

from phinb import folders
from phinb.data.component import script_text
from phinb.data.files import find_files
from phinb.data.source import parameters

# What can change the numbers that come out of a pass.
PACKAGES = (
    "olive-ai",
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
    "onnxruntime",
    "onnxruntime-genai",
    "numpy",
)
SMALL_BYTES = 1_000_000
# What of phinb's own section changes what is trained; the rest is only about looking at it.
TRAINING_KEYS = ("eval_split", "loss_on", "answer", "seed")


def installed_versions() -> dict[str, str]:
    """{package: version} of what is installed of PACKAGES, and phinb's own."""
    found = {}
    for name in (*PACKAGES, "phinb"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def input_files(olive: Mapping[str, Any], base: Path) -> tuple[list[Path], list[str]]:
    """(the local files that data configs and scripts are made of, sorted; the data that no local file stands for).

    Patterns are spread out and folders taken whole. The second list names data of the hub and addresses.
    """
    found: set[Path] = set()
    unpinned: list[str] = []
    for data_config in olive.get("data_configs") or []:
        params = parameters(data_config.get("load_dataset_config"))
        if not isinstance(params.get("data_name"), str):
            continue
        arguments = find_files(params["data_name"], params, base).arguments
        named = list(_strings(arguments.get("data_files")))
        places = named or [arguments[key] for key in ("data_dir", "path") if arguments.get(key)][:1]
        for place in places:
            files = _files_at(place)
            found |= files
            if not files:
                unpinned.append(str(place))
    for script in _scripts(olive):
        path = base / script
        found |= {item for item in (path.rglob("*.py") if path.is_dir() else [path]) if item.is_file()}
    return sorted(found), unpinned


def hash_inputs(
    olive: Mapping[str, Any],
    phinb_section: Mapping[str, Any],
    base: Path,
    *,
    model_hash: str,
    seed: int,
    unpinned: str,
) -> str:
    """A hexadecimal key of everything but the passes themselves that the passes' results depend on.

    Data that no local file stands for may change without a sign: then `unpinned`, the run's own id, is part of the
    key, so that the run can be resumed, and no other run reuses its results.
    """
    digest = hashlib.sha256()
    versions = {name: version for name, version in installed_versions().items() if name in PACKAGES}
    settings = {
        "versions": versions,
        "model": model_hash,
        "input_model": {k: v for k, v in olive.get("input_model", {}).items() if k != "model_path"},
        "data_configs": olive.get("data_configs", []),
        "phinb": {key: phinb_section.get(key) for key in TRAINING_KEYS},
        "script": script_text(olive, phinb_section),
        "seed": seed,
    }
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    files, elsewhere = input_files(olive, base)
    if elsewhere:
        digest.update(unpinned.encode())
    for path in files:
        digest.update(path.name.encode() + b"\0" + hash_file(path).encode())
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_settings(*values: Any) -> str:
    """A short hexadecimal key of JSON-like values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]


def cache_folder(key: str) -> Path:
    """Olive's cache for the inputs of `key`."""
    return folders.cache() / "olive" / key[:16]


def write_manifest(run_path: Path, run_id: str) -> None:
    """Note what a pass left in its cache entry, so that a later run can tell whole from half, and from changed."""
    files = {str(p.relative_to(run_path)): _describe(p) for p in sorted(run_path.rglob("*")) if p.is_file()}
    (run_path / "phinb.json").write_text(json.dumps({"run_id": run_id, "files": files}), encoding="utf-8")


def check_manifest(run_path: Path) -> tuple[str, str]:
    """(run that made it, "") for a whole cache entry, else ("", what is wrong with it)."""
    if not (run_path / "run.json").is_file():
        return "", "first time with this configuration and data"
    try:
        manifest = json.loads((run_path / "phinb.json").read_text(encoding="utf-8"))
        files, run_id = manifest["files"], manifest["run_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return "", "an earlier result was never finished"
    for name, known in files.items():
        path = run_path / name
        if not path.is_file():
            return "", f"the earlier result of {run_id} lacks {name}"
        if _describe(path) != known:
            return "", f"the earlier result of {run_id} is damaged: {name} has changed"
    return run_id, ""


def _describe(path: Path) -> list[Any]:
    """[size, SHA-256 of a small file]: weights are told by their size, what a person may edit by its content."""
    size = path.stat().st_size
    return [size, hash_file(path) if size < SMALL_BYTES else ""]


def link_tree(source: Path, target: Path) -> None:
    """Put the files of `source` into `target`: weights as hard links where the file system has them, the rest copied.

    A small file may be edited in place, and a link would carry the edit into the cache.
    """
    shutil.rmtree(target, ignore_errors=True)

    def link(origin: str, destination: str) -> None:
        try:
            if Path(origin).stat().st_size < SMALL_BYTES:
                shutil.copy2(origin, destination)
            else:
                Path(destination).hardlink_to(origin)
        except OSError:
            shutil.copy2(origin, destination)

    shutil.copytree(source, target, copy_function=link)


def _files_at(place: str) -> set[Path]:
    """The files that a path, a folder or a pattern stands for; empty for what is none of the three."""
    path = Path(place)
    if path.is_dir():
        return {item for item in path.rglob("*") if item.is_file()}
    if path.is_file():
        return {path}
    if "://" in place:
        return set()
    names = glob(place, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
    return {item for name in names if (item := Path(name)).is_file()}


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _scripts(value: Any) -> Iterable[str]:
    """Every user_script and script_dir, wherever it stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("user_script", "script_dir") and isinstance(item, str):
                yield item
            else:
                yield from _scripts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scripts(item)
