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
from phinb.data.files import find_files
from phinb.data.source import parameters
from phinb.workflow.contents import hash_file

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
FIRST_TIME = "first time with this configuration and data"


def installed_versions() -> dict[str, str]:
    """{package: version} of what is installed of PACKAGES, and phinb's own."""
    found = {}
    for name in (*PACKAGES, "phinb"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def data_files(olive: Mapping[str, Any], base: Path) -> tuple[list[Path], list[str]]:
    """(the local files that data configs are made of, sorted; the data that no local file stands for).

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
    return sorted(found), unpinned


def script_files(olive: Mapping[str, Any], base: Path) -> list[Path]:
    """The Python files that user_script and script_dir name, sorted."""
    found: set[Path] = set()
    for script in _scripts(olive):
        path = base / script
        found |= {item for item in (path.rglob("*.py") if path.is_dir() else [path]) if item.is_file()}
    return sorted(found)


def hash_settings(*values: Any) -> str:
    """A short hexadecimal key of JSON-like values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]


def cache_folder(key: str) -> Path:
    """Olive's cache for the inputs of `key`."""
    return folders.cache() / "olive" / key[:16]


def write_manifest(run_path: Path, run_id: str) -> None:
    """Note what a pass left in its cache entry, so that a later run can tell whole from half, and from changed.

    Every file is hashed, weights too: about 1 s for 500 MB.
    """
    files = {str(p.relative_to(run_path)): _describe(p) for p in sorted(run_path.rglob("*")) if p.is_file()}
    text = json.dumps({"run_id": run_id, "files": files})
    part = run_path / "phinb.json.part"
    part.write_text(text, encoding="utf-8")
    part.replace(run_path / "phinb.json")


def has_manifest(run_path: Path) -> bool:
    """Whether a cache entry was noted as whole."""
    return (run_path / "phinb.json").is_file()


def check_manifest(run_path: Path) -> tuple[str, str]:
    """(run that made it, "") for a whole cache entry, else ("", what is wrong with it).

    A file whose size and time of change are those of when it was made is taken for the same, since to read all of the
    weights again would cost more than reuse gains. Any other is hashed. So what a program or a person altered is found;
    a disk that gives back other bytes than were written, without a sign, is not.
    """
    if not (run_path / "run.json").is_file():
        return "", FIRST_TIME
    try:
        manifest = json.loads((run_path / "phinb.json").read_text(encoding="utf-8"))
        files, run_id = manifest["files"], str(manifest["run_id"])
        known = {name: (int(size), int(changed), str(sha256)) for name, (size, changed, sha256) in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", "an earlier result was never finished"
    for name, (size, changed, sha256) in known.items():
        path = run_path / name
        try:
            status = path.stat()
            if status.st_size == size and (status.st_mtime_ns == changed or hash_file(path) == sha256):
                continue
        except OSError:
            return "", f"the earlier result of {run_id} lacks {name}"
        return "", f"the earlier result of {run_id} is damaged: {name} has changed"
    return run_id, ""


def read_hashes(run_path: Path) -> dict[str, str]:
    """{file: SHA-256} of what a whole cache entry holds as its model; empty for one without a manifest."""
    try:
        files = json.loads((run_path / "phinb.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return {}
    models = ("models/", "models\\")
    return {name[len("models/") :]: entry[2] for name, entry in files.items() if name.startswith(models)}


def _describe(path: Path) -> list[Any]:
    """[size, time of its last change in nanoseconds, SHA-256]."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, hash_file(path)]


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
