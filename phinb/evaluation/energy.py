"""Energy in joules, where the machine counts it: the graphics card's own counter, else the processor's (RAPL).

Both count what the whole device uses, other programs included. Virtual machines seldom have them, and Linux lets only
root read RAPL's unless told otherwise (CVE-2020-8694): where nothing can be read, there is no figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter:
    """read() gives joules since some moment in the past, or None; differences are what counts.

    device: what the model runs on, "cpu" or "cuda". powercap: where Linux shows RAPL's counters.
    """

    def __init__(self, device: str, powercap: Path = POWERCAP) -> None:
        self._card = _open_card() if device == "cuda" else None
        # intel-rapl:0, :1, ... are packages; intel-rapl:0:0 is a part of one. AMD's bear the same name.
        self._counters = [] if device != "cpu" else sorted(powercap.glob("intel-rapl:[0-9]*"))
        self._counters = [one / "energy_uj" for one in self._counters if one.name.count(":") == 1]

    def read(self) -> float | None:
        if self._card is not None:
            return _read_card(self._card)
        try:
            found = [int(counter.read_text()) for counter in self._counters]
        except (OSError, ValueError):
            return None
        return sum(found) / 1e6 if found else None


def _open_card() -> Any:
    """(library, handle) of the first card, or None: nvidia-ml-py is not there, or the driver is not."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)
    except Exception:  # the library's own classes, an ImportError, an OSError of the driver
        return None


def _read_card(card: Any) -> float | None:
    library, handle = card
    try:
        return float(library.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000  # given in mJ
    except Exception:  # cards before Volta have no counter
        return None
