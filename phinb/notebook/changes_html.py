"""What changed between stages for a notebook without a kernel: HTML without script, of bounded size, and text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phinb.evaluation.row_tokens import RowTokens
from phinb.evaluation.row_tokens_text import write_tokens
from phinb.notebook.changes_details import describe_details, describe_tokens
from phinb.notebook.changes_rows import SIGN_OF
from phinb.notebook.changes_view import ChangesView
from phinb.notebook.html import Html, Part, frame, table_html, tag, visible
from phinb.notebook.wire_values import show_value
from phinb.workflow.text import table_text

ROWS_BYTES = 90_000
"""What the rows may take; with a row's details, its tokens and the style it stays below 200 kB."""

MOST_ROWS = 300
CELL, SHORT = 160, 20
PROMPT = 4_000
TOKENS = 250
LABELS = 20
TEXT_ROWS, TEXT_CELL = 40, 50
TEXT = 20_000
"""Characters of the text twin."""


def changes_bundle(
    view: ChangesView, tokens: Sequence[RowTokens] = (), *, note: str = "", above_panel: bool = False
) -> dict[str, Any]:
    """What `view` shows, the row that is chosen in full, and its tokens as far as they are read.

    `note` says of what the comparison is. `above_panel`: a live panel follows in the next output; while it is alive
    the style hides this one.
    """
    told = [view.changes.describe(), *([note] if note else [])]
    name = view.rows.comparison.name or "comparison"
    head = tag(
        "div",
        tag("b", f"What changed: {name}"),
        tag("span", " ".join(told), class_="phinb-told phinb-dim"),
        class_="phinb-head",
    )
    parts = [_stages(view), tag("p", _filter(view), class_="phinb-dim"), *_rows(view)]
    if view.chosen is not None:
        parts += _details(view, view.chosen, tokens)
    html = frame(
        head,
        tag("div", *parts, class_="phinb-sheet"),
        label=f"What changed: {name}",
        kind="phinb-twin phinb-changes" if above_panel else "phinb-changes",
        styles=("changes_panel.css",),
    )
    return {"text/html": html, "text/plain": _text(view, tokens, note)}


def _text(view: ChangesView, tokens: Sequence[RowTokens], note: str) -> str:
    told = [note] if note else []
    told.append(view.changes.to_text() if view.kind == "changed" and not view.query else _rows_text(view))
    if view.chosen is not None:
        told.append(_row_text(view, view.chosen))
    if tokens:
        told.append(write_tokens(tokens))
    text = visible("\n".join(told))
    if len(text) <= TEXT:
        return text
    left = f"{len(text) - TEXT:,} more characters are not shown; comparison.save_rows('rows.csv') writes all rows."
    return f"{text[:TEXT]}…\n{left}"


def _rows_text(view: ChangesView) -> str:
    """The first of the rows that are shown, where they are not simply those that changed."""
    shown = view.shown[:TEXT_ROWS]
    lines = [
        [f"{view.rows.number(row) + 1}", *(_cell_text(column.cell(row)) for column in view.columns)] for row in shown
    ]
    left = len(view.shown) - len(shown)
    more = [f"... and {left:,} more rows."] if left else []
    table = table_text(["row", *(column.key for column in view.columns)], lines)
    return "\n".join([view.changes.describe(), _filter(view), table, *more])


def _cell_text(cell: dict[str, Any]) -> str:
    sign = cell.get("sign") or ({True: "✓", False: "✗"}[cell["right"]] if "right" in cell else "")
    text = " ".join(f"{sign} {cell['text']}".split())
    return text if len(text) <= TEXT_CELL else f"{text[: TEXT_CELL - 1]}…"


def _row_text(view: ChangesView, row: int) -> str:
    """One row in full."""
    found = describe_details(view.rows, row, view.before, view.after)
    lines = [f"{found['title']}: {found['sign']} {found['told']}", found["prompt"][:PROMPT]]
    lines.append(f"right answer: {found['answer'][:PROMPT]}")
    if "labels" in found:
        head = ["label", *(name["name"] for name in found["names"])]
        cells = [[one["label"], *(bar["text"] for bar in one["bars"])] for one in found["labels"]]
        return "\n".join([*lines, table_text(head, cells, range(1, len(head))), found["measure"]])
    texts = zip(found["names"], found["texts"], strict=True)
    return "\n".join([*lines, *(f"{name['name']}: {text['text'][:PROMPT]}" for name, text in texts)])


def _stages(view: ChangesView) -> Part:
    """What each stage did, the counts of the comparison's sentences."""
    lines = []
    for summary in view.rows.comparison.summaries:
        if summary.name in view.rows.answered and summary.before in view.rows.answered:
            counts = view.rows.changes(summary.before, summary.name).counts
            lines.append((f"{summary.before} → {summary.name}", *(f"{counts[kind]:,}" for kind in counts)))
    head = ("stage", *(f"{SIGN_OF[kind]} {kind}" for kind in view.changes.counts))
    return table_html(head, lines, "Changes by stage", numbers=(1, 2, 3)) if lines else Html("")


def _filter(view: ChangesView) -> str:
    told = [f"{view.name_kind(view.kind)}, {view.before} → {view.after}"]
    if view.query:
        told.append(f"that hold {show_value(view.query, 80)!r}")
    column, falling = view.sort
    if column:
        told.append(f"by {view.columns[column - 1].key}{', falling' if falling else ''}")
    return "; ".join(told)


def _rows(view: ChangesView) -> list[Part]:
    columns = view.columns
    lines: list[tuple[Part, ...]] = []
    taken = 0
    for row in view.shown[:MOST_ROWS]:
        cells: list[Part] = [f"{view.rows.number(row) + 1:,}"]
        cells += [_cell(column.cell(row)) for column in columns]
        taken += sum(len(str(cell).encode()) + 24 for cell in cells)
        if taken > ROWS_BYTES:
            break
        lines.append(tuple(cells))
    if not lines:
        return [tag("p", "No row is to be shown.")]
    numbers = [place for place, column in enumerate(columns, 1) if column.kind == "number"]
    left = len(view.shown) - len(lines)
    more = f"{left:,} more rows are not shown here; the live panel has them, and comparison.rows." if left else ""
    table = table_html(["row", *(column.name for column in columns)], lines, "Rows", numbers=numbers)
    return [
        tag("div", table, class_="phinb-changes-scroller", tabindex=0, role="region", aria_label="Rows"),
        *([tag("p", more, class_="phinb-dim")] if more else []),
    ]


def _cell(cell: dict[str, Any]) -> Part:
    text = cell["text"] if len(cell["text"]) <= CELL else f"{cell['text'][: CELL - 1]}…"
    if cell["kind"] == "change":
        return tag("span", f"{cell['sign']} {text}", class_="phinb-whole")
    if cell["kind"] == "answer":
        said = "right" if cell["right"] else "wrong"
        sign = tag("span", "✓" if cell["right"] else "✗", role="img", aria_label=said)
        return tag("span", sign, Html(" "), text, class_="phinb-whole" if len(text) <= SHORT else None)
    return tag("span", text, class_="phinb-dim") if cell["kind"] == "missing" else tag("span", text)


def _details(view: ChangesView, row: int, tokens: Sequence[RowTokens]) -> list[Part]:
    found = describe_details(view.rows, row, view.before, view.after)
    prompt = found["prompt"] if len(found["prompt"]) <= PROMPT else f"{found['prompt'][:PROMPT]}…"
    parts: list[Part] = [
        tag("p", tag("b", found["title"]), f" {found['sign']} {found['told']}"),
        tag("div", prompt, class_="phinb-prompt"),
        tag("p", "right answer: ", tag("b", found["answer"][:PROMPT])),
    ]
    parts += _labels(found) if "labels" in found else _texts(found)
    for table in describe_tokens(view.rows, tokens)["tables"]:
        parts.append(_tokens(table))
    return parts


def _labels(found: dict[str, Any]) -> list[Part]:
    lines = [
        (
            f"{one['label']}{' (right)' if one['right'] else ''}",
            *(f"{bar['text']}{' ●' if bar['predicted'] else ''}" for bar in one["bars"]),
        )
        for one in found["labels"][:LABELS]
    ]
    head = ("label", *(f"{name['mark']} {name['name']}" for name in found["names"]))
    table = table_html(head, lines, "Probabilities of the labels", numbers=range(1, len(head)))
    told = f"● what it answers. {found['measure']} {found['left_out']}".strip()
    return [table, tag("p", told, class_="phinb-dim")]


def _texts(found: dict[str, Any]) -> list[Part]:
    lines = [
        (f"{name['mark']} {name['name']}", f"{'✓' if text['right'] else '✗'} {text['text'][:PROMPT]}")
        for name, text in zip(found["names"], found["texts"], strict=True)
    ]
    pieces, taken = [], 0
    tags = {"same": "span", "removed": "del", "added": "ins"}
    for kind, text in found["diff"]:
        taken += len(text) + 20
        if taken > PROMPT:
            pieces.append(tag("span", " …"))
            break
        pieces.append(tag(tags[kind], text))
    old, new = found["diff_of"]
    diff = tag("div", *pieces, class_="phinb-changes-diff")
    answers = tag("div", table_html((), lines, "Answers"), class_="phinb-changes-texts")
    return [answers, tag("p", f"{old} → {new}:", class_="phinb-dim"), diff]


def _tokens(table: dict[str, Any]) -> Part:
    shown = table["tokens"][-TOKENS:]
    lines = [
        (
            tag("span", text, class_="phinb-mono phinb-changes-token"),
            part,
            *(text for _, text in values),
        )
        for text, _, part, values in shown
    ]
    left = table["first"] + len(table["tokens"]) - len(shown)
    head = ("token", "part of", *(f"{name['mark']} {name['name']}" for name in table["names"]))
    told = [f"The first {left:,} tokens are left out here."] if left else []
    told.append(f"Log-likelihood of the answer, nats: {', '.join(table['sums'])}.")
    made = table_html(head, lines, "Tokens", numbers=range(2, len(head)))
    summary = tag("summary", "Its tokens, with the probability that each variant gives them")
    return tag("details", summary, made, tag("p", " ".join(told), class_="phinb-dim"), class_="phinb-details")
