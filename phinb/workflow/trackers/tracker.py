"""What a tracker is: a few methods that are told of one run, each of which may raise or hang as it likes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

_CREDENTIALS = re.compile(r"//[^/\s]*@")
"""Up to the last @ before the path: a password may hold one."""


Fact = str | int | float | bool
Ending = Literal["succeeded", "stopped", "cancelled", "failed", "lost"]
"""How a run ended; lost: its worker was killed and said nothing."""


@dataclass(frozen=True)
class Subject:
    """The run that is told of.

    folder: the run's own; own: the folder in it that trackers may write to. parameters: the effective configuration by
    dotted path. texts: files with the configuration as it was given, as upgraded and as Olive gets it.
    """

    run_id: str
    name: str
    folder: Path
    own: Path
    parameters: Mapping[str, Any]
    texts: Sequence[Path]


@dataclass(frozen=True)
class Begun:
    """What a tracker says once it has begun.

    key: by what it finds its own account of the run again. continues: whether that account holds already what an
    earlier attempt told. place: where it lies, as a sentence; look: how to look at it.
    """

    key: str
    continues: bool
    place: str
    look: str = ""


@dataclass(frozen=True)
class Measured:
    """What one event measured at one step. `axis` names the count that the step belongs to; time in Unix seconds."""

    axis: str
    step: int
    time: float
    values: Mapping[str, float]


class Tracker(Protocol):
    """One account of one run, in the order begin, any number of log and note, end."""

    def begin(self, subject: Subject, key: str) -> Begun:
        """Go on with the account of `key`, or begin a new one ("": there is none) with parameters and texts."""

    def log(self, measured: Sequence[Measured]) -> None: ...

    def note(self, facts: Mapping[str, Fact]) -> None:
        """What is known besides, by dotted name: versions, artefacts, times, the end. A later value takes the place."""

    def end(self, ending: Ending) -> None:
        """Write out all that was told and let go."""


def without_credentials(text: str) -> str:
    """The text with the name and password taken out of its addresses."""
    return _CREDENTIALS.sub("//", text)


def write_value(value: Any) -> str:
    """A parameter as a text: a string as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
