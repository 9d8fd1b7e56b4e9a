"""Known failures: the cause that is named is the right one, and every remedy names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phinb.cli import build_parser
from phinb.workflow.failures import KNOWN, explain

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("datasets.exceptions.DatasetGenerationError ... [Errno 28] No space left on device", "disk_full"),
        ("DatasetGenerationError ... UnicodeDecodeError: 'utf-8' codec can't decode byte", "not_utf8"),
        ("DatasetGenerationError: An error occurred while generating the dataset", "no_sequences"),
        ("ValueError: Target modules {'x'} not found in the base model.", "wrong_modules"),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", "out_of_memory"),
        ("something that nobody has seen", "unknown"),
    ],
)
def test_the_root_cause_is_named(text: str, code: str) -> None:
    assert explain(text)[0] == code


def test_every_magic_and_command_that_a_text_names_exists() -> None:
    """In all of phinb's own messages: who reads one types it."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "phinb").rglob("*.py")))
    magics = set(re.findall(r"%%?(olive_\w+)", source + " ".join(item.remedy for item in KNOWN)))
    defined = set(re.findall(r"def (olive_\w+)\(", source))
    assert magics <= defined
    commands = set(build_parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr, arg-type]
    named = set(re.findall(r"[`(]phinb (\w+)[ `)]", source))
    assert named <= commands, named - commands
