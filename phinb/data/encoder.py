"""A tokenizer for rows of whatever length: a long one is tokenised once, though it is counted, shown and judged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

from phinb.models.tokenizers import Tokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding as RawEncoding

LONG = 100_000
"""Characters from which a text is remembered; it takes some 50 ms to tokenise it."""

ASKED_EVERY_S = 0.05


class Encoder:
    """Remembers the last long text: whoever goes from row to row needs the same one several times on end.

    Several threads may use it at once.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._last: tuple[str, Future[RawEncoding]] | None = None
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> list[RawEncoding]:
        """The library's encodings: no special token is added, and nothing is cut."""
        if len(texts) == 1 and len(texts[0]) >= LONG:
            return [self._begin(texts[0]).result()]
        return self.tokenizer.encode_raw(texts)

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
        threading.Thread(target=self._work, args=(text, made), daemon=True).start()
        return made

    def _work(self, text: str, made: Future[RawEncoding]) -> None:
        try:
            made.set_result(self.tokenizer.encode_raw([text])[0])
        except BaseException as error:  # for whoever waits
            made.set_exception(error)
