"""The records that pass between the rooms of phinb, and the events of a run.

Frozen dataclasses and nothing else: no logic beyond a derived word, no import from another room. Whoever reads
a run, draws a panel or writes a report needs this file only. Times are Unix seconds, durations seconds, sizes
bytes, and what is unknown is None: no number is ever invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

Severity = Literal["error", "warning", "info"]
"""error: it cannot run, or would not do what it says; warning: it runs, look at it; info: good to know."""

Origin = Literal["you", "upgrade", "olive", "phinb"]
"""Where a value comes from: the user's text, an upgrade of an old form, Olive's default, phinb's default."""

RunStatus = Literal["queued", "running", "succeeded", "stopped", "cancelled", "failed"]
"""stopped: training ended early by the user's wish, what was trained is kept and later passes ran."""

PassStatus = Literal["waiting", "running", "done", "failed"]
VariantKind = Literal["base", "adapter", "merged", "onnx"]
TokenRole = Literal["text", "special", "padding"]


# ---------------------------------------------------------------------------------------- configuration


@dataclass(frozen=True)
class Edit:
    """One change to a configuration's text. `path` is dotted, in the form of the text the user wrote.

    `source` names the piece it stands in, where a configuration was given in several. set: `value` is put at
    `path`, made if need be. remove: what stands there goes. rename: the last key of `path` becomes `value`.
    """

    kind: Literal["set", "remove", "rename"]
    path: str
    value: Any = None
    source: str = ""


@dataclass(frozen=True)
class Fix:
    """A remedy that phinb can carry out itself; `title` is what its button says."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Problem:
    """Something that a user should know before a run.

    `code` is a stable word for programs (`unknown_key`). `path` is dotted and has the form of the text that the
    user wrote; line and column count from 1 and are None where no text stands behind it. `source` names the piece that
    they count in ("In [4]", a file's name) where the configuration was given in several, else "".
    """

    severity: Severity
    code: str
    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    hint: str = ""
    fix: Fix | None = None
    source: str = ""

    @property
    def where(self) -> str:
        """`line 21, column 7 (passes.lora.r)`, as far as it is known; the piece's name goes before it."""
        numbers = [] if self.line is None else [f"line {self.line}"]
        if self.line is not None and self.column is not None:
            numbers.append(f"column {self.column}")
        place = ", ".join([self.source, *numbers] if self.source else numbers)
        if self.path:
            place = f"{place} ({self.path})" if place else self.path
        return place or "the configuration"


@dataclass(frozen=True)
class Change:
    """What an upgrade changed: `path` in the form of the user's text, before and after as values (None: absent)."""

    path: str
    before: Any
    after: Any
    why: str
    line: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Effective:
    """The value that a run will really use, and who decided it."""

    value: Any
    origin: Origin
    line: int | None = None
    note: str = ""
    source: str = ""


# ------------------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class Span:
    """Which part of which row a token comes from; `field` is a column, or "template" for the text around it."""

    row: int
    field: str


@dataclass(frozen=True)
class Sequence:
    """One training sequence of T tokens, as the trainer gets it.

    input_ids, labels and attention_mask have length T; a label of -100 is not trained on. `tokens` are the
    pieces as text, `spans` tells for each token which row and field it comes from (None: padding, special).
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    attention_mask: tuple[int, ...]
    tokens: tuple[str, ...] = ()
    spans: tuple[Span | None, ...] = ()


@dataclass(frozen=True)
class DataStats:
    """What a data config makes of its rows. Lengths are tokens a row, before anything is cut.

    `sequences` and `tokens` count what training gets in one epoch; `dropped_tokens` is what joining or
    truncation loses; `steps_per_epoch` counts optimizer steps at the configured batch and accumulation.
    `exact` is False while rows are still missing. From `lost_tokens` on, None or an empty mapping: not counted.

    lost_tokens: tokens that are cut off the rows in training. truncated_answers: rows of which a part of the answer is
    cut off. no_eos: sequences in whose loss no end of sequence stands. padding: what share of a training step is
    padding (0 to 1), by how batches are made: configured (as the trainer will), random, grouped (by length), max
    (every sequence filled up to max_seq_len). exact_duplicates: rows whose text an earlier row has.
    near_duplicates: rows that are nearly an earlier one (duplicates.py). leaks, near_leaks: another data config's
    name -> how many of its rows are, or nearly are, among these. labels: value of the answer -> rows that have it.
    untrained: sequences without anything to predict (no label but the first, which no token stands before).
    cut_answers: the first of the rows, counted from 1, that truncated_answers counts.
    """

    rows: int
    sequences: int
    tokens: int
    trained_tokens: int
    dropped_tokens: int
    truncated_rows: int
    empty_rows: int
    lengths: tuple[int, ...] = ()
    max_seq_len: int | None = None
    steps_per_epoch: int | None = None
    exact: bool = True
    lost_tokens: int | None = None
    truncated_answers: int | None = None
    no_eos: int | None = None
    padding: Mapping[str, float] = field(default_factory=dict)
    exact_duplicates: int | None = None
    near_duplicates: int | None = None
    leaks: Mapping[str, int] = field(default_factory=dict)
    near_leaks: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    untrained: int | None = None
    cut_answers: tuple[int, ...] = ()


# ------------------------------------------------------------------------------------------------- runs


@dataclass(frozen=True)
class PassState:
    """One pass of a run. `done` of `total` in `unit`; total and eta_s (seconds) are None while unknown."""

    status: PassStatus = "waiting"
    pass_type: str = ""
    done: float | None = None
    total: float | None = None
    unit: str = ""
    eta_s: float | None = None
    seconds: float | None = None
    started: float | None = None
    reused: bool = False
    reason: str = ""
    artefact: str = ""
    error: str = ""
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Metric:
    """What one pass logged at one step: loss, eval_loss, learning_rate, grad_norm, tokens_per_s, ..."""

    pass_name: str
    step: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Resources:
    """Memory (resident bytes of the worker and its children), processor use in percent of one core, and GPUs."""

    rss_bytes: int
    cpu_percent: float | None = None
    peak_rss_bytes: int = 0
    gpu: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class RunState:
    """What is known of a run: the reduction of its events, and of nothing else (workflow/state.py)."""

    run_id: str = ""
    name: str = ""
    status: RunStatus = "queued"
    passes: Mapping[str, PassState] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    notices: tuple[Notice, ...] = ()
    samples: tuple[Sample, ...] = ()
    preparing: Preparing | None = None
    resources: Resources | None = None
    attempt: int = 0
    pid: int | None = None
    host: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    queued_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    stopping: Literal["", "stop", "cancel"] = ""
    message: str = ""
    cause: str = ""
    remedy: str = ""
    last_seq: int = -1

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come."""
        return self.status in ("succeeded", "stopped", "cancelled", "failed")


@dataclass(frozen=True)
class Variant:
    """A model that a run made, or began with. `path` is a folder; an adapter also names the folder it needs.

    name: base, adapter, merged, int4, or a pass's name where several of one kind exist; trial-1, ... for what a search
    of Olive's made. from_pass is "" for the base, else what the run's state calls the pass. `base_path` is set for
    adapters only. parameters: what a search chose for it, by dotted path ({"passes.lora.r": 16}); of a list of passes
    the number of the alternative, from 1 ({"passes.int4": 2}). origin: "" for the run at hand; where variants of
    several are compared, the other run's id, or the path of a model that no run is known of. Stages of one origin are
    compared.
    """

    name: str
    path: str
    kind: VariantKind
    from_pass: str
    base_path: str = ""
    precision: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""


# ------------------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True)
class RowScore:
    """One row under one variant: what it predicts, and how likely each label is to it.

    log_likelihoods: nats, summed over the label's tokens; tokens: how many those are. scores: what the labels were
    ranked by where that is another figure (length-normalised, calibrated), else empty. A free text has no labels:
    `label` is then the right answer, `predicted` the generated text, and `matches` says whether they are the same
    once normalised (phinb.evaluation.text_metrics).
    """

    row: int
    label: str
    predicted: str
    log_likelihoods: Mapping[str, float]
    tokens: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    matches: bool | None = None

    @property
    def correct(self) -> bool:
        return self.label == self.predicted if self.matches is None else self.matches


@dataclass(frozen=True)
class RowText:
    """One row's greedy generation: the text after the prompt, its tokens, and why it ended ("stop", "length")."""

    row: int
    text: str
    tokens: int
    finish: Literal["stop", "length"]


@dataclass(frozen=True)
class RowLoss:
    """One row as text to be predicted: -log-likelihood (nats) of its trained tokens, and how many tokens and UTF-8
    bytes they are."""

    row: int
    nats: float
    tokens: int
    bytes: int


@dataclass(frozen=True)
class NextTokens:
    """The likeliest tokens right after one row's prompt, and those that answers begin with, best first, with their
    log-probabilities (nats).

    context: a hash of the prompt's token ids. Where two variants' differ, so do their tokenizers, and the ids of one
    mean nothing to the other.
    """

    row: int
    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    context: str = ""


@dataclass(frozen=True)
class Latency:
    """One generation that was timed: tokens of the prompt, seconds to the first token, seconds for all later ones.

    token_s: the seconds that each later token took, in order; their sum is decode_s. batch: how many copies of the
    prompt were generated at once (ttft_s and decode_s are the whole batch's). made: the prompt was cut to a length
    that was asked for; else it is a row's own. energy_j: joules that the machine's counters told, all programs
    included; None where it has none that can be read.
    """

    prompt_tokens: int
    new_tokens: int
    ttft_s: float
    decode_s: float
    token_s: tuple[float, ...] = ()
    batch: int = 1
    made: bool = False
    energy_j: float | None = None


@dataclass(frozen=True)
class Measurement:
    """What was measured on one variant, in a process of its own. `error` says why where it could not be.

    scores: a closed set's rows, or free texts against their answers. prior: each label's log-likelihood (nats) after
    the template with empty fields, what calibration subtracts. texts: the generations, of at most max_new_tokens.
    losses: held-out rows as text. next_tokens: the likeliest tokens after each prompt. values: {metric: a figure a
    row}, of texts. harness: {task of lm-evaluation-harness: what it reports}.
    """

    variant: Variant
    scores: tuple[RowScore, ...] = ()
    latencies: tuple[Latency, ...] = ()
    load_s: float | None = None
    size_bytes: int | None = None
    peak_memory_bytes: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    prior: Mapping[str, float] = field(default_factory=dict)
    texts: tuple[RowText, ...] = ()
    losses: tuple[RowLoss, ...] = ()
    next_tokens: tuple[NextTokens, ...] = ()
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    harness: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    max_new_tokens: int | None = None


# ----------------------------------------------------------------------------------------------- events


@dataclass(frozen=True)
class Event:
    """A line of events.jsonl. seq counts from 0 without gaps, time is Unix seconds, v is the format's version.

    A writer leaves seq and time alone; the run's folder numbers and stamps what is appended.
    """

    type: ClassVar[str] = ""
    v: int = field(default=1, kw_only=True)
    seq: int = field(default=-1, kw_only=True)
    time: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class Queued(Event):
    """The run exists: its passes in order. Always the first event; resuming a run that has ended appends it again."""

    type: ClassVar[str] = "queued"
    run_id: str
    name: str
    passes: tuple[str, ...]
    host: str


@dataclass(frozen=True)
class AttemptStarted(Event):
    """A worker process begins; a resumed run has several. `resumed_from` is the checkpoint's step."""

    type: ClassVar[str] = "attempt_started"
    attempt: int
    pid: int
    versions: Mapping[str, str]
    seed: int
    resumed_from: int | None = None


@dataclass(frozen=True)
class Preparing(Event):
    """Work before the first pass (model conversion, download, hashing); total is None where unknown."""

    type: ClassVar[str] = "preparing"
    what: str
    done: float | None
    total: float | None


@dataclass(frozen=True)
class PassStarted(Event):
    type: ClassVar[str] = "pass_started"
    pass_name: str
    pass_type: str
    index: int


@dataclass(frozen=True)
class Progress(Event):
    type: ClassVar[str] = "progress"
    pass_name: str
    done: float
    total: float | None
    unit: str
    eta_s: float | None


@dataclass(frozen=True)
class MetricLogged(Event):
    type: ClassVar[str] = "metric"
    pass_name: str
    step: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Sample(Event):
    """What the model under training answers to a fixed prompt."""

    type: ClassVar[str] = "sample"
    pass_name: str
    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class ResourcesMeasured(Event):
    type: ClassVar[str] = "resources"
    rss_bytes: int
    cpu_percent: float | None
    gpu: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Notice(Event):
    type: ClassVar[str] = "notice"
    severity: Severity
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class StopRequested(Event):
    type: ClassVar[str] = "stop_requested"
    how: Literal["stop", "cancel"]
    by: str


@dataclass(frozen=True)
class PassFinished(Event):
    """`artefact` is a folder, relative to the run's own; `reason` says why it was reused, or was not."""

    type: ClassVar[str] = "pass_finished"
    pass_name: str
    seconds: float
    reused: bool
    reason: str
    artefact: str


@dataclass(frozen=True)
class PassFailed(Event):
    type: ClassVar[str] = "pass_failed"
    pass_name: str
    error: str
    message: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class WorkerLost(Event):
    """The worker is gone and never said goodbye; written by whoever notices first."""

    type: ClassVar[str] = "worker_lost"
    signal: int | None
    exit_code: int | None
    cause: str


@dataclass(frozen=True)
class RunFinished(Event):
    type: ClassVar[str] = "run_finished"
    status: Literal["succeeded", "stopped", "cancelled", "failed"]
    seconds: float
    message: str


AnyEvent = (
    Queued
    | AttemptStarted
    | Preparing
    | PassStarted
    | Progress
    | MetricLogged
    | Sample
    | ResourcesMeasured
    | Notice
    | StopRequested
    | PassFinished
    | PassFailed
    | WorkerLost
    | RunFinished
)
EVENT_TYPES: Mapping[str, type[Event]] = {event.type: event for event in get_args(AnyEvent)}
