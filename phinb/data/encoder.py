"""A tokenizer for rows of whatever length: a long one is tokenised once, though it is counted, shown and judged, and
of short ones the next can be on their way while the last are counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

from phinb.models.tokenizers import Tokenizer, flatten_ids

if TYPE_CHECKING:
    from tokenizers import Encoding as RawEncoding

    from phinb.models.tokenizers import Ids

Of = TypeVar("Of")
"""What a thread makes."""

LONG = 100_000
"""Characters from which a text is remembered; it takes some 50 ms to tokenise it."""

ASKED_EVERY_S = 0.05

AHEAD = 2
"""Lists of texts that are remembered at most: the one that is counted, and the next."""


class Encoder:
    """Remembers the last long text: whoever goes from row to row needs the same one several times on end.

    Several threads may use it at once.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._last: tuple[str, Future[RawEncoding]] | None = None
        self._ahead: dict[bool, list[tuple[Sequence[str], Future[list[RawEncoding]]]]] = {True: [], False: []}
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> list[RawEncoding]:
        """The library's encodings: no special token is added, and nothing is cut."""
        if len(texts) == 1 and len(texts[0]) >= LONG:
            return [self._begin(texts[0]).result()]
        return self._find(texts, offsets=True) or self.tokenizer.encode_raw(texts)

    def encode_flat(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """(ids of all texts end to end, how many each text has), faster than with offsets."""
        return flatten_ids(self._find(texts, offsets=False) or self.tokenizer.encode_fast(texts))

    def begin(self, texts: Sequence[str], *, offsets: bool) -> None:
        """Have them tokenised meanwhile by another thread; whoever then asks for the same ones, by `encode` or else by
        `encode_flat`, gets what it made. A long text is none for it."""
        if any(len(text) >= LONG for text in texts):
            return
        work = self.tokenizer.encode_raw if offsets else self.tokenizer.encode_fast
        made: Future[list[RawEncoding]] = Future()
        # A thread for each: one that is kept would be missing after a fork, and waited for when Python ends.
        if _start(lambda: work(texts), made):
            with self._lock:
                waiting = self._ahead[offsets]
                waiting.append((texts, made))
                del waiting[:-AHEAD]

    def _find(self, texts: Sequence[str], *, offsets: bool) -> list[RawEncoding] | None:
        """What was begun with the same texts, the last time: what was begun before a fork has no end."""
        with self._lock:
            waiting = self._ahead[offsets]
            at = next((index for index in reversed(range(len(waiting))) if waiting[index][0] == texts), None)
            found = None if at is None else waiting.pop(at)[1]
        return None if found is None else found.result()

    def prepare(self, texts: Sequence[str], should_stop: Callable[[], bool] | None) -> bool:
        """Have a long text that is alone tokenised; False where `should_stop` said so meanwhile.

        The tokenizer itself cannot be stopped: it goes on by itself, and whoever asks again finds what it made.
        """
        if should_stop is not None and len(texts) == 1 and len(texts[0]) >= LONG:
            working = self._begin(texts[0])
            while not working.done():
                if should_stop():
                    return False
                wait((working,), ASKED_EVERY_S)
        return True

    def _begin(self, text: str) -> Future[RawEncoding]:
        """What is made of the text, or will be in a moment."""
        with self._lock:
            last = self._last
            if last is not None and last[0] == text:
                return last[1]
            made: Future[RawEncoding] = Future()
            self._last = (text, made)
        if not _start(lambda: self.tokenizer.encode_raw([text])[0], made):
            _work(lambda: self.tokenizer.encode_raw([text])[0], made)
        return made


def _start(make: Callable[[], Of], made: Future[Of]) -> bool:
    """Have another thread make it; False where there can be none: there are too many, or Python is about to end."""
    try:
        threading.Thread(target=_work, args=(make, made), name="phinb-tokenizer", daemon=True).start()
    except RuntimeError:
        return False
    return True


def _work(make: Callable[[], Of], made: Future[Of]) -> None:
    try:
        made.set_result(make())
    except BaseException as error:  # for whoever waits
        made.set_exception(error)
