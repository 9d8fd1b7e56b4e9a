"""Records become plotly figures, all in one template; plotly is loaded when a figure is drawn."""

from phinb.plots.figures import figure, table

__all__ = ["figure", "table"]
