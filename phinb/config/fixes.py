"""Carrying out the remedies that problems bring along, one after the other, until none is left that helps."""

from __future__ import annotations

from phinb.config.config import Config
from phinb.errors import PhinbError
from phinb.types import Fix, Problem

MOST = 200
"""Remedies in one go; a configuration that needs more is another one."""


def apply_fixes(config: Config) -> tuple[Config, tuple[Problem, ...]]:
    """The configuration with the fixes of its errors and warnings carried out, and the problems that they answered.

    After each the configuration is checked anew: one remedy may make another needless. What a fix did not mend it is
    not asked again, and an edit that leads nowhere is left out.
    """
    done: list[Problem] = []
    tried: set[str] = set()
    for _ in range(MOST):
        problem = next((one for one in config.problems if _is_open(one, tried)), None)
        if problem is None or problem.fix is None:
            break
        tried.add(_key(problem.fix))
        try:
            mended = config.edit(*problem.fix.edits)
        except PhinbError:
            continue
        if not _is_better(config, mended):
            continue
        config = mended
        done.append(problem)
    return config, tuple(done)


def _is_open(problem: Problem, tried: set[str]) -> bool:
    return problem.fix is not None and problem.severity in ("error", "warning") and _key(problem.fix) not in tried


def _key(fix: Fix) -> str:
    return repr(fix.edits)


def _is_better(before: Config, after: Config) -> bool:
    """A remedy that adds errors is none."""

    def count(config: Config) -> int:
        return sum(problem.severity == "error" for problem in config.problems)

    return count(after) <= count(before)
