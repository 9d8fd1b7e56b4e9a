"""The plain text twins: what a terminal, a log and a reader without HTML get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from phinb.workflow.view import Card, Line, View


def card_text(card: Card, indent: str = "") -> str:
    """`■ error, line 21: title`, then text and hint, each on lines of its own."""
    severity = f"{card.severity}, {card.place}" if card.place else card.severity
    first, *rest = f"{card.symbol} {severity}: {card.title}".split("\n")
    rest += [line for text in (card.text, card.hint) if text for line in text.split("\n")]
    return "\n".join([indent + first, *(f"{indent}    {line}" for line in rest)])


def table_text(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """Columns aligned with spaces, a rule under the head."""
    right = set(numbers)
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(head))]

    def write(line: Sequence[str]) -> str:
        cells = [
            text.rjust(width) if index in right else text.ljust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([write(lines[0]), "  ".join("─" * width for width in widths), *map(write, lines[1:])])


def line_text(line: Line, width: int = 0) -> str:
    """`● lora  LoRA  62 / 100 steps · 1:14 left`."""
    name = f"{line.name} {line.kind}".strip()
    return f"{line.symbol} {name.ljust(width)}  {line.text}".rstrip()


def view_text(view: View) -> str:
    """The whole of a view, a line a pass."""
    width = max((len(f"{line.name} {line.kind}".strip()) for line in view.lines), default=0)
    facts = " · ".join(f"{fact.value} {fact.label}" for fact in view.facts)
    parts = [f"{view.name}  {view.status_text}  {view.run_id}".rstrip()]
    parts += [f"  {line_text(line, width)}" for line in view.lines]
    parts += [f"  {chart.description}" for chart in view.charts[:1]]
    for answers in view.answers:
        parts.append(f"  {answers.prompt!r} is answered")
        parts += [f"    {answer.step}: {answer.text!r}" for answer in answers.given]
    parts += [card_text(card, "  ") for card in view.cards]
    parts += [f"  {text}" for text in (facts, view.note) if text]
    return "\n".join(parts)
