"""Real variants of the tiny model answer: as transformers and onnxruntime-genai do by themselves, stoppable, timed."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from phinb.errors import PhinbError
from phinb.evaluation.bulk_chat import chat_many
from phinb.evaluation.chat import Chat, read_context
from phinb.evaluation.chat_dialogue import hold_dialogue
from phinb.evaluation.prompts import PromptForm
from phinb.evaluation.replies import ChatSettings, Reply
from phinb.evaluation.scoring import split_template
from phinb.types import Event, Preparing, Progress, Variant
from phinb.workflow.process import wait_until
from tests.evaluation.conftest import TEMPLATE

ROW = {"phrase": "I could have danced all night"}
SHORT = ChatSettings(max_new_tokens=6)

pytestmark = pytest.mark.slow


def make_form(template: str = TEMPLATE) -> PromptForm:
    before, _, after, answer = split_template(template)
    return PromptForm("template", before, answer, after, examples=("joy", "anger"))


@pytest.fixture(scope="module")
def chat(variants: dict[str, Variant]) -> Iterator[Chat]:
    """base and int4, loaded for all tests of this module."""
    with Chat([variants["base"], variants["int4"]], make_form(), "tones") as chat:
        yield chat


def children() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # gone meanwhile, or not yet waited for
            if "phinb.evaluation.server" in one.cmdline():
                found.append(one)
    return found


def test_replies_are_the_models_own(chat: Chat, variants: dict[str, Variant]) -> None:
    seen: list[Reply] = []
    exchange = chat.ask(ROW, SHORT, on_reply=seen.append)
    assert [reply.variant for reply in exchange.replies] == ["base", "int4"]
    assert exchange.prompt.values == ROW
    ids = list(exchange.prompt.ids)
    expected = {
        "base": generate_by_transformers(variants["base"], ids),
        "int4": generate_by_genai(variants["int4"], ids),
    }
    for reply in exchange.replies:
        tokenizer = chat.tokenizer(reply.variant)
        new = expected[reply.variant]
        ended = new[-1] in tokenizer.stop_ids
        assert reply.text == tokenizer.decode(new[:-1] if ended else new)
        assert (reply.tokens, reply.prompt_tokens) == (len(new), len(ids))
        assert reply.finish == ("stop" if ended else "length")
        assert reply.ttft_s is not None
        assert reply.ttft_s > 0
        assert reply.decode_s is not None
        assert reply.tokens_per_s == pytest.approx((len(new) - 1) / reply.decode_s)
        assert (reply.beside, reply.error) == ((), "")
        # Token by token, one variant after the other.
        mine = [one for one in seen if one.variant == reply.variant]
        assert [one.finish for one in mine[:-1]] == [""] * (len(mine) - 1)
        assert all(later.text.startswith(one.text) for one, later in itertools.pairwise(mine))
        assert mine[-1] == reply
    assert [one.variant for one in seen] == sorted((one.variant for one in seen), key=["base", "int4"].index)
    assert "first after" in exchange.to_text()


def generate_by_transformers(variant: Variant, ids: list[int]) -> list[int]:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(variant.path, dtype=torch.float32)
    out = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=6, pad_token_id=0)
    return [int(token) for token in out[0, len(ids) :]]


def generate_by_genai(variant: Variant, ids: list[int]) -> list[int]:
    import onnxruntime_genai

    model = onnxruntime_genai.Model(variant.path)
    parameters = onnxruntime_genai.GeneratorParams(model)
    parameters.set_search_options(do_sample=False, max_length=len(ids) + 6)
    generator = onnxruntime_genai.Generator(model, parameters)
    generator.append_tokens(ids)
    while not generator.is_done():
        generator.generate_next_token()
    return [int(token) for token in generator.get_sequence(0)[len(ids) :]]


def test_sampling_repeats_with_its_seed(chat: Chat) -> None:
    drawn = ChatSettings(max_new_tokens=12, temperature=1.5, top_p=0.95, seed=1)
    texts = [
        [reply.text for reply in chat.ask(ROW, settings).replies] for settings in (drawn, drawn, replace(drawn, seed=2))
    ]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    for wrong in ({"temperature": -1}, {"top_p": 0}, {"max_new_tokens": 0}):
        with pytest.raises(PhinbError, match=next(iter(wrong))):
            ChatSettings(**wrong)  # type: ignore[arg-type]


def test_a_reply_ends_where_the_template_goes_on(variants: dict[str, Variant]) -> None:
    # What the base says anyway is made the text behind the answer.
    with Chat([variants["base"]], make_form()) as chat:
        whole = chat.ask(ROW, ChatSettings(max_new_tokens=12)).replies[0].text
        place = len(whole) // 2
        stop = whole[place : place + 3]
        chat.form = make_form(TEMPLATE + stop.replace("{", "{{").replace("}", "}}"))
        reply = chat.ask(ROW, ChatSettings(max_new_tokens=12)).replies[0]
    assert reply.finish == "stop"
    assert reply.text == whole[: whole.find(stop)]


def test_stopped_between_two_tokens_and_asked_again(chat: Chat) -> None:
    long = ChatSettings(max_new_tokens=400, temperature=2.0, seed=3)
    before = {process.pid for process in children()}
    seen: list[Reply] = []

    def take(reply: Reply) -> None:
        seen.append(reply)
        if reply.tokens == 2:
            chat.stop()

    exchange = chat.ask(ROW, long, on_reply=take)
    assert [reply.finish for reply in exchange.replies] == ["stopped", "stopped"]
    assert 2 <= exchange["base"].tokens < 400
    assert exchange["int4"].tokens == 0, "its turn had not come"
    first = next(chat.stream(ROW, long))
    assert first.tokens == 1
    assert {process.pid for process in children()} >= before, "the models stay loaded"
    assert chat.ask(ROW, SHORT)["int4"].finish in ("stop", "length")


def test_at_once_says_so(chat: Chat) -> None:
    exchange = chat.ask(ROW, ChatSettings(max_new_tokens=60, temperature=2.0, seed=5, at_once=True))
    assert [reply.beside for reply in exchange.replies] == [("int4",), ("base",)]
    assert "int4 at work at the same time" in exchange.to_text()
    assert chat.ask(ROW, SHORT)["base"].beside == ()


def test_a_process_that_dies_is_one_variants_error_and_comes_back(chat: Chat) -> None:
    chat.ask(ROW, SHORT)
    pid = chat._processes["base"].pid
    assert pid is not None
    killed = False

    def kill(reply: Reply) -> None:
        nonlocal killed
        if reply.tokens == 2 and not killed:
            killed = True
            os.kill(pid, signal.SIGKILL)

    exchange = chat.ask(ROW, ChatSettings(max_new_tokens=400, temperature=2.0, seed=1), on_reply=kill)
    assert exchange["base"].finish == "error"
    assert "SIGKILL" in exchange["base"].error
    assert exchange["int4"].error == ""
    assert chat.ask(ROW, SHORT)["base"].error == ""


def test_what_cannot_be_asked(chat: Chat, variants: dict[str, Variant]) -> None:
    with pytest.raises(PhinbError, match="no variant 'int8'"):
        chat.ask(ROW, variants=["int8"])
    with pytest.raises(PhinbError, match="no 'phrase'"):
        chat.ask({})
    context = read_context(variants["base"])
    assert context is not None
    assert read_context(variants["int4"]) == context
    with pytest.raises(PhinbError, match="at most"):
        chat.ask({"phrase": "night " * context})
    broken = replace(variants["int4"], name="gone", path=f"{variants['int4'].path}-gone")
    with Chat([broken], make_form()) as other, pytest.raises(PhinbError, match="tokenizer"):
        other.ask(ROW)


def test_where_memory_does_not_do_one_takes_the_others_place(variants: dict[str, Variant]) -> None:
    with Chat([variants["base"], variants["merged"]], make_form(), free=lambda: 1000) as chat:
        assert "base, merged only once there is room" in chat.plan().told
        exchange = chat.ask(ROW, SHORT)
        assert [reply.error for reply in exchange.replies] == ["", ""]
        assert list(chat.loaded) == ["merged"]
        with pytest.raises(PhinbError, match="Memory does not do"):
            chat.ask(ROW, replace(SHORT, at_once=True))


def test_nothing_stays_when_it_is_closed(variants: dict[str, Variant]) -> None:
    before = {process.pid for process in children()}
    with Chat([variants["int4"]], make_form()) as chat:
        chat.ask(ROW, SHORT)
        assert {process.pid for process in children()} - before
    assert {process.pid for process in children()} <= before


OWNER = """
import sys, time
from phinb.evaluation.chat import Chat
from phinb.evaluation.prompts import PromptForm
from phinb.types import Variant
chat = Chat([Variant("int4", sys.argv[1], "onnx", "int4")], PromptForm("text"))
chat.load("int4")
print(chat._processes["int4"].pid, flush=True)
time.sleep(600)
"""


def test_nothing_stays_when_its_owner_is_killed(variants: dict[str, Variant]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, variants["int4"].path], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        served = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    assert wait_until(lambda: not served.is_running() or served.status() == psutil.STATUS_ZOMBIE, 10)


# ----------------------------------------------------------------------------------------- many prompts


def test_many_prompts_go_on_where_they_were_stopped(chat: Chat, tmp_path: Path) -> None:
    rows: list[Any] = [{"phrase": f"I {word} it", "tone": "joy"} for word in ("love", "hate", "miss")] + ["Once upon"]
    out = tmp_path / "replies.jsonl"
    events: list[Event] = []
    stop = False

    def listen(event: Event) -> None:
        nonlocal stop
        events.append(event)
        stop = isinstance(event, Progress) and event.done == 3

    found = chat_many(chat, rows, out, SHORT, on_event=listen, should_stop=lambda: stop)
    assert (found.stopped, found.asked, found.kept, found.wanted, found.complete) == (True, 3, 0, 8, False)
    with out.open("a", encoding="utf-8") as file:
        file.write('{"key": "cut o')  # as a killed process leaves it
    stop = False
    again = chat_many(chat, rows, out, SHORT, on_event=events.append)
    assert (again.stopped, again.asked, again.kept, again.complete) == (False, 5, 3, True)
    assert again.replies[:3] == found.replies
    assert [(one["row"], one["variant"]) for one in again.replies] == [
        (0, "base"), (0, "int4"), (1, "int4"), (1, "base"), (2, "base"), (2, "int4"), (3, "int4"), (3, "base"),
    ]  # fmt: skip
    assert again.replies[0]["given"] == rows[0]
    assert again.replies[0]["text"] == chat.ask(rows[0], SHORT, ["base"]).replies[0].text
    assert [event.done for event in events if isinstance(event, Progress)][-1] == 8
    content = out.read_bytes()
    third = chat_many(chat, rows, out, SHORT)
    assert (third.asked, third.kept) == (0, 8)
    assert out.read_bytes() == content
    other = chat_many(chat, rows[:1], out, replace(SHORT, max_new_tokens=3), ["int4"])
    assert (other.asked, other.kept) == (1, 0), "other settings are other replies"
    assert any("median of 4" in line for line in again.sentences())


def test_what_many_prompts_may_not_be(chat: Chat, variants: dict[str, Variant], tmp_path: Path) -> None:
    with pytest.raises(PhinbError, match="Row 2 of 2: The prompt has no 'phrase'"):
        chat_many(chat, [ROW, {"sentence": "x"}], tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    (tmp_path / "diary.txt").write_text("Dear diary\n", encoding="utf-8")
    with pytest.raises(PhinbError, match=r"something else than replies \(line 1\)"):
        chat_many(chat, [ROW], tmp_path / "diary.txt")
    assert (tmp_path / "diary.txt").read_text(encoding="utf-8") == "Dear diary\n"
    with pytest.raises(PhinbError, match="no prompts"):
        chat_many(chat, [], tmp_path / "out.jsonl")


def test_a_dialogue_asks_until_a_field_is_empty(chat: Chat) -> None:
    lines = iter(["I love it", ""])
    asked: list[str] = []
    written: list[str] = []
    told: list[str] = []

    def read(prompt: str) -> str:
        asked.append(prompt)
        return next(lines)

    hold_dialogue(chat, SHORT, read, written.append, told.append)
    assert asked == ["phrase: ", "phrase: "]
    assert len(written) == 1
    assert "● base" in written[0]
    assert "▲ int4" in written[0]
    assert any(line.startswith("base: ") for line in told)


def test_loading_is_told(variants: dict[str, Variant]) -> None:
    events: list[Event] = []
    with Chat([variants["int4"]], make_form()) as chat:
        chat.ask(ROW, SHORT, on_event=events.append)
    assert [event.what for event in events if isinstance(event, Preparing)] == ["loading int4"]
