"""Answers that are no closed set: the prompt is continued greedily and what comes is held against the right answer.

Nothing here loads a model. The prompt's ids are those of training, as in scoring.py; generation ends at the model's
end token, where the template's text after the answer begins, or after as many tokens as the longest answer has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phinb.data.template import Part, fill, parse_template
from phinb.errors import PhinbError
from phinb.evaluation.scoring import Encoder, answer_of, fill_parts, split_template

SAMPLES = 32
"""Answers that tell how long one may be and where the prompt's tokens end: the longest, by characters."""

MOST_TOKENS = 512
ROOM = 1.25
"""A generation may be a quarter longer than the longest right answer: one that runs on is to be seen running on."""


@dataclass(frozen=True)
class GenerationTask:
    """`prompts[i]` is to be continued; `answers[i]` is right. stops: texts at which an answer has ended. samples: some
    answers as the template writes them. add_special_tokens: as in ScoringTask."""

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    samples: tuple[str, ...]
    stops: tuple[str, ...]
    add_special_tokens: bool


@dataclass(frozen=True)
class EncodedPrompt:
    """A row's prompt in token ids; `held_back` is the prompt's end that is not among them, because in training it
    shares its token with the answer's beginning: a generation starts with it."""

    row: int
    ids: tuple[int, ...]
    held_back: str


def build_generation(
    rows: Sequence[Mapping[str, Any]],
    *,
    template: str,
    answer: str | None = None,
    train_rows: Sequence[Mapping[str, Any]] = (),
    add_special_tokens: bool = True,
) -> GenerationTask:
    """Prompts and right answers of `rows` under the training template. Raises PhinbError, naming the row, where one
    lacks a field or an answer."""
    if not rows:
        raise PhinbError("There are no rows to answer.", "Name a file or a data config that has rows.")
    before, slot, after, answer = split_template(template, answer)
    answers = tuple(answer_of(row, number, answer, len(rows)) for number, row in enumerate(rows, 1))
    prompts = tuple(fill_parts(before, row, number, len(rows)) for number, row in enumerate(rows, 1))
    found = [row[answer] for row in [*train_rows, *rows] if row.get(answer) not in (None, "")]
    texts = {fill((slot,), {answer: value})[0] for value in found}
    samples = tuple(sorted(texts, key=lambda text: (-len(text), text))[:SAMPLES])
    return GenerationTask(prompts, answers, samples, _find_stops(after), add_special_tokens)


def _find_stops(after: Sequence[Part]) -> tuple[str, ...]:
    """The literal text right after the answer, if it is more than spaces (a line end is)."""
    text = after[0].text if after and after[0].field is None else ""
    return (text,) if text.strip(" ") else ()


def encode_generation(task: GenerationTask, encoder: Encoder) -> tuple[list[EncodedPrompt], int]:
    """(every row's prompt in ids, how many tokens may be generated).

    A prompt's ids are those that all sample answers leave as they are when prompt and answer are tokenised in one
    piece, as in training. Raises PhinbError where nothing stands before the answer.
    """
    lead, tail = (f"{encoder.bos} ", f" {encoder.eos}") if task.add_special_tokens else ("", "")
    longest = 1
    prompts = []
    for row, text in enumerate(task.prompts):
        prompt = lead + text
        # A few are enough to see where the prompt's tokens end; how long answers are is the same for every row.
        samples = task.samples if row == 0 else task.samples[:4]
        ids: list[int] | None = None
        for sample in samples:
            encoding = encoder.encode(prompt + sample + tail)
            inside = sum(1 for start, _ in encoding.offsets if start < len(prompt))
            kept = sum(1 for _, end in encoding.offsets[:inside] if end <= len(prompt))
            own = list(encoding.ids[:kept])
            ids = own if ids is None else ids[: _shared(ids, own)]
            if row == 0:
                stop = len(prompt) + len(sample)
                longest = max(longest, sum(1 for start, _ in encoding.offsets if start < stop) - kept)
        if not ids:
            raise PhinbError(
                f"Row {row + 1}: nothing stands before the answer, so that there is nothing to continue.",
                "Let the template have text before the answer, or add special tokens.",
            )
        ends = encoder.encode(prompt + task.samples[0] + tail).offsets[len(ids) - 1][1]
        prompts.append(EncodedPrompt(row, tuple(ids), prompt[ends:]))
    return prompts, min(MOST_TOKENS, int(longest * ROOM) + 1)


def find_openers(task: GenerationTask, prompt: EncodedPrompt, encoder: Encoder) -> list[int]:
    """The tokens that the sample answers begin with after this prompt; sorted."""
    lead, tail = (f"{encoder.bos} ", f" {encoder.eos}") if task.add_special_tokens else ("", "")
    texts = (lead + task.prompts[prompt.row] + sample + tail for sample in task.samples)
    return sorted({encoder.encode(text).ids[len(prompt.ids)] for text in texts})


def read_answer(text: str, held_back: str, stops: Sequence[str] = ()) -> str:
    """A generation without the prompt's end that it had to repeat, up to a stop text, and without white space around
    it."""
    text = text.removeprefix(held_back)
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places, default=len(text))].strip()


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def count_answers(rows: Sequence[Mapping[str, Any]], answer: str) -> int:
    """How many different answers there are."""
    return len({str(row[answer]) for row in rows if row.get(answer) not in (None, "")})


def fields_before(template: str, answer: str) -> tuple[str, ...]:
    """The template's columns without the answer, in their order."""
    names = (part.field for part in parse_template(template))
    return tuple(dict.fromkeys(name for name in names if name is not None and name != answer))
