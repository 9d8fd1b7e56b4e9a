"""Many prompts to several variants, into a file of JSON lines: a reply a line, written as it is made, never twice.

What the file has already is not asked again: a stopped or killed run of prompts goes on where it was. Variants take
turns prompt by prompt, in an order that rotates, so that a slow minute hits all alike.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import hash_json
from phinb.evaluation.chat import Chat, ChatSettings, Exchange, Reply
from phinb.evaluation.process import Stopped
from phinb.evaluation.row_file import write_json_line
from phinb.evaluation.statistics import interval_of_median, quantile
from phinb.types import Event, Notice, Preparing, Progress
from phinb.workflow.wording import write_duration

PROMPT_COLUMNS = ("prompt", "text")
"""The columns that hold a whole prompt in rows that lack the template's fields."""


@dataclass(frozen=True)
class BulkReplies:
    """What is in the file now. replies: all of these prompts' lines, as dicts, those of earlier times included.

    wanted: how many there are to be. asked: replies that were made now; kept: those that were there. stopped: whether
    it was stopped before the end.
    """

    path: Path
    replies: tuple[Mapping[str, Any], ...]
    wanted: int
    asked: int
    kept: int
    stopped: bool

    @property
    def complete(self) -> bool:
        """Whether every variant has answered every prompt, without a failure."""
        return len(self.replies) == self.wanted and not any(reply["error"] for reply in self.replies)

    def sentences(self) -> list[str]:
        """How many there are and how fast they came, a line a variant: medians, with n; failures counted."""
        from phinb.evaluation.chat_text import agree_tokens, write_milliseconds, write_speed

        made = f"{self.asked:,} made now, {self.kept:,} there before"
        told = [f"{len(self.replies):,} of {self.wanted:,} replies in {self.path} ({made})."]
        by_variant: dict[str, list[Mapping[str, Any]]] = {}
        for reply in self.replies:
            by_variant.setdefault(str(reply["variant"]), []).append(reply)
        for name, mine in by_variant.items():
            timed = [one for one in mine if not one["error"] and not one["beside"]]
            parts = [f"{len(mine):,} replies, {agree_tokens(sum(one['tokens'] for one in mine))}"]
            for key, write, unit in (
                ("ttft_s", write_milliseconds, "first token after"),
                ("tokens_per_s", write_speed, "tokens/s"),
            ):
                values = sorted(one[key] for one in timed if one[key] is not None)
                if values:
                    parts.append(_describe(values, write, unit))
            if failed := sum(bool(one["error"]) for one in mine):
                parts.append(f"{failed:,} failed")
            told.append(f"{name}: {'; '.join(parts)}.")
        if self.stopped:
            told.append("It was stopped; the same command goes on from here.")
        return told


def _describe(values: Sequence[float], write: Callable[[float], str], unit: str) -> str:
    """The median with its 95 % interval (by order statistics; Conover 1999, 3.2) where n allows one."""
    middle = write(quantile(values, 0.5))
    name = f"{unit} {middle}" if unit.endswith("after") else f"{middle} {unit}"
    bounds = interval_of_median(values)
    within = f", 95 % interval {write(bounds[0])} to {write(bounds[1])}" if bounds else ""
    return f"{name} (median of {len(values):,}{within})"


def chat_many(
    chat: Chat,
    prompts: Sequence[Mapping[str, Any] | str],
    out: str | Path,
    settings: ChatSettings | None = None,
    variants: Sequence[str] | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> BulkReplies:
    """Ask every variant every prompt and append each reply to `out`, unless it has that reply.

    A line: key, row (from 0), the row's own columns as `given`, prompt (the text that was sent), variant, text, tokens,
    prompt_tokens, finish, ttft_s, decode_s, tokens_per_s, beside, busy, error, settings. key stands for prompt, variant
    and settings. Replies that failed are asked again; a variant that cannot be loaded is left out, with a Notice.
    should_stop is asked after every token; a reply that was cut by it is not written. Progress is in "replies".

    Raises PhinbError for a prompt that cannot be sent, with its row, before anything is asked, and for a file that is
    something else or cannot be written.
    """
    settings, path = settings or ChatSettings(), Path(out)
    names = chat.choose(variants)
    if settings.at_once:
        raise PhinbError("Many prompts are answered in turn.", "Leave at_once out.")
    jobs = _plan(chat, [_as_prompt(chat, one) for one in prompts], names, settings)
    if chat.plan(names).later:
        jobs.sort(key=lambda job: names.index(job.variant))  # each is loaded once
    there = _read_there(path)
    open_jobs = [job for job in jobs if job.key not in there]
    session = _Session(chat, settings, len(jobs), len(jobs) - len(open_jobs), on_event, should_stop or (lambda: False))
    made: dict[str, Mapping[str, Any]] = {}
    if open_jobs:
        try:
            with path.open("a", encoding="utf-8", newline="\n") as file:
                for job in open_jobs:
                    record = session.answer(job)
                    if session.stopped:
                        break
                    if record is not None:
                        made[job.key] = record
                        _write(file, record)
        except OSError as error:
            raise PhinbError(f"{path} cannot be written: {error.strerror or error}.", "Name another file.") from None
    found = there | made
    replies = tuple(found[job.key] for job in jobs if job.key in found)
    return BulkReplies(path, replies, len(jobs), len(made), len(jobs) - len(open_jobs), session.stopped)


def write_progress(event: Event) -> str:
    """What an event of `chat_many` is to a terminal: a line for every tenth part and every notice, else ""."""
    if isinstance(event, Preparing):
        return f"{event.what} ..."
    if isinstance(event, Notice):
        return " ".join(text for text in (event.message, event.hint) if text)
    if (
        isinstance(event, Progress)
        and event.total
        and event.done * 10 // event.total != (event.done - 1) * 10 // event.total
    ):
        left = f", about {write_duration(event.eta_s)} left" if event.eta_s else ""
        return f"{event.done:,} of {event.total:,} replies{left}"
    return ""


@dataclass(frozen=True)
class _Job:
    key: str
    row: int
    given: Mapping[str, Any] | str
    prompt: Mapping[str, Any] | str
    variant: str


class _Session:
    """One call: what its replies share."""

    def __init__(
        self,
        chat: Chat,
        settings: ChatSettings,
        total: int,
        done: int,
        on_event: Callable[[Event], None] | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self._chat, self._settings, self._should_stop = chat, settings, should_stop
        self._total, self._done, self._kept = total, done, done
        self._on_event = on_event
        self._broken: set[str] = set()
        self.stopped = False
        self._began = time.monotonic()

    def answer(self, job: _Job) -> dict[str, Any] | None:
        """The reply's line; None where it was `stopped`, or the variant cannot be loaded."""
        self.stopped = self._should_stop()
        if self.stopped or job.variant in self._broken:
            return None
        before = time.monotonic()
        try:
            self._chat.load(job.variant, self._on_event, self._should_stop)
        except Stopped:
            self.stopped = True
            return None
        except PhinbError as error:
            self._broken.add(job.variant)
            self._tell(Notice("error", "not_loaded", error.message, error.hint))
            return None
        self._began += time.monotonic() - before  # the time left is that of answering
        exchange = self._chat.ask(job.prompt, self._settings, [job.variant], self._watch)
        reply = exchange.replies[0]
        self.stopped = reply.finish == "stopped"
        if self.stopped:
            return None
        if reply.error:
            self._tell(Notice("error", "no_reply", f"Row {job.row + 1}, {job.variant}: {reply.error}"))
        self._done += 1
        left = (time.monotonic() - self._began) / (self._done - self._kept) * (self._total - self._done)
        self._tell(Progress("replies", self._done, self._total, "replies", left))
        return _record(job, exchange, reply)

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _watch(self, _reply: Reply) -> None:
        if self._should_stop():
            self._chat.stop()


def _record(job: _Job, exchange: Exchange, reply: Reply) -> dict[str, Any]:
    record = {"key": job.key, "row": job.row, "given": job.given, "prompt": exchange.prompt.text}
    said = asdict(reply) | {"beside": list(reply.beside), "tokens_per_s": reply.tokens_per_s}
    return record | said | {"settings": asdict(exchange.settings)}


def _as_prompt(chat: Chat, one: Mapping[str, Any] | str) -> Mapping[str, Any] | str:
    """What of a row is the prompt: the template's fields, else a column with the whole text."""
    if isinstance(one, str) or all(name in one for name in chat.form.fields) or "messages" in one:
        return one
    return next((str(one[name]) for name in PROMPT_COLUMNS if one.get(name) is not None), one)


def _plan(
    chat: Chat, prompts: Sequence[Mapping[str, Any] | str], names: Sequence[str], settings: ChatSettings
) -> list[_Job]:
    """Every reply that there is to be, in the order in which they are made."""
    if not prompts:
        raise PhinbError("There are no prompts.", "Name a file that has rows.")
    jobs: list[_Job] = []
    seen: set[str] = set()
    for row, prompt in enumerate(prompts):
        turn = row % len(names)
        for name in (*names[turn:], *names[:turn]):
            try:
                text = chat.write(prompt, name).text
            except PhinbError as error:
                raise PhinbError(f"Row {row + 1} of {len(prompts)}: {error.message}", error.hint) from None
            variant = chat.variants[name]
            key = hash_json([text, name, variant.path, variant.base_path, asdict(settings)])[:24]
            number = 1
            while key in seen:  # the same prompt once more is a reply of its own
                number += 1
                key = hash_json([text, name, variant.path, variant.base_path, asdict(settings), number])[:24]
            seen.add(key)
            jobs.append(_Job(key, row, prompt, prompt, name))
    return jobs


def _read_there(path: Path) -> dict[str, Mapping[str, Any]]:
    """{key: line} of the replies that a file has; a last line that is cut off is taken out of it."""
    if not path.exists():
        return {}
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PhinbError(f"{path} cannot be read: {error.strerror or error}.", "Name another file.") from None
    whole, _, cut = content.rpartition(b"\n")
    found: dict[str, Mapping[str, Any]] = {}
    for line in _lines(whole, path):
        if not line.get("error"):
            found[str(line["key"])] = line
    if cut.strip():
        with path.open("r+b") as file:
            file.truncate(len(content) - len(cut))
    return found


def _lines(content: bytes, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or "key" not in record or "variant" not in record:
            raise PhinbError(
                f"{path} holds something else than replies (line {number}).", "Name another file for them."
            )
        yield record


def _write(file: IO[str], record: Mapping[str, Any]) -> None:
    file.write(write_json_line(record) + "\n")
    file.flush()
