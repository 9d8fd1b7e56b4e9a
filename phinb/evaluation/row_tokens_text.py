"""A row's tokens as an aligned table for a terminal, one line a token, one column a variant."""

from __future__ import annotations

from collections.abc import Sequence

from phinb.data.signs import spell_out
from phinb.evaluation.row_tokens import RowTokens

WIDTH = 24
"""Characters of a token that are shown."""


def write_tokens(found: Sequence[RowTokens]) -> str:
    """A table for each way in which the tokenizers split the row, the answer's tokens marked; errors below."""
    groups: dict[tuple[int, ...], list[RowTokens]] = {}
    for one in found:
        if not one.error:
            groups.setdefault(one.ids, []).append(one)
    errors = [f"{spell_out(one.variant)}: {spell_out(one.error, 400)}" for one in found if one.error]
    return "\n".join([*map(_write_table, groups.values()), *errors])


def write_share(share: float | None) -> str:
    """`12.3 %`; what would be rounded to nothing, or to all, is said to be less, or more."""
    if share is None:
        return "–"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def _write_table(group: Sequence[RowTokens]) -> str:
    names = [spell_out(one.variant, WIDTH) for one in group]
    tokens = [spell_out(text, WIDTH) for text in group[0].texts]
    left = max(map(len, ["token", *tokens]))
    widths = [max(len(name), len("> 99.9 %")) for name in names]
    lines = [["token".ljust(left), "      ", *(name.rjust(width) for name, width in zip(names, widths, strict=True))]]
    for at, token in enumerate(tokens):
        part = "answer" if group[0].parts[at] == "answer" else ""
        shares = (write_share(one.probabilities[at]) for one in group)
        cells = (share.rjust(width) for share, width in zip(shares, widths, strict=True))
        lines.append([token.ljust(left), part.ljust(6), *cells])
    sums = ", ".join(
        f"{name} {'–' if one.answer_log_likelihood is None else f'{one.answer_log_likelihood:.3f}'}"
        for name, one in zip(names, group, strict=True)
    )
    told = f"Log-likelihood of the answer, nats: {sums}."
    return "\n".join(["  ".join(line).rstrip() for line in lines] + [told])
