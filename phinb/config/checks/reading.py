"""Checks of how a data config reads its rows: files, the reader's options, and the split."""

from __future__ import annotations

import re

from phinb.config.azure_forms import add_azure, is_azure
from phinb.config.checks.findings import Findings
from phinb.config.checks.rules import GONE_OPTIONS
from phinb.config.document import Node
from phinb.config.sections import place_of_new_key, text
from phinb.config.value_types import show
from phinb.types import Edit, Fix

_PART = re.compile(r"(?P<name>\w+(?:\.\w+)*)(?:\[(?:-?[\d_]+%?)?:(?:-?[\d_]+%?)?\])?(?:\(\w*\))?")
"""datasets.ReadInstruction: train, train[:70%], train[100:200]; several are joined with +."""


OWN_CHECKS = ("data_files", "path", "name")
"""Keys of a load_dataset_config that check_reading looks at."""


def check_reading(findings: Findings, node: Node) -> None:
    """`node` is the load_dataset_config of a huggingface_dataset, without its split."""
    for option, own in (("path", "data_name"), ("name", "subset")):
        given = node.get(option)
        if given is not None:
            fix = Fix(f"Rename to {own}", (Edit("rename", given.path, own),))
            message = f'"{option}" of load_dataset is called "{own}" here; Olive would give it twice, and fail.'
            findings.add("unknown_key", given, message, f'Write "{own}".', at="key", fix=fix)
    for option, why in GONE_OPTIONS.get(text(node.get("data_name")), {}).items():
        given = node.get(option)
        if given is not None and given.value is not None:
            fix = Fix(f"Remove {option}", (Edit("remove", given.path),))
            findings.add("gone", given, f'"{option}" has no place any more. {why}', "Remove it.", at="key", fix=fix)
    files = node.get("data_files")
    if files is not None:
        _check_data_files(findings, files)


def _check_data_files(findings: Findings, node: Node) -> None:
    """A path, a list of paths, or splits with either; whether they exist is for preflight to say."""
    if node.is_mapping and is_azure(node):
        add_azure(findings, node, f"data of the kind {text(node.get('type'))}")
        return
    if isinstance(node.value, str) or node.value is None:
        return
    entries = node.entries() if node.is_list else [entry for _, entry in node.items()]
    if not entries:
        findings.add("wrong_type", node, '"data_files" must be a path, a list of paths, or paths by split.')
    for entry in entries:
        if entry.is_mapping and is_azure(entry):
            add_azure(findings, entry, f"data of the kind {text(entry.get('type'))}")
        elif not isinstance(entry.value, str) and not (
            entry.is_list and all(isinstance(e.value, str) for e in entry.entries())
        ):
            findings.add("wrong_type", entry, '"data_files" must hold paths.')


def check_split(findings: Findings, load: Node | None, container: str) -> None:
    """`load` is the load_dataset_config of a data config that reads with datasets.load_dataset."""
    if container.lower() != "huggingfacecontainer" or load is None:
        return
    split = load.get("split")
    if split is not None and isinstance(split.value, str):
        parts = [_PART.fullmatch(part) for part in re.split(r"\s*\+\s*", split.value)]
        if not all(parts):
            message = f"{show(split.value)} is no split."
            findings.add("bad_split", split, message, 'Write a name, or a part of it: "train", "train[:70%]".')
            return
        names = [part["name"] for part in parts if part is not None]
    else:
        names = []
    known = _local_splits(findings, load)
    if known is None:
        return
    if split is None:
        _tell_missing(findings, load, known)
    for name in names:
        if split is not None and name not in known:
            message = f'The files make no split "{name}".'
            hint = 'A file without named splits is all "train".' if known == ["train"] else ""
            findings.unknown_name("unknown_split", split, f"{message} {hint}".strip(), known)
            return


def _local_splits(findings: Findings, load: Node) -> list[str] | None:
    """The splits that local files make: one called train, or those that data_files names. None: only the hub knows."""
    local = text(load.get("data_name")) in findings.schema.data["data"]["builders"]
    files = load.get("data_files")
    if not local or files is None or files.value is None:
        return None
    if files.is_mapping:
        named = [key for key, _ in files.items()]
        return None if "type" in named else named
    return ["train"]


def _tell_missing(findings: Findings, load: Node, known: list[str]) -> None:
    """Olive's default split is `validation`, which a plain file does not have."""
    if "validation" in known:
        return
    message = 'No "split" is named; Olive takes "validation", and a file without named splits is all "train".'
    fix = Fix("Add the split train", (Edit("set", place_of_new_key(load, "split"), "train"),))
    findings.add("missing_split", load, message, 'Add "split": "train".', at="key", fix=fix)
    findings.absent(load, "split")
