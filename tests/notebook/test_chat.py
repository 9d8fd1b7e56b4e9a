"""%olive_chat: its panel without a page, its text where nobody can click, and what a saved notebook keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from IPython.utils.capture import capture_output

from phinb.api import open_chat
from phinb.evaluation.chat import Chat
from phinb.evaluation.prompts import Prompt, PromptForm
from phinb.evaluation.replies import ChatSettings, Exchange, Reply
from phinb.notebook.chat_html import MOST_BYTES, chat_bundle
from phinb.notebook.chat_panel import ChatPanel
from phinb.notebook.chat_view import Turn, describe_turn
from phinb.types import Variant
from phinb.workflow.process import wait_until
from phinb.workflow.runner import Run
from tests.notebook.conftest import Shell
from tests.notebook.hostile import HALF, HOSTILE

VARIANTS = [Variant("base", "/m/base", "base", ""), Variant("int4", "/m/int4", "onnx", "int4", precision="int4")]


def make_exchange(*texts: str, prompt: str = "I love it", **changes: Any) -> Exchange:
    replies = [
        replace(Reply(variant.name, text, 4, 9, "stop", 0.06, 0.1), **changes)
        for variant, text in zip(VARIANTS, texts, strict=True)
    ]
    return Exchange(Prompt(prompt, (1, 2, 3), (), {"phrase": prompt}), tuple(replies), ChatSettings(), "tones")


def make_chat() -> Chat:
    return Chat(VARIANTS, PromptForm("template", answer="tone"), "tones")


def test_a_saved_chat_does_nothing_and_says_all() -> None:
    exchanges = [make_exchange(text, f"{text} too", prompt=text) for text in (*HOSTILE, HALF)]
    bundle = chat_bundle(make_chat(), exchanges, "as it was then")
    html, text = bundle["text/html"], bundle["text/plain"]
    body = html.partition("</style>")[2]
    tags: set[str] = set()
    attributes: set[str] = set()

    class Collect(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            attributes.update(name for name, _ in attrs)

    Collect().feed(body)
    assert tags <= {"div", "span", "b", "p", "dl", "dt", "dd", "details", "summary", "del", "ins"}
    assert attributes <= {"class", "style", "role", "aria-label", "aria-hidden", "tabindex"}
    assert not any(sign in body for sign in "\x1b\u202e\x00\x07\x9b")
    assert "&lt;script&gt;window.ran = 'script'" in body
    assert not any(sign in text for sign in "\x1b\u202e\x00\x07\x9b")
    (html + text).encode("utf-8")
    assert html.count("phinb-reply-text") >= 2 * len(exchanges)


def test_a_saved_chat_is_bounded_and_says_what_it_leaves_out() -> None:
    exchanges = [make_exchange(f"{n} " + "word " * 900, "other " * 900) for n in range(80)]
    bundle = chat_bundle(make_chat(), exchanges, "as it was then")
    assert sum(len(part.encode()) for part in bundle.values()) < 200_000 + MOST_BYTES // 4
    assert len(bundle["text/html"].encode()) < 170_000
    assert "earlier prompts are left out" in bundle["text/html"]
    assert ">79 word" in bundle["text/html"]
    assert ">0 word" not in bundle["text/html"]


def test_replies_are_told_with_their_figures_and_differences() -> None:
    chat = make_chat()
    turn = describe_turn(Turn(1, make_exchange("joy and fear", "joy and anger ")), chat)
    first, second = turn["replies"]
    assert first["figures"] == "4 tokens · first after 60 ms · 30.0 tokens/s (n = 1) · ended by itself"
    assert (first["diff"], first["against"], second["against"]) == ([], "", "")
    assert second["diff"] == [["same", "joy and "], ["removed", "fear"], ["added", "anger"]]
    assert describe_turn(Turn(1, make_exchange("joy", "joy ")), chat)["replies"][1]["against"] == "the same as base"
    busy = make_exchange("a", "b", beside=("other",), busy=0.4)
    told = describe_turn(Turn(1, busy), chat)["replies"][0]
    assert "other at work at the same time: slower than alone" in told["figures"]
    assert "other programs took 40 % of the processor" in told["figures"]
    assert told["tone"] == "warn"
    other = describe_turn(Turn(1, make_exchange("word " * 100, "joy")), chat)["replies"][1]
    assert (other["diff"], other["against"]) == ([], "no word in common with base")
    long = describe_turn(Turn(1, make_exchange("word " * 100 + "joy", "joy")), chat)["replies"][1]["diff"]
    assert long == [["removed", "word word word … word word word (100 words)"], ["same", "joy"]]


# ------------------------------------------------------------------------------------- with real models


@pytest.fixture
def panel(tiny_run: Run, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatPanel]:
    """The panel of base and int4, open, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    panel = ChatPanel(tiny_run, open_chat(tiny_run), ChatSettings(max_new_tokens=5), ["base", "int4"])
    with capture_output() as captured:
        panel.open()
    assert "phinb-twin" in captured.outputs[0].data["text/html"]
    yield panel
    panel.close()


def send(panel: ChatPanel, action: str, **content: Any) -> None:
    panel.widget._handle_custom_msg({"action": action, **content}, [])


def settle(panel: ChatPanel, condition: Callable[[], Any]) -> None:
    assert wait_until(condition, 120), panel.widget.state


def column(panel: ChatPanel, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in panel.widget.state["columns"] if one["key"] == name)
    return found


@pytest.mark.slow
def test_a_prompt_in_the_panel(panel: ChatPanel, tiny_run: Run, tmp_path: Path) -> None:
    state = panel.widget.state
    assert [one["key"] for one in state["form"]["fields"]] == ["phrase"]
    assert [one["key"] for one in state["form"]["row_fields"]] == ["tone"]
    settle(panel, lambda: column(panel, "int4")["status"] == "ready" and not panel.widget.state["busy"])
    assert "PyTorch" in column(panel, "base")["told"]
    assert column(panel, "merged") | {"told": ""} == column(panel, "merged") | {
        "told": "",
        "chosen": False,
        "status": "absent",
    }

    send(panel, "write", values={"phrase": "I love it"})
    assert panel.widget.prompt["text"].endswith("### Text: I love it\n### The tone is:\n")
    assert "tokens to base" in panel.widget.prompt["told"]
    send(panel, "write", values={"phrase": HALF})
    assert "half of a character" in panel.widget.prompt["problem"]

    parts: list[dict[str, Any]] = []
    panel.widget.observe(lambda change: parts.append(change["new"]), "going")
    send(panel, "send", values={"phrase": "I love it"}, settings={"max_new_tokens": "7", "temperature": 0, "seed": ""})
    settle(panel, lambda: len(panel.widget.turns) == 1 and not panel.widget.state["busy"])
    (turn,) = panel.widget.turns
    assert [reply["key"] for reply in turn["replies"]] == ["base", "int4"]
    assert all(not reply["running"] and "tokens" in reply["figures"] for reply in turn["replies"])
    assert panel.widget.going == {}
    assert any(part and part["replies"][0]["running"] for part in parts), "it was seen to stream"
    assert panel.exchanges[0].settings.max_new_tokens == 7

    # The row that it makes is one that the comparison takes.
    send(panel, "add_row", number=1, values={}, path="rows.jsonl")
    assert "right tone" in panel.widget.turns[0]["row"]["text"]
    send(panel, "add_row", number=1, values={"tone": "joy"}, path="rows.jsonl")
    assert panel.widget.turns[0]["row"]["hint"] == f"%olive_compare {tiny_run.id} --rows rows.jsonl"
    assert json.loads((tmp_path / "rows.jsonl").read_text(encoding="utf-8")) == {"phrase": "I love it", "tone": "joy"}
    train = tiny_run.config.folder / "train.jsonl"
    before = train.read_bytes()
    send(panel, "add_row", number=1, values={"tone": "joy"}, path=str(train))
    assert panel.widget.turns[0]["row"]["anyway"]
    assert train.read_bytes() == before


@pytest.mark.slow
def test_stop_rest_and_wrong_messages(panel: ChatPanel) -> None:
    settle(panel, lambda: not panel.widget.state["busy"] and not panel.widget.state["rests"])
    hot = {"max_new_tokens": 400, "temperature": 2, "top_p": 1, "seed": 4}
    send(panel, "send", values={"phrase": "I love it"}, settings=hot)
    settle(panel, lambda: panel.widget.going.get("replies", [{}])[0].get("text"))
    send(panel, "send", values={"phrase": "again"}, settings=hot)
    assert "being answered" in panel.widget.state["problem"]["text"]
    send(panel, "stop")
    settle(panel, lambda: len(panel.widget.turns) == 1 and not panel.widget.state["busy"])
    assert [reply.finish for reply in panel.exchanges[0].replies] == ["stopped", "stopped"]

    send(panel, "send", values={}, settings={})
    assert "no 'phrase'" in panel.widget.state["problem"]["text"]
    send(panel, "send", values={"phrase": "x"}, settings={"temperature": "hot"})
    assert "no number" in panel.widget.state["problem"]["text"]
    send(panel, "choose", names=[])
    assert "0 variants" in panel.widget.state["problem"]["text"]
    assert panel.chosen == ["base", "int4"]
    for wrong in ({"action": "nothing"}, {"action": "add_row", "number": 99}, {"action": "choose", "names": 3}):
        panel.widget._handle_custom_msg(wrong, [])
    send(panel, "choose", names=["int4"])
    assert panel.chosen == ["int4"]

    send(panel, "rest")
    settle(panel, lambda: panel.widget.state["rests"])
    assert column(panel, "base")["status"] == "absent"
    send(panel, "send", values={"phrase": "I love it"}, settings={"max_new_tokens": 3})
    settle(panel, lambda: len(panel.widget.turns) == 2 and not panel.widget.state["busy"])
    assert [reply.variant for reply in panel.exchanges[1].replies] == ["int4"]
    assert panel.exchanges[1].replies[0].error == ""

    # A second panel of the run takes the processes' place; the first can still ask.
    second = ChatPanel(panel.run, open_chat(panel.run), chosen=["int4"])
    with capture_output():
        second.open()
    settle(panel, lambda: panel.widget.state["rests"])
    assert "another panel of this run" in column(panel, "int4")["told"]
    settle(second, lambda: not second.widget.state["busy"] and not second.widget.state["rests"])
    second.close()


@pytest.mark.slow
def test_what_does_not_fit_is_said_and_loaded_in_its_turn(tiny_run: Run, shell: Shell) -> None:
    opened = open_chat(tiny_run, ["base", "int4"])
    chat = Chat(list(opened.variants.values()), opened.form, opened.name, free=lambda: 1000)
    panel = ChatPanel(tiny_run, chat, ChatSettings(max_new_tokens=3))
    with capture_output():
        panel.open()
    assert "base, int4 only once there is room" in panel.widget.state["note"]
    settle(panel, lambda: not panel.widget.state["busy"])
    assert panel.widget.state["rests"], "nothing was loaded unasked"
    send(panel, "send", values={"phrase": "I love it"}, settings={"max_new_tokens": 3})
    settle(panel, lambda: len(panel.widget.turns) == 1 and not panel.widget.state["busy"])
    assert [reply.error for reply in panel.exchanges[0].replies] == ["", ""]
    assert [column(panel, name)["status"] for name in ("base", "int4")] == ["absent", "ready"]
    panel.close()


@pytest.mark.slow
def test_idle_processes_end(tiny_run: Run, shell: Shell) -> None:
    chat = open_chat(tiny_run)
    panel = ChatPanel(tiny_run, chat, chosen=["int4"], idle_s=0.1)
    with capture_output():
        panel.open()
    settle(
        panel,
        lambda: column(panel, "int4")["status"] == "absent" and "nothing was asked" in column(panel, "int4")["told"],
    )
    assert chat._processes == {}
    panel.close()


@pytest.mark.slow
def test_where_nobody_can_click_it_answers_in_text(
    tiny_run: Run, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell.ip.user_ns["asked"] = {"phrase": "<b>I love it</b>"}
    line = f"%olive_chat {tiny_run.id} --variants base,int4 --max-new-tokens 4"
    shown = shell.execute(f"e = {line} --prompt asked")
    assert [reply.variant for reply in shell.ip.user_ns["e"].replies] == ["base", "int4"]
    (output,) = shown.outputs
    assert "&lt;b&gt;I love it&lt;/b&gt;" in output.data["text/html"]
    assert "● base" in output.data["text/plain"]

    (tmp_path / "prompts.csv").write_text("phrase,tone\nI love it,joy\nI hate it,anger\n", encoding="utf-8")
    text = shell.text(f"many = {line} --prompts prompts.csv --out replies.jsonl")
    assert "4 of 4 replies in replies.jsonl" in text
    assert len((tmp_path / "replies.jsonl").read_text(encoding="utf-8").splitlines()) == 4
    assert "Name a file" in shell.text(f"{line} --prompts prompts.csv")
