"""The hand-written sample data keeps what its card promises: counts, balance, variety, and no leak across the split."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from rapidfuzz import fuzz, process

FOLDER = Path(__file__).parents[1] / "sample_data"
TONES = ("sadness", "joy", "fear", "surprise")
PER_TONE = {"train": 90, "test": 30}

# Words that name a tone outright, as beginnings: "sad" also stands for sadness, sadly and saddest.
NAMES = {
    "sadness": "sad grief griev sorrow unhapp miser mourn depress heartbr heartach lonel homesick melanchol despair "
    "gloom regret desolat deject",
    "joy": "joy happi happy glad delight cheerful jubil bliss elat ecsta overjoy merri merry content thrill pleased "
    "pleasur euphor",
    "fear": "fear afraid scare scari scary scaring terrif terror fright dread panic horror horrif horribl petrif anxi "
    "nervous worri worry alarmed",
    "surprise": "surpris astonish shock unexpected expect amaz stunn startl astound bewilder dumbfound flabbergast "
    "unforeseen speechless incredibl unbeliev disbelief",
}


def read(split):
    text = (FOLDER / f"emotion_{split}.jsonl").read_text(encoding="utf-8-sig")
    return [json.loads(line) for line in text.splitlines()]


def words(phrase):
    return re.findall(r"[\w']+", phrase.lower().replace("’", "'"))


def runs_of(tokens, size):
    return {tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)}


def names(tone, phrase):
    # "please" is politeness, "pleased" is joy; the dot in "pleased" keeps them apart.
    return re.search(rf"\b(?:{'|'.join(NAMES[tone].split())})", phrase.lower()) is not None


ROWS = {split: read(split) for split in PER_TONE}
ALL = [row for rows in ROWS.values() for row in rows]
OF_TONE = {tone: [row["phrase"] for row in ALL if row["tone"] == tone] for tone in TONES}


@pytest.mark.parametrize("split", PER_TONE)
def test_tones_are_balanced(split):
    assert Counter(row["tone"] for row in ROWS[split]) == dict.fromkeys(TONES, PER_TONE[split])


@pytest.mark.parametrize("split", PER_TONE)
def test_rows_are_interleaved(split):
    tones = [row["tone"] for row in ROWS[split]]
    changes = sum(before != after for before, after in pairwise(tones))
    assert changes > len(tones) / 2
    for start in range(0, len(tones), 30):
        assert set(tones[start : start + 30]) == set(TONES)


def test_columns_are_phrase_and_tone():
    assert {tuple(row) for row in ALL} == {("phrase", "tone")}


@pytest.mark.parametrize("split", PER_TONE)
def test_files_are_plain_json_lines(split):
    data = (FOLDER / f"emotion_{split}.jsonl").read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    assert b"\n\n" not in data
    assert data.endswith(b"}\n")


def test_phrases_are_clean_text():
    for row in ALL:
        phrase = row["phrase"]
        assert isinstance(phrase, str)
        assert phrase, "an empty phrase"
        assert " ".join(phrase.split()) == phrase, f"stray white space: {phrase!r}"
        assert phrase.isprintable(), f"a control character: {phrase!r}"


@pytest.mark.parametrize("split", PER_TONE)
@pytest.mark.parametrize("tone", TONES)
def test_lengths_are_spread(split, tone):
    lengths = [len(row["phrase"].split()) for row in ROWS[split] if row["tone"] == tone]
    assert min(lengths) >= 3
    assert max(lengths) <= 40
    assert sum(n < 7 for n in lengths) >= 0.1 * len(lengths)
    assert sum(n > 24 for n in lengths) >= 0.1 * len(lengths)
    assert sum(7 <= n <= 24 for n in lengths) >= 0.5 * len(lengths)


def test_no_phrase_stands_twice():
    seen = Counter(" ".join(words(row["phrase"])) for row in ALL)
    assert [phrase for phrase, count in seen.items() if count > 1] == []


def test_no_two_phrases_are_nearly_the_same():
    phrases = [row["phrase"].lower() for row in ALL]
    alike = process.cdist(phrases, phrases, scorer=fuzz.token_sort_ratio)
    pairs = [
        (phrases[i], phrases[j]) for i in range(len(phrases)) for j in range(i + 1, len(phrases)) if alike[i][j] >= 80
    ]
    assert pairs == []


@pytest.mark.parametrize("tone", TONES)
def test_few_phrases_name_their_tone(tone):
    named = [phrase for phrase in OF_TONE[tone] if names(tone, phrase)]
    assert len(named) <= len(OF_TONE[tone]) / 4
    assert named, "not one phrase names its tone: the list of words must be wrong"


def test_no_phrase_names_only_another_tone():
    wrong = [
        (row["tone"], other, row["phrase"])
        for row in ALL
        for other in TONES
        if other != row["tone"] and names(other, row["phrase"]) and not names(row["tone"], row["phrase"])
    ]
    assert wrong == []


@pytest.mark.parametrize("tone", TONES)
def test_openings_vary(tone):
    openings = Counter(tuple(words(phrase)[:2]) for phrase in OF_TONE[tone])
    assert {opening: n for opening, n in openings.items() if n > 0.05 * len(OF_TONE[tone])} == {}


def test_no_sequence_of_five_words_is_a_template():
    rows_with = Counter(run for row in ALL for run in runs_of(words(row["phrase"]), 5))
    assert {run: n for run, n in rows_with.items() if n > 3} == {}


@pytest.mark.parametrize("name", ["tutorial_2024.json", "tutorial_today.json"])
def test_tutorial_configurations_are_strict_json(name):
    config = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert list(config["passes"]) == ["lora", "merge_adapter_weights", "builder"]


def test_quickstart_reads_the_sample_files():
    text = (FOLDER / "emotion.json").read_text(encoding="utf-8")
    config = json.loads(re.sub(r"(?m)(^|\s)//.*$", "", text))  # the recipe has comments
    assert config["input_model"]["model_path"] == "phinb://demo"
    assert list(config["passes"]) == ["lora", "merge", "int4"]
    for data in config["data_configs"]:
        load, shape = data["load_dataset_config"], data["pre_process_data_config"]
        assert load["data_files"] == f"emotion_{data['name']}.jsonl"
        assert (FOLDER / load["data_files"]).is_file()
        assert shape["text_template"].format(**ALL[0]).endswith(ALL[0]["tone"])
    assert [data["name"] for data in config["data_configs"]] == ["train", "test"]
