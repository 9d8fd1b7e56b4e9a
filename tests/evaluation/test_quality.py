"""What is asked of a variant: labels, free text, rows to be predicted; and what its answers are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phinb.data.encoder import Encoder
from phinb.data.recipe import Recipe
from phinb.data.sequences import trace
from phinb.errors import PhinbError
from phinb.evaluation.free_text import build_generation, encode_generation, read_answer
from phinb.evaluation.perplexity import build_losses, encode_losses, sum_losses
from phinb.evaluation.quality import fill_measurement, plan_quality
from phinb.evaluation.scoring import EMPTY_ROW, build_task, encode_empty, encode_task, rank_rows, score_rows
from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.types import Measurement, RowText, Variant

TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
ROWS = [{"phrase": "We won!", "tone": "joy"}, {"phrase": "A step behind me.", "tone": "fear"}]
MANY = [{"phrase": f"Item {number}", "tone": f"answer number {number}"} for number in range(60)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(make_tiny(Path(tmp_path_factory.mktemp("models")) / "tiny"))


def test_few_answers_are_labels_and_many_are_free_text() -> None:
    assert list(plan_quality(ROWS, template=TEMPLATE).parts) == ["labels"]
    free = plan_quality(MANY, template=TEMPLATE)
    assert list(free.parts) == ["texts"]
    assert free.metrics == ("exact_match", "f1", "rougeL")
    assert free.problems[0].code == "free_text"
    assert "60 different answers" in free.problems[0].message
    named = plan_quality(MANY, template=TEMPLATE, labels=[row["tone"] for row in MANY])
    assert list(named.parts) == ["labels"]


@pytest.mark.parametrize(
    ("metrics", "parts"),
    [
        (["accuracy", "latency"], ["labels"]),
        (["rougeL"], ["labels", "texts"]),
        (["perplexity"], ["losses"]),
        (["accuracy", "perplexity"], ["labels", "losses"]),
        (["lm_eval:arc"], ["lm_eval:arc"]),
        ({"mine": lambda predicted, answer, row: 1.0}, ["labels", "texts"]),
    ],
)
def test_metrics_choose_what_is_measured(metrics: Any, parts: list[str]) -> None:
    assert list(plan_quality(ROWS, template=TEMPLATE, metrics=metrics).parts) == parts


@pytest.mark.parametrize(
    ("metrics", "words"), [(["bleu"], "no metric 'bleu'"), ("f1", "is the text"), ({"mine": 3}, "neither a name")]
)
def test_an_unknown_metric_is_refused_with_the_known_ones(metrics: Any, words: str) -> None:
    with pytest.raises(PhinbError, match=words) as caught:
        plan_quality(ROWS, template=TEMPLATE, metrics=metrics)
    assert "f1" in caught.value.hint or "lambda" in caught.value.hint


# ------------------------------------------------------------------------------------------------ scorings


def test_the_empty_row_is_the_template_with_empty_fields(tokenizer: Tokenizer) -> None:
    task = build_task(ROWS, template=TEMPLATE)
    assert task.empty == ("### Text: \n### The tone is:\n", "")
    row = encode_empty(task, tokenizer)
    assert row is not None
    assert row.row == EMPTY_ROW
    assert [tokenizer.decode(ids) for ids in row.candidates] == ["fear", "joy"]
    assert encode_empty(build_task(ROWS, template="{phrase:>3d}{tone}"[:8] + "}{tone}"), tokenizer) is not None


def test_length_and_the_empty_prompt_change_what_wins(tokenizer: Tokenizer) -> None:
    task = build_task(ROWS, template=TEMPLATE, labels=["fear", "joy"])
    rows = encode_task(task, tokenizer)
    lengths = [len(candidate) for candidate in rows[0].candidates]
    scores = score_rows(task, {0: [-4.0, -3.0], 1: [-1.0, -2.0], EMPTY_ROW: [-5.0, -1.0]}, rows)
    assert [score.predicted for score in scores] == ["joy", "fear"]
    assert dict(scores[0].tokens) == dict(zip(task.labels, lengths, strict=True))
    prior = {"fear": -5.0, "joy": -1.0}
    calibrated = rank_rows(scores, "calibrated", prior)
    assert [score.predicted for score in calibrated] == ["fear", "fear"]
    assert calibrated[0].scores == {"fear": 1.0, "joy": -2.0}
    assert calibrated[0].log_likelihoods == scores[0].log_likelihoods
    mean = rank_rows(scores, "mean")
    assert mean[0].scores == {"fear": -4.0 / lengths[0], "joy": -3.0 / lengths[1]}
    assert rank_rows(calibrated, "sum") == scores
    with pytest.raises(PhinbError, match="not measured"):
        rank_rows(scores, "calibrated")
    with pytest.raises(PhinbError, match="no scoring"):
        rank_rows(scores, "best")  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------- free text


@pytest.mark.parametrize("template", [TEMPLATE, "{phrase} -> {tone}\n", "{phrase} is:{tone} END"])
def test_a_prompt_is_the_beginning_of_what_training_saw(template: str, tokenizer: Tokenizer) -> None:
    task = build_generation(MANY, template=template)
    prompts, most = encode_generation(task, tokenizer)
    longest = 0
    for row, prompt in zip(MANY, prompts, strict=True):
        whole = f"{tokenizer.bos} {template.format(**row)} {tokenizer.eos}"
        ids = tokenizer.encode(whole).ids
        assert prompt.ids == ids[: len(prompt.ids)]
        text = f"{tokenizer.bos} {template.split('{tone}')[0].format(**row)}"
        assert text.endswith(prompt.held_back)
        # What is left to generate begins with what was held back and then has the answer.
        rest = tokenizer.decode(ids[len(prompt.ids) :])
        assert read_answer(rest, prompt.held_back, (*task.stops, f" {tokenizer.eos}")).startswith(row["tone"])
        longest = max(longest, len(ids) - len(prompt.ids))
    assert most >= len(tokenizer.encode("answer number 59").ids)
    assert most <= 1.25 * longest + 1


def test_generation_stops_at_what_the_template_has_after_the_answer() -> None:
    assert build_generation(MANY, template="{phrase}: {tone}").stops == ()
    assert build_generation(MANY, template="{phrase}: {tone}\n### End").stops == ("\n### End",)
    assert build_generation(MANY, template="{phrase}: {tone} {phrase}", answer="tone").stops == ()
    assert read_answer("\n joy \n### End of it", "\n", ("\n### End",)) == "joy"


def fill(predicted: list[str], metrics: Any = None) -> Measurement:
    plan = plan_quality(MANY, template=TEMPLATE, metrics=metrics)
    texts = tuple(RowText(row, text, 3, "stop") for row, text in enumerate(predicted))
    empty = Measurement(Variant("base", "", "base", ""))
    return fill_measurement(empty, plan, {"texts": {"texts": texts, "max_new_tokens": 9}})


def test_texts_are_judged_row_by_row() -> None:
    predicted = [f"The answer number {number}." if number % 2 else "who knows" for number in range(60)]
    filled = fill(predicted)
    assert filled.values["exact_match"] == tuple(float(number % 2) for number in range(60))
    assert [score.correct for score in filled.scores] == [bool(number % 2) for number in range(60)]
    assert filled.values["f1"][0] == 0.0
    assert filled.max_new_tokens == 9


def test_a_users_function_gets_text_answer_and_row() -> None:
    filled = fill(["x"] * 60, {"same": lambda predicted, answer, row: predicted == "x" and row["tone"] == answer})
    assert filled.values == {"same": (1.0,) * 60}


@pytest.mark.parametrize(
    ("function", "words"),
    [(lambda *_: 1 / 0, "fails on row 1: ZeroDivisionError"), (lambda *_: float("nan"), "gives nan on row 1")],
)
def test_a_function_that_gives_no_number_is_named(function: Any, words: str) -> None:
    with pytest.raises(PhinbError, match=words):
        fill(["x"] * 60, {"mine": function})


# ---------------------------------------------------------------------------------------------- perplexity


@pytest.mark.parametrize("trained_field", [None, "tone"])
@pytest.mark.parametrize("special", [True, False])
def test_the_tokens_that_count_are_those_that_training_learns(
    trained_field: str | None, special: bool, tokenizer: Tokenizer
) -> None:
    recipe = Recipe(text_template=TEMPLATE, trained_field=trained_field, add_special_tokens=special, max_seq_len=12)
    task = build_losses(ROWS, template=TEMPLATE, trained_field=trained_field, max_tokens=12, add_special_tokens=special)
    if trained_field and not special:  # cut before the answer: nothing to learn is an error, of all rows
        task = build_losses(ROWS, template=TEMPLATE, trained_field=trained_field, add_special_tokens=special)
        recipe = Recipe(text_template=TEMPLATE, trained_field=trained_field, add_special_tokens=special)
    if trained_field and special:
        task = build_losses(ROWS, template=TEMPLATE, trained_field=trained_field, max_tokens=200)
        recipe = Recipe(text_template=TEMPLATE, trained_field=trained_field, max_seq_len=200)
    for row, text in enumerate(encode_losses(task, tokenizer)):
        ids, _, trained = trace(ROWS[row], row, recipe, Encoder(tokenizer)).take(0, recipe.max_seq_len)
        assert text.ids == tuple(ids)
        assert text.trained == (False, *trained[1:])
        if trained_field:
            assert text.bytes == len(ROWS[row]["tone"])


def test_nothing_to_learn_is_said(tokenizer: Tokenizer) -> None:
    with pytest.raises(PhinbError, match="No row has a token"):
        encode_losses(build_losses(ROWS, template=TEMPLATE, trained_field="tone", max_tokens=4), tokenizer)


def test_losses_are_sums_over_trained_tokens(tokenizer: Tokenizer) -> None:
    texts = encode_losses(build_losses(ROWS, template=TEMPLATE), tokenizer)
    values: list[list[float | None]] = [[None, *[-0.5] * (len(text.ids) - 1)] for text in texts]
    losses = sum_losses(texts, values)
    assert [loss.nats for loss in losses] == [0.5 * (len(text.ids) - 1) for text in texts]
    assert [loss.bytes for loss in losses] == [len(TEMPLATE.format(**row).encode()) for row in ROWS]
    values[1][3] = float("nan")
    with pytest.raises(PhinbError, match="row 2"):
        sum_losses(texts, values)
