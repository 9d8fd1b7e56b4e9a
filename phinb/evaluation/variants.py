"""The variants that a comparison is asked for: a run's own by name, other runs' beside them, and models by path."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import CONFIGURATION, WEIGHTS, list_files
from phinb.models.references import EMBEDDED, HUB_NAME, find_snapshot, resolve_model
from phinb.types import Variant, VariantKind
from phinb.workflow.runner import Run, open_run

Given = str | Path | Variant
"""A name of the run ("int4"), another run's ("RUN_ID/int4"), a model's folder, or a Variant of any run."""


def find_variants(run: Run, given: Sequence[Given]) -> list[Variant]:
    """What is meant, in order, each under a name of its own: another run's is called RUN_ID/NAME, a folder by its name,
    and by as much of its path as makes it unique.

    Raises PhinbError for a name that no run has, for a folder that holds no model, and for the same model twice.
    """
    if isinstance(given, str | Path | Variant):
        raise PhinbError(f"variants is {given!r}.", "Give a list: variants=['base', 'int4'].")
    found = [_find(run, one) for one in given]
    for index, variant in enumerate(found):
        if variant in found[:index]:
            raise PhinbError(f"The variant {variant.name} is asked for twice.", "Name it once.")
    return _name_apart(found)


def recognise_model(folder: Path) -> Variant:
    """The model in a folder: onnxruntime-genai's (genai_config.json), an adapter (adapter_config.json, which names its
    base), or a Hugging Face model (config.json). Raises PhinbError, saying what is missing, where it is none."""
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise PhinbError(f"{folder} is no folder.", "Name the folder that holds the model's files.")
    kind = next((kind for kind in _KINDS if (folder / CONFIGURATION[kind][0]).is_file()), None)
    if kind is None:
        raise PhinbError(f"{folder} holds no model: {_describe(folder)}.", _advise(folder))
    base = _find_base(folder) if kind == "adapter" else ""
    variant = Variant(folder.name, str(folder), kind, "", base, origin=str(folder))
    list_files(variant)
    return variant


_KINDS: tuple[VariantKind, ...] = ("onnx", "adapter", "base")


def _find(run: Run, given: Given) -> Variant:
    own = run.variants
    if isinstance(given, Variant):
        if given in own.values():
            return given
        return replace(given, origin=given.origin or _origin_of(given))
    text = str(given)
    if isinstance(given, str) and text in own:
        return own[text]
    if _is_run(text):
        raise PhinbError(f"{text} is a run, which has several variants.", f"Name one of them: {text}/int4.")
    if Path(text).expanduser().is_dir():
        return recognise_model(Path(text))
    reference, slash, name = text.rpartition("/")
    if slash and reference and isinstance(given, str) and not text.startswith(("./", "../", "~")):
        return _find_elsewhere(run, reference, name, text)
    if isinstance(given, Path) or slash:
        raise PhinbError(f"There is no folder {text}.", "Name the folder that holds the model's files.")
    raise PhinbError(
        f"Run {run.id} has no variant {text!r}.",
        f"It has: {', '.join(own)}. Another run's is RUN_ID/NAME; a model by its folder may stand here, too.",
    )


def _find_elsewhere(run: Run, reference: str, name: str, text: str) -> Variant:
    try:
        other = open_run(reference)
    except PhinbError as error:
        raise PhinbError(
            f"{text!r} is neither a folder nor a run's variant: {error.message}", "Write RUN_ID/NAME, or a folder."
        ) from None
    there = other.variants
    if name not in there:
        raise PhinbError(f"Run {other.id} has no variant {name!r}.", f"It has: {', '.join(there)}.")
    if other.id == run.id:
        return there[name]
    return replace(there[name], name=f"{other.id}/{name}", origin=other.id)


def _origin_of(variant: Variant) -> str:
    """The run in whose folder it lies, else its path."""
    folder = next((one for one in Path(variant.path).parents if (one / "run.json").is_file()), None)
    return folder.name if folder else variant.path


def _is_run(text: str) -> bool:
    folder = Path(text).expanduser()
    return (folder / "run.json").is_file() and (folder / "events.jsonl").is_file()


def _name_apart(found: Sequence[Variant]) -> list[Variant]:
    """Those of the run at hand keep their names; of others that clash the longer path, or origin, tells."""
    taken = {variant.name for variant in found if not variant.origin}
    named = []
    for variant in found:
        if variant.origin:
            variant = replace(variant, name=next(name for name in _names(variant) if name not in taken))
            taken.add(variant.name)
        named.append(variant)
    return named


def _names(variant: Variant) -> Iterable[str]:
    yield variant.name
    if variant.origin != variant.path:
        yield f"{variant.origin}/{variant.name}"
    parts = Path(variant.path).parts
    for length in range(2, len(parts) + 1):
        yield "/".join(part.strip("/\\") for part in parts[-length:])
    for number in range(2, 1000):
        yield f"{variant.name} ({number})"


def _find_base(folder: Path) -> str:
    """The folder of the model that an adapter was trained on, as adapter_config.json names it."""
    path = folder / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        named = config["base_model_name_or_path"] if isinstance(config, Mapping) else None
    except (OSError, ValueError, KeyError):
        named = None
    if not isinstance(named, str) or not named:
        raise PhinbError(f"{path} names no base model.", 'Write its folder as "base_model_name_or_path" there.')
    for one in (Path(named).expanduser(), folder / named):
        if one.is_dir():
            return str(one.resolve())
    if named in EMBEDDED:
        return str(resolve_model(named))
    snapshot = find_snapshot(named) if HUB_NAME.fullmatch(named) else None
    if snapshot is None:
        raise PhinbError(
            f"The adapter in {folder} stands on {named}, which is not on this machine.",
            'Write the base model\'s folder as "base_model_name_or_path" into its adapter_config.json.',
        )
    return str(snapshot)


def _describe(folder: Path) -> str:
    names = sorted(one.name for one in folder.iterdir())
    if not names:
        return "it is empty"
    wanted = ", ".join(CONFIGURATION[kind][0] for kind in _KINDS)
    return f"there is none of {wanted}, only {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}"


def _advise(folder: Path) -> str:
    inner = [one for one in sorted(folder.iterdir()) if one.is_dir()]
    held = [one for one in inner if any((one / CONFIGURATION[kind][0]).is_file() for kind in _KINDS)]
    if held:
        return f"There is one in {held[0]}: name that folder."
    if any(folder.glob(WEIGHTS["onnx"][0])):
        return "An ONNX model needs the genai_config.json that Olive's ModelBuilder writes."
    return "A model's folder has its configuration, its weights and its tokenizer."
