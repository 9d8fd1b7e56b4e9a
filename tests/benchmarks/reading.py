"""Reading a configuration of a megabyte, text to tree, beside json.loads and ruamel.yaml. Wanted: under 200 ms."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from phinb.config.document import parse

SIZE = 1_000_000
REPEATS = 7
SLICE = 60_000
"""How much ruamel.yaml is given; its time is scaled up."""


def measure() -> str:
    """The best of some repeats each; the ratio is to the parser that knows no places, on the same text."""
    lines = []
    for name, text in texts().items():
        root = parse(text).root
        assert root is not None
        nodes = _count(root.plain())
        ours = _best(lambda text=text: parse(text)) * SIZE / len(text)  # type: ignore[misc]
        if name.startswith("YAML"):
            theirs, parser = _ruamel(text), "ruamel.yaml"
        else:
            plain = json.dumps(root.plain())
            theirs, parser = _best(lambda plain=plain: json.loads(plain)) * SIZE / len(text), "json.loads"  # type: ignore[misc]
        lines.append(
            f"{name}: {1000 * ours:.0f} ms a megabyte ({nodes * SIZE // len(text):,} values in it), "
            f"{ours / theirs:.2g} times {parser} ({1000 * theirs:.0f} ms)"
        )
    return "\n".join(lines)


def texts() -> dict[str, str]:
    """A megabyte each: short keys with short values, as dense as a configuration could be; and such with comments."""
    plain = _dense()
    indented = json.dumps(plain, indent=2).splitlines()
    commented = "".join(
        f"{line}  // why\n" if number % 5 else f"// on what follows\n{line}\n" for number, line in enumerate(indented)
    )
    yaml = _yaml(plain, "")
    return {
        "JSON in one line": json.dumps(plain, separators=(",", ":")),
        "JSON in lines": "\n".join(indented),
        "JSON with comments": commented,
        "YAML": yaml,
        "YAML with comments": "".join(
            f"{line}  # why\n" if number % 5 else f"# on\n{line}\n" for number, line in enumerate(yaml.splitlines())
        ),
    }


def _dense() -> dict[str, Any]:
    passes: dict[str, Any] = {}
    while len(passes) < SIZE // 420:
        number = len(passes)
        members: dict[str, Any] = {
            f"k{number % 97}x{at}": (at, 0.5 + at, "a b", True, None)[at % 5] for at in range(24)
        }
        passes[f"pass{number}"] = {**members, "list": [1, 2, "x"], "more": {f"m{at}": at for at in range(6)}}
    return {"input_model": {"type": "HfModel"}, "passes": passes}


def _yaml(value: dict[str, Any], indent: str) -> str:
    lines = []
    for key, member in value.items():
        if isinstance(member, dict):
            lines.append(f"{indent}{key}:\n{_yaml(member, indent + '  ')}")
        elif isinstance(member, list):
            lines.append(f"{indent}{key}:\n" + "".join(f"{indent}- {json.dumps(entry)}\n" for entry in member))
        else:
            lines.append(f"{indent}{key}: {json.dumps(member)}\n")
    return "".join(lines)


def _ruamel(text: str) -> float:
    """Seconds for a megabyte."""
    from ruamel.yaml import YAML

    piece = text[: text.rindex("\n", 0, SLICE) + 1]
    return _best(lambda: YAML(typ="safe", pure=True).compose(piece), 1) * SIZE / len(piece)


def _best(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
        del result
    return min(times)


def _count(value: Any) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, below))
