"""A row's tokens, prompt and right answer, with the probability that each variant gives each of them.

The text is the one that was scored: the training template filled with the row, up to the end of the right answer. A
variant reads it in its own process (phinb.evaluation.process); what was read is kept and not read twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from phinb.data.template import fill
from phinb.errors import PhinbError
from phinb.evaluation.artefacts import hash_contents, hash_json, hash_one_file
from phinb.evaluation.machine import describe_versions
from phinb.evaluation.memory_plan import plan_memory
from phinb.evaluation.process import Stopped, VariantProcess
from phinb.evaluation.results import Comparison
from phinb.evaluation.scoring import split_template
from phinb.types import Event, Measurement, Variant
from phinb.workflow.store import write_atomically

KEEPS = 1
"""Part of every key of what is kept: raise it when what is read, or how, changes."""


@dataclass(frozen=True)
class RowTokens:
    """One row under one variant, a token an entry.

    texts: the characters that each token stands for. parts: "prompt" or "answer". log_probabilities: natural
    logarithms, given all tokens before; None for the first one, which nothing stands before. error: why there is none.
    """

    variant: str
    ids: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    parts: tuple[Literal["prompt", "answer"], ...] = ()
    log_probabilities: tuple[float | None, ...] = ()
    error: str = ""

    @property
    def answer_log_likelihood(self) -> float | None:
        """The sum over the answer's tokens; None where it has none, or one without a probability."""
        own = [value for part, value in zip(self.parts, self.log_probabilities, strict=True) if part == "answer"]
        return math.fsum(value for value in own if value is not None) if own and None not in own else None

    @property
    def probabilities(self) -> tuple[float | None, ...]:
        return tuple(None if value is None else math.exp(value) for value in self.log_probabilities)


@dataclass(frozen=True)
class _Passage:
    """The row's text without the special tokens, which are the tokenizer's."""

    prompt: str
    answer: str
    ending: str
    special: bool


class TokenReader:
    """Reads rows of a comparison under its variants, whose processes it keeps for the next row.

    folder: where what was read is kept, by default nowhere but in here. `read` from one thread at a time; `close` ends
    the processes, and the next `read` starts them anew.
    """

    def __init__(self, comparison: Comparison, folder: str | Path | None = None) -> None:
        self.comparison = comparison
        self._folder = Path(folder) / "tokens" if folder is not None else None
        self._memory: dict[str, RowTokens] = {}
        self._hashes: dict[tuple[str, int, int], str] = {}
        self._processes: dict[str, tuple[VariantProcess, dict[str, Any]]] = {}

    def __enter__(self) -> TokenReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for name in list(self._processes):
            self._processes.pop(name)[0].close()

    def look_up(self, row: int) -> tuple[RowTokens, ...]:
        """What is kept of the row, nothing read; () where any variant's is missing."""
        try:
            passage = self._passage(row)
            kept = [self._kept(self._key(measured.variant, passage)) for measured in self._measured]
        except PhinbError:
            return ()
        found = [one for one in kept if one is not None]
        named = zip(self._measured, found, strict=False)
        return tuple(_rename(one, measured.variant.name) for measured, one in named) if len(found) == len(kept) else ()

    def read(
        self,
        row: int,
        on_event: Callable[[Event], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        on_found: Callable[[RowTokens], None] | None = None,
    ) -> tuple[RowTokens, ...]:
        """Each variant's tokens of the row, in the comparison's order; on_found gets each as it is there.

        A variant that cannot be read has its `error`. Once should_stop() is true, the process at work is ended, and
        what was read so far is returned. Raises PhinbError where the comparison does not have the row or its text.
        """
        passage = self._passage(row)
        found: list[RowTokens] = []
        for measured in self._measured:
            if should_stop is not None and should_stop():
                break
            try:
                found.append(self._read_one(measured.variant, passage, on_event, should_stop))
            except Stopped:
                self._processes.pop(measured.variant.name, None)
                break
            except PhinbError as error:
                found.append(RowTokens(measured.variant.name, error=f"{error.message} {error.hint}".strip()))
            if on_found is not None:
                on_found(found[-1])
        return tuple(found)

    # ----------------------------------------------------------------------------------------------- reading

    @property
    def _measured(self) -> list[Measurement]:
        return [measured for measured in self.comparison.measurements if measured.scores]

    def _passage(self, row: int) -> _Passage:
        comparison = self.comparison
        number, scores = row, next((m.scores for m in self._measured), ())
        if not 0 <= number < len(scores):
            raise PhinbError(f"There is no row {number + 1}.", f"The comparison has {len(scores)} rows.")
        if not comparison.prompts:
            raise PhinbError("An older phinb made this comparison and kept no prompts.", "Compare again.")
        _, slot, after, answer = split_template(comparison.settings["template"], comparison.settings["answer"])
        label = scores[number].label
        place = scores[number].row
        values = {**(comparison.fields[place] if comparison.fields else {}), answer: label}
        try:
            written = fill((slot,), values)[0]
        except (ValueError, TypeError, KeyError):
            raise PhinbError(
                f"The template cannot write {label!r} as text again: its format takes another kind of value.",
                "Take the format out of the answer's field.",
            ) from None
        try:
            ending = fill(after, values)[0]
        except (ValueError, TypeError, KeyError):
            ending = ""
        special = bool(comparison.settings["add_special_tokens"])
        return _Passage(comparison.prompts[place], written, ending, special)

    def _read_one(
        self,
        variant: Variant,
        passage: _Passage,
        on_event: Callable[[Event], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> RowTokens:
        key = self._key(variant, passage)
        kept = self._kept(key)
        if kept is not None:
            return _rename(kept, variant.name)
        process, loaded = self._open(variant, on_event, should_stop)
        lead, tail = (f"{loaded['bos']} ", f" {loaded['eos']}") if passage.special else ("", "")
        starts = len(lead) + len(passage.prompt)
        text = lead + passage.prompt + passage.answer + passage.ending + tail
        encoded = process.ask("tokenize", {"texts": [text]}, on_event, should_stop)["texts"][0]
        stop = starts + len(passage.answer)
        count = sum(start < stop for start, _ in encoded["offsets"])
        ids, offsets = encoded["ids"][:count], encoded["offsets"][:count]
        asked = process.ask("likelihood", {"sequences": [ids]}, on_event, should_stop)
        values = asked["sequences"][0]
        if any(value is not None and not math.isfinite(value) for value in values):
            raise PhinbError(f"{variant.name} gives no number (nan or inf) for this row.", "Build the artefact again.")
        found = RowTokens(
            variant.name,
            tuple(ids),
            tuple(text[start:end] or encoded["pieces"][place] for place, (start, end) in enumerate(offsets)),
            # A token that begins with the space before the answer is the answer's, as in scoring.
            tuple("answer" if max(start, end - 1) >= starts else "prompt" for start, end in offsets),
            tuple(values),
        )
        self._keep(key, found)
        return found

    def _open(
        self, variant: Variant, on_event: Callable[[Event], None] | None, should_stop: Callable[[], bool] | None
    ) -> tuple[VariantProcess, dict[str, Any]]:
        process, loaded = self._processes.get(variant.name, (None, {}))
        if process is not None and process.pid is not None:
            return process, loaded
        self._make_room(variant)
        process = VariantProcess(variant)
        try:
            loaded = process.load(on_event, should_stop)
        except BaseException:
            process.close()
            raise
        self._processes[variant.name] = (process, loaded)
        return process, loaded

    def _make_room(self, variant: Variant) -> None:
        """Where the memory would not do, the others' processes give way."""
        if plan_memory([variant]).later:
            self.close()

    # --------------------------------------------------------------------------------------------- what is kept

    def _key(self, variant: Variant, passage: _Passage) -> str:
        content = hash_contents(variant, self._hash_file)
        return hash_json([KEEPS, content, asdict(passage), describe_versions()])[:40]

    def _hash_file(self, path: Path) -> str:
        """Hashed once, as long as size and time of the file stay the same."""
        stat = path.stat()
        key = (str(path), stat.st_size, stat.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = hash_one_file(path)
        return self._hashes[key]

    def _kept(self, key: str) -> RowTokens | None:
        if key in self._memory or self._folder is None:
            return self._memory.get(key)
        try:
            self._memory[key] = _decode(json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):  # none is there, or none that can be read: it is read anew
            return None
        return self._memory[key]

    def _keep(self, key: str, found: RowTokens) -> None:
        self._memory[key] = found
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Escaped: half a character has no bytes of its own.
            write_atomically(self._folder / f"{key}.json", json.dumps(asdict(found)))


def _rename(found: RowTokens, name: str) -> RowTokens:
    """What was kept of the same artefact under another name."""
    return found if found.variant == name else replace(found, variant=name)


def _decode(record: Mapping[str, Any]) -> RowTokens:
    """The inverse of asdict, after JSON; raises KeyError or TypeError for another shape."""
    ids, texts, parts, values = (tuple(record[name]) for name in ("ids", "texts", "parts", "log_probabilities"))
    return RowTokens(record["variant"], ids, texts, parts, values)
