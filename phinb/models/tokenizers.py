"""A model's own tokenizer without torch and transformers: tokenizer.json read by the library tokenizers.

It gives the ids that `AutoTokenizer(...)(text, add_special_tokens=False)` gives; tests compare the two. Where
transformers rebuilds a tokenizer by the rules of its class instead of reading tokenizer.json as it stands, only
the worker, which has transformers, can tell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding as RawEncoding
    from tokenizers import Tokenizer as Backend

    Ids = NDArray[np.int32]

SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The named special tokens, in the order in which transformers adds those that the vocabulary lacks."""

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
)
"""The files of a model's folder that its tokenizer is read from."""


@dataclass(frozen=True)
class Encoding:
    """One text as tokens: ids, the pieces as the vocabulary writes them, and [start, end) in characters each."""

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tokenizer:
    """A model's tokenizer; make it with `load_tokenizer`.

    bos, eos, unk and pad are texts or None; pad falls back to eos as it does in Olive. `special` maps the names
    that a chat template knows (bos_token, ...) to texts. `chat_template` is Jinja text or None.
    `cuts_left` says that long texts lose their beginning instead of their end (truncation_side). `stop_ids` are the
    tokens that generation stops at: eos, and what the model's generation_config.json names besides (Phi-3's <|end|>).
    """

    folder: Path
    backend: Backend
    special: dict[str, str]
    chat_template: str | None
    max_length: int | None
    cuts_left: bool = False
    stop_ids: frozenset[int] = frozenset()

    @property
    def bos(self) -> str | None:
        return self.special.get("bos_token")

    @property
    def eos(self) -> str | None:
        return self.special.get("eos_token")

    @property
    def pad(self) -> str | None:
        return self.special.get("pad_token", self.eos)

    @property
    def bos_id(self) -> int | None:
        return self._id(self.bos)

    @property
    def eos_id(self) -> int | None:
        return self._id(self.eos)

    @property
    def pad_id(self) -> int | None:
        return self._id(self.pad)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """The tokens that the tokenizer itself calls special, wherever they stand in a text."""
        added = self.backend.get_added_tokens_decoder()
        return frozenset(number for number, token in added.items() if token.special)

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, added tokens included."""
        return self.backend.get_vocab_size()

    def encode(self, text: str) -> Encoding:
        """The text's tokens; no special token is added and nothing is cut."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """Many texts at once, with offsets (in characters of each text)."""
        found = self.backend.encode_batch(list(texts), add_special_tokens=False)
        return [Encoding(tuple(one.ids), tuple(one.tokens), tuple(one.offsets)) for one in found]

    def encode_flat(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """(ids of all texts end to end, how many each text has), without offsets: the fast way for many texts.

        Some thousand texts at a time are faster than all at once. Other threads run meanwhile, and the library uses
        every core unless TOKENIZERS_PARALLELISM is false.
        """
        return flatten_ids(self.encode_fast(texts))

    def encode_fast(self, texts: Sequence[str]) -> list[RawEncoding]:
        """The library's own encodings, of whose offsets nothing can be said."""
        found: list[RawEncoding] = self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return found

    def encode_raw(self, texts: Sequence[str]) -> list[RawEncoding]:
        """The library's own encodings, with offsets that are worked out only for those who ask for them."""
        found: list[RawEncoding] = self.backend.encode_batch(list(texts), add_special_tokens=False)
        return found

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        return self.backend.decode(list(ids), skip_special_tokens=skip_special)

    def piece(self, token_id: int) -> str:
        """One token as the vocabulary writes it (a byte-level space is Ġ); "" for an id that nothing has."""
        return self.backend.id_to_token(token_id) or ""

    def text(self, token_id: int) -> str:
        """One token as text, for people: its space is a space; a part of a character stays a piece."""
        piece, text = self.piece(token_id), self.decode([token_id])
        if "\ufffd" in text:
            return piece
        # SentencePiece's decoders take the space off the beginning of a text
        return f" {text}" if piece.startswith("▁") and not text.startswith(" ") else text

    def render_chat(
        self, messages: Sequence[dict[str, Any]], *, template: str | None = None, add_generation_prompt: bool = False
    ) -> str:
        """The text of a conversation under the chat template, as transformers' apply_chat_template makes it.

        Raises PhinbError where there is no template, or the template refuses the messages.
        """
        text = template or self.chat_template
        if text is None:
            raise PhinbError(
                f"The tokenizer in {self.folder} has no chat template.",
                'Give one as text in "chat_template", or use "text_template" instead.',
            )
        from phinb.models.chat_template import render

        return render(text, messages, self.special, add_generation_prompt)

    def _id(self, token: str | None) -> int | None:
        return None if token is None else self.backend.token_to_id(token)


def flatten_ids(encodings: Sequence[RawEncoding]) -> tuple[Ids, Ids]:
    """(ids of all encodings end to end, how many each has)"""
    import numpy as np

    lists = [one.ids for one in encodings]
    lengths = np.fromiter(map(len, lists), dtype=np.int32, count=len(lists))
    return np.fromiter(chain.from_iterable(lists), dtype=np.int32, count=int(lengths.sum())), lengths


def load_tokenizer(folder: Path | str) -> Tokenizer:
    """Read the tokenizer of a model's folder. Takes about 60 ms for 50,000 pieces, the second time next to nothing.

    Raises PhinbError where there is no tokenizer.json, or it cannot be read.
    """
    folder = Path(folder).absolute()
    return _load(folder, tuple(map(_stamp, (folder / name for name in FILES))))


def forget_tokenizers() -> None:
    """The next `load_tokenizer` reads its folder anew."""
    _load.cache_clear()


def _stamp(file: Path) -> tuple[int, int] | None:
    """What changes when a file is written anew."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=2)
def _load(folder: Path, _stamps: tuple[tuple[int, int] | None, ...]) -> Tokenizer:
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Backend

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise PhinbError(
            f"There is no tokenizer.json in {folder}.",
            "Save the model's tokenizer with transformers (AutoTokenizer.from_pretrained, then save_pretrained).",
        )
    try:
        backend = Backend.from_buffer(path.read_bytes())  # a tenth faster than from_file
    except Exception as error:  # the library raises a bare Exception
        raise PhinbError(f"{path} cannot be read as a tokenizer: {error}", "Copy or save it anew.") from error
    backend.no_truncation()
    backend.no_padding()
    settings = _read_json(folder / "special_tokens_map.json") | _read_json(folder / "tokenizer_config.json")
    special = {name: _text(settings[name]) for name in SPECIAL if settings.get(name) is not None}
    for token in special.values():
        backend.add_special_tokens([AddedToken(token, special=True, normalized=False)])
    limit = settings.get("model_max_length")
    return Tokenizer(
        folder=folder,
        backend=backend,
        special=special,
        chat_template=_chat_template(folder, settings),
        max_length=limit if isinstance(limit, int) and limit < 10**9 else None,  # 10**30 stands for "no limit"
        cuts_left=settings.get("truncation_side") == "left",
        stop_ids=_stop_ids(folder, backend.token_to_id(special["eos_token"]) if "eos_token" in special else None),
    )


def _stop_ids(folder: Path, eos_id: int | None) -> frozenset[int]:
    named = _read_json(folder / "generation_config.json").get("eos_token_id")
    every = named if isinstance(named, list) else [named]
    return frozenset(one for one in (eos_id, *every) if isinstance(one, int))


def _chat_template(folder: Path, settings: dict[str, Any]) -> str | None:
    """A file of its own goes before the settings; of several named templates the one named default counts."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _text(token: Any) -> str:
    """A special token stands as text, or as an object with its text in `content`."""
    return str(token["content"]) if isinstance(token, dict) else str(token)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PhinbError(f"{path} is not JSON: {error}", "Copy or save the tokenizer anew.") from error
    return content if isinstance(content, dict) else {}
