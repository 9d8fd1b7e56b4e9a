"""phinb chat: a run's models answer in the terminal, side by side; or many prompts from a file into another."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from typing import Any

from phinb.cli.commands import Commands, add
from phinb.errors import PhinbError


def add_commands(commands: Commands) -> None:
    chat = add(commands, "chat", _chat, "Ask the variants of a run, side by side; exit 1 where one could not answer.")
    chat.add_argument("run", metavar="RUN", help="an id, a unique part of one, a folder, or a configuration's name")
    chat.add_argument("--variants", metavar="NAMES", help="base,int4: one to four; by default the first four")
    chat.add_argument(
        "--field", metavar="NAME=VALUE", action="append", default=[], help="a field of the template; may be repeated"
    )
    chat.add_argument("--text", metavar="TEXT", help="the whole prompt, or what the user of a chat says; - reads it")
    chat.add_argument(
        "--prompts", metavar="FILE", help="JSON lines, CSV, ...: a prompt a row, with the template's fields"
    )
    chat.add_argument("--out", metavar="FILE", help="where the replies to --prompts go, a JSON line each")
    chat.add_argument("--max-new-tokens", type=int, default=128, metavar="N", help="the longest reply; default: 128")
    chat.add_argument("--temperature", type=float, default=0.0, metavar="T", help="0, the default, is greedy")
    chat.add_argument("--top-p", type=float, default=1.0, metavar="P", help="draw from the likeliest of this share")
    chat.add_argument("--seed", type=int, metavar="N", help="of the drawing")
    chat.add_argument("--at-once", action="store_true", help="let all answer at the same time: slower for each")
    chat.add_argument("--json", action="store_true", help="the replies to one prompt as JSON, for programs")


def _chat(options: argparse.Namespace) -> int:
    from phinb.api import open_chat
    from phinb.evaluation.chat_dialogue import answer, hold_dialogue, show_exchange
    from phinb.evaluation.replies import ChatSettings

    names = [name.strip() for name in options.variants.split(",")] if options.variants else None
    settings = ChatSettings(options.max_new_tokens, options.temperature, options.top_p, options.seed, options.at_once)
    if options.prompts or options.out:
        return _answer_many(options, names)
    prompt = _read_prompt(options)
    with open_chat(options.run, names) as chat:
        if prompt is None:
            hold_dialogue(chat, settings, input, print, _narrate)
            return 0
        exchange = answer(chat, prompt, settings, _narrate)
        print(_as_json(exchange) if options.json else show_exchange(chat, exchange))
    return 1 if any(reply.error for reply in exchange.replies) else 0


def _read_prompt(options: argparse.Namespace) -> Any:
    """The fields or the text that the options name, or standard input has; None where somebody can be asked."""
    if options.field and options.text is not None:
        raise PhinbError("--field and --text are two ways to say the prompt.", "Use one of them.")
    if options.field:
        pairs = [field.partition("=") for field in options.field]
        if wrong := next((name for name, sign, _ in pairs if not sign or not name), None):
            raise PhinbError(f"--field {wrong} names no value.", "Write --field NAME=VALUE.")
        return {name: value for name, _, value in pairs}
    if options.text not in (None, "-"):
        return options.text
    if options.text is None and sys.stdin.isatty():
        return None
    given = sys.stdin.read()
    if not given.strip():
        raise PhinbError(
            "There is no prompt.", "Name fields (--field NAME=VALUE), or give a text or JSON on standard input."
        )
    try:
        record = json.loads(given)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else given.rstrip("\n")


def _answer_many(options: argparse.Namespace, names: list[str] | None) -> int:
    """Ctrl-C ends after what is being said; the same command goes on from there."""
    from phinb.api import chat_many

    if not (options.prompts and options.out):
        raise PhinbError("--prompts and --out belong together.", "--prompts FILE --out REPLIES.jsonl")
    if options.field or options.text is not None or options.at_once or options.json:
        raise PhinbError("--prompts goes with no --field, --text, --at-once or --json.", "Leave those out.")
    interrupted = False

    def interrupt(_number: int, _frame: Any) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True
        _narrate("Stopping; what was answered is kept. Ctrl-C again ends at once.")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        replies = chat_many(
            options.run,
            options.prompts,
            options.out,
            names,
            max_new_tokens=options.max_new_tokens,
            temperature=options.temperature,
            top_p=options.top_p,
            seed=options.seed,
            on_event=_tell,
            should_stop=lambda: interrupted,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    print("\n".join(replies.sentences()))
    if replies.stopped:
        return 130
    return 0 if replies.complete else 1


def _tell(event: Any) -> None:
    from phinb.evaluation.bulk_chat import write_progress

    if line := write_progress(event):
        _narrate(line)


def _narrate(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _as_json(exchange: Any) -> str:
    from dataclasses import asdict

    replies = [asdict(reply) | {"tokens_per_s": reply.tokens_per_s} for reply in exchange.replies]
    record = {"prompt": exchange.prompt.text, "prompt_tokens": len(exchange.prompt.ids)}
    return json.dumps(record | {"settings": asdict(exchange.settings), "replies": replies}, indent=2)
