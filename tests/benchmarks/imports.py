"""What `import phinb` and `%load_ext phinb` add to a bare interpreter. Wanted: at most 60 ms."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

PAIRS = 11
SHELL = (
    "from IPython.core.interactiveshell import InteractiveShell; import ipywidgets; s = InteractiveShell.instance(); "
)


def measure() -> str:
    """Medians of interleaved pairs, each in a fresh process; the difference is what phinb costs."""
    lines = []
    for what, before, after in (
        ("import phinb", "pass", "import phinb"),
        ("%load_ext phinb", SHELL, SHELL + "s.run_line_magic('load_ext', 'phinb')"),
    ):
        pairs = [(_time(before), _time(after)) for _ in range(PAIRS)]
        bare, loaded = median(one for one, _ in pairs), median(other for _, other in pairs)
        added = median(other - one for one, other in pairs)
        lines.append(
            f"{what}: {1000 * added:.0f} ms added ({1000 * bare:.0f} -> {1000 * loaded:.0f} ms, {PAIRS} pairs)"
        )
    return "\n".join(lines)


def _time(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began
