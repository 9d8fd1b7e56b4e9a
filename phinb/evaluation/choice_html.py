"""A choice as a table: what each variant has of the figures that were asked for, and what it misses."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from phinb.evaluation.choice import Choice
from phinb.evaluation.figures import FIGURES, Figure, interval_of, value_of
from phinb.evaluation.results import Comparison, Summary
from phinb.evaluation.tables import STYLE, describe_briefly

if TYPE_CHECKING:
    from phinb.evaluation.precision_search import PrecisionSearch

HEAD = ("precision", "what it is", "expected", "outcome", "why")
OK, MISSED, NOT_KNOWN = "✓", "✗", "?"


def list_rows(choice: Choice) -> tuple[list[str], list[list[str]]]:
    """(head, rows) of texts: the variant, whether it fits, then each figure with a sign for its constraints."""
    comparison = choice.comparison
    if comparison is None:
        return [], []
    names = [*(one.figure.name for one in choice.constraints), choice.by, *choice.front.figures]
    figures = [FIGURES[name] for name in dict.fromkeys(names)]
    head = ["variant", "", *(figure.word for figure in figures), "front"]
    rows = []
    for summary in comparison.summaries:
        fits = "chosen" if summary.name == choice.variant else "fits" if summary.name in choice.fitting else "–"
        cells = [_cell(choice, comparison, summary, figure) for figure in figures]
        rows.append([summary.name, fits, *cells, _place(choice, summary)])
    return head, rows


def list_tried(search: PrecisionSearch) -> list[list[str]]:
    """A row a precision of a search, for HEAD."""
    from phinb.evaluation.wording import size

    return [
        [
            one.name,
            one.words,
            f"about {size(one.expected_bytes)}" if one.expected_bytes else "–",
            one.outcome,
            one.reason,
        ]
        for one in search.tried
    ]


def _place(choice: Choice, summary: Summary) -> str:
    if summary.name in choice.front.members:
        return "on it"
    better = choice.front.dominated.get(summary.name)
    return f"behind {', '.join(better)}" if better else "not known"


def _cell(choice: Choice, comparison: Comparison, summary: Summary, figure: Figure) -> str:
    value = value_of(comparison, summary, figure)
    text = figure.write(value)
    interval = interval_of(comparison, summary, figure)
    if interval and value is not None:
        text += f" ({figure.write(interval[0]).rsplit(' ', 1)[0]} – {figure.write(interval[1])})"
    asked = [one for one in choice.constraints if one.figure is figure]
    if not asked:
        return text
    return f"{text} {NOT_KNOWN if value is None else OK if all(one.admits(value) for one in asked) else MISSED}"


def write_text(choice: Choice) -> str:
    """The table and the sentences for a terminal."""
    from phinb.workflow.text import table_text

    head, rows = list_rows(choice)
    said = [choice.reason, *choice.cautions, *choice.front.sentences()]
    return "\n".join([table_text(head, rows), "", *said] if rows else said)


def write_html(choice: Choice) -> str:
    """One <div> with its style: no script, every text escaped; in both themes of JupyterLab."""
    head, rows = list_rows(choice)
    table = "".join(_html_row(row, choice) for row in rows)
    titles = "".join(f'<th scope="col"{_left(index)}>{escape(title)}</th>' for index, title in enumerate(head))
    said = "".join(f"<p>{escape(text)}</p>" for text in (choice.reason, *choice.cautions))
    further = [*choice.front.sentences(), *([describe_briefly(choice.comparison)] if choice.comparison else [])]
    small = "".join(f'<p class="d">{escape(text)}</p>' for text in further)
    return (
        f'<div class="phinb-comparison"><style>{STYLE}</style>'
        f"<table><thead><tr>{titles}</tr></thead><tbody>{table}</tbody></table>{said}{small}</div>"
    )


def _html_row(row: Sequence[str], choice: Choice) -> str:
    name, *cells = map(escape, row)
    strong = row[0] == choice.variant
    head = f"<b>{name}</b>" if strong else name
    body = "".join(f"<td{_left(index)}>{cell}</td>" for index, cell in enumerate(cells, 1))
    return f'<tr><th scope="row">{head}</th>{body}</tr>'


def _left(index: int) -> str:
    return ' class="l"' if index < 2 else ""
