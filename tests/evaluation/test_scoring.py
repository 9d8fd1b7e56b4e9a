"""Rows and a template become prompts and labels, on the very ids that training saw."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.errors import PhinbError
from phinb.evaluation.scoring import build_task, encode_task, score_rows
from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import Tokenizer, load_tokenizer

TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
ROWS = [{"phrase": "We won!", "tone": "joy"}, {"phrase": "A step behind me.", "tone": "fear"}]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(make_tiny(Path(tmp_path_factory.mktemp("models")) / "tiny"))


def test_the_prompt_is_the_template_up_to_the_answer_by_default_its_last_field() -> None:
    task = build_task(ROWS, template=TEMPLATE)
    assert task.prompts[0] == "### Text: We won!\n### The tone is:\n"
    assert task.labels == ("fear", "joy")
    assert task.answers == ("joy", "fear")


def test_an_answer_in_the_middle_leaves_an_ending() -> None:
    task = build_task(ROWS, template="{{tone}} {tone!s:>8} <{phrase}>", answer="tone")
    assert task.prompts == ("{tone} ", "{tone} ")
    assert task.label_texts == ("    fear", "     joy")
    assert task.endings == (" <We won!>", " <A step behind me.>")


def test_labels_come_from_train_rows_too() -> None:
    task = build_task(ROWS, template=TEMPLATE, train_rows=[{"phrase": "x", "tone": "surprise"}])
    assert task.labels == ("fear", "joy", "surprise")


def test_a_given_label_that_never_occurs_is_a_warning() -> None:
    task = build_task(ROWS, template=TEMPLATE, labels=["joy", "fear", "angst"])
    assert [(p.severity, p.code) for p in task.problems] == [("warning", "label_never_occurs")]
    assert "'angst'" in task.problems[0].message


@pytest.mark.parametrize(
    ("rows", "template", "options", "words"),
    [
        ([], TEMPLATE, {}, "no rows"),
        (ROWS, TEMPLATE, {"labels": ["joy", "sadness"]}, "Row 2 of 2 has the answer 'fear'"),
        ([*ROWS, {"phrase": "no tone"}], TEMPLATE, {}, "Row 3 of 3 has no answer in column 'tone'"),
        ([*ROWS, {"tone": "joy"}], TEMPLATE, {}, "Row 3 of 3 has no column 'phrase'"),
        (ROWS[:1], TEMPLATE, {}, "only 'joy'"),
        (ROWS, TEMPLATE, {"answer": "mood"}, "'mood' is not in the text template"),
        (ROWS, "no field", {}, "has no field"),
        (ROWS, "a { brace {tone}", {}, "cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    rows: list[dict[str, str]], template: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(PhinbError) as caught:
        build_task(rows, template=template, **options)  # type: ignore[arg-type]
    assert words in caught.value.message
    assert caught.value.hint


@settings(max_examples=150, deadline=None)
@given(
    phrase=st.text(min_size=0, max_size=40),
    labels=st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=5, unique=True),
    joint=st.sampled_from(["\n", " ", ": ", "", " ->"]),
    special=st.booleans(),
)
def test_prompt_and_label_are_the_beginning_of_what_training_saw(
    tokenizer: Tokenizer, phrase: str, labels: list[str], joint: str, special: bool
) -> None:
    """For any text: the scored ids are those of the whole training text, up to the label's end."""
    template = "# {phrase}" + joint + "{tone}"
    rows = [{"phrase": phrase, "tone": label} for label in labels]
    task = build_task(rows, template=template, labels=labels, add_special_tokens=special)
    for encoded, row in zip(encode_task(task, tokenizer), rows, strict=True):
        for label, candidate in zip(labels, encoded.candidates, strict=True):
            text = template.format(phrase=phrase, tone=label)
            whole = f"{tokenizer.bos} {text} {tokenizer.eos}" if special else text
            ids = list(tokenizer.encode(whole).ids)
            scored = [*encoded.prompt, *candidate]
            assert scored == ids[: len(scored)]
            # Nothing of the label is left out.
            rest = ids[len(scored) :]
            allowed = 1 + len(tokenizer.encode(f" {tokenizer.eos}").ids) if special else 0
            assert len(rest) <= allowed
        assert row["tone"] in labels


def test_a_label_that_begins_another_is_scored_with_its_ending(tokenizer: Tokenizer) -> None:
    rows = [{"phrase": "x", "tone": "joy"}, {"phrase": "y", "tone": "joyful"}]
    task = build_task(rows, template=TEMPLATE)
    assert task.scores_ending
    candidates = encode_task(task, tokenizer)[0].candidates
    assert all(candidate[-1] == tokenizer.eos_id for candidate in candidates)
    bare = build_task(rows, template=TEMPLATE, add_special_tokens=False)
    assert not bare.scores_ending
    assert [problem.code for problem in bare.problems] == ["label_prefix"]


def test_labels_keep_their_common_first_tokens(tokenizer: Tokenizer) -> None:
    rows = [{"phrase": "x", "tone": "very good"}, {"phrase": "y", "tone": "very bad"}]
    encoded = encode_task(build_task(rows, template=TEMPLATE), tokenizer)[0]
    assert encoded.candidates[0][0] == encoded.candidates[1][0]
    assert tokenizer.decode(encoded.candidates[0]) == "very bad"


def test_nothing_before_the_answer_is_an_error(tokenizer: Tokenizer) -> None:
    task = build_task(ROWS, template="{tone}", add_special_tokens=False)
    with pytest.raises(PhinbError, match="nothing stands before the answer"):
        encode_task(task, tokenizer)


def test_the_likeliest_label_wins_and_no_number_is_no_answer() -> None:
    task = build_task(ROWS, template=TEMPLATE)
    scores = score_rows(task, {1: [-1.0, -2.0], 0: [-3.0, -0.5]})
    assert [(s.row, s.predicted, s.correct) for s in scores] == [(0, "joy", True), (1, "fear", True)]
    with pytest.raises(PhinbError, match="row 2"):
        score_rows(task, {0: [-1.0, -2.0], 1: [float("nan"), -2.0]})
