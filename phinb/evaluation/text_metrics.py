"""How near a generated text comes to the right answer: exact match, token F1, ROUGE. All from 0 to 1.

Exact match and F1 are SQuAD's (Rajpurkar et al. 2016; its evaluation script v1.1): lower case, no punctuation, no
English articles, white space as one space. ROUGE (Lin 2004) is the F-measure of rouge-score without stemming; the
package itself brings nltk along, and drops every letter but a to z: here a word is a run of letters and digits of any
script, which for ASCII text is the same. Tests hold both against the originals.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORDS = re.compile(r"[^\W_]+")

UserMetric = Callable[[str, str, Mapping[str, Any]], float]
"""(predicted text, right answer, row) -> a number, higher being better."""


def normalise(text: str) -> str:
    """A text as SQuAD compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(predicted: str, answer: str) -> float:
    """1.0 where both are the same once normalised."""
    return float(normalise(predicted) == normalise(answer))


def token_f1(predicted: str, answer: str) -> float:
    """The harmonic mean of precision and recall of the normalised words, each counted as often as it stands there.

    Where one of the texts has no word left, 1.0 if the other has none either (as in SQuAD 2.0's script).
    """
    found, right = normalise(predicted).split(), normalise(answer).split()
    if not found or not right:
        return float(found == right)
    return _f_measure(sum((Counter(found) & Counter(right)).values()), len(found), len(right))


def rouge_n(predicted: str, answer: str, size: int) -> float:
    """ROUGE-N: the F-measure of shared runs of `size` words; 0.0 where either text has none so long."""
    found, right = _runs(_words(predicted), size), _runs(_words(answer), size)
    return _f_measure(sum((found & right).values()), sum(found.values()), sum(right.values()))


def rouge_l(predicted: str, answer: str) -> float:
    """ROUGE-L: the F-measure of the longest common subsequence of words, the text as one sentence."""
    from rapidfuzz.distance import LCSseq

    found, right = _words(predicted), _words(answer)
    return _f_measure(LCSseq.similarity(_numbered(found, right), _numbered(right, found)), len(found), len(right))


METRICS: Mapping[str, Callable[[str, str], float]] = {
    "exact_match": exact_match,
    "f1": token_f1,
    "rouge1": lambda predicted, answer: rouge_n(predicted, answer, 1),
    "rouge2": lambda predicted, answer: rouge_n(predicted, answer, 2),
    "rougeL": rouge_l,
}
"""Metrics of a generated text by the name that `metrics` takes."""


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.lower())


def _runs(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _numbered(words: Sequence[str], others: Sequence[str]) -> list[Hashable]:
    """Each word as its place among all words of both, sorted: whole numbers cannot collide as hashes of texts can."""
    places = {word: place for place, word in enumerate(sorted({*words, *others}))}
    return [places[word] for word in words]


def _f_measure(shared: int, found: int, right: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / found, shared / right
    return 2 * precision * recall / (precision + recall)
