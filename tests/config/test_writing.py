"""What is written into a text: the intended tree, and everything else left character for character."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.config.document import Node, parse
from phinb.config.writing import json_text as writing_json
from phinb.config.writing import yaml_text as writing_yaml
from phinb.config.writing.layout import Layout
from phinb.config.writing.rewriting import rewrite
from phinb.config.writing.trees import remove, rename, set_value
from tests.config.texts import SCALARS, JsonScribe, YamlScribe, random_tree, random_value

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
Trail = tuple[Any, ...]


def outermost(text: str, format_: Any = None) -> Node:
    document = parse(text, format_)
    assert document.problems == ()
    assert document.outermost is not None
    return document.outermost


def nodes(node: Node) -> list[Node]:
    below = [member for _, member in node.items()] + node.entries()
    return [node, *(one for child in below for one in nodes(child))]


def trails(value: Any, trail: Trail = ()) -> list[Trail]:
    """The ways to everything in a plain tree."""
    found = [trail]
    if isinstance(value, dict):
        found += [way for key, member in value.items() for way in trails(member, (*trail, key))]
    if isinstance(value, list):
        found += [way for number, entry in enumerate(value) for way in trails(entry, (*trail, number))]
    return found


def follow(value: Any, trail: Trail) -> Any:
    for key in trail:
        value = value[key]
    return value


def random_edit(random: Random, plain: dict[str, Any], root: Node) -> tuple[str, Trail]:
    """Carry out one edit on a plain tree and on the tree of nodes alike; what it was, and where."""
    kind = random.choice(["set", "set", "new", "remove", "rename"])
    ways = trails(plain)
    if kind == "new":
        trail = random.choice([way for way in ways if isinstance(follow(plain, way), dict)])
        key, value = random.choice(["new", "fresh key", "ü"]), random_value(random, 3)
        follow(plain, trail)[key] = copy.deepcopy(value)
        assert set_value(root, trail, key, value)
        return kind, (*trail, key)
    below = [way for way in ways if way]
    if not below:
        return "none", ()
    trail = random.choice(below)
    holder, key = follow(plain, trail[:-1]), trail[-1]
    if kind == "remove":
        remove(root, trail)
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict) and "other" not in holder:
        assert rename(root, trail, "other")
        members = {"other" if old == key else old: member for old, member in holder.items()}
        holder.clear()
        holder.update(members)
    else:
        kind, value = "set", random.choice(SCALARS) if random.random() < 0.7 else random_value(random, 2)
        assert set_value(root, trail, "", value)
        holder[key] = copy.deepcopy(value)
    return kind, trail


def touched_lines(layout: Layout, root: Node, kind: str, trail: Trail) -> set[int]:
    """The numbers of the lines that an edit may change: those of the edited value, and of the comma before it."""
    container = layout.containers[root.offset or 0]
    names = {node.key_offset: node.key for node in nodes(root)}
    item = None
    for key in trail:
        if item is not None:
            if item.inner is None:
                break
            container = item.inner
        keys = [names.get(one.mark) if container.is_mapping else one.number for one in container.items]
        if key not in keys:
            item = None
            break
        item = container.items[keys.index(key)]
    if item is None:
        spans = [(container.items[-1].mark, container.tail)] if container.items else [(container.start, container.end)]
    else:
        spans = [(item.mark, item.stop)]
        if kind == "remove" and item.number == len(container.items) - 1 and item.number:
            before = container.items[item.number - 1]
            spans.append((before.mark, before.stop))
        if kind == "remove" and container.block and item.number == 0 and len(container.items) > 1:
            spans.append((container.items[1].mark, container.items[1].stop))  # it moves up into the line of the dash
        if kind == "remove" and len(container.items) == 1:
            spans.append((container.start, container.first))
            spans.append((container.tail, container.end))
    return {
        line
        for start, end in spans
        for line in range(layout.text.count("\n", 0, start), layout.text.count("\n", 0, end) + 1)
    }


def is_subsequence(lines: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(line in rest for line in lines)


@given(seed=st.integers(0, 2**32), braces=st.booleans())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_edits_of_commented_json_leave_all_else_as_it_is(seed: int, braces: bool) -> None:
    random = Random(seed)
    plain = random_tree(random)
    scribe = JsonScribe(random)
    text = scribe.write(plain, braces=braces)
    assert outermost(text, "json").plain() == plain
    for _ in range(4):
        given_ = outermost(text, "json")
        target = given_.copy()
        kind, trail = random_edit(random, plain, target)
        written = rewrite(text, "json", given_, target)
        assert json.dumps(outermost(written, "json").plain()) == json.dumps(plain), (text, written)
        for comment in scribe.comments:
            assert written.count(comment) == 1, (comment, text, written)
        touched = touched_lines(writing_json.lay_out(text), given_, kind, trail) if kind != "none" else set()
        kept = [line for number, line in enumerate(re.split("\r?\n", text)) if number not in touched]
        assert is_subsequence(kept, re.split("\r?\n", written)), (kind, trail, text, written)
        if kind == "none":
            assert written == text
        text = written


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_what_has_not_changed_is_written_as_it_is(seed: int) -> None:
    random = Random(seed)
    for scribe, format_ in ((JsonScribe(random), "json"), (YamlScribe(random), "yaml")):
        text = scribe.write(random_tree(random))
        root = outermost(text, format_)
        assert rewrite(text, format_, root, root.copy()) == text  # type: ignore[arg-type]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_edits_of_commented_yaml_leave_all_else_as_it_is(seed: int) -> None:
    random = Random(seed)
    plain = random_tree(random)
    scribe = YamlScribe(random)
    text = scribe.write(plain)
    assert outermost(text, "yaml").plain() == plain, text
    for _ in range(3):
        given_ = outermost(text, "yaml")
        target = given_.copy()
        kind, trail = random_edit(random, plain, target)
        if not plain:
            return
        written = rewrite(text, "yaml", given_, target)
        assert json.dumps(outermost(written, "yaml").plain()) == json.dumps(plain), (text, written)
        for comment in scribe.comments:
            assert written.count(comment) == 1, (comment, text, written)
        touched = touched_lines(writing_yaml.lay_out(text), given_, kind, trail)
        kept = [line for number, line in enumerate(re.split("\r?\n", text)) if number not in touched]
        assert is_subsequence(kept, re.split("\r?\n", written)), (kind, trail, text, written)
        text = written
