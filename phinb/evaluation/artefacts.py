"""A variant on disk: which files it consists of, how big they are, and what they contain.

A variant that cannot be used is refused here, by name, before a model library prints a page about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from phinb.errors import PhinbError
from phinb.types import Variant

WEIGHTS = {
    "adapter": ("adapter_model.safetensors", "adapter_model.bin"),
    "onnx": ("*.onnx", "*.onnx.data", "*.onnx_data"),
    "base": ("model*.safetensors", "pytorch_model*.bin"),
    "merged": ("model*.safetensors", "pytorch_model*.bin"),
}
CONFIGURATION = {
    "adapter": ("adapter_config.json",),
    "onnx": ("genai_config.json",),
    "base": ("config.json",),
    "merged": ("config.json",),
}
TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt")
ALSO_NEEDED = (
    "*.index.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)


def list_files(variant: Variant) -> list[Path]:
    """The files of the variant's own folder that it needs to answer: weights, configuration, tokenizer; sorted.

    A checkpoint's optimizer state and a card do not count. Raises PhinbError where a needed part is missing or empty.
    """
    folder = Path(variant.path)
    if not folder.is_dir():
        raise PhinbError(
            f"{variant.name}: the folder {variant.path} does not exist.",
            "Was the run's folder moved or cleaned? Run the pass again.",
        )
    weights = _match(folder, WEIGHTS[variant.kind])
    if not weights or not any(file.stat().st_size for file in weights):
        raise PhinbError(
            f"{variant.name}: the folder {variant.path} holds no model weights ({' or '.join(WEIGHTS[variant.kind])}).",
            "The pass that makes it did not finish, or the path is wrong: run the pass again.",
        )
    configuration = _match(folder, CONFIGURATION[variant.kind])
    if not configuration:
        raise PhinbError(
            f"{variant.name}: {CONFIGURATION[variant.kind][0]} is missing in {variant.path}.",
            "The artefact is incomplete: run the pass that makes it again.",
        )
    own = {*weights, *configuration, *_match(folder, (*TOKENIZER, *ALSO_NEEDED))}
    if variant.kind == "adapter":
        if not variant.base_path:
            raise PhinbError(f"{variant.name} is an adapter without a base model.", "Set the variant's base_path.")
        list_files(base_of(variant))
    elif not _match(folder, TOKENIZER):
        raise PhinbError(
            f"{variant.name}: there is no tokenizer in {variant.path} ({', '.join(TOKENIZER[:2])}, ...).",
            "Copy the base model's tokenizer files there, or run the pass again.",
        )
    return sorted(own)


def base_of(variant: Variant) -> Variant:
    """The model that an adapter stands on, as a variant of its own."""
    return Variant(f"{variant.name}'s base", variant.base_path, "base", "")


def tokenizer_folder(variant: Variant) -> Path:
    """An adapter has its base's tokenizer, unless it brings one."""
    own = Path(variant.path)
    if variant.kind == "adapter" and not _match(own, TOKENIZER):
        return Path(variant.base_path)
    return own


def measure_size(variant: Variant) -> int:
    """Bytes on disk of `list_files`; an adapter's are its own, without the base that it needs."""
    return sum(file.stat().st_size for file in list_files(variant))


def hash_contents(variant: Variant, hash_file: Callable[[Path], str] | None = None) -> str:
    """SHA-256 over names and contents of `list_files`, and of the base's where it is an adapter.

    hash_file(path) may remember what it has hashed: variants of one run share their base.
    """
    hash_file = hash_file or hash_one_file
    parts = [(file.name, hash_file(file)) for file in list_files(variant)]
    if variant.kind == "adapter":
        parts.append(("base", hash_contents(base_of(variant), hash_file)))
    return hash_json([variant.kind, parts])


def hash_one_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of a value's JSON, keys sorted."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _match(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
