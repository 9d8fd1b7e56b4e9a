"""The changed rows as aligned text for a terminal, and as HTML that stands alone; hostile text is inert in both."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from phinb.data.signs import UNSEEN
from phinb.evaluation.word_diff import Piece
from phinb.evaluation.wording import percent

if TYPE_CHECKING:
    from phinb.evaluation.changes import Changes, RowChange

WIDTH = 60
"""Characters of a row's fields that a line shows."""

MOST_TEXT, MOST_HTML = 40, 200
"""Rows that are shown; how many are left out is said."""

LONGEST = 400
"""Characters of one text in the HTML."""

MOST_CHARACTERS = 150_000
"""Of the rows' HTML: a saved notebook must stay small."""


# ------------------------------------------------------------------------------------------------- text


def write_changes(changes: Changes) -> str:
    """The counts, then a line a row: kind, number, fields, answer, `before -> after` (free text: a word diff below)."""
    from phinb.evaluation.changes import SIGNS

    lines = [changes.describe()]
    shown = changes.rows[:MOST_TEXT]
    cells = [
        (
            f"{SIGNS[change.kind]} {change.kind}",
            f"row {change.row + 1}",
            _shorten(_describe_row(change)),
            _answers(change),
        )
        for change in shown
    ]
    widths = [max((len(cell[column]) for cell in cells), default=0) for column in range(3)]
    for change, cell in zip(shown, cells, strict=True):
        lines.append("  ".join([*(text.ljust(width) for text, width in zip(cell, widths, strict=False)), cell[3]]))
        if not change.before_distribution:
            lines.append(f"    {_visible(_diff_text(change.diff))}")
    if len(changes) > MOST_TEXT:
        lines.append(f"... and {len(changes) - MOST_TEXT} more; .save('rows.csv') writes them all.")
    return "\n".join(line.rstrip() for line in lines)


def _describe_row(change: RowChange) -> str:
    """Its fields, or the prompt's end where they are not known."""
    return " | ".join(change.fields.values()) if change.fields else change.prompt[-WIDTH:]


def _answers(change: RowChange) -> str:
    if not change.before_distribution:
        return f"right: {_shorten(change.answer)}"
    before = f"{change.before} {percent(change.before_distribution.get(change.before))}"
    after = f"{change.after} {percent(change.after_distribution.get(change.after))}"
    return _visible(f"{before} -> {after}; right: {change.answer}")


def _diff_text(pieces: Sequence[Piece]) -> str:
    from phinb.evaluation.word_diff import write_text

    return " ".join(write_text(pieces).split())


def _shorten(text: str) -> str:
    text = " ".join(_visible(text).split())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _visible(text: str) -> str:
    """Control characters and halves of characters written out: they do nothing to a terminal or a page."""
    return UNSEEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


# ------------------------------------------------------------------------------------------------- html

STYLE = """
.phinb-changes{--ink:var(--jp-ui-font-color1,inherit);--dim:var(--jp-ui-font-color2,inherit);
--line:var(--jp-border-color2,rgba(128,128,128,.35));max-width:1100px;border:1px solid var(--line);border-radius:8px;
padding:12px 14px;overflow-x:auto;font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--ink)}
.phinb-changes.phinb-changes table{border-collapse:collapse;width:100%;margin:0;border:0;font-size:13px;
table-layout:auto;color:inherit}
.phinb-changes.phinb-changes tr:nth-child(n){background:none}
.phinb-changes.phinb-changes :is(td,th){padding:5px 8px;text-align:left;vertical-align:top;border:0;max-width:none;
border-bottom:1px solid var(--line);font-weight:400;color:inherit;white-space:normal;overflow-wrap:anywhere}
.phinb-changes.phinb-changes thead th{font-weight:500;font-size:12px;color:var(--dim);white-space:nowrap}
.phinb-changes.phinb-changes .n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.phinb-changes.phinb-changes .k{white-space:nowrap}
.phinb-changes .d{color:var(--dim);font-size:12px;white-space:nowrap}
.phinb-changes p{margin:0 8px 8px;color:var(--ink)}
.phinb-changes del{text-decoration:line-through;opacity:.75}
.phinb-changes ins{text-decoration:underline;font-weight:600}
"""


def write_changes_html(changes: Changes) -> str:
    """One <div> with its style: the counts and a table, at most MOST_HTML rows and about MOST_CHARACTERS."""
    free = bool(changes.rows) and not changes.rows[0].before_distribution
    heads = ["", "row", "fields", "right answer"]
    heads += [f"{changes.before} → {changes.after}"] if free else [changes.before, changes.after]
    head = "".join(f'<th scope="col"{_mark(place)}>{_safe(text)}</th>' for place, text in enumerate(heads))
    rows: list[str] = []
    for change in changes.rows[:MOST_HTML]:
        if sum(map(len, rows)) > MOST_CHARACTERS:
            break
        rows.append(_html_row(change, free))
    body = "".join(rows)
    left = len(changes) - len(rows)
    more = f'<p>{left} more rows are not shown: .frame has them, .save("rows.csv") writes them.</p>'
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if changes.rows else ""
    return (
        f'<div class="phinb-changes"><style>{STYLE}</style><p>{_safe(changes.describe())}</p>{table}'
        f"{more if left > 0 else ''}</div>"
    )


def _mark(place: int) -> str:
    return {0: ' aria-label="kind of change"', 1: ' class="n"'}.get(place, "")


def _html_row(change: RowChange, free: bool) -> str:
    from phinb.evaluation.changes import SIGNS

    cells = [
        f'<td class="k"><span aria-hidden="true">{SIGNS[change.kind]}</span> {change.kind}</td>',
        f'<td class="n">{change.row + 1}</td>',
        f"<td>{_safe(_cut(_describe_row(change)))}</td>",
        f"<td>{_safe(_cut(change.answer))}</td>",
    ]
    if free:
        cells.append(f"<td>{_diff_html(change)}</td>")
    else:
        pairs = (change.before, change.before_distribution), (change.after, change.after_distribution)
        for label, likely in pairs:
            cells.append(f'<td>{_safe(label)} <span class="d">{percent(likely.get(label))}</span></td>')
    return f"<tr>{''.join(cells)}</tr>"


def _diff_html(change: RowChange) -> str:
    from phinb.evaluation.word_diff import diff_words, write_html

    pieces = diff_words(_cut(change.before), _cut(change.after))
    return write_html([Piece(piece.kind, _visible(piece.text)) for piece in pieces])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _safe(text: str) -> str:
    return escape(_visible(text))
