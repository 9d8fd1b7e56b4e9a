"""A serving process by its client: operations, parts as they come, cancelling, stopping, dying, being left alone."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from phinb.errors import PhinbError
from phinb.evaluation.process import Cancelled, ProcessDied, Stopped, VariantProcess
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.types import Event, Preparing, Progress, Variant
from phinb.workflow.process import worker_environment

pytestmark = pytest.mark.slow
TEXT = "### Text: what a day\n### The tone is:\n"
NAMES = ("adapter", "int4")


@pytest.fixture(scope="module", params=NAMES)
def served(request: pytest.FixtureRequest, variants: dict[str, Variant]) -> Iterator[VariantProcess]:
    with VariantProcess(variants[request.param]) as process:
        process.load()
        yield process


def ids_of(process: VariantProcess, text: str = TEXT) -> list[int]:
    found: list[int] = process.ask("tokenize", {"texts": [text]})["texts"][0]["ids"]
    return found


def test_loading_tells_what_it_took(served: VariantProcess) -> None:
    events: list[Event] = []
    loaded = served.load(events.append)
    assert loaded["load_s"] > 0
    assert loaded["settings"]["threads"] >= 1
    assert loaded["vocabulary"] > 100
    assert any(isinstance(event, Preparing) and served.variant.name in event.what for event in events)
    assert served.ask("memory")["peak_memory_bytes"] > 10e6


def test_tokens_are_the_tokenizers(served: VariantProcess) -> None:
    encoding = load_tokenizer(served.variant).encode(TEXT)
    found = served.ask("tokenize", {"texts": [TEXT]})["texts"][0]
    assert found["ids"] == list(encoding.ids)
    assert found["offsets"] == [list(pair) for pair in encoding.offsets]


def test_likelihoods_are_those_of_the_next_token(served: VariantProcess) -> None:
    ids = ids_of(served)
    (row,) = served.ask("likelihood", {"sequences": [ids]})["sequences"]
    assert row[0] is None
    asked = {"ids": ids, "places": list(range(len(ids) - 1))}
    (found,) = served.ask("next_token", {"sequences": [asked], "of": ids, "top": 3, "full": True})["sequences"]
    for place in found["places"]:
        following = place["place"] + 1
        assert place["of"][following] == pytest.approx(row[following], abs=1e-4)
        whole = np.frombuffer(base64.b64decode(place["full"]), dtype="<f4")
        assert np.exp(whole.astype(float)).sum() == pytest.approx(1, abs=1e-4)
        assert [token for token, _ in place["top"]] == list(np.argsort(-whole, kind="stable")[:3])


def test_greedy_generation_takes_the_likeliest_token_each_time(served: VariantProcess) -> None:
    ids = ids_of(served)
    parts: list[dict[str, Any]] = []
    asked = {"prompts": [ids], "max_new_tokens": 6}
    (made,) = served.ask("generate", asked, on_part=parts.append)["generations"]
    for count, token in enumerate(made["ids"]):
        sequence = {"ids": [*ids, *made["ids"][:count]]}
        (likely,) = served.ask("next_token", {"sequences": [sequence], "top": 1})["sequences"]
        best, value = likely["places"][0]["top"][0]
        (of,) = served.ask("next_token", {"sequences": [sequence], "of": [token]})["sequences"]
        # Two tokens may be as likely but for rounding.
        assert best == token or of["places"][0]["of"][0] == pytest.approx(value, abs=1e-3)
    assert [part["id"] for part in parts if part["id"] is not None] == made["ids"]
    assert "".join(part["text"] for part in parts) == made["text"]
    times = [part["at_s"] for part in parts]
    assert times == sorted(times)
    assert made["prompt_tokens"] == len(ids)
    assert made["ttft_s"] == times[0]


def test_a_stop_text_ends_it(served: VariantProcess) -> None:
    ids = ids_of(served)
    (made,) = served.ask("generate", {"prompts": [ids], "max_new_tokens": 12})["generations"]
    stop = made["text"][2:4]
    asked = {"prompts": [ids], "max_new_tokens": 12, "stops": [stop]}
    (cut,) = served.ask("generate", asked)["generations"]
    assert cut["text"] == made["text"][: made["text"].index(stop)]
    assert cut["finish"] == "stop"


def test_drawing_repeats_with_its_seed(served: VariantProcess) -> None:
    ids = ids_of(served)

    def draw(seed: int) -> Any:
        asked = {"prompts": [ids], "max_new_tokens": 12, "temperature": 1.5, "top_p": 0.95, "seed": seed}
        return served.ask("generate", asked)["generations"][0]["ids"]

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(4)}) > 1


def test_cancelling_ends_it_between_tokens_and_keeps_the_model(served: VariantProcess) -> None:
    ids = ids_of(served)
    pid = served.pid
    parts: list[dict[str, Any]] = []

    def cancel_at_three(part: dict[str, Any]) -> None:
        parts.append(part)
        if len(parts) == 3:
            served.cancel()

    # Temperature: a greedy generation may end of its own.
    asked = {"prompts": [ids] * 50, "max_new_tokens": 80, "temperature": 5.0, "seed": 0}
    made = served.ask("generate", asked, on_part=cancel_at_three)["generations"]
    assert made[-1]["finish"] == "cancelled"
    assert len(made) < 50
    assert served.pid == pid
    assert served.ask("generate", {"prompts": [ids], "max_new_tokens": 2})["generations"][0]["ids"]


def test_what_has_no_partial_result_is_cancelled_without_one(served: VariantProcess) -> None:
    ids = ids_of(served)

    def cancel(event: Event) -> None:
        if isinstance(event, Progress):
            served.cancel()

    rows = [{"row": row, "prompt": ids, "candidates": [[5], [6, 7]]} for row in range(3000)]
    with pytest.raises(Cancelled):
        served.ask("score", {"rows": rows}, cancel)
    assert served.ask("memory")["peak_memory_bytes"] > 0


def test_what_it_can_explain_is_raised_and_it_stays(served: VariantProcess) -> None:
    with pytest.raises(PhinbError, match="no operation 'dance'"):
        served.ask("dance")
    assert served.pid is not None


def test_batches_and_steps_are_timed(served: VariantProcess) -> None:
    ids = ids_of(served)
    asked = {"prompts": [ids], "new_tokens": 5, "batch": 3, "made": True}
    (latency,) = served.ask("time", asked)["latencies"]
    assert (latency["batch"], latency["made"], latency["new_tokens"]) == (3, True, 5)
    assert len(latency["token_s"]) == 4
    assert sum(latency["token_s"]) == pytest.approx(latency["decode_s"])


def test_stopping_leaves_no_process_and_it_can_be_loaded_again(variants: dict[str, Variant]) -> None:
    process = VariantProcess(variants["int4"])
    process.load()
    child = psutil.Process(process.pid)
    ids = ids_of(process)
    began = time.monotonic()
    seen: list[dict[str, Any]] = []
    asked = {"prompts": [ids] * 500, "max_new_tokens": 80, "temperature": 5.0}
    with pytest.raises(Stopped):
        process.ask("generate", asked, should_stop=lambda: bool(seen), on_part=seen.append)
    assert time.monotonic() - began < 30
    assert not child.is_running()
    assert process.pid is None
    process.load()
    assert process.ask("memory")
    process.close()
    process.close()
    with pytest.raises(PhinbError, match="not loaded"):
        process.ask("memory")


def test_a_death_is_explained(variants: dict[str, Variant]) -> None:
    process = VariantProcess(variants["int4"])
    process.load()

    def kill(part: dict[str, Any]) -> None:
        psutil.Process(process.pid).kill()

    with pytest.raises(ProcessDied, match=r"int4: the measuring process was ended by signal 9 \(SIGKILL\)") as caught:
        process.ask("generate", {"prompts": [[5, 6]] * 500, "max_new_tokens": 50, "temperature": 5.0}, on_part=kill)
    assert "memory" in caught.value.hint
    assert process.pid is None


def test_a_variant_that_cannot_be_loaded_says_so(variants: dict[str, Variant], tmp_path: Path) -> None:
    gone = replace(variants["int4"], path=str(tmp_path / "gone"))
    with VariantProcess(gone) as process, pytest.raises(PhinbError, match="does not exist"):
        process.load()


def test_it_ends_with_its_owner(variants: dict[str, Variant]) -> None:
    """The owner is killed, so that it can tidy up nothing."""
    source = (
        "import json, sys, time; from phinb.types import Variant; from phinb.evaluation.process import VariantProcess\n"
        "process = VariantProcess(Variant(**json.loads(sys.argv[1]))); process.load()\n"
        "print(process.pid, flush=True)\n"
        "process.ask('generate', {'prompts': [[5, 6]] * 100000, 'max_new_tokens': 50, 'temperature': 5.0})"
    )
    text = json.dumps(vars(variants["int4"]) | {"parameters": {}})
    owner = subprocess.Popen([sys.executable, "-c", source, text], stdout=subprocess.PIPE, env=worker_environment())
    try:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        assert child.is_running()
    finally:
        owner.kill()
        owner.wait()
    child.wait(timeout=30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_what_libraries_print_is_no_answer(variants: dict[str, Variant], tmp_path: Path) -> None:
    """Prints of Python and of native code, in the middle of it, go to standard error."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, threading, time\n"
        "def chatter():\n"
        "    while True:\n"
        '        os.write(1, b\'{"id": 1, "result": {}}\\n\'); time.sleep(0.01)\n'
        "threading.Timer(0.3, chatter).start() if 'PHINB_CHATTER' in os.environ else None\n",
        encoding="utf-8",
    )
    environment = worker_environment() | {"PHINB_CHATTER": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    child = subprocess.Popen(
        [sys.executable, "-m", "phinb.evaluation.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        request = {"id": 7, "op": "load", "payload": {"variant": vars(variants["int4"]) | {"parameters": {}}}}
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        answers: list[dict[str, Any]] = []
        while not answers or "result" not in answers[-1]:
            answers.append(json.loads(child.stdout.readline()))
        assert {answer["id"] for answer in answers} == {7}
        assert answers[-1]["result"]["load_s"] > 0
    finally:
        child.kill()
        child.wait()
