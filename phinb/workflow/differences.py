"""Why a pass is not reused: what has changed since the last run of the same name, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phinb.workflow import store
from phinb.workflow.contents import FileContent, compare_contents
from phinb.workflow.inputs import Inputs, read_inputs
from phinb.workflow.reuse import PACKAGES
from phinb.workflow.store import RunFolder, RunRecord

MOST = 4
"""Differences that are told; of more, their number."""

_ABSENT = object()


def find_earlier(record: RunRecord) -> tuple[str, Inputs] | None:
    """(run id, inputs) of the newest earlier run of the same name and folder that knows what it depended on."""
    same = []
    for folder in store.iterate():
        other = _read(folder)
        if other is None or (other.name, other.base) != (record.name, record.base):
            continue
        if other.run_id != record.run_id and other.created <= record.created:
            same.append((other.created, folder))
    # By their times: the ids of two runs that were begun in one second do not sort.
    for _, folder in sorted(same, key=lambda one: one[0], reverse=True):
        if (inputs := read_inputs(folder)) is not None:
            return folder.path.name, inputs
    return None


def explain_difference(before: Inputs, now: Inputs, pass_name: str) -> str:
    """What of all that a pass depends on differs; "" where nothing does."""
    told = [
        *_data(before, now),
        *(["the model changed"] if before.model.get("hash") != now.model["hash"] else []),
        *_versions(before.versions, now.versions),
        *([f"the seed changed: {before.seed} → {now.seed}"] if before.seed != now.seed else []),
        *_scripts(before, now),
        *_settings(_counted(before, pass_name), _counted(now, pass_name)),
    ]
    if len(told) > MOST:
        told = [*told[: MOST - 1], f"and {len(told) - MOST + 1} more"]
    return "; ".join(told)


def _data(before: Inputs, now: Inputs) -> Iterator[str]:
    old, new = _by_path(before.data), _by_path(now.data)
    moved = {content.sha256 for content in before.data} & {content.sha256 for content in now.data}
    for path, content in new.items():
        if path in old and old[path].sha256 != content.sha256:
            yield f"data changed: {compare_contents(old[path], content)}"
        elif path not in old and content.sha256 not in moved:
            yield f"data changed: {content.name} is new"
    for path, content in old.items():
        if path not in new and content.sha256 not in moved:
            yield f"data changed: {content.name} is no longer read"
    if now.unpinned:
        yield f"nobody can tell whether {', '.join(now.unpinned)} has changed"


def _versions(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    changed = [
        f"{name} {before.get(name, 'absent')} → {now.get(name, 'absent')}"
        for name in PACKAGES
        if before.get(name) != now.get(name)
    ]
    if changed:
        yield f"versions changed: {', '.join(changed)}"


def _scripts(before: Inputs, now: Inputs) -> Iterator[str]:
    old, new = _by_path(before.scripts), _by_path(now.scripts)
    for path in sorted(old.keys() | new.keys()):
        content = new.get(path) or old[path]
        if path not in old or path not in new or old[path].sha256 != new[path].sha256:
            yield f"the script {content.name} changed"
    if before.settings.get("script") != now.settings.get("script"):
        yield "the way phinb puts the loss on the completion changed"


def _settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for path in dict.fromkeys((*before, *now)):
        old, new = before.get(path, _ABSENT), now.get(path, _ABSENT)
        if old is _ABSENT:
            yield f"{path} is {_show(new)} (was not set)"
        elif new is _ABSENT:
            yield f"{path} is not set (was {_show(old)})"
        elif old != new:
            yield f"{path} changed: {_show(old)} → {_show(new)}"


def _counted(inputs: Inputs, pass_name: str) -> dict[str, Any]:
    """{dotted path: value} of what counts for a pass: the data configs, the model's settings, the passes up to it."""
    settings = inputs.settings
    passes = dict(settings.get("passes") or {})
    names = list(passes)
    wanted = names[: names.index(pass_name) + 1] if pass_name in names else []
    configs = {str(one.get("name", at)): one for at, one in enumerate(settings.get("data_configs") or [])}
    tree = {
        "data_configs": configs,
        "input_model": settings.get("input_model") or {},
        "passes": {name: passes[name] for name in wanted},
        "phinb": settings.get("phinb") or {},
    }
    # The seed is told by itself.
    return {path: value for path, value in _flatten(tree, "") if path != "phinb.seed"}


def _flatten(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        yield from _flatten(value[0], path)  # a pass in a list of one is that pass
    elif value != {}:
        yield path, value


def _show(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _by_path(contents: tuple[FileContent, ...]) -> dict[str, FileContent]:
    return {content.path: content for content in contents}


def _read(folder: RunFolder) -> RunRecord | None:
    try:
        return folder.read_record()
    except (OSError, ValueError):
        return None
