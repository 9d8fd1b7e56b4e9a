"""Random texts for the tests of writing: trees, written with comments, blank lines and other habits of people."""

from __future__ import annotations

import json
from random import Random
from typing import Any

KEYS = ["r", "alpha", "type", "a b", "x.y", "é🙂", "config", "0", "true", "null", "list", "name", "on", "#k", "k:"]
SCALARS: list[Any] = [
    0, 1, -7, 0.5, 1e-4, True, False, None, "", "text", "a // b", "/* no */", "# no", "it's", 'say "it"', "C:\\data",
    "line\nbreak", "{phrase} {tone}", "é🙂", "yes", "1", "- x", "a: b", " edge ", "null", "2024-05-01", "0x10", "*x",
]  # fmt: skip


def random_tree(random: Random, depth: int = 0) -> dict[str, Any]:
    keys = random.sample(KEYS, random.randint(0 if depth else 1, 5))
    return {key: random_value(random, depth + 1) for key in keys}


def random_value(random: Random, depth: int) -> Any:
    kind = random.random()
    if depth < 4 and kind < 0.3:
        return random_tree(random, depth)
    if depth < 4 and kind < 0.5:
        return [random_value(random, depth + 1) for _ in range(random.randint(0, 4))]
    return random.choice(SCALARS)


class JsonScribe:
    """Writes a tree as JSON with comments wherever they may stand; each comment has a number of its own."""

    def __init__(self, random: Random, *, comments: float = 0.25) -> None:
        self.random = random
        self.share = comments
        self.comments: list[str] = []
        self.unit = random.choice(["  ", "    ", "\t", " "])
        self.newline = random.choice(["\n", "\n", "\n", "\r\n"])

    def write(self, tree: dict[str, Any], *, braces: bool = True) -> str:
        head = "".join(self._comment() + self.newline for _ in range(self._times()))
        if braces:
            text = head + self._value(tree, "", flat=self.random.random() < 0.15) + self._maybe(" ")
        else:
            text = head + self._items(tree, "", flat=False).removeprefix(self.newline)
        return text + self._maybe_line_comment() + self.random.choice(["", self.newline])

    def _times(self) -> int:
        return int(self.random.random() < self.share) + int(self.random.random() < self.share / 4)

    def _note(self, pattern: str) -> str:
        comment = pattern.format(f"c{len(self.comments)}c")
        self.comments.append(comment)
        return comment

    def _comment(self) -> str:
        return self._note(self.random.choice(["// {}", "/* {} */", "// {} \" ' {{", "/* // {} , */"]))

    def _maybe(self, space: str) -> str:
        """A comment within a line, now and then."""
        return f"{space}{self._note('/* {} */')}{space}" if self.random.random() < self.share / 3 else ""

    def _maybe_line_comment(self) -> str:
        return "  " + self._note("// {}") if self.random.random() < self.share else ""

    def _value(self, value: Any, indent: str, *, flat: bool) -> str:
        if not isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=False)
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        flat = flat or self.random.random() < 0.25
        if flat:
            edge = self.random.choice(["", " "])
            return opening + edge + self._items(value, indent, flat=True) + edge + closing
        if not value:
            inside = "".join(f"{self.newline}{indent}{self.unit}{self._comment()}" for _ in range(self._times()))
            return opening + inside + (self.newline + indent if inside else self.random.choice(["", " "])) + closing
        items = self._items(value, indent + self.unit, flat=False)
        tail = "".join(f"{self.newline}{indent}{self.unit}{self._comment()}" for _ in range(self._times()))
        return opening + self._maybe_line_comment() + items + tail + self.newline + indent + closing

    def _items(self, value: Any, indent: str, *, flat: bool) -> str:
        pairs = list(value.items()) if isinstance(value, dict) else [(None, entry) for entry in value]
        written = []
        for number, (key, member) in enumerate(pairs):
            last = number == len(pairs) - 1
            item = self._maybe("") if flat else self._lead(indent)
            if key is not None:
                item += json.dumps(key, ensure_ascii=False) + self.random.choice([":", ": ", " : "]) + self._maybe("")
            item += self._value(member, indent, flat=flat) + self._maybe(" ")
            if not last or (not flat and self.random.random() < 0.3):
                item += ","
            item += ("" if last else " ") if flat else self._maybe_line_comment()
            written.append(item)
        return "".join(written)

    def _lead(self, indent: str) -> str:
        blank = self.newline if self.random.random() < 0.1 else ""
        return (
            blank
            + "".join(f"{self.newline}{indent}{self._comment()}" for _ in range(self._times()))
            + self.newline
            + indent
        )


class YamlScribe:
    """Writes a tree as YAML in block style, here and there in flow style, with comments."""

    def __init__(self, random: Random, *, comments: float = 0.25) -> None:
        self.random = random
        self.share = comments
        self.comments: list[str] = []
        self.unit = random.choice(["  ", "    "])
        self.dash = random.choice(["", "  "])

    def write(self, tree: dict[str, Any]) -> str:
        head = self.random.choice(["", "", "---\n"])
        tail = self._comment() + "\n" if self.random.random() < self.share else ""
        return head + self._mapping(tree, "").removeprefix("\n") + "\n" + tail

    def _comment(self) -> str:
        comment = f"# c{len(self.comments)}c: 'x"
        self.comments.append(comment)
        return comment

    def _lead(self, indent: str) -> str:
        blank = "\n" if self.random.random() < 0.1 else ""
        own = f"\n{indent}{self._comment()}" if self.random.random() < self.share else ""
        return f"{blank}{own}\n{indent}"

    def _end(self) -> str:
        return "  " + self._comment() if self.random.random() < self.share else ""

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str):
            plain = value.isalpha() and value.isascii() and value not in ("yes", "null", "true", "on")
            choices = [json.dumps(value, ensure_ascii=False)]
            if "\n" not in value:
                choices.append("'" + value.replace("'", "''") + "'")
            return value if plain and self.random.random() < 0.7 else self.random.choice(choices)
        return json.dumps(value)

    def _flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self._scalar(key)}: {self._flow(member)}" for key, member in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self._flow(entry) for entry in value) + "]"
        return self._scalar(value)

    def _behind(self, value: Any, indent: str) -> str:
        """What follows a key's colon."""
        if not isinstance(value, dict | list) or not value or self.random.random() < 0.2:
            return " " + self._flow(value) + self._end()
        if isinstance(value, dict):
            return self._end() + self._mapping(value, indent + self.unit)
        return self._end() + self._list(value, indent + self.dash)

    def _mapping(self, tree: dict[str, Any], indent: str) -> str:
        items = [
            f"{self._lead(indent)}{self._scalar(key)}:{self._behind(value, indent)}" for key, value in tree.items()
        ]
        return "".join(items)

    def _list(self, entries: list[Any], indent: str) -> str:
        written = []
        for entry in entries:
            item = f"{self._lead(indent)}-"
            if isinstance(entry, dict) and entry and self.random.random() < 0.8:
                inner = self._mapping(entry, indent + "  ")
                first = inner.lstrip("\n")
                item += " " + first.lstrip(" ") if not first.lstrip().startswith("#") else inner
            else:
                item += " " + self._flow(entry) + self._end()
            written.append(item)
        return "".join(written)
