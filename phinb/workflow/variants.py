"""What a pass made: as a Variant with its kind, name and folder, and as files that Olive can load."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from phinb import folders
from phinb.types import Variant


def describe_variant(base_model: str, name: str, settings: dict[str, Any], model_config: Any) -> Variant:
    """What the pass `name` with these settings made, as it lies in Olive's cache."""
    values = model_config.to_json() if hasattr(model_config, "to_json") else dict(model_config)
    config, kind = values.get("config", {}), str(values.get("type", "")).lower()
    if adapter := config.get("adapter_path"):
        return Variant("adapter", str(adapter), "adapter", name, base_path=base_model)
    if kind == "onnxmodel":
        path = Path(str(config["model_path"]))
        given = settings.get("precision")
        precision = given if isinstance(given, str) and given else name
        folder = path.parent if path.suffix == ".onnx" else path
        return Variant(precision, str(folder), "onnx", name, precision=precision)
    return Variant("merged", str(config["model_path"]), "merged", name)


def free_of_links(model_config: Any) -> None:
    """Give an ONNX model in Olive's cache files of its own, before Olive loads it.

    onnx refuses weights that have several hard links, and a run's artefacts are such links. The copies keep their
    times, by which a whole cache entry is known.
    """
    values = model_config.to_json() if hasattr(model_config, "to_json") else dict(model_config)
    place = values.get("config", {}).get("model_path")
    if str(values.get("type", "")).lower() != "onnxmodel" or not isinstance(place, str):
        return
    folder = Path(place).parent if Path(place).is_file() else Path(place)
    for file in folder.rglob("*") if "models" in folder.parts and folders.cache() in folder.parents else ():
        if file.is_file() and file.stat().st_nlink > 1:
            part = file.with_name(f"{file.name}.part")
            shutil.copy2(file, part)
            part.replace(file)


def move_variant(variant: Variant, models: Path, artefact: Path) -> Variant:
    """The same, in the run's artefacts, if it lies in the cache's folder `models`."""
    path = Path(variant.path)
    return replace(variant, path=str(artefact / path.relative_to(models))) if path.is_relative_to(models) else variant
