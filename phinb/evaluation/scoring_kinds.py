"""How labels may be ranked: a choice that options name before anything is scored."""

from __future__ import annotations

from typing import Literal, get_args

Scoring = Literal["sum", "mean", "calibrated"]
"""What labels are ranked by.

sum: the log-likelihood of the label's tokens, as is. mean: per token, so that a long label is not unlikely for its
length alone. calibrated: less the label's log-likelihood after the template with empty fields, which takes away what
the model says whatever the row is (contextual calibration; Zhao et al. 2021, arXiv 2102.09690, with the empty text as
the only content-free input).
"""

SCORINGS: tuple[Scoring, ...] = get_args(Scoring)
