"""Texts held against answers, as the packages and scripts do that the metrics are named after."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from phinb.evaluation.text_metrics import METRICS, exact_match, normalise, rouge_l, rouge_n, token_f1

WORDS = st.lists(
    st.sampled_from(["the", "A", "cat", "Cat,", "sat", "on", "mat", "42", "mat.", "an", "--"]), max_size=14
)
SCORER = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)


@given(WORDS, WORDS)
def test_rouge_is_rouge_scores(predicted: list[str], answer: list[str]) -> None:
    texts = " ".join(predicted), " ".join(answer)
    reference = SCORER.score(texts[1], texts[0])
    for name in ("rouge1", "rouge2", "rougeL"):
        assert METRICS[name](*texts) == pytest.approx(reference[name].fmeasure, abs=1e-12), name


@given(st.text(alphabet=string.printable, max_size=60), st.text(alphabet=string.printable, max_size=60))
def test_rouge_of_any_ascii_text_is_rouge_scores(predicted: str, answer: str) -> None:
    reference = SCORER.score(answer, predicted)
    assert rouge_n(predicted, answer, 1) == pytest.approx(reference["rouge1"].fmeasure, abs=1e-12)
    assert rouge_l(predicted, answer) == pytest.approx(reference["rougeL"].fmeasure, abs=1e-12)


def squad_normalise(s: str) -> str:
    """evaluate-v1.1.py of SQuAD, as published."""
    s = "".join(ch for ch in s.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())


def squad_f1(prediction: str, ground_truth: str) -> float:
    """evaluate-v2.0.py of SQuAD, as published."""
    gold, pred = squad_normalise(ground_truth).split(), squad_normalise(prediction).split()
    same = sum((Counter(gold) & Counter(pred)).values())
    if not gold or not pred:
        return float(gold == pred)
    if same == 0:
        return 0.0
    precision, recall = same / len(pred), same / len(gold)
    return (2 * precision * recall) / (precision + recall)


@given(WORDS, WORDS)
def test_exact_match_and_f1_are_squads(predicted: list[str], answer: list[str]) -> None:
    texts = " ".join(predicted), " ".join(answer)
    assert token_f1(*texts) == pytest.approx(squad_f1(*texts))
    assert exact_match(*texts) == float(squad_normalise(texts[0]) == squad_normalise(texts[1]))


def test_normalisation_forgives_case_signs_articles_and_spaces() -> None:
    assert normalise("  The Cat\n sat -- on a mat! ") == "cat sat on mat"
    assert exact_match("Joy.", "joy") == 1.0
    assert exact_match("enjoy", "joy") == 0.0


def test_words_of_any_script_count() -> None:
    """rouge-score keeps a to z only and would find nothing in these."""
    assert rouge_n("добрый день всем", "добрый вечер всем", 1) == pytest.approx(2 / 3)
    assert rouge_l("grüß dich", "grüß euch") == pytest.approx(0.5)
