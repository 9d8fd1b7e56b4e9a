"""A run as static HTML, text and data: functions of RunState only, so that a saved notebook needs no kernel.

The markup is the live panel's (progress_panel.js), with the same classes and the same sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from phinb.notebook.html import Html, card_html, frame, tag
from phinb.types import RunState
from phinb.workflow.answers import Answers, choose_samples
from phinb.workflow.chart import Chart, thin_metrics
from phinb.workflow.text import view_text
from phinb.workflow.view import Line, View, describe_run

RUN_MIME = "application/vnd.phinb.run.v1+json"


def run_html(state: RunState, above_panel: bool = False) -> str:
    """The run as its panel shows it, without buttons. `above_panel` hides it while a live panel stands below it."""
    return view_html(describe_run(state), above_panel)


def run_text(state: RunState) -> str:
    return view_text(describe_run(state))


def run_bundle(state: RunState, above_panel: bool = False) -> dict[str, Any]:
    """A MIME bundle: HTML, plain text and the state itself for phinb's JupyterLab extension."""
    html = run_html(state, above_panel)
    return {"text/html": html, "text/plain": run_text(state), RUN_MIME: run_data(state)}


def run_data(state: RunState) -> dict[str, Any]:
    """The state as plain JSON; of a long run fewer metrics and samples, so that a notebook stays small."""
    thinned = replace(state, metrics=thin_metrics(state.metrics), samples=choose_samples(state.samples))
    return asdict(thinned)


def view_html(view: View, above_panel: bool = False) -> str:
    """Any view as a static panel."""
    head = tag(
        "div",
        tag("b", view.name),
        Html(" "),
        tag("span", view.status_text, class_=f"phinb-pill phinb-{view.tone}"),
        Html(" "),
        tag("span", view.run_id, class_="phinb-dim phinb-mono"),
        class_="phinb-head",
    )
    lines = tag("div", *map(_line_html, view.lines), class_="phinb-lines")
    left = tag("div", lines, *map(card_html, view.cards))
    right = [tag("div", *_charts_html(view.charts), class_="phinb-chart")] if view.charts else []
    samples = (
        [
            tag(
                "div",
                *map(_answers_html, view.answers),
                class_="phinb-samples",
                role="group",
                aria_label="Samples",
                tabindex=0,
            )
        ]
        if view.answers
        else []
    )
    facts = [
        tag("span", tag("b", fact.value), Html(" "), tag("span", fact.label, class_="phinb-dim")) for fact in view.facts
    ]
    note = [tag("span", view.note, class_="phinb-note")] if view.note else []
    strip = [tag("div", *facts, *note, class_="phinb-strip")] if facts or note else []
    body = tag("div", left, *right, class_="phinb-body")
    kind = "phinb-twin" if above_panel else ""
    return frame(head, body, *samples, *strip, label=f"Run {view.name}, {view.status_text}", kind=kind)


def _line_html(line: Line) -> Html:
    width = f"width:{100 * line.fraction:.1f}%" if line.fraction is not None else None
    bar = tag("span", tag("i", style=width), class_="phinb-bar", aria_hidden="true")
    return tag(
        "div",
        tag("span", line.symbol, class_="phinb-symbol", role="img", aria_label=line.status),
        Html(" "),
        tag("span", tag("b", line.name), Html(" "), tag("span", line.kind, class_="phinb-dim"), class_="phinb-name"),
        Html(" "),
        bar,
        Html(" "),
        tag("span", line.text, class_="phinb-text"),
        class_="phinb-line",
        data_status=line.status,
    )


def _charts_html(charts: Sequence[Chart]) -> list[Html]:
    """The first one, and the others folded up: without a script nothing can be chosen."""
    first, *others = charts
    if not others:
        return [chart_html(first)]
    summary = tag("summary", ", ".join(chart.label for chart in others))
    return [chart_html(first), tag("details", summary, *map(chart_html, others), class_="phinb-details")]


def _answers_html(answers: Answers) -> Html:
    given = (
        tag("div", tag("span", answer.step, class_="phinb-step"), " ", tag("span", answer.text, class_="phinb-answer"))
        for answer in answers.given
    )
    prompt = tag("div", answers.prompt, class_="phinb-prompt")
    return tag("div", prompt, tag("div", *given, class_="phinb-given"), class_="phinb-answers")


def chart_html(chart: Chart) -> Html:
    """A curve as inline SVG."""
    parts = []
    for tick in chart.y_ticks:
        parts.append(tag("path", class_="phinb-rule", d=f"M{chart.left} {tick.at}H{chart.right}"))
        parts.append(tag("text", tick.label, x=chart.left - 6, y=tick.at + 3.5, text_anchor="end"))
    for tick in chart.x_ticks:
        parts.append(tag("text", tick.label, x=tick.at, y=chart.bottom + 12, text_anchor="middle"))
    middle = (chart.left + chart.right) / 2
    parts.append(tag("text", chart.x_title, x=middle, y=chart.height - 3, text_anchor="middle"))
    if chart.now is not None:
        parts.append(tag("path", class_="phinb-now", d=f"M{chart.now} {chart.top}V{chart.bottom}"))
    if len(chart.line) == 1:
        parts.append(tag("circle", class_="phinb-only-point", cx=chart.line[0][0], cy=chart.line[0][1], r=2.5))
    parts.append(tag("path", class_="phinb-loss", d="M" + "L".join(f"{x} {y}" for x, y in chart.line)))
    parts += [tag("circle", class_="phinb-eval", cx=x, cy=y, r=3.5) for x, y in chart.dots]
    parts += [tag("text", label.text, x=label.x, y=label.y, data_series=label.series) for label in chart.labels]
    return tag("svg", *parts, viewBox=f"0 0 {chart.width:g} {chart.height:g}", role="img", aria_label=chart.description)
