"""How panels write quantities: one form each for durations, sizes and counts, whatever draws them."""

from __future__ import annotations

from phinb.data.wording import agree as agree
from phinb.data.wording import write_count as write_count
from phinb.data.wording import write_first as write_first
from phinb.data.wording import write_part as write_part


def write_clock(seconds: float) -> str:
    """1:14, 12:03, 1:02:03: for what ticks. Seconds are cut off, not rounded, as on any clock."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def write_duration(seconds: float) -> str:
    """0.2 s, 6 s, 3:02: for what is over."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 59.5 else write_clock(round(seconds))


def write_bytes(size: float) -> str:
    """43 kB, 198 MB, 1.9 GB, 15 GB; decimal units, as disks and phinb's tables have them."""
    if size < 999.5e3:
        return f"{size / 1e3:.0f} kB"
    if size < 999.5e6:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.1f} GB" if size < 99.5e9 else f"{size / 1e9:.0f} GB"


def write_number(value: float) -> str:
    """62, 1,200, 2.5: no trailing zeros, thousands parted."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def write_loss(value: float) -> str:
    """Three figures that matter: 4.41, 0.0312, 12.3."""
    return f"{value:.3g}" if abs(value) < 0.1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def write_share(share: float) -> str:
    """A share from 0 to 1: 31 %; what is neither nothing nor all is not rounded to it."""
    if 0 < share < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= share < 1 else f"{100 * max(share, 0.0):.0f} %"
