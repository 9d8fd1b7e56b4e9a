"""Prompts to several variants at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.api.rows import Rows, make_data_config
from phinb.errors import PhinbError
from phinb.types import Event
from phinb.workflow.runner import Run, open_run

if TYPE_CHECKING:
    from phinb.evaluation.bulk_chat import BulkReplies
    from phinb.evaluation.chat import Chat, Exchange, Reply
    from phinb.evaluation.variants import Given


def open_chat(run: Run | str | Path, variants: Sequence[Given] | None = None) -> Chat:
    """A run's variants to be asked one prompt after the other; each is loaded when it is first asked.

        with phinb.open_chat(run, ["base", "int4"]) as chat:
            exchange = chat.ask({"phrase": "I love it"})

    variants: as in `compare`: names, other runs', folders of models; by default all of the run, of which the first four
    are asked. Closing it ends their processes. Raises PhinbError for one that is not there.
    """
    from phinb.evaluation.chat import Chat
    from phinb.evaluation.comparison import find_folders
    from phinb.evaluation.prompts import read_form
    from phinb.evaluation.variants import find_variants

    run = run if isinstance(run, Run) else open_run(run)
    found = find_variants(run, list(variants) if variants else list(run.variants))
    return Chat([find_folders(variant) for variant in found], read_form(run.config), run.name)


def chat(
    run: Run | str | Path,
    prompt: str | Mapping[str, Any],
    variants: Sequence[Given] | None = None,
    *,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int | None = None,
    at_once: bool = False,
    on_reply: Callable[[Reply], None] | None = None,
) -> Exchange:
    """One prompt to two to four of a run's variants: text, tokens, time to the first token and tokens/s of each.

    prompt: a dict of the template's fields, without the answer; or a text: what the user of a chat says, else the whole
    prompt. It is sent as in training, special tokens included, and a reply ends at the model's end token or where the
    template's text behind the answer begins. variants: as in `compare`, by default the first four. temperature 0 is
    greedy. They answer in turn unless at_once, which slows each and is said in the replies. on_reply: called after each
    token. Each call loads the variants anew; `open_chat` keeps them. `exchange["int4"].text`; print(exchange).

    Raises PhinbError for a prompt that lacks a field or a name that is not there; a variant that fails says so in its
    reply's `error`.
    """
    from phinb.evaluation.chat import ChatSettings

    settings = ChatSettings(max_new_tokens, temperature, top_p, seed, at_once)
    with open_chat(run, variants) as opened:
        return opened.ask(prompt, settings, on_reply=on_reply)


def chat_many(
    run: Run | str | Path,
    prompts: str | Path | Sequence[Mapping[str, Any] | str],
    out: str | Path,
    variants: Sequence[Given] | None = None,
    *,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int | None = None,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> BulkReplies:
    """Ask a run's variants many prompts and write each reply, as it is made, as a line of JSON into `out`.

    prompts: a file (JSON lines, JSON, CSV, Parquet, text) whose rows have the template's fields, or a column `prompt`
    or `text` with the whole prompt; or a list of such rows and texts. Replies that `out` has already are not made
    again, so that what was stopped goes on. The result's `replies` are the lines, `sentences()` their figures with n.

    Raises PhinbError for a prompt that cannot be sent, with its row, and where `out` is something else.
    """
    from phinb.evaluation.bulk_chat import chat_many as ask_many
    from phinb.evaluation.chat import ChatSettings

    settings = ChatSettings(max_new_tokens, temperature, top_p, seed)
    rows = _read_prompts(Path(prompts)) if isinstance(prompts, str | Path) else prompts
    with open_chat(run, variants) as opened:
        return ask_many(opened, rows, out, settings, on_event=on_event, should_stop=should_stop)


def _read_prompts(path: Path) -> Rows:
    from phinb.data.source import read_rows

    read = read_rows(make_data_config(path), Path.cwd())
    for problem in read.problems:
        if problem.severity == "error":
            raise PhinbError(problem.message, problem.hint)
    return read.rows
