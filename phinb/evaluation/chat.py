"""One prompt to several variants: each loaded in a process of its own, each token as it comes, timings that do not lie.

Variants take turns, so that none disturbs another's speed. Where they are asked to speak at once, every reply says
beside whom it was made, and its figures are marked as such wherever they are shown.
"""

from __future__ import annotations

import contextvars
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import tokenizer_folder
from phinb.evaluation.machine import NeighbourWatch
from phinb.evaluation.memory_plan import MemoryPlan, plan_memory
from phinb.evaluation.process import Cancelled, Stopped, VariantProcess
from phinb.evaluation.prompts import Prompt, PromptForm
from phinb.evaluation.replies import ChatSettings, Exchange, Finish, Reply
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.types import Event, Variant
from phinb.workflow.devices import memory_free

__all__ = ["Chat", "ChatSettings", "Exchange", "Reply", "read_context"]

MOST_VARIANTS = 4
"""Side by side; more can be read by nobody."""

OnReply = Callable[[Reply], None]
OnEvent = Callable[[Event], None]
ShouldStop = Callable[[], bool]


class Chat:
    """Some variants of a run, loaded when first asked; a context manager. One thread asks, any may `stop` or `close`.

        with open_chat(run, ["base", "int4"]) as chat:
            for reply in chat.stream({"phrase": "I love it"}):
                print(reply.variant, reply.text)

    variants: one to MOST_VARIANTS at a time are asked; more may be held. form: see prompts.PromptForm.
    free: bytes of memory that are free now. Where they do not do for another variant, it is loaded in the place of
    those that were loaded first.
    """

    def __init__(
        self, variants: Sequence[Variant], form: PromptForm, name: str = "", free: Callable[[], int] = memory_free
    ) -> None:
        if not variants:
            raise PhinbError("There is no variant to chat with.", "A run has variants once a pass of it has ended.")
        self.form = form
        self.name = name
        self.variants = {variant.name: variant for variant in variants}
        self.loaded: dict[str, dict[str, Any]] = {}
        self._free = free
        self._processes: dict[str, VariantProcess] = {}
        self._stop = threading.Event()
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --------------------------------------------------------------------------------------- loading

    def load(self, name: str, on_event: OnEvent | None = None, should_stop: ShouldStop | None = None) -> dict[str, Any]:
        """Load a variant, unless it is, and let it make a token that is not counted: the first one is always slow.

        Returns load_s, size_bytes, settings (backend, device, threads, dtype). Raises PhinbError where it cannot be
        loaded, Stopped where should_stop() said so.
        """
        if self.is_loaded(name):
            return self.loaded[name]
        self.unload(name)
        self._make_room(name)
        with self._lock:
            if self._closed:
                raise Stopped
            process = self._processes[name] = VariantProcess(self._find(name))
        found = process.load(on_event, should_stop)
        warm = {"prompts": [list(self._warm_up(name))], "max_new_tokens": 2, "stops": []}
        process.ask("generate", warm, should_stop=should_stop)
        self.loaded[name] = found
        return found

    def is_loaded(self, name: str) -> bool:
        process = self._processes.get(name)
        return name in self.loaded and process is not None and process.pid is not None

    def plan(self, names: Sequence[str] | None = None) -> MemoryPlan:
        """What of these (by default the first MOST_VARIANTS) fits beside what is loaded already."""
        wanted = [name for name in self.choose(names) if name not in self.loaded]
        return plan_memory([self._find(name) for name in wanted], self._free())

    def _make_room(self, name: str) -> None:
        """End the processes that were loaded first until this variant fits, or it is alone."""
        while self.loaded and self.plan([name]).later:
            self.unload(next(iter(self.loaded)))

    def unload(self, name: str) -> None:
        """End the variant's process and give its memory back."""
        self.loaded.pop(name, None)
        with self._lock:
            process = self._processes.pop(name, None)
        if process is not None:
            process.close()

    def rest(self) -> None:
        """End all processes; the next prompt loads again."""
        for name in list(self._processes):
            self.unload(name)

    def close(self) -> None:
        """End all processes for good."""
        with self._lock:
            self._closed = True
        self._stop.set()
        self.rest()

    def _warm_up(self, name: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(name).encode("Once upon a time, there was").ids) or (0,)

    def _find(self, name: str) -> Variant:
        if name not in self.variants:
            raise PhinbError(f"There is no variant {name!r}.", f"There are: {', '.join(self.variants)}.")
        return self.variants[name]

    # ---------------------------------------------------------------------------------------- prompts

    def tokenizer(self, name: str) -> Tokenizer:
        """The variant's own. Raises PhinbError where it has no tokenizer.json."""
        return load_tokenizer(tokenizer_folder(self._find(name)))

    def write(self, prompt: str | Mapping[str, Any], name: str | None = None) -> Prompt:
        """The prompt as the variant, by default the first, gets it. Raises PhinbError as PromptForm.write does."""
        return self.form.write(prompt, self.tokenizer(name or next(iter(self.variants))))

    def _check_length(self, name: str, prompt: Prompt) -> Prompt:
        """Raises PhinbError where the model's context has no room for a token more."""
        context = read_context(self._find(name))
        if context is not None and len(prompt.ids) >= context:
            raise PhinbError(
                f"The prompt has {len(prompt.ids):,} tokens, and {name} reads {context:,} at most, its reply included.",
                "Shorten it.",
            )
        return prompt

    # ----------------------------------------------------------------------------------------- asking

    def ask(
        self,
        prompt: str | Mapping[str, Any],
        settings: ChatSettings | None = None,
        variants: Sequence[str] | None = None,
        on_reply: OnReply | None = None,
        on_event: OnEvent | None = None,
        *,
        fresh: bool = True,
    ) -> Exchange:
        """All replies to a prompt. on_reply gets each reply after every token of it, and when it has ended.

        `stop` ends it between two tokens, with what is there. A variant that fails has its `error` in the reply. Where
        at_once is set, on_reply may come from several threads. fresh: forget an earlier `stop`; who takes prompts on
        another thread calls `begin` there, and passes False. Raises PhinbError for a prompt that cannot be sent.
        """
        settings = settings or ChatSettings()
        names = self.choose(variants)
        written = {name: self._check_length(name, self.write(prompt, name)) for name in names}
        if fresh:
            self.begin()
        tell = on_reply or (lambda _reply: None)
        if settings.at_once and len(names) > 1:
            replies = self._ask_at_once(written, settings, tell, on_event)
        else:
            replies = [self._ask_one(name, written[name], settings, tell, on_event) for name in names]
        return Exchange(written[names[0]], tuple(replies), settings, self.name)

    def stream(
        self,
        prompt: str | Mapping[str, Any],
        settings: ChatSettings | None = None,
        variants: Sequence[str] | None = None,
        on_event: OnEvent | None = None,
    ) -> Iterator[Reply]:
        """`ask`, as an iterator: each reply as it stands after every token; the last of each variant has a `finish`.

        Leaving the loop early stops the generation.
        """
        came: queue.SimpleQueue[Reply | BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                self.ask(prompt, settings, variants, came.put, on_event)
                came.put(None)
            except BaseException as error:
                came.put(error)

        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="phinb-chat", daemon=True)
        thread.start()
        try:
            while (one := came.get()) is not None:
                if isinstance(one, BaseException):
                    raise one
                yield one
        finally:
            while thread.is_alive():
                self.stop()
                thread.join(0.2)

    def begin(self) -> None:
        """What is asked from now on is not meant by an earlier `stop`."""
        self._stop.clear()

    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """End what is being generated between two tokens; what is there stays. Variants stay loaded."""
        self._stop.set()
        for process in list(self._processes.values()):
            process.cancel()

    def choose(self, names: Sequence[str] | None = None) -> list[str]:
        """These names, by default the first MOST_VARIANTS. Raises PhinbError for one that is not there, or for more."""
        chosen = list(dict.fromkeys(names)) if names is not None else list(self.variants)[:MOST_VARIANTS]
        for name in chosen:
            self._find(name)
        if not 1 <= len(chosen) <= MOST_VARIANTS:
            raise PhinbError(f"{len(chosen)} variants are asked at once.", f"One to {MOST_VARIANTS} can be.")
        return chosen

    def _ask_at_once(
        self, written: Mapping[str, Prompt], settings: ChatSettings, tell: OnReply, on_event: OnEvent | None
    ) -> list[Reply]:
        """All begin together once all are loaded; afterwards each says who was at work beside it."""
        if told := self.plan(list(written)).told:
            raise PhinbError(told, "Let them answer in turn, or ask fewer.")
        for name in written:
            with suppress(PhinbError, Stopped):  # said in the reply
                self.load(name, on_event, self._stop.is_set)
        replies: dict[str, Reply] = {}
        times: dict[str, tuple[float, float]] = {}
        others = {name: tuple(other for other in written if other != name) for name in written}

        def work(name: str) -> None:
            began = time.monotonic()
            show: OnReply = lambda reply: tell(replace(reply, beside=others[name])) if not reply.finish else None  # noqa: E731
            replies[name] = self._ask_one(name, written[name], settings, show, on_event)
            times[name] = began, time.monotonic()

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(work, name)) for name in written]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = [replace(replies[name], beside=_overlapping(name, times)) for name in written]
        for reply in done:
            tell(reply)
        return done

    def _ask_one(
        self, name: str, prompt: Prompt, settings: ChatSettings, tell: OnReply, on_event: OnEvent | None
    ) -> Reply:
        reply = Reply(name, prompt_tokens=len(prompt.ids))
        try:
            with _explained():
                self.load(name, on_event, self._stop.is_set)
                reply = self._generate(name, prompt, settings, reply, tell)
        except (Stopped, Cancelled):
            reply = replace(reply, finish="stopped")
        except PhinbError as error:
            reply = replace(reply, finish="error", error=str(error))
        tell(reply)
        return reply

    def _generate(self, name: str, prompt: Prompt, settings: ChatSettings, reply: Reply, tell: OnReply) -> Reply:
        if self._stop.is_set():
            raise Stopped
        process, shown = self._processes[name], reply

        def take(part: Mapping[str, Any]) -> None:
            nonlocal shown
            first = part["at_s"] if shown.ttft_s is None else shown.ttft_s
            count = shown.tokens + (part["id"] is not None)
            text = shown.text + part["text"]
            shown = replace(shown, text=text, tokens=count, ttft_s=first, decode_s=part["at_s"] - first)
            tell(shown)
            if self._stop.is_set():
                process.cancel()

        room = (read_context(self.variants[name]) or 1 << 30) - len(prompt.ids)
        payload = {
            "prompts": [list(prompt.ids)],
            "max_new_tokens": min(settings.max_new_tokens, room),
            "stops": list(prompt.stops),
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "seed": settings.seed,
        }
        # The client's should_stop would end the process; a reply that is stopped keeps its model.
        neighbours = NeighbourWatch([one.pid for one in list(self._processes.values()) if one.pid is not None])
        found = process.ask("generate", payload, on_part=take)["generations"][0]
        finish: Finish = "stopped" if found["finish"] == "cancelled" else found["finish"]
        return replace(
            shown,
            text=found["text"],
            tokens=len(found["ids"]),
            finish=finish,
            ttft_s=found["ttft_s"],
            decode_s=found["decode_s"],
            busy=neighbours.read(),
        )


def read_context(variant: Variant) -> int | None:
    """Tokens that the model reads at most, prompt and reply together; None where its configuration does not say."""
    folder = Path(variant.base_path or variant.path)
    try:
        if variant.kind == "onnx":
            found = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]["context_length"]
        else:
            found = json.loads((folder / "config.json").read_text(encoding="utf-8"))["max_position_embeddings"]
        return int(found)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _overlapping(name: str, times: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    began, ended = times[name]
    return tuple(other for other, (first, last) in times.items() if other != name and first < ended and began < last)


@contextmanager
def _explained() -> Iterator[None]:
    """What the disk may say while a process is started, as a sentence."""
    try:
        yield
    except OSError as error:
        raise PhinbError(f"The process could not be started: {error}.", "Is the disk full, or memory short?") from None
