"""A shell with the magics, and runs that go on as a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


class Shell:
    """An IPython shell in this process; `execute` gives what a cell displayed and printed."""

    def __init__(self) -> None:
        InteractiveShell.clear_instance()
        self.ip = InteractiveShell.instance()
        self.ip.run_line_magic("load_ext", "phinb")

    def execute(self, cell: str) -> Any:
        with capture_output() as captured:
            self.result = self.ip.run_cell(cell)
        return captured

    def html(self, cell: str) -> str:
        return "\n".join(output.data.get("text/html", "") for output in self.execute(cell).outputs)

    def text(self, cell: str) -> str:
        captured = self.execute(cell)
        return "\n".join([captured.stdout, *(output.data.get("text/plain", "") for output in captured.outputs)])


@pytest.fixture
def shell() -> Iterator[Shell]:
    yield Shell()
    InteractiveShell.clear_instance()
