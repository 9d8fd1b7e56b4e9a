"""A comparison as a table: aligned text for a terminal, and HTML that stands alone in both themes of JupyterLab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.estimates import Estimate
from phinb.evaluation.machine import BUSY_SHARE, describe_busy
from phinb.evaluation.wording import SCORING_WORDS, estimate, metric_word, milliseconds, percent, size, speed

if TYPE_CHECKING:
    from phinb.evaluation.results import Comparison, Summary

COLUMNS = ("95 % interval", "n", "first token", "decode", "load", "size", "peak memory")
DIVERGENCE = "KL from the stage before"


# ------------------------------------------------------------------------------------------------- text


def write_text(comparison: Comparison) -> str:
    """The table, the stages in words, then what to know about it; lines end without spaces."""
    heads = ("", quality_word(comparison), *COLUMNS)
    rows = [heads, *(_cells(summary) for summary in comparison.summaries if not summary.error)]
    small = [describe(comparison), *notes(comparison)]
    parts = [_align(rows), _align(_metric_cells(comparison)), "\n".join(comparison.sentences()), "\n".join(small)]
    return "\n\n".join(part for part in parts if part)


def _align(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, the first to the left, a rule below the heads; "" without rows."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def quality_word(comparison: Comparison) -> str:
    """What the share of right rows is called: of free text it is the exact match."""
    return "accuracy" if comparison.settings["labels"] else "exact match"


def _metric_cells(comparison: Comparison) -> list[tuple[str, ...]]:
    """Heads and a line a variant of all quality beside accuracy, with 95 % intervals; [] where there is none."""
    measured = [summary for summary in comparison.summaries if not summary.error]
    names = tuple(dict.fromkeys(name for summary in measured for name in summary.metrics))
    moved = any(summary.divergence for summary in measured)
    if not names and not moved:
        return []
    heads = ("", *map(metric_word, names), *((DIVERGENCE,) if moved else ()))
    rows = []
    for summary in measured:
        cells = [estimate(summary.metrics.get(name)) for name in names]
        rows.append((summary.name, *cells, *((estimate(summary.divergence),) if moved else ())))
    return [heads, *rows]


def write_labels(comparison: Comparison) -> str:
    """A line a variant and label: precision, recall and F1 with 95 % intervals, and how many rows have the label."""
    rows: list[tuple[str, ...]] = []
    for measured in comparison.measurements if comparison.settings["labels"] else ():
        for one in comparison.classes(measured.variant.name).labels if measured.scores else ():
            figures = [
                estimate(None if value is None else Estimate(value, low, high, one.support, "share"))
                for value, (low, high) in (
                    (one.precision, one.precision_interval or (None, None)),
                    (one.recall, one.recall_interval or (None, None)),
                    (one.f1, one.f1_interval or (None, None)),
                )
            ]
            rows.append((f"{measured.variant.name}: {one.label}", *figures, str(one.support)))
    return _align([("", "precision", "recall", "F1", "n"), *rows]) if rows else ""


def _cells(summary: Summary) -> tuple[str, ...]:
    low, high = percent(summary.accuracy_low), percent(summary.accuracy_high)
    return (
        summary.name,
        percent(summary.accuracy),
        "–" if summary.accuracy is None else f"{low.removesuffix(' %')} – {high}",
        str(summary.n),
        milliseconds(summary.ttft_ms_p50),
        speed(summary.decode_tokens_per_s),
        "–" if summary.load_s is None else f"{summary.load_s:.1f} s",
        _size(summary),
        size(summary.peak_memory_bytes),
    )


def _size(summary: Summary) -> str:
    return f"+ {size(summary.size_bytes)}" if summary.kind == "adapter" else size(summary.size_bytes)


def describe(comparison: Comparison) -> str:
    """What was measured, and on what: `120 rows, 4 labels (fear, joy, ...) by log-likelihood · AMD EPYC, 2 cores`"""
    asked = ", ".join([f"{comparison.settings['n']} rows", *_asked(comparison)[:1]])
    return " · ".join([asked, *_asked(comparison)[1:], *_measured_on(comparison.settings)])


def describe_briefly(comparison: Comparison) -> str:
    """The same for a plot: `n 120 · AMD EPYC, 2 cores · greedy, 12 new tokens, 6 prompts × 2`"""
    settings = comparison.settings
    scoring = settings.get("scoring", "sum")
    ranked = [f"labels by {SCORING_WORDS[scoring]}"] if settings["labels"] and scoring != "sum" else []
    generated = ["exact match of free text"] if not settings["labels"] and comparison.prompts else []
    return " · ".join([f"n {settings['n']}", *ranked, *generated, *_measured_on(settings)])


def _asked(comparison: Comparison) -> list[str]:
    """`4 labels (fear, joy, ...) by log-likelihood`; of free text how it was generated and compared."""
    settings = comparison.settings
    labels = list(settings["labels"])
    parts = []
    if labels:
        named = ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
        parts.append(f"{len(labels)} labels ({named}) by {SCORING_WORDS[settings.get('scoring', 'sum')]}")
    limits = sorted({m.max_new_tokens for m in comparison.measurements if m.max_new_tokens})
    if limits:
        most = " or ".join(map(str, limits))
        parts.append(f"free text: greedy, at most {most} tokens, exact match and F1 of words as SQuAD has them")
    if any(summary.divergence for summary in comparison.summaries):
        parts.append("KL of the labels' distribution" if labels else "KL of the next token, a lower bound")
    return parts


def _measured_on(settings: Mapping[str, Any]) -> list[str]:
    machine, timed = settings["machine"], settings["latency"]
    cores = machine.get("cores") or machine.get("hardware_threads") or "?"
    order = timed.get("order", "one alone")  # an older comparison says nothing of it
    return [
        f"{machine['processor']}, {cores} cores",
        f"greedy, {timed['new_tokens']} new tokens, {timed['prompts']} prompts × {timed['repeats']}"
        + ("" if order == "one alone" else f", timed {order}"),
    ]


def notes(comparison: Comparison) -> list[str]:
    """What a reader should know: earlier results taken, suspicious rows, a busy machine, what a size leaves out."""
    lines = []
    if comparison.stopped:
        lines.append("Stopped early: not every variant was measured.")
    if comparison.reused:
        lines.append(f"Measured before, on the same artefact, rows and settings: {', '.join(comparison.reused)}.")
    lines += [problem.message for problem in comparison.problems]
    shares = {m.variant.name: m.settings.get("neighbours_share") or 0.0 for m in comparison.measurements}
    disturbed = [name for name, share in shares.items() if share > BUSY_SHARE]
    if disturbed:
        whom = "" if len(disturbed) == len(shares) else f"{', '.join(disturbed)}: "
        lines.append(whom + describe_busy(max(shares.values())))
    if any(summary.kind == "adapter" and not summary.error for summary in comparison.summaries):
        lines.append("An adapter's size is its own; it needs the base beside it.")
    return lines


# ------------------------------------------------------------------------------------------------- html

# Doubled class names: JupyterLab's own table rules must lose. Text inherits where no theme names its colour.
STYLE = """
.phinb-comparison{--ink:var(--jp-ui-font-color1,inherit);--dim:var(--jp-ui-font-color2,inherit);
--line:var(--jp-border-color2,rgba(128,128,128,.35));max-width:960px;border:1px solid var(--line);border-radius:8px;
padding:12px 14px;overflow-x:auto;font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--ink)}
.phinb-comparison.phinb-comparison table{border-collapse:collapse;width:100%;margin:0;border:0;font-size:13px;
table-layout:auto;color:inherit}
.phinb-comparison.phinb-comparison tr:nth-child(n){background:none}
.phinb-comparison.phinb-comparison :is(td,th){padding:5px 8px;text-align:right;border:0;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;white-space:nowrap;max-width:none;
vertical-align:middle;color:inherit}
.phinb-comparison.phinb-comparison thead th{font-weight:500;font-size:12px;color:var(--dim)}
.phinb-comparison.phinb-comparison tbody th{font-weight:400}
.phinb-comparison.phinb-comparison :is(tbody th,.l){text-align:left}
.phinb-comparison.phinb-comparison .e{white-space:normal;text-align:left;color:var(--jp-error-color1,#c62828)}
.phinb-comparison.phinb-comparison table:not(.m) tr>:nth-child(-n+3){width:1%}
.phinb-comparison.phinb-comparison table:not(.m) tr>td:nth-child(3){padding-right:28px}
.phinb-comparison.phinb-comparison table.m{margin-top:10px}
.phinb-comparison .d{color:var(--dim);font-size:12px}
.phinb-comparison p{margin:8px 8px 0;color:var(--ink)}
.phinb-comparison p.d{color:var(--dim)}
.phinb-comparison svg{display:inline-block;vertical-align:middle}
"""
WIDTH = 170


def write_html(comparison: Comparison) -> str:
    """One <div> with its style: no script, no link, every text escaped. Whiskers run from 0 to 100 %."""
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    rows = "".join(_html_row(summary, index, looks) for index, summary in enumerate(comparison.summaries))
    heads = "".join(
        f'<th scope="col"{mark}>{escape(text)}</th>'
        for text, mark in (
            ("variant", ' class="l"'),
            (f"{quality_word(comparison)}, 95 % (n {comparison.settings['n']})", ' class="l"'),
            ("", f' aria-label="{quality_word(comparison)} in figures"'),
            ("first token", ""),
            ("decode", ""),
            ("load", ""),
            ("size", ""),
            ("peak memory", ""),
        )
    )
    texts = "".join(f"<p>{escape(text)}</p>" for text in comparison.sentences())
    small = "".join(f'<p class="d">{escape(text)}</p>' for text in [describe(comparison), *notes(comparison)])
    return (
        f'<div class="phinb-comparison"><style>{STYLE}{_colour_rules(looks)}</style>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{_metric_table(comparison, looks)}"
        f"{texts}{small}</div>"
    )


def _metric_table(comparison: Comparison, looks: Mapping[str, Look]) -> str:
    cells = _metric_cells(comparison)
    if not cells:
        return ""
    (_, *names), *rows = cells
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    head = f'<th scope="col" class="l">{"quality, 95 %"}</th>{heads}'
    order = {name: index for index, name in enumerate(looks)}
    body = "".join(
        f"<tr>{_variant_head(name, order[name], looks)}{''.join(f'<td>{escape(cell)}</td>' for cell in figures)}</tr>"
        for name, *figures in rows
    )
    return f'<table class="m"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _variant_head(name: str, index: int, looks: Mapping[str, Look]) -> str:
    look = looks[name]
    mark = f'<span style="color:var(--v{index},{look.colour})" aria-hidden="true">{look.mark}</span>'
    return f'<th scope="row">{mark} {escape(name)}</th>'


def _colour_rules(looks: Mapping[str, Look]) -> str:
    """A custom property a variant, brighter under JupyterLab's and VS Code's dark themes."""
    light = "".join(f"--v{index}:{look.colour};" for index, look in enumerate(looks.values()))
    dark = "".join(f"--v{index}:{look.dark};" for index, look in enumerate(looks.values()))
    themes = '[data-jp-theme-light="false"] .phinb-comparison,.vscode-dark .phinb-comparison'
    return f".phinb-comparison{{{light}}}{themes}{{{dark}}}"


def _html_row(summary: Summary, index: int, looks: Mapping[str, Look]) -> str:
    look = looks[summary.name]
    colour = f"var(--v{index},{look.colour})"
    head = _variant_head(summary.name, index, looks)
    if summary.error:
        message, _, hint = summary.error.partition("\n")
        return f'<tr>{head}<td class="e" colspan="7">{escape(message)} <span class="d">{escape(hint)}</span></td></tr>'
    _, accuracy, interval, _, *figures = _cells(summary)
    cells = "".join(f"<td>{escape(figure)}</td>" for figure in figures)
    return (
        f'<tr>{head}<td class="l">{_whisker(summary, colour)}</td>'
        f'<td>{escape(accuracy)}<br><span class="d">{escape(interval)}</span></td>{cells}</tr>'
    )


def _whisker(summary: Summary, colour: str) -> str:
    if summary.accuracy is None:
        return ""
    shares = (summary.accuracy_low or 0.0, summary.accuracy or 0.0, summary.accuracy_high or 0.0)
    low, at, high = (5 + share * (WIDTH - 10) for share in shares)
    said = "{1}, 95 % interval {0} to {2}".format(*map(percent, shares))
    return (
        f'<svg width="{WIDTH}" height="14" viewBox="0 0 {WIDTH} 14" role="img" aria-label="{escape(said)}">'
        f'<path d="M5 7H{WIDTH - 5}M5 4v6M{WIDTH / 2:g} 5v4M{WIDTH - 5} 4v6" style="stroke:var(--line)" fill="none"/>'
        f'<path d="M{low:.1f} 7H{high:.1f}" style="stroke:{colour}" stroke-width="2"/>'
        f'<circle cx="{at:.1f}" cy="7" r="4" style="fill:{colour}"/></svg>'
    )
