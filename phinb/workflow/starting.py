"""Starting a run: a short look at what stands in its way, the forecast noted in its folder, then the launch."""

from __future__ import annotations

import json
from collections.abc import Mapping

from phinb.config import Config
from phinb.errors import ConfigError
from phinb.workflow.history import NAME
from phinb.workflow.preflight import Preflight, preflight
from phinb.workflow.runner import Run, launch

LOOK_S = 0.3
"""Seconds that a start looks at the rows: it returns at once, whatever the size of the data."""


def look(config: Config) -> Preflight:
    """The preflight of a start. Raises ConfigError where the configuration itself has errors."""
    if not config.ok:
        raise ConfigError(config.problems)
    return preflight(config, within_s=LOOK_S)


def start_run(
    config: Config,
    *,
    until: str | None = None,
    from_pass: str | None = None,
    fresh: bool = False,
    anyway: bool = False,
    found: Preflight | None = None,
    notes: Mapping[str, str] | None = None,
) -> Run:
    """Start a run and return at once. `found` is what `look` saw, where that was done already.

    notes: texts that the run's folder keeps, by file name.

    Raises ConfigError where something stands in the way; `anyway`: but for memory and disk.
    """
    found = found if found is not None else look(config)
    if not found.ok and not (anyway and found.may_start_anyway):
        raise ConfigError(found.problems)
    noted = {**(notes or {}), NAME: json.dumps(found.forecast.to_json(), indent=1)}
    return launch(config, until=until, from_pass=from_pass, fresh=fresh, notes=noted)
