"""Rows and a text template become prompts with candidate labels; labels' log-likelihoods become predictions.

Nothing here loads a model. The prompt is the training template up to the answer, and every label is scored on the
token ids that training saw: text before the answer, label and what follows are tokenised in one piece (a label's
first token may hold the space before it), then cut where the labels begin to differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Protocol

from phinb.data.template import Part, answer_field, fill, parse_template
from phinb.errors import PhinbError
from phinb.evaluation.scoring_kinds import SCORINGS, Scoring
from phinb.models.tokenizers import Encoding
from phinb.types import Problem, RowScore

EMPTY_ROW = -1
"""The number of the row whose fields are all empty."""


@dataclass(frozen=True)
class ScoringTask:
    """What is asked of every variant: `prompts[i]` is to be continued by one of `labels`, rightly by `answers[i]`.

    label_texts[k] is labels[k] as the template writes it. endings[i] is what the template has after the answer in
    row i; it is scored too (`scores_ending`) where one label is the beginning of another, because else the shorter
    one could never lose. add_special_tokens: the text stands between the tokenizer's bos and eos, with a space on
    either side, as Olive writes it. empty: prompt and ending where all fields are empty, None where the template
    cannot write that.
    """

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    labels: tuple[str, ...]
    label_texts: tuple[str, ...]
    endings: tuple[str, ...]
    add_special_tokens: bool
    scores_ending: bool = False
    empty: tuple[str, str] | None = None
    problems: tuple[Problem, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class EncodedRow:
    """One row in token ids: what all candidates share, then each candidate's own ids, in the order of the labels."""

    row: int
    prompt: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...]


class Encoder(Protocol):
    """What is needed of a tokenizer: ids with the characters they stand for, and its two special tokens as text."""

    @property
    def bos(self) -> str | None: ...

    @property
    def eos(self) -> str | None: ...

    def encode(self, text: str) -> Encoding: ...


# ---------------------------------------------------------------------------------------- rows -> task


def build_task(
    rows: Sequence[Mapping[str, Any]],
    *,
    template: str,
    answer: str | None = None,
    labels: Sequence[Any] | None = None,
    train_rows: Sequence[Mapping[str, Any]] = (),
    add_special_tokens: bool = True,
) -> ScoringTask:
    """Prompts and labels of `rows` under the training template.

    answer: the column to be predicted, by default the template's last field. labels: the closed set of answers, by
    default the distinct ones in `train_rows` and `rows`, sorted. A given label that no row has is a warning among the
    task's problems. Raises PhinbError, naming the row, where a row lacks a field or its answer is not a label.
    """
    if not rows:
        raise PhinbError("There are no rows to score.", "Name a file or a data config that has rows.")
    before, slot, after, answer = split_template(template, answer)
    answers = tuple(answer_of(row, number, answer, len(rows)) for number, row in enumerate(rows, 1))
    values = _label_values(rows, train_rows, answer, labels)
    _check_answers(answers, values)
    prompts = tuple(fill_parts(before, row, number, len(rows)) for number, row in enumerate(rows, 1))
    endings = tuple(fill_parts(after, row, number, len(rows)) for number, row in enumerate(rows, 1))
    texts = tuple(fill((slot,), {answer: value})[0] for value in values.values())
    nested = [(a, b) for a in texts for b in texts if a != b and b.startswith(a)]
    ends = bool(nested) and (add_special_tokens or all(endings))
    problems = _label_problems(set(answers), values, labels, nested, ends)
    empty = _fill_empty(before, after)
    return ScoringTask(prompts, answers, tuple(values), texts, endings, add_special_tokens, ends, empty, problems)


def split_template(template: str, answer: str | None = None) -> tuple[tuple[Part, ...], Part, tuple[Part, ...], str]:
    """(parts before the answer's first place, the answer's own, those after it, the answer's name).

    What follows ends where the answer is told once more. Raises PhinbError for a template that cannot be filled, that
    has no field, or not the one asked for.
    """
    parts = parse_template(template)
    names = tuple(dict.fromkeys(part.field for part in parts if part.field is not None))
    if not names:
        raise PhinbError(f"The text template {template!r} has no field in braces.", "Write it as '{phrase}\\n{tone}'.")
    answer = answer or answer_field(template)
    if answer is None or answer not in names:
        raise PhinbError(
            f"The answer's column {answer!r} is not in the text template {template!r}.",
            f"Its fields are: {', '.join(names)}.",
        )
    place = next(index for index, part in enumerate(parts) if part.field == answer)
    after = tuple(takewhile(lambda part: part.field != answer, parts[place + 1 :]))
    return parts[:place], parts[place], after, answer


def answer_of(row: Mapping[str, Any], number: int, answer: str, total: int) -> str:
    """The right answer of row `number` of `total` as text; PhinbError where it has none."""
    value = row.get(answer)
    if value is None or value == "":
        raise PhinbError(
            f"Row {number} of {total} has no answer in column {answer!r}.",
            f"Its columns are: {', '.join(map(str, row))}. Fill the column, or leave the row out.",
        )
    return str(value)


MOST_LABELS = 50
"""More answers than these are free text, not labels, unless the user names them."""


def _label_values(
    rows: Sequence[Mapping[str, Any]],
    train_rows: Sequence[Mapping[str, Any]],
    answer: str,
    labels: Sequence[Any] | None,
) -> dict[str, Any]:
    """The labels as text -> the value that the template gets."""
    if labels is not None:
        values = {str(label): label for label in labels}
    else:
        found = [row[answer] for row in [*train_rows, *rows] if row.get(answer) not in (None, "")]
        values = dict(sorted({str(value): value for value in found}.items()))
    if labels is None and len(values) > MOST_LABELS:
        raise PhinbError(
            f"Column {answer!r} has {len(values):,} different answers: each would be scored as a label on every row.",
            "Name another answer column (answer=...), or the labels to choose from (labels=[...]).",
        )
    if len(values) < 2:
        only = f"only {next(iter(values))!r}" if values else "none"
        raise PhinbError(
            f"There must be at least two labels to choose from; column {answer!r} has {only}.",
            "Give the labels: labels=[...], or `labels` in the configuration's section phinb.",
        )
    return values


def _check_answers(answers: Sequence[str], values: Mapping[str, Any]) -> None:
    for number, answer in enumerate(answers, 1):
        if answer not in values:
            raise PhinbError(
                f"Row {number} of {len(answers)} has the answer {answer!r}, which is not among the labels.",
                f"The labels are: {', '.join(values)}. Add it to the labels, or mend the row.",
            )


def _label_problems(
    answers: set[str],
    values: Mapping[str, Any],
    labels: Sequence[Any] | None,
    nested: Sequence[tuple[str, str]],
    scores_ending: bool,
) -> tuple[Problem, ...]:
    problems = []
    for label in values if labels is not None else ():
        if label not in answers:
            message = f"The label {label!r} never occurs in the rows."
            problems.append(Problem("warning", "label_never_occurs", message, hint="Is it spelt as in the data?"))
    if nested and not scores_ending:
        short, long = nested[0]
        message = f"The label {short!r} is the beginning of {long!r} and nothing follows it: {long!r} can never win."
        hint = "Let the template end with a line end, or add special tokens."
        problems.append(Problem("warning", "label_prefix", message, hint=hint))
    return tuple(problems)


def fill_parts(parts: tuple[Part, ...], row: Mapping[str, Any], number: int, total: int) -> str:
    """A piece of the template, filled; PhinbError, naming the row, where it does not fit."""
    try:
        return fill(parts, row)[0]
    except (KeyError, ValueError, TypeError) as error:
        missing = error.args[0] if isinstance(error, KeyError) and error.args else None
        what = f"has no column {missing!r}" if missing is not None else f"does not fit the template ({error})"
        raise PhinbError(f"Row {number} of {total} {what}.", f"Its columns are: {', '.join(map(str, row))}.") from None


def _fill_empty(before: tuple[Part, ...], after: tuple[Part, ...]) -> tuple[str, str] | None:
    """The template with every field empty; None where a field's format takes no text."""
    names = {part.field: "" for part in (*before, *after) if part.field is not None}
    try:
        return fill(before, names)[0], fill(after, names)[0]
    except (ValueError, TypeError):
        return None


# ----------------------------------------------------------------------------------------- task -> ids


def encode_task(task: ScoringTask, encoder: Encoder) -> list[EncodedRow]:
    """Every row in token ids. Raises PhinbError where nothing stands before the answer or a label has no token."""
    texts = zip(task.prompts, task.endings, strict=True)
    return [_encode_row(task, index, *text, encoder) for index, text in enumerate(texts)]


def encode_empty(task: ScoringTask, encoder: Encoder) -> EncodedRow | None:
    """The row of which all fields are empty (EMPTY_ROW), for calibration; None where there is none such."""
    if task.empty is None:
        return None
    try:
        return _encode_row(task, EMPTY_ROW, *task.empty, encoder)
    except PhinbError:  # nothing before the answer
        return None


def _encode_row(task: ScoringTask, index: int, prompt: str, ending: str, encoder: Encoder) -> EncodedRow:
    lead, tail = (f"{encoder.bos} ", f" {encoder.eos}") if task.add_special_tokens else ("", "")
    prompt, ending = lead + prompt, ending + tail
    full: list[list[int]] = []
    before: list[int] = []
    for text in task.label_texts:
        stop = len(prompt) + len(text) + (len(ending) if task.scores_ending else 0)
        encoding = encoder.encode(prompt + text + ending)
        starts = [start for start, _ in encoding.offsets]
        full.append([token for token, start in zip(encoding.ids, starts, strict=True) if start < stop])
        before.append(sum(start < len(prompt) for start in starts))
    # Labels may share their first tokens: those are still the labels', hence the second bound.
    cut = min(_common_prefix(full), *before)
    if cut == 0:
        raise PhinbError(
            f"Row {index + 1}: nothing stands before the answer, so that there is nothing to score it by.",
            "Let the template have text before the answer, or add special tokens.",
        )
    candidates = tuple(tuple(ids[cut:]) for ids in full)
    for label, candidate in zip(task.labels, candidates, strict=True):
        if not candidate:
            raise PhinbError(
                f"The tokenizer makes no token of the label {label!r} (row {index + 1}).",
                "The tokenizer does not know its characters, or is broken: compare it with the base model's.",
            )
    return EncodedRow(index, tuple(full[0][:cut]), candidates)


def _common_prefix(sequences: Sequence[Sequence[int]]) -> int:
    length = 0
    for column in zip(*sequences, strict=False):
        if any(token != column[0] for token in column):
            break
        length += 1
    return length


def score_rows(
    task: ScoringTask, likelihoods: Mapping[int, Sequence[float]], encoded: Sequence[EncodedRow] = ()
) -> tuple[RowScore, ...]:
    """{row: log-likelihood of each label, nats} -> the rows' scores in order; of equals the first label wins.

    encoded: the rows, whose labels' tokens are counted into the scores (`rank_rows` needs them for "mean").
    Raises PhinbError where a value is not a number: such a model is broken, not wrong.
    """
    counts = {row.row: tuple(map(len, row.candidates)) for row in encoded}
    scores = []
    for row, values in sorted(likelihoods.items()):
        if row == EMPTY_ROW:
            continue
        if any(value != value or value == float("-inf") for value in values):
            raise PhinbError(
                f"The model gives no number (nan or -inf) for row {row + 1}.",
                "Its weights are damaged or overflow: build the artefact again.",
            )
        by_label = dict(zip(task.labels, map(float, values), strict=True))
        tokens = dict(zip(task.labels, counts[row], strict=True)) if row in counts else {}
        scores.append(RowScore(row, task.answers[row], _likeliest(by_label), by_label, tokens))
    return tuple(scores)


def rank_rows(
    scores: Sequence[RowScore], scoring: Scoring = "sum", prior: Mapping[str, float] | None = None
) -> tuple[RowScore, ...]:
    """The same rows with the labels ranked by another figure; nothing is measured anew.

    prior: each label's log-likelihood after the empty prompt (Measurement.prior), which "calibrated" needs. Raises
    PhinbError for another scoring, and where what it needs was not measured.
    """
    if scoring not in SCORINGS:
        raise PhinbError(f"There is no scoring {scoring!r}.", f"There are: {', '.join(SCORINGS)}.")
    return tuple(_rank(score, scoring, prior or {}) for score in scores)


def _rank(score: RowScore, scoring: Scoring, prior: Mapping[str, float]) -> RowScore:
    likelihoods = score.log_likelihoods
    if not likelihoods:
        return score
    if scoring == "sum":
        return replace(score, predicted=_likeliest(likelihoods), scores={})
    needed, what = (score.tokens, "tokens a label") if scoring == "mean" else (prior, "the empty prompt")
    missing = likelihoods.keys() - needed.keys()
    if missing:
        raise PhinbError(
            f"scoring={scoring!r} needs what was not measured ({what}).",
            "Compare again; a template in which nothing stands before the answer cannot be calibrated.",
        )
    if scoring == "mean":
        ranked = {label: value / score.tokens[label] for label, value in likelihoods.items()}
    else:
        ranked = {label: value - prior[label] for label, value in likelihoods.items()}
    return replace(score, predicted=_likeliest(ranked), scores=ranked)


def _likeliest(scores: Mapping[str, float]) -> str:
    """Of equals the first."""
    return max(scores, key=lambda label: scores[label])
