"""Rows that are nearly the same, within a data config and between several.

What is compared are sets of shingles: three neighbouring tokens of a row's own values, the template left out. Two rows
are near where at least 80 % of all their shingles are in both (Jaccard). Candidates come from MinHash with banding
(Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3); each is then checked exactly, so
that nothing is called near that is not. A pair at the threshold is missed once in 3,000 times, nearer ones hardly ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phinb.data.tally import split_batch
from phinb.models.tokenizers import Tokenizer

if TYPE_CHECKING:
    from phinb.models.tokenizers import Ids

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]

THRESHOLD = 0.8
SHINGLE = 3
BANDS, HASHES_A_BAND = 20, 5
"""P(candidate) of a pair with similarity s is 1 - (1 - s^5)^20: 0.9996 at 0.8, 0.47 at 0.5, 0.006 at 0.2."""

NEIGHBOURS = 8
"""Rows of a bucket that each is compared with from its front, and from its own place backwards: of thousands of nearly
equal rows not all pairs are tried, and each still finds one."""

PAIRS_AT_ONCE = 50_000
SEED = 20_231


@dataclass(frozen=True)
class Near:
    """rows: how many are near an earlier row, and not equal to one. leaks: name of another set of rows -> how many of
    it are near one of these, and equal to none."""

    rows: int
    leaks: Mapping[str, int] = field(default_factory=dict)


def count_leaks(own: Numbers, other: Iterable[Sequence[str]]) -> int:
    """How many of the other texts are among those whose hashes (tally.hash_all) are in `own`."""
    known = set(own.tolist())
    return sum(hash(text) in known for batch in other for text in batch)


class Shingles:
    """The shingles of documents, each set sorted: `keys` holds document << 32 | shingle, ascending."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.documents = 0
        self._parts: list[Hashes] = [np.zeros(0, dtype=np.uint64)]
        self._alone: Sequence[str] = ()

    def add(self, texts: Sequence[str], should_stop: Callable[[], bool] = lambda: False) -> None:
        """Take more documents, as many as there is time for before `should_stop`.

        A first one that is alone, which is near nothing, is tokenised only once another comes.
        """
        if not self.documents and len(texts) == 1:
            self._alone, self.documents = texts, 1
            return
        if texts:
            texts, self._alone, self.documents = [*self._alone, *texts], (), self.documents - len(self._alone)
        for part, _ in split_batch(texts, texts):
            if should_stop():
                return
            ids, lengths = self.tokenizer.encode_flat(part)
            self._parts.append(cut_shingles(ids, lengths, self.documents))
            self.documents += len(part)

    @property
    def keys(self) -> Hashes:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]


def find_near(
    texts: Iterable[Sequence[str]],
    others: Mapping[str, Iterable[Sequence[str]]],
    tokenizer: Tokenizer,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Near | None:
    """Compare texts, given in batches, with each other and with those of other sets; None where it was stopped.

    Equal texts count once. `on_progress` hears the share that is done.
    """
    shingles = Shingles(tokenizer)
    stopped = should_stop or (lambda: False)
    seen: set[int] = set()
    for batch in texts:
        shingles.add(_take_new(batch, seen), stopped)
        if stopped():
            return None
    own = shingles.documents
    spans: dict[str, tuple[int, Numbers]] = {}
    for name, batches in others.items():
        begin, repeats = shingles.documents, dict[str, int]()
        for batch in batches:
            for text in batch:
                if text and hash(text) not in seen:
                    repeats[text] = repeats.get(text, 0) + 1
            if stopped():
                return None
        shingles.add(list(repeats), stopped)
        if stopped():
            return None
        spans[name] = begin, np.fromiter(repeats.values(), dtype=np.int64, count=len(repeats))
    near = mark_near(shingles.keys, shingles.documents, own, on_progress, stopped)
    if near is None:
        return None
    leaks = {name: int(weights[near[begin : begin + len(weights)]].sum()) for name, (begin, weights) in spans.items()}
    return Near(int(near[:own].sum()), leaks)


def mark_near(
    keys: Hashes,
    documents: int,
    own: int,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> NDArray[np.bool_] | None:
    """Which documents are near an earlier one of the first `own`; None where it was stopped. `keys`: see Shingles."""
    near = np.zeros(documents, dtype=np.bool_)
    if documents < 2:
        return near
    starts = np.searchsorted(keys, np.arange(documents, dtype=np.uint64) << np.uint64(32))
    sizes = np.diff(starts, append=len(keys))
    generator = np.random.default_rng(SEED)
    for band in range(BANDS):
        bucket = np.zeros(documents, dtype=np.uint64)
        for _ in range(HASHES_A_BAND):
            factor, offset = (generator.integers(1, 2**63, dtype=np.uint64) * np.uint64(2) + np.uint64(1) for _ in "ab")
            hashed = ((keys & np.uint64(0xFFFFFFFF)) * factor + offset) >> np.uint64(32)
            bucket = _mix(bucket ^ np.minimum.reduceat(hashed, starts))
            if should_stop():
                return None
        for earlier, later in _pair_up(bucket, own):
            still = ~near[later]
            earlier, later = earlier[still], later[still]
            near[later[_are_near(earlier, later, keys, starts, sizes)]] = True
        if on_progress is not None:
            on_progress((band + 1) / BANDS)
    return near


def cut_shingles(ids: Ids, lengths: Ids, first: int) -> Hashes:
    """The sorted keys of the documents whose ids stand end to end in `ids`; the first of them has the number `first`.

    A document of fewer than SHINGLE tokens is one shingle.
    """
    ends = np.repeat(np.cumsum(lengths, dtype=np.int64), lengths)
    begins = ends - np.repeat(lengths, lengths)
    places = np.arange(len(ids), dtype=np.int64)
    hashed = np.zeros(len(ids), dtype=np.uint64)
    for step in range(SHINGLE):
        there = places + step < ends
        values = np.where(there, ids[np.minimum(places + step, len(ids) - 1)] + 1, 0).astype(np.uint64)
        hashed = _mix(hashed ^ values)
    kept = (places + SHINGLE <= ends) | (places == begins)
    document = np.repeat(np.arange(first, first + len(lengths), dtype=np.uint64), lengths)
    return np.unique(document[kept] << np.uint64(32) | hashed[kept] >> np.uint64(32))


def _take_new(texts: Sequence[str], seen: set[int]) -> list[str]:
    """Those that are not empty and whose hash is not in `seen`, which learns them."""
    new = []
    for text in texts:
        if text and hash(text) not in seen:
            seen.add(hash(text))
            new.append(text)
    return new


def _pair_up(bucket: Hashes, own: int) -> Iterable[tuple[Numbers, Numbers]]:
    """(earlier, later) documents of the same bucket, the earlier one of the first `own`, in portions."""
    order = np.argsort(bucket, kind="stable")
    same = bucket[order][1:] == bucket[order][:-1]
    shared = np.concatenate([[False], same]) | np.concatenate([same, [False]])
    order = order[shared]  # the documents that are not alone
    if not len(order):
        return
    members = np.arange(len(order))
    begins = np.concatenate([[True], bucket[order][1:] != bucket[order][:-1]])
    head = np.maximum.accumulate(np.where(begins, members, 0))
    for step in range(NEIGHBOURS):
        for partner in (head + step, members - step - 1):
            later = members[(partner < members) & (partner >= head)]
            earlier = order[partner[later]]
            pairs = earlier[earlier < own], order[later][earlier < own]
            for start in range(0, len(pairs[0]), PAIRS_AT_ONCE):
                yield pairs[0][start : start + PAIRS_AT_ONCE], pairs[1][start : start + PAIRS_AT_ONCE]


def _are_near(earlier: Numbers, later: Numbers, keys: Hashes, starts: Numbers, sizes: Numbers) -> NDArray[np.bool_]:
    """Whether the Jaccard similarity of each pair reaches THRESHOLD, counted exactly."""
    small, large = np.minimum(sizes[earlier], sizes[later]), np.maximum(sizes[earlier], sizes[later])
    found = small >= THRESHOLD * large
    earlier, later = earlier[found], later[found]
    if not len(earlier):
        return found
    counts = sizes[earlier]
    pair = np.repeat(np.arange(len(earlier)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    shingle = keys[starts[earlier][pair] + place] & np.uint64(0xFFFFFFFF)
    wanted = later[pair].astype(np.uint64) << np.uint64(32) | shingle
    at = np.searchsorted(keys, wanted)
    shared = np.bincount(pair, weights=keys[np.minimum(at, len(keys) - 1)] == wanted, minlength=len(earlier))
    found[found] = shared >= THRESHOLD * (counts + sizes[later] - shared)
    return found


def _mix(values: Hashes) -> Hashes:
    """Spread bits over the whole word (the finisher of SplitMix64)."""
    values = (values + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
