"""JSON with // and /* */ comments and trailing commas -> nodes and problems.

A tolerant recursive-descent reader: after a mistake it goes on where that is sensible, so that one missing comma
does not hide what else is wrong. The position of a mistake is where something has to be typed or removed. JSON without
a mistake is read by json_plain.py, several times as fast.
"""

from __future__ import annotations

import json
import re
from typing import Any

from phinb.config.nodes import MAX_DEPTH, Lines, Node, path_of, too_deep, without_collection
from phinb.config.reading.json_plain import read_plain
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


def read(lines: Lines) -> tuple[Node | None, list[Problem], bool]:
    """What stands in the text (None: nothing), what is wrong with its form, and whether it has no outer braces."""
    if (plain := read_plain(lines)) is not None:
        return plain, [], False
    with without_collection():
        return _Reader(lines).read()


class _Reader:
    def __init__(self, lines: Lines) -> None:
        self.text = lines.text
        self.lines = lines
        self.problems: list[Problem] = []
        self.tokens = [
            (match.lastindex or _JUNK, match.start(), match.end())
            for match in _TOKEN.finditer(self.text)
            if match.lastindex != _COMMENT
        ]
        self.tokens.append((_END, len(self.text), len(self.text)))
        self.at = 0
        self.never_closed = False

    def read(self) -> tuple[Node | None, list[Problem], bool]:
        kind, start, _ = self.tokens[0]
        is_open = kind in (_STRING, _SINGLE_QUOTED, _BARE) and self._peek(1) == ":"
        root = self._open_object(start) if is_open else self._value(None, "", 0)
        if self._peek() == ",":  # as it stands behind a piece that was taken from a whole
            self.at += 1
        if self.tokens[self.at][0] != _END:
            message = "There is more text after the end of the configuration."
            self._problem("text_after_end", message, self.tokens[self.at][1], "One pair of outer braces holds it all.")
        if root is not None and not root.is_mapping:
            hint = 'Write it as {"input_model": {...}, "passes": {...}}.'
            what = "a list" if root.is_list else "a single value"
            self._problem("not_a_mapping", f"A configuration is a mapping of keys to values, not {what}.", start, hint)
        return root, self.problems, is_open

    def _open_object(self, start: int) -> Node:
        """The members of a text without outer braces."""
        root = Node({}, "", start, None, self.lines)
        self._object(root, 0, closed=False)
        return root

    # ------------------------------------------------------------------------------------------- tokens

    def _peek(self, ahead: int = 0) -> str:
        """The punctuation mark that comes next; "" for any other token."""
        at = min(self.at + ahead, len(self.tokens) - 1)
        kind, start, _ = self.tokens[at]
        return self.text[start] if kind == _PUNCTUATION else ""

    def _problem(self, code: str, message: str, offset: int, hint: str = "", path: str = "") -> None:
        line, column = self.lines.locate(offset)
        self.problems.append(Problem("error", code, message, path, line, column, hint, source=self.lines.source))

    # ------------------------------------------------------------------------------------------- values

    def _value(self, holder: Node | None, key: str | int, depth: int, key_offset: int | None = None) -> Node | None:
        """The value that begins here, as the member `key` of its holder; None, and a problem, where there is none."""
        kind, start, end = self.tokens[self.at]
        node = Node(None, key, start, key_offset, self.lines, parent=holder)
        if kind == _STRING:
            self.at += 1
            node.value = self._string(start, end, node)
        elif kind == _NUMBER:
            self.at += 1
            node.value = _number(self.text[start:end])
        elif kind == _PUNCTUATION and self.text[start] in "{[":
            self._container(node, depth)
        elif kind in (_BARE, _SINGLE_QUOTED):
            self.at += 1
            node.value = self._word(kind, start, end, node)
        elif kind == _JUNK:
            node.value = self._junk(node, start)
        else:
            self._problem("value_missing", "A value is missing.", start, "Write it, or remove the key.", node.path)
            return None
        return node

    def _container(self, node: Node, depth: int) -> None:
        start = self.tokens[self.at][1]
        if depth >= MAX_DEPTH:
            self.problems.append(too_deep(node.path, self.lines, start))
            self._skip_container()
            return
        self.at += 1
        if self.text[start] == "{":
            node.value = {}
            self._object(node, depth)
        else:
            node.value = []
            self._list(node, depth, start)

    def _object(self, node: Node, depth: int, *, closed: bool = True) -> None:
        assert node.offset is not None
        while not self._closes("}", node.offset, closed=closed):
            kind, offset, end = self.tokens[self.at]
            if self._peek() == ",":
                self._problem("extra_comma", "A comma is too many.", offset, "Remove it.", node.path)
                self.at += 1
            elif kind not in (_STRING, _BARE, _SINGLE_QUOTED):
                message = "A key in double quotes is missing here."
                self._problem("key_missing", message, offset, 'As in "key": value.', node.path)
                before = self.at
                self._value(node, "", depth + 1)
                self.at = max(self.at, before + 1)
                self._separator("}", node)
            else:
                self._member(node, depth, offset, end)
                self._separator("}", node)

    def _member(self, holder: Node, depth: int, offset: int, end: int) -> None:
        kind, members = self.tokens[self.at][0], holder.value
        key = self._string(offset, end, holder) if kind == _STRING else self.text[offset:end].strip("'")
        if kind != _STRING:
            self._problem(
                "unquoted_key", "Keys stand in double quotes.", offset, f'Write "{key}".', path_of(holder.path, key)
            )
        self.at += 1
        if self._peek() == ":":
            self.at += 1
        else:
            self._problem("colon_missing", f'A colon is missing after "{key}".', end, "", path_of(holder.path, key))
        node = self._value(holder, key, depth + 1, offset)
        if key in members:
            first = members[key].key_line
            message = f'"{key}" stands here a second time; the first is in line {first}.'
            hint = "Olive would take the last one and drop the other without a word: remove one of them."
            self._problem("duplicate_key", message, offset, hint, path_of(holder.path, key))
        if node is not None:
            members[key] = node

    def _list(self, node: Node, depth: int, start: int) -> None:
        entries = node.value
        while not self._closes("]", start):
            before, offset = self.at, self.tokens[self.at][1]
            if self._peek() in (",", ":"):
                what = "comma" if self._peek() == "," else "colon"
                self._problem("extra_comma", f"A {what} is too many.", offset, "Remove it.", node.path)
                self.at += 1
                continue
            entry = self._value(node, len(entries), depth + 1)
            if entry is not None:
                entries.append(entry)
            self.at = max(self.at, before + 1)
            self._separator("]", node)

    def _separator(self, closing: str, holder: Node) -> None:
        """Take the comma after a member; say where it should be if it is missing."""
        mark = self._peek()
        if mark == ",":
            self.at += 1
        elif mark not in ("}", "]") and self.tokens[self.at][0] != _END:
            end = self.tokens[self.at - 1][2]
            self._problem("comma_missing", "A comma is missing.", end, "Type it here.", holder.path)

    def _closes(self, closing: str, start: int, *, closed: bool = True) -> bool:
        """Whether the container that began at `start` ends here; a wrong or missing bracket is told."""
        kind, offset, _ = self.tokens[self.at]
        mark = self._peek()
        if mark == closing and closed:
            self.at += 1
            return True
        opened = self.text[start] if closed else ""
        if kind == _END:
            if closed and not self.never_closed:
                self.never_closed = True
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

    def _string(self, start: int, end: int, node: Node) -> str:
        raw = self.text[start:end]
        if "\\" not in raw:
            return raw[1:-1]
        try:
            return str(json.loads(raw, strict=False))
        except json.JSONDecodeError as error:
            hint = 'A backslash is written \\\\, a quote \\". In a Windows path, forward slashes work too.'
            self._problem(
                "bad_escape", "This backslash starts no escape that JSON knows.", start + error.pos, hint, node.path
            )
            return raw[1:-1]

    def _word(self, kind: int, start: int, end: int, node: Node) -> Any:
        word = self.text[start:end]
        if word in _WORDS:
            return _WORDS[word]
        if word in _PYTHON_WORDS:
            right = json.dumps(_PYTHON_WORDS[word])
            self._problem("python_word", f"JSON writes {right}, not {word}.", start, f"Write {right}.", node.path)
            return _PYTHON_WORDS[word]
        if kind == _SINGLE_QUOTED:
            self._problem("single_quotes", "Text stands in double quotes.", start, 'Write "..." for it.', node.path)
            return word[1:-1]
        number = _loose_number(word)
        if number is not None:
            message = f"{word} is not how JSON writes a number."
            self._problem("bad_number", message, start, f"Write {json.dumps(number)}.", node.path)
            return number
        hint = f'Text stands in double quotes: "{word}".'
        self._problem("bare_word", f"{word} is no value of JSON.", start, hint, node.path)
        return word

    def _junk(self, node: Node, start: int) -> str | None:
        """A quote that is never closed: the text up to the end of its line is its value. Or a stray character."""
        stop = self.text.find("\n", start)
        stop = len(self.text) if stop < 0 else stop
        quoted = self.text[start] in "\"'"
        if quoted:
            message = "This quote is never closed on its line."
            self._problem("open_quote", message, start, "Close it; a line break inside text is written \\n.", node.path)
            while self.tokens[self.at][0] != _END and self.tokens[self.at][1] < stop:
                self.at += 1
        else:
            character = self.text[start]
            self._problem("stray_character", f"{character!r} does not belong here.", start, "Remove it.", node.path)
            self.at += 1
        return self.text[start + 1 : stop].rstrip(' ,\r"') if quoted else None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:  # a fraction, or more digits than Python takes for a whole number
        return float(text)


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
