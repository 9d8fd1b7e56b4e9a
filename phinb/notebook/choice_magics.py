"""%olive_choose: the best variant of a run under constraints, as a table and on the plot, among more precisions too."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.notebook.arguments import find_run
from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import show

if TYPE_CHECKING:
    from phinb.evaluation.choice import Choice
    from phinb.evaluation.comparison import Comparison
    from phinb.evaluation.precision_search import PrecisionSearch
    from phinb.types import Event


@magics_class
class ChoiceMagics(Magics):  # type: ignore[misc]
    """Choosing among the variants that a comparison has measured, and among precisions that are yet to be built."""

    @line_magic(
        argument("run", metavar="RUN", help="a run's id, a configuration's name, a variable of either, a comparison"),
        argument("constraints", metavar="CONSTRAINT", nargs="*", help="accuracy>=0.8 ttft_ms<=80 size<=400MB"),
        argument("--by", default="size", metavar="FIGURE", help="of those that fit the best in this; default: size"),
        argument("--rows", metavar="ROWS", help="a file, a data config's name or a variable; else the eval data"),
        argument(
            "--precisions", metavar="NAMES", nargs="?", const="", help="build others and choose: int4-128,fp32,..."
        ),
    )
    def olive_choose(self, options: Namespace) -> Choice | PrecisionSearch:
        """Choose the best variant under constraints. What was not measured yet is measured first; interrupt to stop.

        `choice = %olive_choose RUN ...` gives the Choice. Figures: accuracy, ttft_ms, size, memory, decode, load. With
        --precisions the run's model is built in other precisions, the smallest first, as long as one could still win.
        """
        from phinb.api import choose
        from phinb.evaluation.constraints import read_words

        constraints = read_words(options.constraints)
        rows = self.shell.user_ns.get(options.rows, options.rows) if options.rows else None
        if options.precisions is not None:
            return self._search(options, constraints, rows)
        choice = choose(find_comparison(self.shell.user_ns, options.run, rows), by=options.by, under=constraints)
        show_choice(choice)
        return choice

    def _search(self, options: Namespace, constraints: Any, rows: Any) -> PrecisionSearch:
        from phinb.api import search_precisions

        run = find_run(self.shell.user_ns, options.run)
        names = options.precisions.split(",") if options.precisions else None
        found = search_precisions(
            run,
            rows,
            by=options.by,
            candidates=names,
            on_event=tell_in_text(f"precisions of {run.name}"),
            under=constraints,
        )
        show_search(found)
        return found


def tell_in_text(name: str) -> Callable[[Event], None]:
    """A listener that prints a line for each thing that changes."""
    from phinb.types import RunState
    from phinb.workflow.narration import Chronicle
    from phinb.workflow.state import reduce

    chronicle, state = Chronicle(), RunState(name=name, status="running")

    def listen(event: Event) -> None:
        nonlocal state
        state = replace(reduce(state, event), name=name)
        chronicle.tell(state if state.ended else replace(state, status="running"))

    return listen


def find_comparison(namespace: dict[str, Any], reference: str, rows: Any) -> Comparison:
    """The Comparison of a variable, or that of a run; of a run, what is not measured yet is measured in this cell."""
    from phinb.api import compare
    from phinb.evaluation.results import Comparison

    value = namespace.get(reference)
    if isinstance(value, Comparison):
        return value
    run = find_run(namespace, reference)
    return compare(run, rows=rows, on_event=tell_in_text(f"{run.name} compared"))


def show_choice(choice: Choice) -> None:
    """Display the table with its sentences, and the plot where there is anything to draw."""
    from phinb.evaluation.choice_html import write_html, write_text
    from phinb.notebook.comparison_output import has_figure

    show({"text/html": write_html(choice), "text/plain": write_text(choice)})
    if choice.comparison is not None and has_figure(choice.comparison):
        show(choice_figure(choice))


def show_search(found: PrecisionSearch) -> None:
    """Display what became of each precision, then the choice among those that were measured."""
    from phinb.evaluation.choice_html import HEAD, list_tried
    from phinb.notebook.html import frame, table_html, tag
    from phinb.workflow.text import table_text

    rows = list_tried(found)
    said = [text for text in found.sentences() if text not in (found.choice.reason, *found.choice.cautions)]
    label = "Precisions"
    html = frame(table_html(HEAD, rows, label=label), *(tag("div", text) for text in said[:1]), label=label)
    show({"text/html": html, "text/plain": "\n".join([table_text(HEAD, rows), *said[:1]])})
    show_choice(found.choice)


def choice_figure(choice: Choice) -> dict[str, Any]:
    """The plot for JupyterLab's own renderer; the sentences for whoever has none."""
    import plotly.io

    from phinb.api import figure
    from phinb.notebook.comparison_output import PLOTLY_MIME

    drawn = figure(choice, "quality_latency")
    bundle: dict[str, Any] = dict(plotly.io.renderers["plotly_mimetype"].to_mimebundle(drawn.to_dict()))
    return {PLOTLY_MIME: bundle[PLOTLY_MIME], "text/plain": choice.reason}
