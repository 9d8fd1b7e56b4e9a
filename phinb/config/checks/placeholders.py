"""Texts that a tutorial leaves for the reader to fill in: "Your Azure Resource Group", <subscription_id>, REPLACE_ME.

The spellings are those that the Phi-3 cookbook, its translations, the examples of Olive and Azure's documentation
print. A name that somebody could have given is none: `my_resource_group` may be real.
"""

from __future__ import annotations

import re

from phinb.config.document import Node

_FLAGS = re.IGNORECASE | re.VERBOSE | re.DOTALL

_PLAIN = re.compile(
    r"""\s*(?:
      your\s+\S.*                                        # Your Azure ML Compute Cluster
    | (?:您的|你的)\s*\S.*                                # the same in the cookbook's Chinese pages
    | [<\[{]{1,2}\s*(?:your|enter|insert)(?![A-Za-z])[^<>\[\]{}]*[>\]}]{1,2}   # <your name>, [Your key], {your_id}
    | <\s*[A-Za-z]\w*(?:[\ ._/-]+\w+)+\s*>               # <subscription_id>, <place_holder>, <model name>
    | <\s*(?:name|path|value|model|version|token|key|id|region|group|subscription|workspace|registry)\s*>
    | <\s*(?:datastore|compute|cluster|file|folder|username|password|secret|vault)\s*>
    | (?:replace|change|fill)[ _-]?(?:me|this|in|with[ _-].*)           # REPLACE_WITH_KEYVAULT_NAME, CHANGE_ME
    | x{4,}(?:-x{4,})*                                   # xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
    )\s*""",
    _FLAGS,
)
"""Spellings that are no name, wherever they stand: the whole text, or a part of a path or address."""

_HYPHENED = re.compile(r"\s*(?:your|(?:enter|insert)[_-]your)[_-]\S+\s*", _FLAGS)
"""your-workspace, YOUR_KEYVAULT: as a whole; models/your-model may be a folder that is called so."""

_INSIDE = re.compile(r"<\s*your(?![A-Za-z])[^<>]*>", re.IGNORECASE)
"""<your account>.blob.core.windows.net, <your file>.json."""

_SIGN = re.compile(r"your|您的|你的|[<\[{]|replace|change|fill|xxxx", re.IGNORECASE)
"""Every placeholder has one of these; most texts have none."""

_COLUMNS = ("text_cols", "input_cols", "label_col", "message_col", "answer", "labels")
FREE_TEXT = frozenset(["text_template", "chat_template", "joiner", "samples", "description", *_COLUMNS])
"""Keys whose value is a text of the user's own, in which "Your answer" or <end_of_turn> may well be meant."""


def is_placeholder(text: str) -> bool:
    """Whether the whole text is a placeholder, or a part of a path is one (data/<your file>)."""
    if not _SIGN.search(text):
        return False
    if _HYPHENED.fullmatch(text) or _INSIDE.search(text):
        return True
    return any(_PLAIN.fullmatch(part) for part in (text, *_parts(text)))


def find_texts(root: Node) -> list[tuple[Node, bool]]:
    """Every text below a node, in order, and whether it may be a placeholder: free texts may not.

    An address that an upgrade put together has told its placeholders itself, each at its own line.
    """
    found: list[tuple[Node, bool]] = []
    open_: list[tuple[Node, bool]] = [(root, True)]
    while open_:
        node, counts = open_.pop()
        value = node.value
        if isinstance(value, str):
            found.append((node, counts and not (node.origin == "upgrade" and value.startswith("azureml:"))))
        elif isinstance(value, dict):
            open_ += [(member, counts and key not in FREE_TEXT) for key, member in reversed(value.items())]
        elif isinstance(value, list):
            open_ += [(entry, counts) for entry in reversed(value)]
    return found


def _parts(text: str) -> list[str]:
    """The segments of a path or address; a sentence with a slash in it has none."""
    return re.split(r"[/\\:]+", text) if "/" in text and " / " not in text else []
