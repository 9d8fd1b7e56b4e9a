"""A data config as training will see it: its first sequences, its numbers, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol, overload

from phinb.data.completion import find_trained_field
from phinb.data.guards import Evidence, find_problems
from phinb.data.scan import NOTHING, Scan, ShouldStop
from phinb.data.source import parameters
from phinb.data.statistics import count_held_out
from phinb.data.trainer import Trainer, find_trainer
from phinb.data.wording import agree, write_first, write_part
from phinb.errors import PhinbError
from phinb.folders import Report
from phinb.models.references import resolve_model
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.types import DataStats, Effective, Problem
from phinb.types import Sequence as TrainingSequence

LOOKED_AT = 200
"""Rows and sequences that the guards look at one by one."""

CALLED = ("eval", "evaluation", "test", "testing", "valid", "validation", "dev", "heldout")
"""Words in the name of a data config that say that a model is evaluated on it."""

TOKENS_LOOKED_AT = 400_000
"""Tokens of these rows after which the guards look at no more of them: some seconds, and some MB."""

COMPARED = 20_000
"""Rows up to which a preview also looks for near duplicates, which takes about a second (Scan.find_near)."""


class Configuration(Protocol):
    """What a preview needs of phinb.config's Config."""

    @property
    def folder(self) -> Path: ...

    def to_olive(self) -> dict[str, Any]: ...

    @property
    def phinb(self) -> Mapping[str, Any]: ...

    def effective(self) -> Mapping[str, Effective]: ...


class FirstSequences(Sequence[TrainingSequence]):
    """The first `limit` sequences of a scan, by default all; each is made when it is asked for, and not kept."""

    def __init__(self, scan: Scan, limit: int | None) -> None:
        self._scan, self._count = scan, scan.count if limit is None else min(scan.count, max(limit, 0))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> TrainingSequence: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TrainingSequence, ...]: ...

    def __getitem__(self, index: int | slice) -> TrainingSequence | tuple[TrainingSequence, ...]:
        chosen = range(self._count)[index]
        if isinstance(chosen, int):
            return self._scan.sequence(chosen)
        return tuple(self._scan.sequence(one) for one in chosen)

    def __iter__(self) -> Iterator[TrainingSequence]:
        return (self._scan.sequence(index) for index in range(self._count))

    def __repr__(self) -> str:
        return f"<{write_first(self._count, 'sequence')} of {self._scan.name}>"


@dataclass(frozen=True)
class Preview:
    """What training gets from the data config `name`.

    `sequences` are the first ones, in the order of the data (the trainer shuffles them); `stats` counts all.
    With an error among `problems` there may be neither. `scan` gives any other sequence, and near duplicates.
    """

    name: str
    sequences: Sequence[TrainingSequence]
    stats: DataStats
    problems: tuple[Problem, ...]
    scan: Scan | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether nothing keeps training from getting its data."""
        return not any(problem.severity == "error" for problem in self.problems)


def preview(
    config: Configuration,
    data: str | None = None,
    limit: int = 200,
    *,
    progress: Report | None = None,
    should_stop: ShouldStop | None = None,
) -> Preview:
    """Show what training gets from a configuration's data: the config named `data`, by default the training data.

    At most `limit` sequences are given. All rows are counted, however many, unless `should_stop` says so: then the
    numbers are those of the rows so far, and what only all rows tell is not said. `progress` hears how many are
    counted, and before of a demo model that has to be made.

    Raises ConfigError where the configuration has errors, PhinbError where no data config has that name.
    """
    data_config = find_data_config(config.to_olive(), data)
    name = str(data_config["name"])
    try:
        scan = open_scan(config, name, progress=progress)
    except PhinbError as error:
        return without_tokenizer(name, error, config)
    trainer = find_trainer(config, name)
    return locate_problems(finish_scan(scan, limit, trainer, progress=progress, should_stop=should_stop), config)


def without_tokenizer(name: str, error: PhinbError, config: Configuration) -> Preview:
    """What there is to be seen of a data config where `open_scan` raised `error`."""
    problem = Problem("error", "tokenizer_missing", error.message, "input_model.model_path", hint=error.hint)
    return Preview(name, (), NOTHING, (locate(problem, config),))


def locate_problems(preview: Preview, config: Configuration) -> Preview:
    """The same with each problem at its line."""
    return dataclasses.replace(preview, problems=tuple(locate(problem, config) for problem in preview.problems))


def open_scan(config: Configuration, data: str | None = None, *, progress: Report | None = None) -> Scan:
    """The scan of a configuration's data, of which nothing but its beginning has been read.

    Raises ConfigError where the configuration has errors, PhinbError where no data config has that name, or the
    model's tokenizer cannot be read.
    """
    olive = config.to_olive()
    data_config = find_data_config(olive, data)
    name = str(data_config["name"])
    params = parameters(data_config.get("pre_process_data_config"))
    model = params.get("model_name") or olive["input_model"]["model_path"]
    folder = resolve_model(str(model), folder=config.folder, progress=progress)
    if isinstance(folder, str):
        raise PhinbError(
            f"The model {folder} is not on this machine, so its tokenizer cannot be read.",
            "Start the run once, which fetches it, or name a local folder.",
        )
    trainer = find_trainer(config, name)
    trained_field: str | None = None
    with suppress(PhinbError):  # a template that cannot be read: the scan says so
        trained_field = find_trained_field(config.phinb, params)
    answer = config.phinb.get("answer")
    return Scan(
        data_config,
        load_tokenizer(folder),
        config.folder,
        batch_size=trainer.batch_size if trainer else None,
        accumulation=trainer.accumulation if trainer else None,
        sampling=trainer.sampling if trainer else "random",
        drops_last=trainer.drops_last if trainer else False,
        eval_split=trainer.eval_split if trainer else None,
        trained_field=trained_field,
        answer=answer if not params.get("chat_template") else None,
        others=find_evaluation_data(olive, name) if trainer else None,
    )


def preview_data(
    data_config: Mapping[str, Any], tokenizer: Tokenizer, folder: Path, *, limit: int | None = 200, **settings: Any
) -> Preview:
    """The same for one data config as Olive gets it, without a configuration around it. Never raises for bad data.

    `settings` are those of Scan: batch_size, accumulation, eval_split, trained_field and so on.
    """
    return finish_scan(Scan(data_config, tokenizer, folder, **settings), limit)


def finish_scan(
    scan: Scan,
    limit: int | None = 200,
    trainer: Trainer | None = None,
    *,
    progress: Report | None = None,
    should_stop: ShouldStop | None = None,
) -> Preview:
    """Count all rows of a scan, or until `should_stop`, and `judge` them; `progress` hears how many are done."""

    def tell(done: int, total: int | None, _: DataStats) -> None:
        if progress is not None:
            progress(f"counting the tokens of {scan.name}", done, total)

    stats = scan.run(tell, should_stop)
    if scan.ok and stats.exact and stats.rows <= COMPARED:
        stats = scan.find_near(should_stop=should_stop)
    return judge(scan, stats, limit, trainer)


def judge(scan: Scan, stats: DataStats, limit: int | None = 200, trainer: Trainer | None = None) -> Preview:
    """Let the guards look at a scan whose numbers are `stats`; `limit` is that of the sequences, None for all."""
    problems = scan.problems
    if not scan.ok:
        return Preview(scan.name, (), stats, tuple(problems), scan)
    try:
        seen = scan.look(LOOKED_AT, TOKENS_LOOKED_AT)
        problems += find_problems(
            Evidence(
                name=scan.name,
                stats=stats,
                recipe=scan.recipe,
                tokenizer=scan.tally.tokenizer,
                rows=scan.rows.page(0, _count_rows(stats)),
                sequences=seen,
                answer=scan.tally.answer,
                trainer=trainer,
            )
        )
    except PhinbError as error:
        problems.append(Problem("error", "row_unreadable", error.message, scan.path, hint=error.hint))
        return Preview(scan.name, (), stats, tuple(problems), scan)
    if stats.exact and (held_out := count_held_out(stats.sequences, scan.eval_split)):
        message = (
            f"{write_part(held_out, stats.sequences, 'sequence')} {agree(held_out, 'is', 'are')} held out for "
            f"evaluation (eval_split {scan.eval_split}), drawn at random; training gets the other "
            f"{stats.sequences - held_out:,}."
        )
        problems.append(Problem("info", "held_out", message, "phinb.eval_split"))
    return Preview(scan.name, FirstSequences(scan, limit), stats, tuple(problems), scan)


def _count_rows(stats: DataStats) -> int:
    """How many of the first rows the guards look at."""
    tokens = list(accumulate(stats.lengths[:LOOKED_AT]))
    return max(bisect_right(tokens, TOKENS_LOOKED_AT), 1)


def find_evaluation_data(olive: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    """The data configs by name that a model trained on the data config `name` is evaluated on, as far as they say so:
    the pass's eval_data_config, a metric's data_config, and what is called so."""
    by_name = {str(one.get("name")): one for one in olive.get("data_configs") or []}
    named = {word for word in by_name if any(part in CALLED for part in re.split(r"[\W_]+", word.lower()))}
    for settings in _list_passes(olive):
        if settings.get("train_data_config") == name:
            named.add(str(settings.get("eval_data_config")))
    section = olive.get("evaluators") or {}
    named_evaluators = list(section.values() if isinstance(section, Mapping) else section)
    in_place = [olive.get("evaluator"), *(settings.get("evaluator") for settings in _list_passes(olive))]
    for evaluator in [*named_evaluators, *(one for one in in_place if isinstance(one, Mapping))]:
        named |= {str(metric.get("data_config")) for metric in evaluator.get("metrics") or ()}
    return {word: one for word, one in by_name.items() if word in named and word != name}


def find_data_config(olive: Mapping[str, Any], name: str | None = None) -> Mapping[str, Any]:
    """The data config of that name, by default the one that the first training pass names, else the first.

    Raises PhinbError where there is none.
    """
    from rapidfuzz import process

    by_name: dict[str, Mapping[str, Any]] = {str(one.get("name")): one for one in olive.get("data_configs") or []}
    if name is None:
        for settings in _list_passes(olive):
            chosen = settings.get("train_data_config")
            if isinstance(chosen, Mapping):
                return dict(chosen)
            if chosen in by_name:
                return by_name[str(chosen)]
        if by_name:
            return next(iter(by_name.values()))
        raise PhinbError("The configuration has no data.", 'Add a data config under "data_configs".')
    if name not in by_name:
        nearest = process.extractOne(name, list(by_name))
        guess = f"Did you mean {nearest[0]}? " if nearest else ""
        raise PhinbError(f"There is no data config {name}.", f"{guess}There are: {', '.join(by_name) or 'none'}.")
    return by_name[name]


def _list_passes(olive: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The settings of every pass in order, whether they stand in it, in its `config`, or in a list of alternatives."""
    settings: list[Mapping[str, Any]] = []
    for entry in (olive.get("passes") or {}).values():
        for one in entry if isinstance(entry, list) else [entry]:
            settings.append({**one, **(one.get("config") or {})})
    return settings


def locate(problem: Problem, config: Configuration) -> Problem:
    """The same with the line of the value that it speaks of; where the user wrote none, of the first beside it."""
    effective = config.effective()
    path = problem.path
    while "." in path:
        exact = effective.get(path)
        within = [entry for key, entry in effective.items() if key.startswith(f"{path}.") and entry.line is not None]
        found = exact if exact is not None and exact.line is not None else min(within, key=_line_of, default=None)
        if found is not None:
            return dataclasses.replace(problem, line=found.line, source=found.source)
        path = path.rpartition(".")[0]
    return problem


def _line_of(entry: Effective) -> int:
    return entry.line or 0
