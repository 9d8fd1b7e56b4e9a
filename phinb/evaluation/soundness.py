"""Whether an artefact is broken: told before it is measured, so that it is called broken, not slow or bad.

A sound model may be bad at the rows, and an untrained one knows nothing of them. Broken is what no sound model does:
    - its probabilities are no numbers (weights that are not, or overflow);
    - it gives the same distribution whatever stands before (weights that are all zero, an output that is cut off);
    - it knows less of the rows' own text, and of how each ends, than a model that knows nothing, which needs
      ln(vocabulary) nats a token (weights in the wrong place; another model's tokenizer). The text alone does not tell:
      who learns only answers may unlearn the rest;
    - merging, or packing without quantization, changed what the model says; or quantization left next to nothing of it;
    - its tokenizer does not give a text back.
"""

from __future__ import annotations

import base64
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from phinb.evaluation.operations import Served
    from phinb.evaluation.request import Request

    Array = NDArray[numpy.float64]

PROMPTS = 6
MOST_TOKENS = 48
BUCKETS = 512
"""Into so many groups are a place's tokens put, by the remainder of a product with their ids: what is kept stays small.
Distances of such groups are never larger than those of the tokens."""
SAME = 1e-5
"""Nats of information on the prompt, in the mean over places, below which a model is deaf. Rounding makes 1e-7; the
untrained two-layer model of the tests has 3e-2."""

EXACT = 0.02
"""What merging, or packing without quantization, may change at most, as a share of what the prompts tell the stage
before (`own` of `divergences`). Merging changes 1e-9 of it in float32. One shuffled matrix of the demo model's thirty
layers changes 6 % to all of it."""

SPENT = 0.5
"""The same of quantization: int4 changes 15 % of it on the demo model."""

LEAST = 1e-3
"""Nats below which a change is rounding, however little the prompts tell."""

WORSE = 1.0
"""Nats a token beyond blind guessing, on the rows' text and on its ends. An untrained model is within 0.1 of it; the
demo model is 4 below, with its first layer or its embedding shuffled 1.5 to 37 beyond."""

HINT = "The artefact is broken, not slow or bad: run the pass that makes it again."


@dataclass(frozen=True)
class Stage:
    """What a pass that only packs the model (merging, export, quantization) had to keep: `before` is the model's name;
    exact: nothing but rounding changes."""

    before: str
    exact: bool


def probe(served: Served, request: Request) -> dict[str, Any]:
    """{"texts"} -> what `judge` needs. The last MOST_TOKENS of each text are read; every place of them is looked at.

    nats: -log-likelihood a token of the texts (null where it is no number), over `tokens` tokens; last_nats: of each
    text's last token, in the mean; spread: mean KL of the places' distributions from their mean; survived: share of
    the texts' characters that come back from tokens; places: each place's distribution over groups of tokens, packed;
    sequences: the ids.
    """
    import numpy

    texts = request.payload["texts"]
    sequences = [list(served.tokenizer.encode(text).ids) for text in texts]
    back = [served.tokenizer.decode(ids) for ids in sequences]
    sequences = [ids[-MOST_TOKENS:] for ids in sequences if len(ids) > 1]
    logs = [served.model.log_probabilities(ids)[:-1] for ids in sequences]
    found: dict[str, Any] = {
        "survived": min(map(_share_that_survived, texts, back), default=1.0),
        "vocabulary": served.model.vocabulary,
        "sequences": sequences,
    }
    unknown: dict[str, Any] = {
        "nats": None,
        "last_nats": None,
        "tokens": 0,
        "finite": True,
        "spread": None,
        "places": None,
    }
    if not logs:
        return found | unknown
    whole = numpy.concatenate(logs).astype(numpy.float64)
    following = numpy.concatenate([ids[1:] for ids in sequences])
    if numpy.isnan(whole).any() or not numpy.isfinite(whole.max(axis=-1)).all():
        return found | unknown | {"tokens": len(whole), "finite": False}
    shares = numpy.exp(whole)
    mean = numpy.log(shares.mean(axis=0))
    # A share that is nothing adds nothing: its logarithm may be -inf.
    gained = numpy.where(shares > 0, shares * (whole - mean), 0.0).sum(axis=-1)
    likelihoods = whole[numpy.arange(len(whole)), following]
    ends = numpy.cumsum([len(one) for one in logs]) - 1
    return found | {
        "nats": _finite(-float(likelihoods.mean())),
        "last_nats": _finite(-float(likelihoods[ends].mean())),
        "tokens": len(whole),
        "finite": True,
        "spread": float(gained.mean()),
        "places": _pack(whole),
    }


def judge(
    name: str, found: Mapping[str, Any], before: Mapping[str, Any] | None = None, stage: Stage | None = None
) -> None:
    """Raises PhinbError, with the reason, where the variant is broken.

    before: what the stage before gave, None where there is none; stage: what this one was to do to it.
    """
    _judge_alone(name, found)
    if before is None or stage is None or before["sequences"] != found["sequences"]:
        return
    if before["places"] is None or found["places"] is None:
        return
    apart, own = divergences(_unpack(before["places"]), _unpack(found["places"]))
    if stage.exact and apart > max(EXACT * own, LEAST):
        raise PhinbError(
            f"{name} is not what {stage.before} is: their next tokens are {apart:.2g} nats apart, where this pass "
            f"changes nothing but rounding.",
            f"The weights of one of both are damaged or in the wrong place. {HINT}",
        )
    if apart > max(SPENT * own, LEAST):
        raise PhinbError(
            f"{name} has next to nothing left of {stage.before}: its next tokens are {apart:.2g} nats from "
            f"{stage.before}'s, where one fixed guess for every prompt is {own:.2g} nats away.",
            f"Its weights are damaged or in the wrong place. {HINT}",
        )


def _judge_alone(name: str, found: Mapping[str, Any]) -> None:
    if found["survived"] < 0.5:
        raise PhinbError(
            f"{name}'s tokenizer does not give texts back: {100 * found['survived']:.0f} % of a prompt's characters "
            "survive.",
            "Its vocabulary is damaged or lacks the rows' script: copy the base model's tokenizer there.",
        )
    if not found["finite"]:
        raise PhinbError(
            f"{name} gives no number (nan or inf) for the rows' prompts.",
            "Its weights are damaged or overflow. " + HINT,
        )
    if found["spread"] is not None and found["spread"] < SAME:
        raise PhinbError(
            f"{name} gives the same answer whatever it is asked: its next token's distribution does not depend on the "
            "prompt.",
            f"Its weights are zero or its output is cut off. {HINT}",
        )
    ignorance = math.log(found["vocabulary"])
    nats, last = (math.inf if found[key] is None else found[key] for key in ("nats", "last_nats"))
    if found["places"] and min(nats, last) > ignorance + WORSE:
        raise PhinbError(
            f"{name} knows less of the rows' own text than a model that knows nothing: {nats:.1f} nats a token, where "
            f"blind guessing needs {ignorance:.1f}.",
            f"Its weights are in the wrong place, or its tokenizer is another model's. {HINT}",
        )


def divergences(before: Array, after: Array) -> tuple[float, float]:
    """(mean KL of `after` from `before`, mean KL of before's own mean from it: what its places tell), nats.

    Both of shape (places, outcomes), natural logarithms of distributions.
    """
    import numpy

    shares = numpy.exp(before)
    mean = numpy.log(shares.mean(axis=0, keepdims=True))
    apart, own = ((shares * (before - other)).sum(axis=-1).mean() for other in (after, mean))
    return float(apart), float(own)


def group(logs: Array) -> Array:
    """Shape (places, vocabulary) -> (places, groups), natural logarithms both."""
    import numpy

    size = logs.shape[-1]
    # A product with a prime, so that neighbours in the vocabulary, which are alike, do not share a group.
    groups = numpy.arange(size) * 7919 % min(BUCKETS, size)
    shares = numpy.zeros((len(logs), min(BUCKETS, size)))
    numpy.add.at(shares.T, groups, numpy.exp(logs).T)
    return numpy.log(numpy.maximum(shares, 1e-12))


def _pack(logs: Array) -> dict[str, Any]:
    import numpy

    found = group(logs)
    return {"shape": list(found.shape), "values": base64.b64encode(found.astype(numpy.float16).tobytes()).decode()}


def _unpack(record: Mapping[str, Any]) -> Array:
    """Rounded to half precision: normalised again, so that a distance is none below zero."""
    import numpy

    values = numpy.frombuffer(base64.b64decode(record["values"]), dtype=numpy.float16).reshape(record["shape"])
    logs: Array = values.astype(numpy.float64)
    logs -= numpy.log(numpy.exp(logs).sum(axis=-1, keepdims=True))
    return logs


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _share_that_survived(text: str, back: str) -> float:
    """Spaces, letter case and the many ways to write a letter do not count: tokenizers change them on purpose."""
    before, after = ("".join(unicodedata.normalize("NFKD", one).casefold().split())[:400] for one in (text, back))
    if not before:
        return 1.0
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(before)
