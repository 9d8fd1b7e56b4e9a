"""What Olive alone would have made of a text, beside what phinb makes of it: a table of the differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phinb.config import Config
from phinb.config.document import load
from phinb.errors import PhinbError
from phinb.models.references import resolve_model
from phinb.types import Change
from phinb.workflow.plain import ask_olive


@dataclass(frozen=True)
class PlainRow:
    """One line of the table. `what` is a path in today's form; plain_olive is what Olive itself answered.

    differs: whether a training by Olive alone would not have been what was written.
    """

    what: str
    you_wrote: str
    plain_olive: str
    phinb: str
    differs: bool


def check_plain_olive(config: Config, model: str | None = None) -> list[PlainRow]:
    """Ask Olive what it makes of the text of `config` as it stands, and set it beside what phinb runs.

    Olive runs in a process of its own and tokenises the data, but trains nothing (10 to 20 s). model: a reference
    to be used for the tokenizer instead of the configuration's own, which need not be on this machine.

    Raises PhinbError where the text cannot be read at all or the model is not here.
    """
    document = load(config.text) if config.text else None
    given = document.root.plain() if document and document.root else config.to_olive()
    if not isinstance(given, dict):
        raise PhinbError("The text is no configuration that could be given to Olive.", "Mend its syntax first.")
    given.pop("phinb", None)
    upgraded = config.to_olive()
    reference = model or str(upgraded["input_model"]["model_path"])
    folder = str(resolve_model(reference, folder=config.folder))
    _set_model(given, folder)
    upgraded["input_model"]["model_path"] = folder
    facts = ask_olive({"plain": given, "phinb": upgraded}, config.folder)
    return [*_rejections(facts["plain"]), *_parameters(config, facts), *_sequences(config, facts)]


def _set_model(given: dict[str, Any], folder: str) -> None:
    """Put the model's folder where the text names a model, in whichever form."""
    model = given.get("input_model")
    if not isinstance(model, dict):
        return
    body = model["config"] if isinstance(model.get("config"), dict) else model
    if isinstance(body.get("hf_config"), dict):
        body["hf_config"]["model_name"] = folder
    else:
        body["model_path"] = folder


def _rejections(plain: Mapping[str, Any]) -> list[PlainRow]:
    return [
        PlainRow(entry["path"] or "the whole", "", f"rejected: {entry['message']}", "upgraded", True)
        for entry in plain["rejected"]
    ]


def _parameters(config: Config, facts: Mapping[str, Any]) -> list[PlainRow]:
    """The values that an upgrade had to carry over, and what Olive alone has in their places."""
    effective = config.effective()
    rows = []
    for path, entry in effective.items():
        room = path.split(".")[0]
        if entry.origin != "upgrade" or room not in ("passes", "data_configs", "phinb"):
            continue
        plain = _look_up(facts["plain"], path)
        if plain != entry.value or room == "phinb":
            you = _written(config.changes, entry.note, entry.value)
            rows.append(PlainRow(path, you, _show(plain), _show(entry.value), True))
    return rows


def _written(changes: Sequence[Change], note: str, value: Any) -> str:
    """`lora_alpha: 64`: the old key of an upgraded value, as its note names it, with what stood there."""
    old = note.removeprefix("upgrade of ").rsplit(".", 1)[-1].strip()
    for change in changes:
        if old and isinstance(change.before, Mapping) and old in change.before:
            value = change.before[old]
            break
    return f"{old}: {_show(value)}" if old else _show(value)


def _look_up(facts: Mapping[str, Any], path: str) -> Any:
    """The value that Olive has at a path of `effective()`; None where it has nothing there."""
    room, name, *rest = path.split(".")
    if room == "phinb":
        return None
    node: Any = facts["passes" if room == "passes" else "data"].get(name)
    for key in rest if room == "passes" else rest[-1:]:
        if not isinstance(node, Mapping):
            return None
        node = node.get(key, (node.get("extra_args") or {}).get(key))
    return node


def _sequences(config: Config, facts: Mapping[str, Any]) -> list[PlainRow]:
    rows = []
    share = config.phinb.get("eval_split")
    for name, plain in facts["plain"]["sequences"].items():
        ours = facts["phinb"]["sequences"].get(name)
        shown = _show(ours)
        if isinstance(ours, int) and share:
            held = -int(-ours * share // 1)
            shown = f"{ours - held}, and {held} to evaluate on"
        rows.append(PlainRow(f"training sequences of {name}", "", _show(plain), shown, plain != ours or bool(share)))
    return rows


def _show(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
