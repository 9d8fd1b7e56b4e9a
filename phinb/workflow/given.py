"""The configuration of a run as it was given: its texts in the run's folder, and the same configuration from them."""

from __future__ import annotations

import json
from pathlib import Path

from phinb.config import Config, Piece, load_config
from phinb.config.document import parse
from phinb.errors import PhinbError
from phinb.workflow.store import RunFolder

_PIECES = "pieces.json"


def given_texts(config: Config) -> dict[str, str]:
    """The files that hold a configuration as it was given, by name: one, or one a piece and the list of them."""
    if not config.pieces:
        return {"config.json": json.dumps(config.given(), indent=2)}
    if len(config.pieces) == 1:
        return {_suffixed("config", config.pieces[0]): config.pieces[0].text}
    names = [_suffixed(f"config-{number}", piece) for number, piece in enumerate(config.pieces, 1)]
    listed = [{"file": name, "label": piece.label} for name, piece in zip(names, config.pieces, strict=True)]
    texts = {name: piece.text for name, piece in zip(names, config.pieces, strict=True)}
    return {**texts, _PIECES: json.dumps(listed, indent=1)}


def read_given(folder: RunFolder) -> Config:
    """The configuration of a run as the user wrote it, in its pieces, with the name and base folder that it had.

    Raises PhinbError where its files are gone.
    """
    record = folder.record
    return load_config(_pieces(folder.path), name=record.name, folder=Path(record.base))


def _suffixed(name: str, piece: Piece) -> str:
    return f"{name}.{'yaml' if parse(piece.text, None, piece.path).format == 'yaml' else 'json'}"


def _pieces(folder: Path) -> list[Piece]:
    try:
        if (folder / _PIECES).is_file():
            listed = json.loads((folder / _PIECES).read_text(encoding="utf-8"))
            files = [(folder / Path(entry["file"]).name, str(entry["label"])) for entry in listed]
        else:
            files = [(path, "") for path in sorted(folder.glob("config.*"))][:1]
        # The bytes, since reading as text would turn the line breaks of the user's system into others.
        given = [Piece(path.read_bytes().decode("utf-8"), label, path) for path, label in files]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PhinbError(f"The configuration in {folder} cannot be read: {error}.", "run.config has it.") from None
    if not given:
        raise PhinbError(f"There is no configuration as it was given in {folder}.", "run.config has it.")
    return given
