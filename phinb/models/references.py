"""What `model_path` may say, and the folder that it means; what a model's content is, as one hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from pathlib import Path

from phinb.errors import PhinbError
from phinb.folders import Report, cache

EMBEDDED = ("phinb://demo", "phinb://tiny")
"""The models that phinb makes by itself."""

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
"""`name` or `owner/name`, as the Hugging Face hub allows them."""

RACY_NS = 2_000_000_000
"""A file younger than this may change again without its time changing; its hash is not remembered."""


def resolve_model(reference: str, *, folder: Path | None = None, progress: Report | None = None) -> Path | str:
    """The local folder that a model reference means, or the reference itself where no local folder does.

    phinb://demo and phinb://tiny are made in the cache at first use (`progress` hears of it). A path is relative
    to `folder`, by default the working directory, and goes before a hub name of the same form, as it does in
    transformers. A hub name is resolved to its snapshot if all of it lies in huggingface_hub's cache; else it,
    as an address with a scheme (azureml://...), comes back as it was, for Olive to fetch.

    Raises PhinbError for an unknown phinb:// name, a path that does not exist, or a folder that is no model.
    """
    if reference.startswith("phinb://"):
        return _make_embedded(reference, progress)
    if "://" in reference:
        return reference
    path = ((folder or Path.cwd()) / Path(reference).expanduser()).absolute()
    if path.exists():
        _check_model(path)
        return path
    if HUB_NAME.fullmatch(reference) and not _looks_like_path(reference, path):
        return find_snapshot(reference) or reference
    raise PhinbError(f"The model path {reference} does not exist (looked for {path}).", _suggest(path))


def find_snapshot(name: str) -> Path | None:
    """The folder of a hub model in huggingface_hub's cache, if its configuration and all weights are there."""
    from huggingface_hub import try_to_load_from_cache

    try:
        config = try_to_load_from_cache(name, "config.json")
    except ValueError:  # not a name that a hub repository can have
        return None
    if not isinstance(config, str):
        return None
    snapshot = Path(config).parent
    for index in snapshot.glob("*.index.json"):
        shards = set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
        return snapshot if all((snapshot / shard).exists() for shard in shards) else None
    weights = [*snapshot.glob("*.safetensors"), *snapshot.glob("pytorch_model*.bin")]
    return snapshot if weights else None


def hash_model(path: Path | str) -> str:
    """SHA-256 (hex) over the names and contents of all files of a model's folder; of a file, over its content.

    Hidden files do not count. Each file's own hash is remembered in the cache by its path, size and time, so that
    500 MB are read once (about 1 s). A reference that stands for no local folder is hashed by its name.
    """
    if isinstance(path, str) and not Path(path).exists():
        return hashlib.sha256(path.encode()).hexdigest()
    root = Path(path).absolute()
    memory = cache() / "hashes" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:24]}.json"
    known = _read_hashes(memory)
    seen: dict[str, list[int | str]] = {}
    whole = hashlib.sha256()
    for file in _model_files(root):
        name = file.relative_to(root).as_posix() if file != root else ""
        status = file.stat()
        entry = known.get(name)
        if entry is None or entry[:2] != [status.st_size, status.st_mtime_ns]:
            with file.open("rb") as content:
                entry = [status.st_size, status.st_mtime_ns, hashlib.file_digest(content, "sha256").hexdigest()]
        if time.time_ns() - status.st_mtime_ns > RACY_NS:
            seen[name] = entry
        whole.update(f"{name}\0{entry[2]}\n".encode())
    if seen != known:
        _write_hashes(memory, seen)
    return whole.hexdigest()


def is_made(reference: str) -> bool:
    """Whether resolving the reference makes nothing: an embedded model that lies in the cache, or any other one."""
    return not reference.startswith("phinb://") or (reference in EMBEDDED and _embedded_folder(reference).is_dir())


def _embedded_folder(reference: str) -> Path:
    from phinb.models import demo, tiny

    revision = demo.REVISION if reference == "phinb://demo" else tiny.REVISION
    return cache() / "models" / f"{reference.removeprefix('phinb://')}-{revision}"


def _make_embedded(reference: str, progress: Report | None) -> Path:
    from phinb.models import demo, tiny

    if reference == "phinb://demo":
        return demo.make_demo(_embedded_folder(reference), progress)
    if reference == "phinb://tiny":
        return tiny.make_tiny(_embedded_folder(reference))
    from rapidfuzz import process

    nearest = process.extractOne(reference, EMBEDDED)
    raise PhinbError(
        f"There is no embedded model {reference}.",
        f"Did you mean {nearest[0]}? phinb knows {' and '.join(EMBEDDED)}.",
    )


def _check_model(path: Path) -> None:
    """Raise PhinbError unless Olive could load the path as a model."""
    if path.is_file():
        if path.suffix == ".onnx":
            return
        raise PhinbError(f"The model path {path} is a file.", "Name the folder that holds the model's config.json.")
    if (path / "config.json").is_file() or (path / "MLmodel").is_file():
        return
    if (path / "adapter_config.json").is_file():
        hint = 'It holds an adapter: set "adapter_path" to it and "model_path" to its base model.'
    elif (path / "genai_config.json").is_file() or any(path.glob("*.onnx")):
        hint = "It holds an ONNX model; training needs the Hugging Face folder that it was made from."
    elif any(path.glob("*.gguf")):
        hint = "It holds a GGUF file; convert it to a Hugging Face folder first."
    else:
        inside = sorted(config.parent.name for config in path.glob("*/config.json"))
        hint = f"Did you mean {path / inside[0]}?" if inside else "Name the folder that holds the model's config.json."
    raise PhinbError(f"The folder {path} has no config.json: it is not a Hugging Face model.", hint)


def _looks_like_path(reference: str, path: Path) -> bool:
    """Whether a name of a hub's form that names nothing here was meant as a path: its first folder is here."""
    return "/" in reference and path.parent.is_dir()


def _suggest(path: Path) -> str:
    from rapidfuzz import process

    if path.parent.is_dir():
        siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
        nearest = process.extractOne(path.name, siblings, score_cutoff=70)
        if nearest:
            return f"Did you mean {path.parent / nearest[0]}?"
        return f"The folder {path.parent} exists, but nothing in it has that name. phinb://demo needs no files."
    return f"Paths are relative to the configuration's own folder; {path.parent} is not there either."


def _model_files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    files = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(files, key=lambda file: file.relative_to(root).as_posix())


def _read_hashes(memory: Path) -> dict[str, list[int | str]]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_hashes(memory: Path, hashes: dict[str, list[int | str]]) -> None:
    """Remember; where the cache cannot be written the files are merely read again."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(hashes), encoding="utf-8")
        part.replace(memory)
    except OSError:
        return
