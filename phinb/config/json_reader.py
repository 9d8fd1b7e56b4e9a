"""JSON with // and /* */ comments and trailing commas -> nodes and problems.

A tolerant recursive-descent reader: after a mistake it goes on where that is sensible, so that one missing comma
does not hide what else is wrong. The position of a mistake is where something has to be typed or removed. JSON without
a mistake is read by json_plain.py, several times as fast.
"""

from __future__ import annotations

import json
import re
from typing import Any

from phinb.config.document import MAX_DEPTH, Lines, Node, path_of, too_deep
from phinb.config.json_plain import read_plain
from phinb.types import Problem

_TOKEN = re.compile(
    r'("(?:[^"\\\n]|\\.)*")'  # 1 a string
    r"|([{}\[\]:,])"  # 2 punctuation
    r"|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-]))"  # 3 a number
    r"|(//[^\n]*|/\*.*?\*/)"  # 4 a comment
    r"|('(?:[^'\\\n]|\\.)*')"  # 5 a string in single quotes
    r"|([\w.+$@%-]+)"  # 6 a bare word
    r"|(\S)",  # 7 anything else, an open quote among it
    re.DOTALL,
)
_STRING, _PUNCTUATION, _NUMBER, _COMMENT, _SINGLE_QUOTED, _BARE, _JUNK = range(1, 8)
_END = 0

_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_PYTHON_WORDS: dict[str, Any] = {"True": True, "False": False, "None": None}


def read(text: str) -> tuple[Node | None, list[Problem]]:
    """The mapping in `text` (None where there is none) and what is wrong with its form."""
    plain = read_plain(text)
    return (plain, []) if plain is not None else _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = Lines(text)
        self.problems: list[Problem] = []
        self.tokens = [
            (match.lastindex or _JUNK, match.start(), match.end())
            for match in _TOKEN.finditer(text)
            if match.lastindex != _COMMENT
        ]
        self.tokens.append((_END, len(text), len(text)))
        self.at = 0

    def read(self) -> tuple[Node | None, list[Problem]]:
        kind, start, _ = self.tokens[0]
        if kind == _STRING and self._peek(1) == ":":
            self._problem("no_braces", "The outer braces are missing.", start, "Put { before it and } after it.")
            root: Node | None = self._object("", 0, start, closed=False)
        else:
            root = self._value("", 0)
        if self.tokens[self.at][0] != _END:
            message = "There is more text after the end of the configuration."
            self._problem("text_after_end", message, self.tokens[self.at][1], "One pair of outer braces holds it all.")
        if root is None or not root.is_mapping:
            if not self.problems or root is not None:
                hint = 'Write it as {"input_model": {...}, "passes": {...}}.'
                what = "a list" if root is not None and root.is_list else "a single value"
                self._problem(
                    "not_a_mapping", f"A configuration is a mapping of keys to values, not {what}.", start, hint
                )
            return None, self.problems
        return root, self.problems

    # ------------------------------------------------------------------------------------------- tokens

    def _peek(self, ahead: int = 0) -> str:
        """The punctuation mark that comes next; "" for any other token."""
        at = min(self.at + ahead, len(self.tokens) - 1)
        kind, start, _ = self.tokens[at]
        return self.text[start] if kind == _PUNCTUATION else ""

    def _problem(self, code: str, message: str, offset: int, hint: str = "", path: str = "") -> None:
        line, column = self.lines.locate(offset)
        self.problems.append(Problem("error", code, message, path, line, column, hint))

    # ------------------------------------------------------------------------------------------- values

    def _value(self, path: str, depth: int, key_offset: int | None = None) -> Node | None:
        kind, start, end = self.tokens[self.at]
        if kind == _STRING:
            self.at += 1
            return Node(self._string(start, end, path), path, start, key_offset, self.lines)
        if kind == _NUMBER:
            self.at += 1
            return Node(_number(self.text[start:end]), path, start, key_offset, self.lines)
        if kind == _PUNCTUATION and self.text[start] in "{[":
            return self._container(path, depth, start, key_offset)
        if kind in (_BARE, _SINGLE_QUOTED):
            self.at += 1
            return Node(self._word(kind, start, end, path), path, start, key_offset, self.lines)
        if kind == _JUNK:
            return self._junk(path, start, key_offset)
        self._problem("value_missing", "A value is missing.", start, "Write it, or remove the key.", path)
        return None

    def _container(self, path: str, depth: int, start: int, key_offset: int | None) -> Node:
        if depth >= MAX_DEPTH:
            self.problems.append(too_deep(path, *self.lines.locate(start)))
            self._skip_container()
            return Node(None, path, start, key_offset, self.lines)
        opened = self.text[start]
        self.at += 1
        node = self._object(path, depth, start) if opened == "{" else self._list(path, depth, start)
        node.key_offset = key_offset
        return node

    def _object(self, path: str, depth: int, start: int, *, closed: bool = True) -> Node:
        members: dict[str, Node] = {}
        while not self._closes("}", start, closed=closed):
            kind, offset, end = self.tokens[self.at]
            if self._peek() == ",":
                self._problem("extra_comma", "A comma is too many.", offset, "Remove it.", path)
                self.at += 1
                continue
            if kind not in (_STRING, _BARE, _SINGLE_QUOTED):
                self._problem(
                    "key_missing", "A key in double quotes is missing here.", offset, 'As in "key": value.', path
                )
                before = self.at
                self._value(path, depth + 1)
                self.at = max(self.at, before + 1)
                self._separator("}", path)
                continue
            self._member(members, path, depth, offset, end)
            self._separator("}", path)
        return Node(members, path, start, None, self.lines)

    def _member(self, members: dict[str, Node], path: str, depth: int, offset: int, end: int) -> None:
        kind = self.tokens[self.at][0]
        key = self._string(offset, end, path) if kind == _STRING else self.text[offset:end].strip("'")
        here = path_of(path, key)
        if kind != _STRING:
            self._problem("unquoted_key", "Keys stand in double quotes.", offset, f'Write "{key}".', here)
        self.at += 1
        if self._peek() == ":":
            self.at += 1
        else:
            self._problem("colon_missing", f'A colon is missing after "{key}".', end, "", here)
        node = self._value(here, depth + 1, offset)
        if key in members:
            first = members[key].key_line
            message = f'"{key}" stands here a second time; the first is in line {first}.'
            hint = "Olive would take the last one and drop the other without a word: remove one of them."
            self._problem("duplicate_key", message, offset, hint, here)
        if node is not None:
            members[key] = node

    def _list(self, path: str, depth: int, start: int) -> Node:
        entries: list[Node] = []
        while not self._closes("]", start):
            before, offset = self.at, self.tokens[self.at][1]
            if self._peek() in (",", ":"):
                mark = self._peek()
                self._problem(
                    "extra_comma", f"A {'comma' if mark == ',' else 'colon'} is too many.", offset, "Remove it.", path
                )
                self.at += 1
                continue
            node = self._value(path_of(path, len(entries)), depth + 1)
            if node is not None:
                entries.append(node)
            self.at = max(self.at, before + 1)
            self._separator("]", path)
        return Node(entries, path, start, None, self.lines)

    def _separator(self, closing: str, path: str) -> None:
        """Take the comma after a member; say where it should be if it is missing."""
        mark = self._peek()
        if mark == ",":
            self.at += 1
        elif mark not in ("}", "]") and self.tokens[self.at][0] != _END:
            self._problem("comma_missing", "A comma is missing.", self.tokens[self.at - 1][2], "Type it here.", path)

    def _closes(self, closing: str, start: int, *, closed: bool = True) -> bool:
        """Whether the container that began at `start` ends here; a wrong or missing bracket is told."""
        kind, offset, _ = self.tokens[self.at]
        mark = self._peek()
        if mark == closing and closed:
            self.at += 1
            return True
        opened = self.text[start] if closed else ""
        if kind == _END:
            if closed and not any(problem.code == "never_closed" for problem in self.problems):
                # the innermost one; those around it are open for the same reason
                message = f"This {opened} is never closed: the text ends too early."
                self._problem("never_closed", message, start, f"Type the missing {closing} where it ends.")
            return True
        if mark in ("}", "]"):
            if not closed:
                return True
            line, column = self.lines.locate(start)
            message = f"{mark} closes nothing: the {opened} of line {line}, column {column} is still open."
            self._problem("wrong_bracket", message, offset, f"Write {closing} here, or remove it.")
            self.at += 1
            return True
        return False

    def _skip_container(self) -> None:
        depth = 0
        while self.tokens[self.at][0] != _END:
            mark = self._peek()
            depth += (mark in ("{", "[")) - (mark in ("}", "]"))
            self.at += 1
            if depth == 0 and mark in ("}", "]"):
                return

    # ------------------------------------------------------------------------------------------ scalars

    def _string(self, start: int, end: int, path: str) -> str:
        raw = self.text[start:end]
        if "\\" not in raw:
            return raw[1:-1]
        try:
            return str(json.loads(raw, strict=False))
        except json.JSONDecodeError as error:
            hint = 'A backslash is written \\\\, a quote \\". In a Windows path, forward slashes work too.'
            self._problem(
                "bad_escape", "This backslash starts no escape that JSON knows.", start + error.pos, hint, path
            )
            return raw[1:-1]

    def _word(self, kind: int, start: int, end: int, path: str) -> Any:
        word = self.text[start:end]
        if word in _WORDS:
            return _WORDS[word]
        if word in _PYTHON_WORDS:
            right = json.dumps(_PYTHON_WORDS[word])
            self._problem("python_word", f"JSON writes {right}, not {word}.", start, f"Write {right}.", path)
            return _PYTHON_WORDS[word]
        if kind == _SINGLE_QUOTED:
            self._problem("single_quotes", "Text stands in double quotes.", start, 'Write "..." for it.', path)
            return word[1:-1]
        number = _loose_number(word)
        if number is not None:
            message = f"{word} is not how JSON writes a number."
            self._problem("bad_number", message, start, f"Write {json.dumps(number)}.", path)
            return number
        hint = f'Text stands in double quotes: "{word}".'
        self._problem("bare_word", f"{word} is no value of JSON.", start, hint, path)
        return word

    def _junk(self, path: str, start: int, key_offset: int | None) -> Node:
        """A quote that is never closed: the text up to the end of its line is its value. Or a stray character."""
        stop = self.text.find("\n", start)
        stop = len(self.text) if stop < 0 else stop
        quoted = self.text[start] in "\"'"
        if quoted:
            message = "This quote is never closed on its line."
            self._problem("open_quote", message, start, "Close it; a line break inside text is written \\n.", path)
            while self.tokens[self.at][0] != _END and self.tokens[self.at][1] < stop:
                self.at += 1
        else:
            character = self.text[start]
            self._problem("stray_character", f"{character!r} does not belong here.", start, "Remove it.", path)
            self.at += 1
        value = self.text[start + 1 : stop].rstrip(' ,\r"') if quoted else None
        return Node(value, path, start, key_offset, self.lines)


def _number(text: str) -> int | float:
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _loose_number(word: str) -> int | float | None:
    """What Python would make of it: +1, .5, 1., 1_000, 0x10. None for words, and for NaN and Infinity."""
    try:
        return int(word, 0)
    except ValueError:
        pass
    try:
        number = float(word)
    except ValueError:
        return None
    return number if number - number == 0 else None
