"""YAML for writing.py: the layout of a text, keys and values as text, and ruamel.yaml's way round for the rest."""

from __future__ import annotations

import io
import json
import re
from typing import Any

from phinb.config.writing.layout import CannotWriteError, Container, Item, Layout, skip_comments_in_line

_PLAIN = re.compile(r"[A-Za-z_./][\w./@+\\-]*(?: [\w./@+\\(),-]+)*", re.ASCII)
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "none", "."})
_COLON = re.compile(r"\s*:")
_DASH = re.compile(r"(?:\s|#[^\n]*)*-")
_COMMA = re.compile(r"(?:\s|#[^\n]*)*,")
_PROPERTIES = re.compile(r"(?:[ \t]*[&!]\S*)*")


def write_scalar(value: Any, like: str = "") -> str:
    """A plain value; a text keeps the quotes of the one that it replaces, and is quoted where it must be."""
    if isinstance(value, str):
        return _write_text(value, like[:1])
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def write_key(key: str) -> str:
    return _write_text(key, "")


def join(head: str, between: str, value: str) -> str:
    """A member from its key or dash, what stands between, and its value."""
    if value[:1].isspace():
        return head + between.rstrip(" ") + value
    space = " " if value and between[-1:] not in ("", " ", "\n", "\t") else ""
    if not between and head == "-":
        space = " "
    return head + between + space + value


def dump(plain: Any) -> str:
    """A text of its own, by ruamel.yaml."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 120
    stream = io.StringIO()
    yaml.dump(plain, stream)
    return stream.getvalue()


def round_trip(text: str, plain: Any) -> str | None:
    """The text changed by ruamel.yaml to hold `plain`: comments and order are kept, not all spaces. None: it cannot."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    stream = io.StringIO()
    try:
        loaded = yaml.load(text)
        if not isinstance(loaded, dict) or not isinstance(plain, dict):
            return None
        _update(loaded, plain)
        yaml.dump(loaded, stream)
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return stream.getvalue()


def _update(loaded: Any, plain: dict[str, Any]) -> None:
    for key in [key for key in loaded if key not in plain]:
        del loaded[key]
    for key, value in plain.items():
        if isinstance(value, dict) and isinstance(loaded.get(key), dict):
            _update(loaded[key], value)
        elif key not in loaded or loaded[key] != value or type(value) is bool:
            loaded[key] = value


def _write_text(text: str, quote: str) -> str:
    if quote == '"' or not text.isprintable() or (quote != "'" and not _is_plain(text) and "'" in text):
        return json.dumps(text, ensure_ascii=False)
    if quote == "'" or not _is_plain(text):
        return "'" + text.replace("'", "''") + "'"
    return text


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _RESERVED and not text.startswith("...")


# ----------------------------------------------------------------------------------------------- layout


def lay_out(text: str) -> Layout:
    """The layout of a text, from the events of ruamel.yaml's parser.

    Raises:
        CannotWriteError: it is not YAML, or has what no plain mapping and list has.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return _Builder(text, list(YAML(typ="safe", pure=True).parse(text))).build()
    except (YAMLError, ValueError, RecursionError) as error:
        raise CannotWriteError(str(error)) from None


class _Builder:
    def __init__(self, text: str, events: list[Any]) -> None:
        self.text = text
        self.layout = Layout(text, "yaml")
        self.events = events
        self.at = 0

    def build(self) -> Layout:
        while self._kind() in ("StreamStartEvent", "DocumentStartEvent"):
            self.at += 1
        self._value(0)
        if self._kind() != "DocumentEndEvent" or type(self.events[self.at + 1]).__name__ != "StreamEndEvent":
            raise CannotWriteError("it is more than one document.")
        return self.layout

    def _kind(self) -> str:
        return type(self.events[self.at]).__name__

    def _value(self, position: int) -> tuple[int, int, Container | None]:
        """Where the value behind a colon, a dash or a comma begins and ends, and its layout where it holds others."""
        event, kind = self.events[self.at], self._kind()
        start, end = event.start_mark.index, event.end_mark.index
        self.at += 1
        if kind == "ScalarEvent":
            if start == end:
                return position, position, None
            end = start + len(self.text[start:end].rstrip())
            self.layout.ends[start] = end
            return start, end, None
        if kind == "AliasEvent":
            return start, end, None
        is_mapping = kind == "MappingStartEvent"
        flow = event.flow_style
        container = self._flow(start, end, is_mapping) if flow else self._block(position, is_mapping)
        if container.items or (flow and self.text[container.first : container.close].strip()):
            self.layout.containers[start] = container
        return container.start, container.end, container

    def _flow(self, start: int, end: int, is_mapping: bool) -> Container:
        if self.text[end - 1] not in "{[":
            raise CannotWriteError("a pair stands in a list without braces.")
        container = Container(is_mapping, False, start, skip_comments_in_line(self.text, end, "yaml"))
        while self._kind() not in ("MappingEndEvent", "SequenceEndEvent"):
            self._item(container)
        closing = self.events[self.at]
        container.close, container.end = closing.start_mark.index, closing.end_mark.index
        self.at += 1
        return container

    def _block(self, position: int, is_mapping: bool) -> Container:
        properties = _PROPERTIES.match(self.text, position)
        first = skip_comments_in_line(self.text, properties.end() if properties else position, "yaml")
        container = Container(is_mapping, True, position, first)
        while self._kind() not in ("MappingEndEvent", "SequenceEndEvent"):
            self._item(container)
        self.at += 1
        container.close = container.end = container.tail
        return container

    def _item(self, container: Container) -> None:
        start = container.tail
        mark = colon = position = self._begin(container, start)
        if container.is_mapping:
            key = self.events[self.at]
            if self._kind() != "ScalarEvent":
                raise CannotWriteError("a key is no plain text.")
            self.at += 1
            mark, colon = key.start_mark.index, key.end_mark.index
            match = _COLON.match(self.text, colon)
            position = match.end() if match else colon
        elif container.block:
            colon = position = mark + 1
        value, end, inner = self._value(position)
        if not container.is_mapping and not container.block:
            mark = colon = value
        offset = end
        comma = _COMMA.match(self.text, end) if not container.block else None
        if comma is not None:
            offset = comma.end()
        stop = offset if inner is not None and inner.block else skip_comments_in_line(self.text, offset, "yaml")
        comma_at = comma.end() - 1 if comma is not None else None
        item = Item(container, len(container.items), start, mark, colon, value, end, comma_at, stop, inner)
        if inner is not None:
            inner.owner = item
        container.items.append(item)
        if container.is_mapping:
            self.layout.members[mark] = item
        else:
            self.layout.entries[self._offset_of(item)] = item

    def _begin(self, container: Container, start: int) -> int:
        """Where an entry's dash stands; in other containers the position behind what comes before."""
        if container.is_mapping or not container.block:
            return start
        match = _DASH.match(self.text, start)
        if match is None:
            raise CannotWriteError("a dash is missing.")
        return match.end() - 1

    def _offset_of(self, item: Item) -> int:
        """The offset by which yaml_reader.py knows the value of an entry."""
        inner = item.inner
        if inner is None or not inner.block:
            return item.value
        return next((offset for offset, container in self.layout.containers.items() if container is inner), item.value)
