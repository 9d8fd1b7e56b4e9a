"""python -m phinb.sweep_worker FOLDER: the process that drives a sweep. It needs both the runs and the comparison."""

from __future__ import annotations

import sys
from pathlib import Path

from phinb.api import measure_trial
from phinb.workflow.store import RunFolder
from phinb.workflow.sweep_driver import Driver


def main(arguments: list[str]) -> int:
    (folder,) = arguments
    Driver(RunFolder(Path(folder)), measure_trial).drive()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
