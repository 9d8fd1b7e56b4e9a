"""What the model under training said to the prompts of phinb.samples, as a panel shows it: few, and in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phinb.types import Sample
from phinb.workflow.wording import write_number

LATEST = 3
MOST_PROMPTS = 6
MOST_CHARACTERS = 400
NOTHING = "(nothing)"


@dataclass(frozen=True)
class Answer:
    """What was said; `step` is `step 40`."""

    step: str
    text: str


@dataclass(frozen=True)
class Answers:
    """A prompt's first answer and its latest ones."""

    prompt: str
    given: tuple[Answer, ...]


def choose_samples(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Of each prompt the first answer of the latest training and the last few; of a step told twice, the later one.

    A training that samples at every step must not make a notebook large.
    """
    if not samples:
        return ()
    own = [sample for sample in samples if sample.pass_name == samples[-1].pass_name]
    chosen: list[Sample] = []
    for prompt in list(dict.fromkeys(sample.prompt for sample in own))[:MOST_PROMPTS]:
        steps = {sample.step: sample for sample in own if sample.prompt == prompt}
        ordered = [steps[step] for step in sorted(steps)]
        chosen += [*ordered[:1], *ordered[1:][-LATEST:]]
    return tuple(chosen)


def describe_samples(samples: Sequence[Sample]) -> tuple[Answers, ...]:
    """The chosen samples, by prompt."""
    grouped: dict[str, list[Answer]] = {}
    for sample in choose_samples(samples):
        answer = Answer(f"step {write_number(sample.step)}", _cut(sample.text) if sample.text.strip() else NOTHING)
        grouped.setdefault(sample.prompt, []).append(answer)
    return tuple(Answers(_cut(prompt), tuple(given)) for prompt, given in grouped.items())


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + " …"
