"""A variant's tokenizer: its tokenizer.json as it stands, or else what transformers makes of its older files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import tokenizer_folder
from phinb.models.tokenizers import Encoding, Tokenizer
from phinb.models.tokenizers import load_tokenizer as load_file
from phinb.types import Variant


class ConvertedTokenizer:
    """A tokenizer without tokenizer.json (sentencepiece, vocab.txt), converted by transformers; loads torch."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        except Exception as error:  # of any class, by the tokenizer's own code
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise PhinbError(f"The tokenizer in {folder} cannot be read: {first_line}", _REMEDY) from None
        if not self._tokenizer.is_fast:
            raise PhinbError(f"The tokenizer in {folder} tells no character positions, which scoring needs.", _REMEDY)

    @property
    def bos(self) -> str | None:
        token = self._tokenizer.bos_token
        return None if token is None else str(token)

    @property
    def eos(self) -> str | None:
        token = self._tokenizer.eos_token
        return None if token is None else str(token)

    def encode(self, text: str) -> Encoding:
        """The text's tokens; no special token is added and nothing is cut."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = encoded["input_ids"]
        pieces = self._tokenizer.convert_ids_to_tokens(ids)
        return Encoding(tuple(ids), tuple(pieces), tuple(tuple(pair) for pair in encoded["offset_mapping"]))

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))


_REMEDY = (
    "Save it in the fast form: AutoTokenizer.from_pretrained(...).save_pretrained(...), in the base model's folder."
)


def load_tokenizer(variant: Variant) -> Tokenizer | ConvertedTokenizer:
    """The variant's tokenizer. Raises PhinbError where it cannot be read, or has no pieces."""
    folder = tokenizer_folder(variant)
    if not (folder / "tokenizer.json").is_file():
        return ConvertedTokenizer(folder)
    tokenizer = load_file(folder)
    if tokenizer.vocabulary_size == 0:
        raise PhinbError(f"{variant.name}: {folder / 'tokenizer.json'} has no pieces.", "Copy the base model's there.")
    return tokenizer
