"""Tokenizers without torch, compared with transformers' own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from phinb.errors import PhinbError
from phinb.models.tokenizers import load_tokenizer

TEXTS = ["I walked home.", "<s> zwölf 😀 <|endoftext|>", "", "a\n\n b  12", "<|user|>\nhi<|end|>", "[PAD]<mask>", " x"]
CHAT = [{"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "Über dort, <b>links</b>."}]


def test_special_tokens_have_texts_and_ids(tiny: Path) -> None:
    tokenizer = load_tokenizer(tiny)
    assert (tokenizer.bos, tokenizer.eos, tokenizer.pad) == ("<s>", "<|endoftext|>", "<|pad|>")
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 2, 3)
    assert tokenizer.max_length == 4096


def test_offsets_point_into_the_text(tiny: Path) -> None:
    text = "zwölf 😀 walked"
    encoding = load_tokenizer(tiny).encode(text)
    assert encoding.offsets[0][0] == 0
    assert encoding.offsets[-1][1] == len(text)
    assert all(start <= end for start, end in encoding.offsets)
    assert "".join(text[start:end] for start, end in encoding.offsets if end > start).startswith("zw")
    assert len(encoding.ids) == len(encoding.pieces) == len(encoding.offsets)


def test_truncation_and_padding_of_the_file_are_off(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "cut"))
    backend = Backend.from_file(str(folder / "tokenizer.json"))
    backend.enable_truncation(2)
    backend.enable_padding(length=8)
    backend.save(str(folder / "tokenizer.json"))
    assert load_tokenizer(folder).encode("I walked home.") == load_tokenizer(tiny).encode("I walked home.")


def test_pad_falls_back_to_eos(tiny: Path, tmp_path: Path) -> None:
    folder = variant(tiny, tmp_path, pad_token=None)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.pad_id == tokenizer.eos_id == 2


def test_chat_is_rendered_and_without_a_template_refused(tiny: Path, tmp_path: Path) -> None:
    text = load_tokenizer(tiny).render_chat(CHAT, add_generation_prompt=True)
    assert text == ("<|user|>\nWhere is it?<|end|>\n<|assistant|>\nÜber dort, <b>links</b>.<|end|>\n<|assistant|>\n")
    with pytest.raises(PhinbError, match="has no chat template"):
        load_tokenizer(variant(tiny, tmp_path, chat_template=None)).render_chat(CHAT)
    with pytest.raises(PhinbError, match="cannot render the conversation: roles must alternate"):
        load_tokenizer(tiny).render_chat(CHAT, template="{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(("file", "message"), [(None, "no tokenizer.json"), ("{", "cannot be read as a tokenizer")])
def test_a_folder_without_a_readable_tokenizer_is_said(file: str | None, message: str, tmp_path: Path) -> None:
    if file is not None:
        (tmp_path / "tokenizer.json").write_text(file)
    with pytest.raises(PhinbError, match=message):
        load_tokenizer(tmp_path)


def variant(tiny: Path, tmp_path: Path, **changes: Any) -> Path:
    """A copy of the tiny model's tokenizer with other settings; None removes one."""
    folder = tmp_path / f"variant-{len(list(tmp_path.iterdir()))}"
    shutil.copytree(tiny, folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | changes
    settings = {name: value for name, value in settings.items() if value is not None}
    path.write_text(json.dumps(settings), encoding="utf-8")
    return folder


def named_templates(tiny: Path, tmp_path: Path) -> Path:
    template = "{{ bos_token }}{% for m in messages %}{{ m | tojson }}{% generation %}!{% endgeneration %}{% endfor %}"
    return variant(tiny, tmp_path, chat_template=[{"name": "default", "template": template}])


def template_file(tiny: Path, tmp_path: Path) -> Path:
    folder = variant(tiny, tmp_path)
    template = "{% for m in messages %}\n    {% if loop.first %}{% continue %}{% endif %}\n{{ m.content }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def missing_special(tiny: Path, tmp_path: Path) -> Path:
    """Special tokens that the vocabulary lacks, one of them as an object."""
    return variant(tiny, tmp_path, pad_token={"content": "[PAD]", "__type": "AddedToken"}, mask_token="<mask>")


def plain_special(tiny: Path, tmp_path: Path) -> Path:
    """A bos that is an ordinary piece of the vocabulary."""
    return variant(tiny, tmp_path, bos_token="walk")


def stripping_special(tiny: Path, tmp_path: Path) -> Path:
    """An added token that eats the spaces beside it."""
    folder = variant(tiny, tmp_path)
    backend = Backend.from_file(str(folder / "tokenizer.json"))
    backend.add_special_tokens([AddedToken("<|user|>", lstrip=True, rstrip=True, special=True, normalized=False)])
    backend.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [variant, named_templates, template_file, missing_special, plain_special, stripping_special]
)
def test_ids_and_chats_are_those_of_transformers(make: Any, tiny: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = make(tiny, tmp_path)
    ours, theirs = load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    for text in [*TEXTS, "I walk", "a <|user|>  b"]:
        expected = theirs(text, add_special_tokens=False).input_ids
        assert list(ours.encode(text).ids) == expected, text
        ids, lengths = ours.encode_flat([text, "x", text])
        assert (ids[: lengths[0]].tolist(), ids[lengths[0] + lengths[1] :].tolist()) == (expected, expected)
        assert [one.ids for one in ours.encode_raw([text])] == [expected]
    assert (ours.bos_id, ours.eos_id) == (theirs.bos_token_id, theirs.eos_token_id)
    assert ours.pad_id == theirs.pad_token_id
    assert ours.vocabulary_size == len(theirs)
    for prompt in (True, False):
        expected_text = theirs.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=prompt)
        assert ours.render_chat(CHAT, add_generation_prompt=prompt) == expected_text


@pytest.mark.parametrize(("named", "expected"), [(None, {2}), (5, {2, 5}), ([2, 6, 7], {2, 6, 7}), ("gone", {2})])
def test_generation_stops_at_eos_and_at_what_the_model_names(
    named: Any, expected: set[int], tiny: Path, tmp_path: Path
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny / name, tmp_path / name)
    if named != "gone":
        (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": named}), encoding="utf-8")
    assert load_tokenizer(tmp_path).stop_ids == expected
