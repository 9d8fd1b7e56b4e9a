"""One comparison at work: what is kept is taken, what is missing is measured by processes, one a variant.

Where memory admits all variants at once, they are timed prompt by prompt in turn; else one after the other. Quality is
measured one after the other in any case.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.keeping import KeptResults
from phinb.evaluation.latency import LatencySettings, choose_rows, plan_timings
from phinb.evaluation.machine import BUSY_SHARE, describe_busy, has_card
from phinb.evaluation.memory_plan import plan_memory
from phinb.evaluation.parts import Ask, Part
from phinb.evaluation.process import OnPart, Stopped, VariantProcess
from phinb.evaluation.results import STAGES
from phinb.evaluation.soundness import PROMPTS, Stage, judge
from phinb.evaluation.timing import Timed, time_in_turn
from phinb.types import (
    Event,
    Measurement,
    Notice,
    PassFailed,
    PassFinished,
    PassStarted,
    Preparing,
    Progress,
    Queued,
    RunFinished,
    Variant,
)
from phinb.workflow.standby import settle_standby

REUSED = "measured before: the same artefact, rows, settings and machine"
SPEED, PROBE = "speed", "probe"
UNQUANTIZED = ("fp32", "fp16", "bf16")


@dataclass(frozen=True)
class Subject:
    """What all variants are asked. texts: the rows' prompts, as text; whole: the rows with their answers;
    encode(ask): the prompts' token ids by the variant's own tokenizer; parts: what is measured beside speed."""

    texts: Sequence[str]
    whole: Sequence[str]
    encode: Callable[[Ask], Sequence[Sequence[int]]]
    parts: Sequence[Part]
    latency: LatencySettings


@dataclass
class _Work:
    """One variant and how far it is."""

    variant: Variant
    index: int
    content: str = ""
    found: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    probe: dict[str, Any] | None = None
    timed: bool = False
    missing: list[Part] = field(default_factory=list)
    process: VariantProcess | None = None
    began: float = 0.0
    error: str = ""
    done: bool = False
    reused: bool = False


class Session:
    """One call of compare_variants. on_event gets the events, numbered and stamped; should_stop ends everything; with
    `fresh`, nothing that is kept is taken."""

    def __init__(
        self,
        folder: Path,
        subject: Subject,
        surroundings: Any,
        on_event: Callable[[Event], None] | None,
        should_stop: Callable[[], bool],
        fresh: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._subject = subject
        self._kept = KeptResults(folder, surroundings)
        self._on_event = on_event
        self._should_stop = should_stop
        self._fresh = fresh
        self._seq = 0
        self._works: list[_Work] = []
        self.reused: tuple[str, ...] = ()
        self.stopped = False
        self._generations = sum(map(len, plan_timings(subject.texts, subject.latency)))
        rows = choose_rows(subject.whole, PROMPTS)
        self._probed = [subject.whole[row] for row in rows]

    def run(
        self, variants: Sequence[Variant], name: str, notices: Sequence[Notice] = ()
    ) -> list[tuple[Measurement, dict[str, Mapping[str, Any]]]]:
        """(a measurement without the parts, {part: what it gave}) a variant, in order; see also `reused`, `stopped`."""
        settle_standby()
        began = time.monotonic()
        self._works = [_Work(variant, index) for index, variant in enumerate(variants)]
        self._emit(Queued("", name, tuple(variant.name for variant in variants), platform.node()))
        for notice in notices:
            self._emit(notice)
        try:
            self._work_all()
        except Stopped:
            self.stopped = True
        finally:
            for work in self._works:
                self._close(work)
        self.reused = tuple(work.variant.name for work in self._works if work.reused)
        self._finish(time.monotonic() - began)
        return [(self._measurement(work), work.answers) for work in self._works]

    @property
    def order(self) -> str:
        """How they were timed: "in turn", "one after the other", "at different times" (some were kept), "one alone"."""
        speeds = [work.found["settings"].get("timed_in_turn_with", ()) for work in self._works if work.timed]
        if len(speeds) < 2:
            return "one alone"
        if any(sorted(one) != sorted(speeds[0]) for one in speeds):
            return "one after the other" if all(len(one) < 2 for one in speeds) else "at different times"
        return "in turn"

    def _work_all(self) -> None:
        for work in self._works:
            self._stop_if_asked()
            self._look_up(work)
        for group in self._groups():
            for work in group:
                self._open(work)
                if not work.error and not work.timed:
                    # What is loaded waits, and says for what, while the others are loaded.
                    self._emit(Progress(work.variant.name, 0, self._generations, "generations", None))
            self._time([work for work in group if not work.error and not work.timed])
            for work in group:
                if not work.error:
                    self._measure_parts(work)

    def _groups(self) -> list[list[_Work]]:
        """Those that are loaded at the same time, for being timed in turn."""
        waiting = [work for work in self._works if not work.done]
        untimed = [work for work in waiting if not work.timed]
        # A graphics card's memory is not looked at: there they are loaded one by one.
        if len(untimed) < 2 or has_card() or plan_memory(work.variant for work in untimed).later:
            return [[work] for work in waiting]
        # A stage is judged by the one before it: what was timed before is in its place in the order again.
        return [untimed, *([work] for work in waiting if work.timed)]

    # ------------------------------------------------------------------------------------------ steps

    def _look_up(self, work: _Work) -> None:
        """Take what was measured before on the same artefact, rows and settings; all of it: the variant is done."""
        name = work.variant.name
        self._emit(Preparing(f"hashing {name}", None, None))
        work.began = time.monotonic()
        try:
            work.content = self._kept.hash_variant(work.variant)
        except PhinbError as error:
            self._emit(PassStarted(name, "measure", work.index))
            self._fail(work, error)
            return
        if self._fresh:
            work.missing = list(self._subject.parts)
            return
        kept = self._kept.read(work.content, PROBE, self._probed)
        work.probe = kept["settings"] if kept else None
        if speed := self._kept.read(work.content, SPEED, self._speed_decides()):
            work.found |= speed
            work.timed = True
        for part in self._subject.parts:
            fields = self._kept.read(work.content, part.name, part.decides)
            if fields is None:
                work.missing.append(part)
            else:
                work.answers[part.name] = fields
        if work.timed and not work.missing and work.probe is not None:
            self._emit(PassStarted(name, "measure", work.index))
            try:
                self._judge(work)
            except PhinbError as error:
                self._fail(work, error)
                return
            work.done = work.reused = True
            self._emit(PassFinished(name, time.monotonic() - work.began, True, REUSED, ""))

    def _open(self, work: _Work) -> None:
        """Load the variant and see whether it is sound."""
        self._stop_if_asked()
        work.began = time.monotonic()
        self._emit(PassStarted(work.variant.name, "measure", work.index))
        work.process = VariantProcess(work.variant)
        try:
            loaded = work.process.load(self._emit, self._should_stop)
            if not work.timed:
                work.found |= {
                    "load_s": loaded["load_s"],
                    "size_bytes": loaded["size_bytes"],
                    "settings": {**loaded["settings"], "import_s": loaded["import_s"]},
                }
            if work.probe is None:
                work.probe = self._ask(work)("probe", {"texts": self._probed})
                self._judge(work)
                self._kept.write(work.content, PROBE, self._probed, {"settings": work.probe})
            else:
                self._judge(work)
        except PhinbError as error:
            self._fail(work, error)

    def _judge(self, work: _Work) -> None:
        assert work.probe is not None
        before = self._stage_before(work)
        if before is None or before.variant.kind == "base":
            judge(work.variant.name, work.probe)  # training is to change it
            return
        exact = work.variant.kind == "merged" or work.variant.precision in UNQUANTIZED
        judge(work.variant.name, work.probe, before.probe, Stage(before.variant.name, exact))

    def _stage_before(self, work: _Work) -> _Work | None:
        """The last sound variant of an earlier stage of the same run."""
        stage = STAGES[work.variant.kind]
        earlier = [
            one
            for one in self._works[: work.index]
            if one.probe is not None
            and not one.error
            and one.variant.origin == work.variant.origin
            and STAGES[one.variant.kind] < stage
        ]
        return max(earlier, key=lambda one: STAGES[one.variant.kind]) if earlier else None

    def _time(self, works: Sequence[_Work]) -> None:
        """Fill in the speed of all of them, timed in turn, and each one's peak memory so far."""
        timed = []
        for work in works:
            try:
                timed.append((work, Timed(work.variant.name, self._ask(work), self._subject.encode(self._ask(work)))))
            except PhinbError as error:
                self._fail(work, error)
        if not timed:
            return
        time_in_turn([one for _, one in timed], self._subject.texts, self._subject.latency, self._emit)
        self._tell_busy([one for _, one in timed])
        beside = [work.variant.name for work, _ in timed]
        for work, one in timed:
            try:
                if one.error is not None:
                    raise one.error
                work.found |= {"latencies": tuple(one.latencies), **self._ask(work)("memory")}
            except PhinbError as error:
                self._fail(work, error)
                continue
            work.found["settings"] |= {"neighbours_share": one.neighbours_share, "timed_in_turn_with": beside}
            kept = ("latencies", "load_s", "size_bytes", "peak_memory_bytes", "settings")
            self._kept.write(work.content, SPEED, self._speed_decides(), {key: work.found[key] for key in kept})
            work.timed = True

    def _tell_busy(self, timed: Sequence[Timed]) -> None:
        share = max((one.neighbours_share or 0.0 for one in timed), default=0.0)
        if share > BUSY_SHARE:
            self._emit(
                Notice(
                    "warning",
                    "busy_machine",
                    describe_busy(share),
                    "Close other programs and compare again, with fresh=True (--fresh).",
                )
            )

    def _measure_parts(self, work: _Work) -> None:
        try:
            for part in work.missing:
                fields = part.measure(self._ask(work), work.variant)
                self._kept.write(work.content, part.name, part.decides, fields)
                work.answers[part.name] = fields
        except PhinbError as error:
            self._fail(work, error)
            return
        self._close(work)
        work.done = True
        self._emit(PassFinished(work.variant.name, time.monotonic() - work.began, False, "", ""))

    # ---------------------------------------------------------------------------------------- helpers

    def _ask(self, work: _Work) -> Ask:
        process = work.process
        assert process is not None

        def ask(op: str, payload: Mapping[str, Any] | None = None, *, on_part: OnPart | None = None) -> dict[str, Any]:
            return process.ask(op, payload, self._emit, self._should_stop, on_part)

        return ask

    def _speed_decides(self) -> Any:
        return [asdict(self._subject.latency), list(self._subject.texts)]

    def _stop_if_asked(self) -> None:
        if self._should_stop():
            raise Stopped

    def _fail(self, work: _Work, error: PhinbError) -> None:
        work.error = str(error)
        work.done = True
        self._close(work)
        self._emit(PassFailed(work.variant.name, "MeasurementFailed", error.message, error.message, error.hint))

    def _close(self, work: _Work) -> None:
        if work.process is not None:
            work.process.close()

    def _finish(self, seconds: float) -> None:
        failed = sum(bool(work.error) for work in self._works)
        if self.stopped:
            self._emit(RunFinished("cancelled", seconds, "Stopped early."))
            return
        message = f"{failed} of {len(self._works)} variants could not be measured." if failed else ""
        self._emit(RunFinished("failed" if failed == len(self._works) else "succeeded", seconds, message))

    def _measurement(self, work: _Work) -> Measurement:
        if work.error:
            return Measurement(work.variant, error=work.error)
        if not work.done:
            return Measurement(work.variant, error="It was stopped before it was measured.")
        return Measurement(work.variant, **work.found)

    def _emit(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(replace(event, seq=self._seq, time=time.time()))
            self._seq += 1
