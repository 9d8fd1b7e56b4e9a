"""A tokenizer in the form of Phi-3's and Llama's: SentencePiece's BPE as transformers converts it.

A space is ▁, one is put before the text, and what the vocabulary lacks is written in bytes. Small, trained in a second
on the text that the tiny model's is trained on.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from phinb.models.tiny import CHAT_TEMPLATE

PIECES = 600
NAMED = ("<unk>", "<s>", "</s>")
SPECIAL = ("<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
"""As in Phi-3: added behind the vocabulary, and all but the first take the blanks that follow them."""


def make_sentencepiece(folder: Path, *, model_type: str = "phi3", eos: str = "<|endoftext|>") -> Path:
    """Write a tokenizer's files, with the config.json of a model of that type, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = _train()
    added = [_added(index, text) for index, text in enumerate(NAMED)]
    added += [_added(len(vocabulary) + index, text, rstrip=index > 0) for index, text in enumerate(SPECIAL)]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": eos,
        "pad_token": eos,
        "unk_token": "<unk>",
        "add_bos_token": False,
        "add_eos_token": False,
        "legacy": False,
        "model_max_length": 4096,
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    _write(folder / "tokenizer.json", tokenizer)
    _write(folder / "tokenizer_config.json", settings)
    _write(folder / "config.json", {"model_type": model_type, "vocab_size": len(vocabulary) + len(SPECIAL)})
    return folder


def _train() -> tuple[dict[str, int], list[list[str]]]:
    """(pieces and their ids, merges): the named ones first, then 256 bytes, then what is learnt."""
    text = files("phinb.models").joinpath("tiny.txt").read_text(encoding="utf-8")
    tokenizer = Tokenizer(models.BPE())
    # Words are kept apart while it learns, as SentencePiece does; later, whole texts are merged at once.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(text.splitlines(), trainers.BpeTrainer(vocab_size=PIECES, show_progress=False))
    learnt = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(learnt["vocab"], key=learnt["vocab"].__getitem__)
    every = [*NAMED, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    return {piece: index for index, piece in enumerate(every)}, learnt["merges"]


def _added(token_id: int, text: str, *, rstrip: bool = False) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": rstrip, "normalized": False, "special": True}
    return {"id": token_id, "content": text, **flags}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
