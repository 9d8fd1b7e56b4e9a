"""The options of `phinb compare` and `%olive_compare`, written once, and what they mean to phinb.compare."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.scoring_kinds import SCORINGS

OPTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("--variants", {"metavar": "NAMES", "help": "base,int4 or RUN/int4 or folders of models, with commas; else all"}),
    ("--metrics", {"metavar": "NAMES", "help": "accuracy,f1,rougeL,perplexity,lm_eval:TASK ..., with commas"}),
    ("--scoring", {"choices": SCORINGS, "help": "how labels are ranked; by default the sum of their tokens"}),
    ("--prompts", {"type": int, "metavar": "N", "help": "how many of the rows' prompts are timed; by default 6"}),
    ("--repeats", {"type": int, "metavar": "N", "help": "how often each is timed; by default 2"}),
    ("--new-tokens", {"type": int, "metavar": "N", "help": "tokens that each timed generation makes; by default 12"}),
    ("--warm-up", {"type": int, "metavar": "N", "help": "generations before, that do not count; by default 2"}),
    ("--lengths", {"metavar": "N,N", "help": "time prompts of so many tokens, too: 32,128,512"}),
    ("--fresh", {"action": "store_true", "help": "measure anew what is kept, as where other programs disturbed it"}),
    ("--batches", {"metavar": "N,N", "help": "time so many prompts at once, too: 4"}),
)


def read_options(options: Namespace) -> dict[str, Any]:
    """The arguments of phinb.compare; what was not given is left out. Raises PhinbError for what is no number."""
    from phinb.evaluation.latency import LatencySettings

    found: dict[str, Any] = {}
    for name in ("variants", "metrics"):
        if getattr(options, name):
            found[name] = [part.strip() for part in getattr(options, name).split(",") if part.strip()]
    if options.scoring:
        found["scoring"] = options.scoring
    timed = {item.name: getattr(options, item.name) for item in fields(LatencySettings)}
    given = {name: value for name, value in timed.items() if value is not None}
    for name in ("lengths", "batches"):
        if name in given:
            given[name] = _read_numbers(name, given[name])
    if options.fresh:
        found["fresh"] = True
    if given:
        found["latency"] = LatencySettings(**given)
    return found


def _read_numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise PhinbError(f"--{name} {text} is no list of whole numbers.", "As in 32,128,512.") from None
