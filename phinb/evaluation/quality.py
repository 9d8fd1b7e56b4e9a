"""What is asked about a variant's quality, in parts that are measured and kept apart, and what is made of the answers.

A part is "labels" (each label's likelihood on each row), "texts" (each row answered by generation, and the next
token's distribution), "losses" (each row as text to be predicted) or "lm_eval:TASK" (phinb.evaluation.harness). The
process that serves a variant answers them (phinb.evaluation.protocol). Scorings, metrics of texts and a user's
functions are worked out from what was measured: another of them measures nothing anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import hash_json
from phinb.evaluation.free_text import (
    GenerationTask,
    build_generation,
    count_answers,
    encode_generation,
    fields_before,
    find_openers,
    read_answer,
)
from phinb.evaluation.harness import describe_task
from phinb.evaluation.perplexity import EncodedText, LossTask, build_losses, encode_losses, sum_losses
from phinb.evaluation.scoring import (
    EMPTY_ROW,
    MOST_LABELS,
    EncodedRow,
    Encoder,
    ScoringTask,
    build_task,
    encode_empty,
    encode_task,
    rank_rows,
    score_rows,
    split_template,
)
from phinb.evaluation.scoring_kinds import SCORINGS, Scoring
from phinb.evaluation.text_metrics import METRICS, UserMetric, exact_match
from phinb.types import Measurement, NextTokens, Problem, RowScore, RowText

Metrics = Sequence[str | UserMetric] | Mapping[str, UserMetric]
"""Names, functions (named as they are called), or functions by name."""

LABEL_METRICS = ("accuracy", "macro_f1")
LOSS_METRICS = ("perplexity", "bits_per_byte")
FREE_TEXT_METRICS = ("exact_match", "f1", "rougeL")
"""What free text is judged by where nobody says."""

HARNESS = "lm_eval:"
TOP_TOKENS = 200
"""How many of the likeliest next tokens are kept a row, to tell how far a stage moved the distribution; beside them
those that answers begin with, which a base may think unlikely: where few are shared, the bound is loose."""

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
"""(operation, payload) -> its result: VariantProcess.ask, its other arguments filled in."""


@dataclass(frozen=True)
class QualityPlan:
    """What every variant is asked. A part that is None is not; metrics are those of texts by name, functions a user's.

    rows: the data rows, which a user's function is given. prompts, fields: of each row, for whoever reads the result.
    """

    rows: tuple[Mapping[str, Any], ...]
    answer: str
    labels: ScoringTask | None = None
    texts: GenerationTask | None = None
    losses: LossTask | None = None
    harness: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    functions: Mapping[str, UserMetric] = field(default_factory=dict)
    scoring: Scoring = "sum"
    prompts: tuple[str, ...] = ()
    fields: tuple[Mapping[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        """{part: all that decides its answers, as JSON}, in the order they are measured."""
        found: dict[str, dict[str, Any]] = {}
        if self.labels is not None:
            found["labels"] = {key: value for key, value in asdict(self.labels).items() if key != "problems"}
        if self.texts is not None:
            found["texts"] = asdict(self.texts) | {"top": TOP_TOKENS}
        if self.losses is not None:
            found["losses"] = asdict(self.losses)
        return found | {HARNESS + task: dict(decides) for task, decides in self.harness.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """For Comparison.settings: labels ([] for free text), scoring, metrics, scores_ending."""
        return {
            "labels": list(self.labels.labels) if self.labels else [],
            "scoring": self.scoring,
            "metrics": [*self.metrics, *self.functions],
            "scores_ending": bool(self.labels and self.labels.scores_ending),
        }


def plan_quality(
    rows: Sequence[Mapping[str, Any]],
    *,
    template: str,
    answer: str | None = None,
    labels: Sequence[Any] | None = None,
    metrics: Metrics | None = None,
    scoring: Scoring = "sum",
    train_rows: Sequence[Mapping[str, Any]] = (),
    add_special_tokens: bool = True,
    trained_field: str | None = None,
    max_tokens: int = 1024,
) -> QualityPlan:
    """Labels where there are at most MOST_LABELS different answers (or `labels` names them), else free text.

    metrics: "accuracy" and "macro_f1" score labels; "exact_match", "f1", "rouge1", "rouge2", "rougeL" and functions
    generate; "perplexity" and "bits_per_byte" predict the rows; "lm_eval:TASK" runs a task of the harness; "latency"
    is measured in any case. Where only rows are predicted or tasks run, no label is scored. Left out: accuracy and
    macro-F1 of labels; exact match, F1 and ROUGE-L of free text. trained_field, max_tokens: as in training, for
    perplexity. Raises PhinbError for an unknown metric or scoring, where lm_eval is not installed, and as build_task
    does.
    """
    names, functions = _read_metrics(metrics)
    if scoring not in SCORINGS:
        raise PhinbError(f"There is no scoring {scoring!r}.", f"There are: {', '.join(SCORINGS)}.")
    if not rows:
        raise PhinbError("There are no rows to score.", "Name a file or a data config that has rows.")
    tasks = [name.removeprefix(HARNESS) for name in names if name.startswith(HARNESS)]
    harness = {task: describe_task(task) for task in tasks}
    losses = any(name in LOSS_METRICS for name in names)
    column = split_template(template, answer)[3]
    only_others = bool(names) and not functions and all(n in LOSS_METRICS or n.startswith(HARNESS) for n in names)
    common = {
        "template": template,
        "answer": answer,
        "train_rows": train_rows,
        "add_special_tokens": add_special_tokens,
    }
    free = labels is None and count_answers([*train_rows, *rows], column) > MOST_LABELS
    generates = bool(functions) or any(name in METRICS for name in names) or (free and not only_others)
    texts = build_generation(rows, **common) if generates else None  # type: ignore[arg-type]
    task = None if free or only_others else build_task(rows, labels=labels, **common)  # type: ignore[arg-type]
    asked = tuple(name for name in names if name in METRICS)
    columns = fields_before(template, column)
    either = task or texts
    return QualityPlan(
        tuple(rows),
        column,
        task,
        texts,
        build_losses(
            rows,
            template=template,
            trained_field=trained_field,
            max_tokens=max_tokens,
            add_special_tokens=add_special_tokens,
        )
        if losses
        else None,
        harness,
        asked if asked or functions or not texts else FREE_TEXT_METRICS,
        functions,
        scoring,
        either.prompts if either else (),
        tuple({name: str(row.get(name, "")) for name in columns} for row in rows),
        (task.problems if task else ()) + (_say_free_text(column, train_rows, rows) if free and generates else ()),
    )


def _read_metrics(metrics: Metrics | None) -> tuple[tuple[str, ...], dict[str, UserMetric]]:
    """(names, functions by name). Raises PhinbError for what is neither, and for a name that is not known."""
    if isinstance(metrics, str):
        raise PhinbError(f"metrics is the text {metrics!r}.", f"Give a list: metrics=[{metrics!r}].")
    names: list[str] = []
    functions: dict[str, UserMetric] = {}
    pairs = metrics.items() if isinstance(metrics, Mapping) else ((None, one) for one in metrics or ())
    known = (*LABEL_METRICS, "latency", *METRICS, *LOSS_METRICS)
    for name, one in pairs:
        if callable(one):
            own = str(name or getattr(one, "__name__", "metric"))
            if own in known or own in functions:
                raise PhinbError(f"There is already a metric {own!r}.", "Give your function another name.")
            functions[own] = one
        elif isinstance(one, str) and name is None:
            names.append(one)
        else:
            raise PhinbError(f"The metric {name or one!r} is neither a name nor a function.", _HINT)
    for wrong in (name for name in names if name not in known and not name.startswith(HARNESS)):
        raise PhinbError(f"There is no metric {wrong!r}.", f"There are: {', '.join(known)}, lm_eval:TASK. {_HINT}")
    return tuple(dict.fromkeys(names)), functions


_HINT = 'A function of your own: metrics={"name": lambda predicted, answer, row: ...}.'


def _say_free_text(
    column: str, train_rows: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> tuple[Problem, ...]:
    many = count_answers([*train_rows, *rows], column)
    message = f"Column {column!r} has {many:,} different answers: they are taken as free text, generated and compared."
    hint = "Name the labels to choose from (labels=[...]) if they are a closed set."
    return (Problem("info", "free_text", message, hint=hint),)


# -------------------------------------------------------------------------------------------- measuring


def encode_payload(payload: Mapping[str, Any], encoder: Encoder) -> dict[str, Any]:
    """The serving process's half of `measure_part`: a part's rows in this variant's token ids."""
    record: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in payload["record"].items()
    }
    if payload["part"] == "labels":
        scoring = ScoringTask(**record)
        empty = encode_empty(scoring, encoder)
        return {"rows": [asdict(row) for row in [*encode_task(scoring, encoder), *([empty] if empty else [])]]}
    if payload["part"] == "texts":
        record.pop("top")
        task = GenerationTask(**record)
        prompts, most = encode_generation(task, encoder)
        openers = find_openers(task, prompts[0], encoder)
        return {"rows": [asdict(prompt) for prompt in prompts], "max_new_tokens": most, "openers": openers}
    return {"rows": [asdict(text) for text in encode_losses(LossTask(**record), encoder)]}


def find_prompts(part: str, encoded: Mapping[str, Any]) -> list[list[int]]:
    """What latency is timed on, from what `encode_payload` gave: prompts; of a row to be predicted its first half."""
    if part == "losses":
        return [list(row["ids"][: max(1, len(row["ids"]) // 2)]) for row in encoded["rows"]]
    key = "prompt" if part == "labels" else "ids"
    return [list(row[key]) for row in encoded["rows"] if row["row"] != EMPTY_ROW]


def measure_part(part: str, plan: QualityPlan, ask: Ask, encoded: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a loaded variant answers to a part: fields of Measurement, for `fill_measurement`.

    encoded: what {"part", "record"} gives as payload of `encode`, if it was asked already. Raises PhinbError where
    the variant's answers are no numbers or its tokenizer makes nothing of a label.
    """
    if part.startswith(HARNESS):
        return ask("harness", plan.parts[part])
    if encoded is None:
        encoded = ask("encode", {"part": part, "record": plan.parts[part]})
    if part == "labels":
        return _measure_labels(plan, ask, encoded)
    return _measure_texts(plan, ask, encoded) if part == "texts" else _measure_losses(ask, encoded)


def _measure_labels(plan: QualityPlan, ask: Ask, encoded: Mapping[str, Any]) -> dict[str, Any]:
    assert plan.labels is not None
    likelihoods: dict[int, list[float]] = dict(ask("score", {"rows": encoded["rows"]})["scores"])
    rows = [
        EncodedRow(row["row"], tuple(row["prompt"]), tuple(map(tuple, row["candidates"]))) for row in encoded["rows"]
    ]
    scores = score_rows(plan.labels, likelihoods, rows)
    prior = dict(zip(plan.labels.labels, likelihoods.get(EMPTY_ROW, ()), strict=False))
    finite = all(math.isfinite(value) for value in prior.values())
    return {"scores": scores, "prior": prior if finite else {}}


def _measure_texts(plan: QualityPlan, ask: Ask, encoded: Mapping[str, Any]) -> dict[str, Any]:
    assert plan.texts is not None
    prompts = [row["ids"] for row in encoded["rows"]]
    held = [row["held_back"] for row in encoded["rows"]]
    # A stop text within what the generation must repeat would end it before it begins.
    stops = [stop for stop in plan.texts.stops if not any(stop in text for text in held)]
    asked = {"prompts": prompts, "max_new_tokens": encoded["max_new_tokens"], "stops": stops}
    generations = ask("generate", asked)["generations"]
    asked = {"sequences": [{"ids": ids} for ids in prompts], "top": TOP_TOKENS, "of": encoded["openers"]}
    places = [sequence["places"][0] for sequence in ask("next_token", asked)["sequences"]]
    texts = tuple(
        RowText(row, read_answer(one["text"], text, plan.texts.stops), len(one["ids"]), one["finish"])
        for row, (one, text) in enumerate(zip(generations, held, strict=True))
    )
    likeliest = tuple(
        _read_next(row, place, encoded["openers"], ids)
        for row, (place, ids) in enumerate(zip(places, prompts, strict=True))
    )
    return {"texts": texts, "next_tokens": likeliest, "max_new_tokens": encoded["max_new_tokens"]}


def _read_next(row: int, place: Mapping[str, Any], openers: Sequence[int], prompt: Sequence[int]) -> NextTokens:
    known = dict(zip(openers, place["of"], strict=True)) | dict(place["top"])
    if any(value != value for value in known.values()):
        raise PhinbError(
            f"The model gives no number (nan) for row {row + 1}.", "Its weights are damaged: build the artefact again."
        )
    # -inf is no JSON; a token that cannot come is no likelier than this.
    ordered = sorted(known.items(), key=lambda pair: (-pair[1], pair[0]))
    values = tuple(round(max(value, -1000.0), 5) for _, value in ordered)
    return NextTokens(row, tuple(token for token, _ in ordered), values, hash_json(list(prompt))[:12])


def _measure_losses(ask: Ask, encoded: Mapping[str, Any]) -> dict[str, Any]:
    answer = ask("likelihood", {"sequences": [row["ids"] for row in encoded["rows"]]})
    texts = [EncodedText(row["row"], tuple(row["ids"]), tuple(row["trained"]), row["bytes"]) for row in encoded["rows"]]
    return {"losses": sum_losses(texts, answer["sequences"])}


# ---------------------------------------------------------------------------------------------- answers


def fill_measurement(
    measurement: Measurement, plan: QualityPlan, answers: Mapping[str, Mapping[str, Any]]
) -> Measurement:
    """The measurement with the parts' answers ({part: what measure_part or run_harness gave}), its labels ranked and
    its texts judged. Raises PhinbError where a user's function fails or gives no number, naming the row."""
    found = {key: value for answer in answers.values() for key, value in answer.items() if key != "harness"}
    harness = {task: figures for answer in answers.values() for task, figures in answer.get("harness", {}).items()}
    filled = replace(measurement, **found, harness=harness)
    if filled.scores:
        filled = replace(filled, scores=rank_rows(filled.scores, plan.scoring, filled.prior))
    if plan.texts is not None and filled.texts:
        filled = replace(filled, values=_judge(plan, plan.texts, filled.texts))
        if plan.labels is None:
            filled = replace(filled, scores=_as_scores(plan.texts, filled.texts))
    return filled


def _as_scores(task: GenerationTask, texts: Sequence[RowText]) -> tuple[RowScore, ...]:
    """Free texts as predictions: right where they match exactly, once normalised."""
    pairs = [(text, task.answers[text.row]) for text in texts]
    return tuple(
        RowScore(text.row, answer, text.text, {}, matches=exact_match(text.text, answer) == 1) for text, answer in pairs
    )


def _judge(plan: QualityPlan, task: GenerationTask, texts: Sequence[RowText]) -> dict[str, tuple[float, ...]]:
    values = {name: tuple(METRICS[name](text.text, task.answers[text.row]) for text in texts) for name in plan.metrics}
    for name, function in plan.functions.items():
        values[name] = tuple(_call(name, function, text, task.answers[text.row], plan.rows[text.row]) for text in texts)
    return values


def _call(name: str, function: UserMetric, text: RowText, answer: str, row: Mapping[str, Any]) -> float:
    try:
        value = float(function(text.text, answer, row))
    except Exception as error:  # whatever a user's function raises
        what = f"fails on row {text.row + 1}: {type(error).__name__}: {error}"
        raise PhinbError(f"Your metric {name} {what}", _HINT) from error
    if not math.isfinite(value):
        raise PhinbError(f"Your metric {name} gives {value} on row {text.row + 1}.", "It must give a number.")
    return value
