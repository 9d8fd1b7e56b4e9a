"""What a chat gives: settings, each variant's reply with its timings, and all replies to one prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from phinb.errors import PhinbError
from phinb.evaluation.prompts import Prompt

Finish = Literal["stop", "length", "stopped", "error", ""]

FINISHES: Mapping[str, str] = {
    "stop": "ended by itself",
    "length": "cut off: no more tokens allowed",
    "stopped": "stopped",
    "error": "failed",
    "": "going on",
}
"""Why a reply ended, in words."""


@dataclass(frozen=True)
class ChatSettings:
    """How a reply is generated. temperature 0 is greedy: the likeliest token each time.

    top_p: draw from the likeliest tokens that have this share of the probability. seed: of the drawing; None: another
    each time. at_once: all variants at the same time, which slows each. Raises PhinbError for what cannot be.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    at_once: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.max_new_tokens <= 100_000:
            raise PhinbError(f"max_new_tokens is {self.max_new_tokens}.", "It counts tokens, from 1.")
        if not 0 <= self.temperature <= 10:
            raise PhinbError(f"temperature is {self.temperature}.", "0 is greedy; 0.7 to 1 are usual.")
        if not 0 < self.top_p <= 1:
            raise PhinbError(f"top_p is {self.top_p}.", "It is a share of the probability: above 0, at most 1.")

    @property
    def told(self) -> str:
        """greedy, at most 128 new tokens"""
        how = "greedy"
        if self.temperature:
            seed = "no seed" if self.seed is None else f"seed {self.seed}"
            how = f"temperature {self.temperature:g}, top_p {self.top_p:g}, {seed}"
        return f"{how}, at most {self.max_new_tokens:,} new tokens, {'all at once' if self.at_once else 'in turn'}"


@dataclass(frozen=True)
class Reply:
    """What one variant said.

    tokens: generated ones, the end token included. ttft_s: from the prompt's arrival in the variant's process to the
    first token; decode_s: from the first to the last. Both None where there is none. finish: see FINISHES; "" while
    it goes on. beside: the variants that were generating at some time meanwhile. busy: the share of the whole processor
    that other programs took meanwhile (0 to 1), None where that is not known.
    """

    variant: str
    text: str = ""
    tokens: int = 0
    prompt_tokens: int = 0
    finish: Finish = ""
    ttft_s: float | None = None
    decode_s: float | None = None
    beside: tuple[str, ...] = ()
    busy: float | None = None
    error: str = ""

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens after the first, by the time that they took; None for fewer than two."""
        return (self.tokens - 1) / self.decode_s if self.tokens > 1 and self.decode_s else None


@dataclass(frozen=True)
class Exchange:
    """A prompt and what each variant answered, in the variants' order."""

    prompt: Prompt
    replies: tuple[Reply, ...]
    settings: ChatSettings = field(default_factory=ChatSettings)
    name: str = ""

    def __getitem__(self, variant: str) -> Reply:
        for reply in self.replies:
            if reply.variant == variant:
                return reply
        names = ", ".join(reply.variant for reply in self.replies)
        raise PhinbError(f"{variant!r} has not answered.", f"There are: {names}.")

    def to_text(self) -> str:
        """Prompt and replies for a terminal; what cannot be seen is spelt out."""
        from phinb.evaluation.chat_text import write_exchange

        return write_exchange(self)

    def __str__(self) -> str:
        return self.to_text()
