"""%olive_chat: ask a run's models one prompt after the other, and see them answer side by side."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.errors import PhinbError
from phinb.notebook.arguments import find_run
from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import Host, find_host, show

if TYPE_CHECKING:
    from phinb.evaluation.bulk_chat import BulkReplies
    from phinb.evaluation.chat import Chat, ChatSettings, Exchange


@magics_class
class ChatMagics(Magics):  # type: ignore[misc]
    """Talking to the variants of a run."""

    @line_magic(
        argument("run", metavar="RUN", nargs="?", help="an id, a configuration's name or a variable; else the newest"),
        argument("--variants", metavar="NAMES", help="base,int4: one to four; else the first four"),
        argument(
            "--prompt", metavar="TEXT|VARIABLE", help="ask this at once, in text: a variable's dict or text, or a text"
        ),
        argument("--prompts", metavar="FILE|VARIABLE", help="ask each row of a file or a list, into --out"),
        argument(
            "--out", metavar="FILE", help="where the replies to --prompts go, a JSON line each; it goes on from there"
        ),
        argument("--max-new-tokens", type=int, default=128, metavar="N", help="the longest reply, in tokens"),
        argument("--temperature", type=float, default=0.0, metavar="T", help="0, the default, is greedy"),
        argument("--top-p", type=float, default=1.0, metavar="P", help="draw from the likeliest tokens of this share"),
        argument("--seed", type=int, metavar="N", help="of the drawing"),
        argument("--at-once", action="store_true", help="let all answer at the same time: slower for each"),
    )
    def olive_chat(self, options: Namespace) -> Exchange | BulkReplies | None:
        """Open a chat with a run's models: a form of the template's fields, replies side by side as they come.

        With --prompt or --prompts, and in a notebook that runs alone or a terminal, it answers in text and gives the
        Exchange, or the BulkReplies; interrupt to stop. A terminal without --prompt asks for the fields one by one.
        """
        from phinb.api import open_chat
        from phinb.evaluation.chat import ChatSettings

        run = find_run(self.shell.user_ns, options.run)
        names = [name.strip() for name in options.variants.split(",")] if options.variants else None
        settings = ChatSettings(
            options.max_new_tokens, options.temperature, options.top_p, options.seed, options.at_once
        )
        if options.prompts:
            return self._answer_many(run, names, settings, options)
        if options.prompt is None and find_host(self.shell) is Host.PANEL:
            from phinb.notebook.chat_panel import ChatPanel

            own = list(run.variants)
            chat = open_chat(run, [*own, *(name for name in names or () if name not in own)])
            # Others get a name of their own.
            chosen = [name for name in chat.variants if name not in own or name in names] if names else None
            ChatPanel(run, chat, settings, chosen).open()
            return None
        if options.prompt is None and find_host(self.shell) is Host.TERMINAL:
            from phinb.evaluation.chat_dialogue import hold_dialogue

            with open_chat(run, names) as chat:
                hold_dialogue(chat, settings, input, print, print)
            return None
        if options.prompt is None:
            raise PhinbError(
                "There is nobody here to fill the form in.",
                "Ask with --prompt TEXT (or a variable that holds the fields), or --prompts FILE --out FILE.",
            )
        with open_chat(run, names) as chat:
            return ask_and_show(chat, self.shell.user_ns.get(options.prompt, options.prompt), settings)

    def _answer_many(
        self, run: Any, names: list[str] | None, settings: ChatSettings, options: Namespace
    ) -> BulkReplies:
        from phinb.api import chat_many
        from phinb.notebook.failure import WaitingEnded

        if not options.out:
            raise PhinbError("Where are the replies to go?", "Name a file: --out replies.jsonl.")
        prompts = self.shell.user_ns.get(options.prompts, options.prompts)
        try:
            replies = chat_many(
                run,
                prompts,
                options.out,
                names,
                max_new_tokens=settings.max_new_tokens,
                temperature=settings.temperature,
                top_p=settings.top_p,
                seed=settings.seed,
                on_event=tell_progress,
            )
        except KeyboardInterrupt:
            raise WaitingEnded(f"Stopped: the same line goes on from what {options.out} has.") from None
        print("\n".join(replies.sentences()))
        return replies


def ask_and_show(chat: Chat, prompt: Any, settings: ChatSettings) -> Exchange:
    """Ask in this cell, and display what came as static HTML with its text."""
    from phinb.notebook.chat_html import chat_bundle

    exchange = chat.ask(prompt, settings)
    show(chat_bundle(chat, [exchange], "each variant in a process of its own, which has ended"))
    return exchange


def tell_progress(event: Any) -> None:
    from phinb.evaluation.bulk_chat import write_progress

    if line := write_progress(event):
        print(line)
