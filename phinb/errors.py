"""What phinb raises on purpose. Everything else that escapes is a bug of phinb's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phinb.types import Problem


class PhinbError(Exception):
    """A failure that the user can act on: what happened and where, and what to do about it.

    `str(error)` is the message followed by the hint, so that a plain print already helps. Magics and the
    command line show it without a traceback.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\n{hint}" if hint else message)


class ConfigError(PhinbError):
    """A configuration that cannot be run; `problems` holds every reason, each with its line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in self.problems if problem.severity == "error"]
        count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        lines = [f"  {problem.where}: {problem.message}" for problem in errors]
        super().__init__(
            "\n".join([f"The configuration has {count}:", *lines]),
            "Mend the lines named above, then check it again: phinb check FILE, or %olive_check NAME.",
        )
