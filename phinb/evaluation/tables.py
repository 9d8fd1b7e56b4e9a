"""A comparison as a table: aligned text for a terminal, and HTML that stands alone in both themes of JupyterLab."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.machine import BUSY_SHARE, describe_busy
from phinb.evaluation.wording import milliseconds, percent, size, speed

if TYPE_CHECKING:
    from phinb.evaluation.results import Comparison, Summary

COLUMNS = ("", "accuracy", "95 % interval", "n", "first token", "decode", "load", "size", "peak memory")


# ------------------------------------------------------------------------------------------------- text


def write_text(comparison: Comparison) -> str:
    """The table, the stages in words, then what to know about it; lines end without spaces."""
    rows = [COLUMNS, *(_cells(summary) for summary in comparison.summaries if not summary.error)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    parts = ["\n".join(lines), "\n".join(comparison.sentences()), "\n".join([describe(comparison), *notes(comparison)])]
    return "\n\n".join(part for part in parts if part)


def _cells(summary: Summary) -> tuple[str, ...]:
    low, high = percent(summary.accuracy_low), percent(summary.accuracy_high)
    return (
        summary.name,
        percent(summary.accuracy),
        f"{low.removesuffix(' %')} – {high}",
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
    """What was measured, and on what: `120 rows, 4 labels (fear, joy, ...) · AMD EPYC, 2 cores · ...`"""
    settings = comparison.settings
    labels = list(settings["labels"])
    named = ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
    return " · ".join([f"{settings['n']} rows, {len(labels)} labels ({named})", *_measured_on(settings)])


def describe_briefly(comparison: Comparison) -> str:
    """The same for a plot: `n 120 · AMD EPYC, 2 cores · greedy, 12 new tokens, 6 prompts × 2`"""
    return " · ".join([f"n {comparison.settings['n']}", *_measured_on(comparison.settings)])


def _measured_on(settings: Mapping[str, Any]) -> list[str]:
    machine, timed = settings["machine"], settings["latency"]
    cores = machine.get("cores") or machine.get("hardware_threads") or "?"
    return [
        f"{machine['processor']}, {cores} cores",
        f"greedy, {timed['new_tokens']} new tokens, {timed['prompts']} prompts × {timed['repeats']}",
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
.phinb-comparison.phinb-comparison tr>:nth-child(-n+3){width:1%}
.phinb-comparison.phinb-comparison tr>td:nth-child(3){padding-right:28px}
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
            (f"accuracy, 95 % (n {comparison.settings['n']})", ' class="l"'),
            ("", ' aria-label="accuracy in figures"'),
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
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{texts}{small}</div>"
    )


def _colour_rules(looks: Mapping[str, Look]) -> str:
    """A custom property a variant, brighter under JupyterLab's and VS Code's dark themes."""
    light = "".join(f"--v{index}:{look.colour};" for index, look in enumerate(looks.values()))
    dark = "".join(f"--v{index}:{look.dark};" for index, look in enumerate(looks.values()))
    themes = '[data-jp-theme-light="false"] .phinb-comparison,.vscode-dark .phinb-comparison'
    return f".phinb-comparison{{{light}}}{themes}{{{dark}}}"


def _html_row(summary: Summary, index: int, looks: Mapping[str, Look]) -> str:
    look = looks[summary.name]
    colour = f"var(--v{index},{look.colour})"
    mark = f'<span style="color:{colour}" aria-hidden="true">{look.mark}</span>'
    head = f'<th scope="row">{mark} {escape(summary.name)}</th>'
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
    shares = (summary.accuracy_low or 0.0, summary.accuracy or 0.0, summary.accuracy_high or 0.0)
    low, at, high = (5 + share * (WIDTH - 10) for share in shares)
    said = "{1}, 95 % interval {0} to {2}".format(*map(percent, shares))
    return (
        f'<svg width="{WIDTH}" height="14" viewBox="0 0 {WIDTH} 14" role="img" aria-label="{escape(said)}">'
        f'<path d="M5 7H{WIDTH - 5}M5 4v6M{WIDTH / 2:g} 5v4M{WIDTH - 5} 4v6" style="stroke:var(--line)" fill="none"/>'
        f'<path d="M{low:.1f} 7H{high:.1f}" style="stroke:{colour}" stroke-width="2"/>'
        f'<circle cx="{at:.1f}" cy="7" r="4" style="fill:{colour}"/></svg>'
    )
