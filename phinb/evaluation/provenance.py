"""What an export tells of a run: the training's prompt, the base model and its licence, passes, data and versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from phinb.config import Config
from phinb.data.preview import find_data_config
from phinb.data.recipe import Recipe, read_recipe
from phinb.data.source import parameters
from phinb.data.template import Part
from phinb.errors import PhinbError
from phinb.evaluation.export import strip_paths
from phinb.evaluation.model_card import DataFile, Origin
from phinb.evaluation.programs import Prompt
from phinb.evaluation.scoring import split_template
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.models.facts import KNOWN, find_facts
from phinb.models.references import HUB_NAME
from phinb.types import Variant
from phinb.workflow.contents import hash_file
from phinb.workflow.inputs import NAME as INPUTS
from phinb.workflow.reuse import data_files, installed_versions
from phinb.workflow.runner import Run
from phinb.workflow.store import read_json

_LICENCE = re.compile(r"^licen[sc]e:\s*[\"']?([\w.-]+)", re.MULTILINE | re.IGNORECASE)
_MARK = "phinb-prompt-goes-here"


def find_prompt(config: Config, variant: Variant) -> Prompt:
    """The prompt of the training: its template up to the answer, or its chat template around a user's words.

    Where the training had neither, the prompt is the text itself.
    """
    recipe = _read_recipe(config)
    tokenizer = load_tokenizer(variant)
    if recipe.chat_template and hasattr(tokenizer, "render_chat"):
        template = recipe.chat_template if isinstance(recipe.chat_template, str) else None
        turns = [{"role": "user", "content": _MARK}]
        text = tokenizer.render_chat(turns, template=template, add_generation_prompt=True)
        before, found, after = text.partition(_MARK)
        if found:
            return Prompt((Part(text=before), Part(field="prompt"), Part(text=after)))
    lead = f"{tokenizer.bos} " if recipe.add_special_tokens and tokenizer.bos else ""
    if recipe.text_template:
        return Prompt(tuple(split_template(recipe.text_template, config.phinb.get("answer"))[0]), lead)
    return Prompt((Part(field="text"),), lead)


def _read_recipe(config: Config) -> Recipe:
    try:
        data_config = find_data_config(config.to_olive())
    except PhinbError:
        return Recipe(add_special_tokens=False)
    return read_recipe(parameters(data_config.get("pre_process_data_config")))


def describe_origin(run: Run, variant: Variant) -> Origin:
    """Where the variant comes from: what the run's folder knows of it."""
    config = run.config
    olive = config.to_olive()
    try:
        inputs = read_json(run.folder / INPUTS)
    except (OSError, ValueError):
        inputs = {}
    reference = str((olive.get("input_model") or {}).get("model_path") or "")
    hashes = {entry["path"]: (entry["sha256"], entry.get("rows")) for entry in inputs.get("data") or []}
    state = run.state
    names = list(state.passes)
    used = names[: names.index(variant.from_pass) + 1] if variant.from_pass in names else []
    passes = [
        (name, state.passes[name].pass_type, state.passes[name].seconds, state.passes[name].reused) for name in used
    ]
    settings = {name: value for name, value in (olive.get("passes") or {}).items() if name in used}
    data = _train_files(config, olive, hashes, used)
    return Origin(
        run.id,
        run.name,
        _name_of(reference, config.folder),
        _find_licence(reference, run.variants.get("base")),
        str((inputs.get("model") or {}).get("hash") or ""),
        tuple(passes),
        strip_paths(settings),
        inputs.get("versions") or installed_versions(),
        inputs.get("seed"),
        tuple(data),
    )


def _name_of(reference: str, folder: Path) -> str:
    """The reference of an embedded or a hub model; a local one's name alone."""
    local = (folder / reference).exists() or not HUB_NAME.fullmatch(reference)
    return Path(reference).name if local and "://" not in reference else reference


def _find_licence(reference: str, base: Variant | None) -> str:
    """As phinb knows it, or as the model's own card says it; "" where neither does."""
    if reference.startswith("phinb://") or any(known.reference.lower() == reference.lower() for known in KNOWN):
        return find_facts(reference).licence
    card = Path(base.path) / "README.md" if base is not None else None
    if card is None or not card.is_file():
        return ""
    text = card.read_text(encoding="utf-8", errors="replace")
    head = "\n".join(takewhile(lambda line: line.strip() != "---", text.split("\n")[1:])) if text[:3] == "---" else ""
    found = _LICENCE.search(head)
    return found[1] if found else ""


def _train_files(
    config: Config, olive: Mapping[str, Any], hashes: Mapping[str, tuple[str, int | None]], used: Sequence[str]
) -> list[DataFile]:
    """The files of the data configs that the passes trained on, as they were when the run began."""
    named = {
        body.get("train_data_config")
        for name in used
        for value in [(olive.get("passes") or {}).get(name)]
        for body in (value if isinstance(value, list) else [value])
        if isinstance(body, Mapping) and isinstance(body.get("train_data_config"), str)
    }
    chosen = [one for one in olive.get("data_configs") or [] if one.get("name") in named]
    files, _ = data_files({"data_configs": chosen}, config.folder)
    found = []
    for file in files:
        sha256, rows = hashes.get(str(file), ("", None))
        found.append(DataFile("training", file.name, sha256 or hash_file(file), rows))
    return found


def describe_files(data_config: Mapping[str, Any], folder: Path) -> list[dict[str, str]]:
    """Name and SHA-256 of the local files that a data config reads; none of what lies elsewhere."""
    files, _ = data_files({"data_configs": [dict(data_config)]}, folder)
    return [{"name": file.name, "sha256": hash_file(file)} for file in files]
