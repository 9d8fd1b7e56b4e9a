"""A comparison's result: what was measured on each variant, what changed between stages, as table and on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.changes import Changes, find_changes
from phinb.evaluation.classification import ClassQuality, judge_labels
from phinb.evaluation.estimates import Estimate, estimate_changes, estimate_divergence, estimate_metrics
from phinb.evaluation.latency import decode_speed, own_latencies
from phinb.evaluation.records import decode_measurement, encode_measurement
from phinb.evaluation.scoring import rank_rows
from phinb.evaluation.scoring_kinds import Scoring
from phinb.evaluation.statistics import PairedChange, compare_rows, interval_of_proportion, quantile
from phinb.types import Measurement, Problem
from phinb.workflow.store import write_atomically

if TYPE_CHECKING:
    import pandas

FORMAT = "phinb.comparison"
VERSION = 2
"""1 had no metrics beside accuracy, and neither prompts nor fields of the rows; it is read, too."""
NESTED = ("change", "metrics", "metric_changes", "divergence")
"""What of a Summary is no single figure."""
STAGES = {"base": 0, "adapter": 1, "merged": 2, "onnx": 3}


@dataclass(frozen=True)
class Summary:
    """One variant in figures, all None where its measurement failed (then `error` says why).

    accuracy with Wilson's 95 % interval, as shares of n rows (of free texts it is the exact match; None where no row
    was answered); TTFT in ms, decode speed as the median over generations in tokens/s; load in s; sizes in bytes.
    metrics: whatever else was measured of its quality, by name. `before` names the stage before it, `change` tells
    what happened to the rows since, metric_changes how much each metric differs, divergence the mean KL in nats.
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
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    metric_changes: Mapping[str, Estimate] = field(default_factory=dict)
    divergence: Estimate | None = None


@dataclass(frozen=True)
class Comparison:
    """Variants measured on the same rows, in the order of their stages.

    settings: n, template, answer, labels ([]: free text), scoring, metrics (those that were asked for),
    add_special_tokens, latency (what was timed), machine, versions, seed (None: nothing is drawn at random; the
    bootstrap's seed is fixed). prompts, fields: of each row, the prompt and the template's columns without the answer;
    () in a comparison of an older phinb. problems: what is suspicious in rows and labels. reused: the variants whose
    earlier measurement on the same artefact, rows and settings was taken. stopped: ended early; the variants that
    were not reached have an error that says so.
    """

    measurements: tuple[Measurement, ...]
    settings: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    reused: tuple[str, ...] = ()
    stopped: bool = False
    name: str = field(default="", compare=False)
    prompts: tuple[str, ...] = ()
    fields: tuple[Mapping[str, str], ...] = ()

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
        low, high = interval_of_proportion(correct, n) if n else (None, None)
        own = own_latencies(measured.latencies)
        ttft = [1000 * latency.ttft_s for latency in own]
        speeds = [speed for latency in own if (speed := decode_speed(latency)) is not None]
        before = self._stage_before(index)
        return Summary(
            name,
            kind,
            n or len(measured.losses) or int(self.settings["n"]),
            correct if n else None,
            correct / n if n else None,
            low,
            high,
            quantile(ttft, 0.5) if ttft else None,
            quantile(ttft, 0.9) if ttft else None,
            quantile(speeds, 0.5) if speeds else None,
            measured.load_s,
            measured.size_bytes,
            measured.peak_memory_bytes,
            before.variant.name if before else "",
            _change(before, measured) if before and n and before.scores else None,
            metrics=estimate_metrics(measured, self.settings["labels"]),
            metric_changes=estimate_changes(before, measured) if before else {},
            divergence=estimate_divergence(before, measured) if before else None,
        )

    def _stage_before(self, index: int) -> Measurement | None:
        """The last measured variant of an earlier stage: int8 beside int4 is held against merged, not against int4.

        A variant of another run is held against that run's stages only.
        """
        variant = self.measurements[index].variant
        earlier = [
            m
            for m in self.measurements[:index]
            if not m.error and m.variant.origin == variant.origin and STAGES[m.variant.kind] < STAGES[variant.kind]
        ]
        return max(earlier, key=lambda m: STAGES[m.variant.kind]) if earlier else None

    @property
    def frame(self) -> pandas.DataFrame:
        """A row a variant, indexed by name: Summary's figures, and agreement, broken, mended, mcnemar_p and difference
        (with its 95 % interval) against the stage `before`; each metric and its difference, and kl (nats, from the
        stage before), with _low and _high. NaN where there is nothing to say."""
        import pandas

        rows = []
        for summary in self.summaries:
            row = {key: value for key, value in vars(summary).items() if key not in NESTED}
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
            for name, estimate in summary.metrics.items():
                row |= _columns(name, estimate)
            for name, estimate in summary.metric_changes.items():
                row |= _columns(f"{name}_difference", estimate)
            rows.append(row | _columns("kl", summary.divergence))
        frame = pandas.DataFrame(rows).set_index("name")
        texts = ("kind", "before", "error")
        return frame.astype({column: "float64" for column in frame.columns if column not in texts})

    @property
    def rows(self) -> pandas.DataFrame:
        """A line a data row, indexed by its number from 0: the template's fields, the right answer, and a column a
        variant with its prediction. Their export is `save_rows`."""
        import pandas

        columns, records = self._row_records()
        return pandas.DataFrame(records, columns=columns).set_index("row")

    def save_rows(self, path: str | Path) -> None:
        """Write `rows` as CSV or JSON lines, by the name's end. Raises PhinbError for another."""
        from phinb.evaluation.changes import write_records

        write_records(path, *self._row_records())

    def _row_records(self) -> tuple[list[str], list[dict[str, Any]]]:
        answered = [m for m in self.measurements if m.scores]
        taken = ["row", "answer", *(m.variant.name for m in answered)]
        names = [name for name in (self.fields[0] if self.fields else ()) if name not in taken]
        records = []
        for place, score in enumerate(answered[0].scores if answered else ()):
            own = self.fields[score.row] if self.fields else {}
            record = {"row": score.row, **{name: own[name] for name in names}, "answer": score.label}
            records.append(record | {m.variant.name: m.scores[place].predicted for m in answered})
        return ["row", *names, "answer", *taken[2:]], records

    def changed(self, before: str | None = None, after: str | None = None) -> Changes:
        """The rows that `after` answers otherwise than `before`: broken, mended, or otherwise wrong.

        Variants' names; by default the last one and the stage before it. Raises PhinbError for a variant that is not
        there or answered no rows.
        """
        second = self._find(after or self.measurements[-1].variant.name)
        if before is None:
            stage = self._stage_before(self.measurements.index(second))
            if stage is None:
                raise PhinbError(
                    f"There is no stage before {second.variant.name}.", "Name the variant to hold it against (before=)."
                )
            before = stage.variant.name
        first = self._find(before)
        names = (before, second.variant.name)
        return find_changes(names, (first.scores, second.scores), self.prompts, self.fields)

    def _find(self, name: str) -> Measurement:
        """The variant of that name, with answers."""
        known = {measured.variant.name: measured for measured in self.measurements}
        if name not in known:
            raise PhinbError(f"The comparison has no variant {name!r}.", f"It has: {', '.join(known)}.")
        if known[name].error:
            raise PhinbError(f"{name} was not measured: {known[name].error.splitlines()[0]}", "Compare again.")
        if not known[name].scores:
            raise PhinbError(
                f"{name} answered no rows: only texts were measured.", 'Compare with metrics=["accuracy"].'
            )
        return known[name]

    def classes(self, variant: str) -> ClassQuality:
        """Precision, recall, F1 and support of each label, and macro-F1, with their intervals.

        Raises PhinbError for a variant that is not there, and for free text, which has no labels.
        """
        measured = self._find(variant)
        if not self.settings["labels"]:
            raise PhinbError("Free text has no labels to judge one by one.", "Its figures are in .frame.")
        truth = [score.label for score in measured.scores]
        return judge_labels(truth, _predictions(measured), self.settings["labels"])

    @property
    def per_label(self) -> pandas.DataFrame:
        """A line a variant and label: support, precision, recall, f1, with _low and _high; of a closed set only."""
        import pandas

        rows = []
        for measured in self.measurements if self.settings["labels"] else ():
            for one in self.classes(measured.variant.name).labels if measured.scores else ():
                row: dict[str, Any] = {"variant": measured.variant.name, "label": one.label, "support": one.support}
                for name in ("precision", "recall", "f1"):
                    interval = getattr(one, f"{name}_interval")
                    row |= {name: getattr(one, name)}
                    row |= {f"{name}_low": interval and interval.low, f"{name}_high": interval and interval.high}
                rows.append(row)
        return pandas.DataFrame(rows).set_index(["variant", "label"]) if rows else pandas.DataFrame()

    def label_text(self) -> str:
        """`per_label` for a terminal; "" for free text."""
        from phinb.evaluation.tables import write_labels

        return write_labels(self)

    def rescore(self, scoring: Scoring) -> Comparison:
        """The same measurements with the labels ranked by "sum", "mean" or "calibrated"; see scoring.Scoring.

        Raises PhinbError for free text, and where what the scoring needs was not measured.
        """
        if not self.settings["labels"]:
            raise PhinbError("Free text is generated: there are no labels to be ranked.", "Leave scoring out.")
        ranked = tuple(replace(m, scores=rank_rows(m.scores, scoring, m.prior)) for m in self.measurements)
        return replace(self, measurements=ranked, settings={**self.settings, "scoring": scoring})

    @property
    def latency(self) -> pandas.DataFrame:
        """A line a variant and measure: first token by prompt length, decoding by position and batch, energy; see
        latency_table.tabulate_latency. `comparison.frame` has the medians."""
        import pandas

        from phinb.evaluation.latency_table import tabulate_latency

        return pandas.DataFrame(tabulate_latency(self))

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
            "prompts": list(self.prompts),
            "fields": [dict(fields) for fields in self.fields],
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
    if record.get("version") not in range(1, VERSION + 1):
        raise PhinbError(
            f"{path} has the format's version {record.get('version')}; this phinb reads up to {VERSION}.",
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
            tuple(record.get("prompts", ())),
            tuple(record.get("fields", ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise PhinbError(f"{path} is damaged ({error!r}).", "Compare again.") from None


def _change(before: Measurement, after: Measurement) -> PairedChange:
    first, second = ([score.correct for score in measured.scores] for measured in (before, after))
    return compare_rows(first, second, _predictions(before), _predictions(after))


def _columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    value, low, high = (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _predictions(measurement: Measurement) -> Sequence[str]:
    return [score.predicted for score in measurement.scores]
