"""A comparison's result: what was measured on each variant, what changed between stages, as table and on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.latency import decode_speed
from phinb.evaluation.records import decode_measurement, encode_measurement
from phinb.evaluation.statistics import PairedChange, compare_answers, interval_of_proportion, quantile
from phinb.types import Measurement, Problem
from phinb.workflow.store import write_atomically

if TYPE_CHECKING:
    import pandas

FORMAT = "phinb.comparison"
VERSION = 1
STAGES = {"base": 0, "adapter": 1, "merged": 2, "onnx": 3}


@dataclass(frozen=True)
class Summary:
    """One variant in figures, all None where its measurement failed (then `error` says why).

    accuracy with Wilson's 95 % interval, as shares of n rows; TTFT in ms, decode speed as the median over
    generations in tokens/s; load in s; sizes in bytes. `before` names the stage before it, `change` tells what
    happened to the rows since.
    """

    name: str
    kind: str
    n: int | None = None
    correct: int | None = None
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    ttft_ms_p50: float | None = None
    ttft_ms_p90: float | None = None
    decode_tokens_per_s: float | None = None
    load_s: float | None = None
    size_bytes: int | None = None
    peak_memory_bytes: int | None = None
    before: str = ""
    change: PairedChange | None = None
    error: str = ""


@dataclass(frozen=True)
class Comparison:
    """Variants measured on the same rows, in the order of their stages.

    settings: n, template, answer, labels, add_special_tokens, latency (what was timed), machine, versions, seed
    (None: nothing is drawn at random). problems: what is suspicious in rows and labels. reused: the variants whose
    earlier measurement on the same artefact, rows and settings was taken. stopped: ended early; the variants that
    were not reached have an error that says so.
    """

    measurements: tuple[Measurement, ...]
    settings: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    reused: tuple[str, ...] = ()
    stopped: bool = False
    name: str = field(default="", compare=False)

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """One a variant, in order."""
        return tuple(self._summarise(index) for index in range(len(self.measurements)))

    def _summarise(self, index: int) -> Summary:
        measured = self.measurements[index]
        name, kind = measured.variant.name, measured.variant.kind
        if measured.error:
            return Summary(name, kind, error=measured.error)
        n, correct = len(measured.scores), sum(score.correct for score in measured.scores)
        low, high = interval_of_proportion(correct, n)
        ttft = [1000 * latency.ttft_s for latency in measured.latencies]
        speeds = [speed for latency in measured.latencies if (speed := decode_speed(latency)) is not None]
        before = self._stage_before(index)
        return Summary(
            name,
            kind,
            n,
            correct,
            correct / n,
            low,
            high,
            quantile(ttft, 0.5) if ttft else None,
            quantile(ttft, 0.9) if ttft else None,
            quantile(speeds, 0.5) if speeds else None,
            measured.load_s,
            measured.size_bytes,
            measured.peak_memory_bytes,
            before.variant.name if before else "",
            _change(before, measured) if before else None,
        )

    def _stage_before(self, index: int) -> Measurement | None:
        """The last measured variant of an earlier stage: int8 beside int4 is held against merged, not against int4."""
        stage = STAGES[self.measurements[index].variant.kind]
        earlier = [m for m in self.measurements[:index] if not m.error and STAGES[m.variant.kind] < stage]
        return max(earlier, key=lambda m: STAGES[m.variant.kind]) if earlier else None

    @property
    def frame(self) -> pandas.DataFrame:
        """A row a variant, indexed by name: Summary's figures, and agreement, broken, mended, mcnemar_p and difference
        (with its 95 % interval) against the stage `before`. NaN where there is nothing to say."""
        import pandas

        rows = []
        for summary in self.summaries:
            row = {key: value for key, value in vars(summary).items() if key != "change"}
            change = summary.change
            row |= {
                "agreement": change and change.agreement,
                "broken": change and change.broken,
                "mended": change and change.mended,
                "mcnemar_p": change and change.p,
                "difference": change and change.difference,
                "difference_low": change and change.low,
                "difference_high": change and change.high,
            }
            rows.append(row)
        frame = pandas.DataFrame(rows).set_index("name")
        texts = ("kind", "before", "error")
        return frame.astype({column: "float64" for column in frame.columns if column not in texts})

    def sentences(self) -> tuple[str, ...]:
        """What each stage gained and lost, in words, one sentence or two a variant."""
        from phinb.evaluation.wording import describe_changes

        return describe_changes(self)

    def to_text(self) -> str:
        """A table for a terminal."""
        from phinb.evaluation.tables import write_text

        return write_text(self)

    def to_html(self) -> str:
        """A table as HTML that needs neither script nor another file, for both themes of JupyterLab."""
        from phinb.evaluation.tables import write_html

        return write_html(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return self.to_text()

    def save(self, path: str | Path) -> None:
        """Write everything, rows' scores included, as JSON; `load_comparison` reads it back."""
        record = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "settings": dict(self.settings),
            "problems": [asdict(problem) for problem in self.problems],
            "reused": list(self.reused),
            "stopped": self.stopped,
            "measurements": [encode_measurement(measurement) for measurement in self.measurements],
        }
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, json.dumps(record, ensure_ascii=False, indent=1))


def load_comparison(path: str | Path) -> Comparison:
    """The comparison that `save` wrote. Raises PhinbError where the file is missing, foreign or of a newer phinb."""
    hint = "Name a file that comparison.save wrote."
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PhinbError(f"{path} cannot be read: {error.strerror}.", hint) from None
    except ValueError as error:
        raise PhinbError(f"{path} is not JSON: {error}.", hint) from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise PhinbError(f"{path} is no comparison of phinb.", hint)
    if record.get("version") != VERSION:
        raise PhinbError(
            f"{path} has the format's version {record.get('version')}; this phinb reads version {VERSION}.",
            "Install the phinb that wrote it, or compare again.",
        )
    try:
        return Comparison(
            tuple(decode_measurement(measurement) for measurement in record["measurements"]),
            record["settings"],
            tuple(Problem(**problem) for problem in record["problems"]),
            tuple(record["reused"]),
            record["stopped"],
            record["name"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise PhinbError(f"{path} is damaged ({error!r}).", "Compare again.") from None


def _change(before: Measurement, after: Measurement) -> PairedChange:
    truth = [score.label for score in after.scores]
    return compare_answers(truth, _predictions(before), _predictions(after))


def _predictions(measurement: Measurement) -> Sequence[str]:
    return [score.predicted for score in measurement.scores]
