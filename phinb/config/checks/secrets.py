"""Checks for secrets in clear text, wherever they stand; what is found is never repeated in a problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from phinb.config.checks.findings import Findings
from phinb.config.checks.placeholders import is_placeholder
from phinb.config.checks.secret_texts import HIDDEN, secret_in
from phinb.config.document import Node
from phinb.types import Edit, Fix, Problem

_LONG = 8
"""A secret of fewer characters may stand in words by chance: it is taken out only where it is quoted as a value."""


def check_secrets(findings: Findings) -> tuple[str, ...]:
    """One error a secret; returns the secrets themselves, so that `without_secrets` can take them out of all else."""
    found: list[str] = []
    for key, node in _texts(findings.root, ""):
        kind = secret_in(key, node.value)
        if not kind or is_placeholder(node.value):
            continue
        found.append(node.value)
        message = f"This is {kind}, in clear text: whoever gets the notebook or its output gets it too."
        hint = f"Take it out, and declare it invalid where it was made. {_instead(kind, key)}"
        fix = Fix("Remove it", (Edit("remove", node.path),)) if node.key_offset is not None else None
        findings.add("secret", node, message, hint, fix=fix)
    return tuple(found)


def _texts(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    """Every text with the key that it stands under; entries of a list stand under the list's."""
    if isinstance(node.value, str):
        yield key, node
    for name, member in node.items():
        yield from _texts(member, name)
    for entry in node.entries():
        yield from _texts(entry, key)


def _instead(kind: str, key: str) -> str:
    if "Hugging Face" in kind or key in ("token", "hf_token", "hub_token"):
        return "Log in with `hf auth login`, or set HF_TOKEN."
    if "Azure" in kind or "Entra" in kind:
        return "Log in with `az login`; in a job, let a managed identity read it from a key vault."
    return "Put it into an environment variable."


def without_secrets(problems: list[Problem], secrets: tuple[str, ...]) -> list[Problem]:
    """The problems, with each secret in their words and remedies replaced."""
    shown = [secret if len(secret) >= _LONG else f'"{secret}"' for secret in secrets]
    return [_cleaned(problem, shown) for problem in problems] if shown else problems


def _cleaned(problem: Problem, secrets: list[str]) -> Problem:
    message, hint, fix = problem.message, problem.hint, problem.fix
    for secret in secrets:
        message, hint = message.replace(secret, HIDDEN), hint.replace(secret, HIDDEN)
    if fix is not None and any(secret.strip('"') in str(edit.value) for edit in fix.edits for secret in secrets):
        fix = None
    if (message, hint, fix) == (problem.message, problem.hint, problem.fix):
        return problem
    return replace(problem, message=message, hint=hint, fix=fix)
