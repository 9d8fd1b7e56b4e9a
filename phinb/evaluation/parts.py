"""What is measured of a variant, in parts that are kept apart: asking for another metric does not time it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from phinb.evaluation.process import OnPart
from phinb.types import Variant


class Ask(Protocol):
    """VariantProcess.ask of a loaded variant, its events and the wish to stop seen to."""

    def __call__(
        self, op: str, payload: Mapping[str, Any] | None = None, *, on_part: OnPart | None = None
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Part:
    """One thing that is measured of every variant.

    decides: as JSON, all that decides the result beside artefact, machine and libraries; it is kept under that.
    measure(ask, variant) gives fields of Measurement; it raises PhinbError where the variant is broken.
    """

    name: str
    decides: Any
    measure: Callable[[Ask, Variant], Mapping[str, Any]]
