"""Tokens become text as they come: no half character, and nothing of a text at which generation is to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

CONTEXT = 8
"""Tokens that are decoded again with each new one: how a token reads depends on its neighbours only."""


class TextStream:
    """push(token) gives what it adds to the text; `stopped` says that a stop text was found and cut off."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stops = tuple(stop for stop in stops if stop)
        self._ids: list[int] = []
        self._settled = 0  # ids whose text is in _text
        self._text = ""  # all that is decoded, held back or not
        self._given = 0  # characters that push has returned
        self.stopped = False

    @property
    def text(self) -> str:
        """What was given so far."""
        return self._text[: self._given]

    def push(self, token: int) -> str:
        self._ids.append(token)
        start = max(0, self._settled - CONTEXT)
        before = self._decode(self._ids[start : self._settled])
        now = self._decode(self._ids[start:])
        if now.endswith("\ufffd"):
            return ""  # a part of a character: the rest is to come
        self._text += now[len(before) :]
        self._settled = len(self._ids)
        found = [place for stop in self._stops if (place := self._text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._text = self._text[: min(found)]
        held = 0 if self.stopped else self._held_back()
        return self._give(len(self._text) - held)

    def close(self) -> str:
        """What was held back and is no stop text after all; a character that stayed a part is shown as such."""
        if not self.stopped and self._settled < len(self._ids):
            start = max(0, self._settled - CONTEXT)
            before = self._decode(self._ids[start : self._settled])
            self._text += self._decode(self._ids[start:])[len(before) :]
            self._settled = len(self._ids)
        return self._give(len(self._text))

    def _give(self, until: int) -> str:
        added = self._text[self._given : until]
        self._given = max(self._given, until)
        return added

    def _held_back(self) -> int:
        """How many characters at the end may be the beginning of a stop text."""
        longest = 0
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(self._text)), longest, -1):
                if self._text.endswith(stop[:size]):
                    longest = size
                    break
        return longest
