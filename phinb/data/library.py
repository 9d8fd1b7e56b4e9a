"""Rows read by the library datasets, as Olive does: the first ones at once, all of them from its copy on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from phinb.data.cache import INFO, datasets_cache, write_note
from phinb.data.files import Sources
from phinb.data.hub import check_hub
from phinb.data.library_errors import explain
from phinb.data.library_tables import Excerpt, Prepared, Stream, make_rows
from phinb.data.line_file import check_unchanged
from phinb.data.rows import LibraryNeeded, Relay, Row, Stopped, Table, Unreadable
from phinb.data.split import Selection, list_splits
from phinb.folders import Report
from phinb.types import Problem

PREPARING = ("download_mode", "verification_mode")
IGNORED = ("keep_in_memory", "save_infos", "num_proc", "streaming", "cache_dir")
"""Arguments of load_dataset that change neither rows nor their order, and are not the builder's."""

BLOCK = 2000
"""Rows of a stream that become Python's at a time; the last few blocks are kept, for going back a little."""

PARQUET_BATCH = 10_000
"""Rows that are taken from a Parquet file at a time, where the library would take a group of a million."""


def open_table(sources: Sources, split: str, where: str, *, streaming: bool = False, found: str = "") -> Table:
    """The rows of a split; `where` is the data's place in the configuration, `found` what was noticed in a file.
    Raises Unreadable.

    Without `streaming`, the first rows come from the first table that the library's reader makes of the files, and
    whoever wants more waits for its copy on disk, where Olive finds it again.
    """
    check_hub(sources, where)
    reading = Reading(sources, split, where, found)
    if streaming:
        return reading.stream()
    with reading.explained():
        if reading.is_prepared() or not reading.can_begin():
            return reading.prepare(None)
    first = reading.first_table()
    return Relay(first, lambda need, report: reading.prepare(report)) if first else reading.prepare(None)


def prepare_table(sources: Sources, split: str, where: str, report: Report | None, need: LibraryNeeded) -> Table:
    """All rows of a split at once, because of what was found in a file. Raises Unreadable, Stopped."""
    return Reading(sources, split, where, str(need)).prepare(report)


class Reading:
    """One load of a data set. `found` says what made it necessary, for whoever has to explain a failure."""

    def __init__(self, sources: Sources, split: str, where: str, found: str = "") -> None:
        self.sources, self.split, self.where, self.found = sources, split, where, found
        every = {file for files in sources.files.values() for file in files if file.is_file()}
        self._known = {file: (stat.st_size, stat.st_mtime_ns) for file in every for stat in [file.stat()]}

    def is_prepared(self) -> bool:
        """Whether the library's copy of these files, as they are now, is on disk already."""
        return (Path(self._builder.cache_dir) / INFO).is_file()

    def can_begin(self) -> bool:
        """Whether the first rows of the split can be had without all of them."""
        names = list_splits(self.split)
        return names is not None and hasattr(self._builder, "_generate_tables")

    def first_table(self) -> Table | None:
        """The split's rows as far as the first table of each of its files' splits goes; None if there is no table."""
        names = list_splits(self.split) or []
        with self.explained():
            tables: dict[str, Table] = {}
            for name in names:
                table = next(_generate(self._builder, name), None)
                if table is None:
                    return None
                tables[name] = Excerpt(table, self._builder.info.features)
            return Selection(self.split, tables)

    def stream(self) -> Table:
        """The rows one after another, nothing kept on disk. A split cannot be sliced: its length is not known."""
        if "[" in self.split:
            message = f'A stream has no slices: with streaming, the split "{self.split}" is refused.'
            hint = 'Name whole splits, joined by +, or leave "streaming" out.'
            raise Unreadable(Problem("error", "split_syntax", message, f"{self.where}.split", hint=hint))
        with self.explained():
            builder = self._builder
            if not hasattr(builder, "_generate_tables"):
                raise NotImplementedError(f"{builder.dataset_name} is not made of tables and cannot be shown streamed")
            names = [name.strip() for name in self.split.split("+")]
            first = next(_generate(builder, names[0]), None)
            columns = tuple(builder.info.features or (first.column_names if first is not None else ()))

            def begin() -> Iterator[list[Row]]:
                for table in (table for name in names for table in _generate(builder, name)):
                    for start in range(0, table.num_rows, BLOCK):
                        yield make_rows(table.slice(start, BLOCK), builder.info.features)

            return Stream(begin, columns, self.explained)

    def prepare(self, report: Report | None) -> Table:
        """Let the library make its copy of all rows, unless it has one, and open it. Raises Unreadable, Stopped."""
        with self.explained():
            builder = self._make_builder()
            _watch(builder, report)
            arguments = self.sources.arguments
            builder.download_and_prepare(**{key: arguments[key] for key in PREPARING if key in arguments})
            write_note(Path(builder.cache_dir), self.sources.description)
            dataset = builder.as_dataset(split=self.split)
        for file, known in self._known.items():
            check_unchanged(file, known, self.where)
        return Prepared(dataset)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Whatever the library raises becomes Unreadable, with a problem that says what to do."""
        with quiet():
            try:
                yield
            except (Unreadable, Stopped, LibraryNeeded):
                raise
            except Exception as error:  # the library raises whatever its readers raise
                cause: BaseException | None = error
                while cause is not None:
                    if isinstance(cause, Stopped):
                        raise cause from None
                    cause = cause.__cause__
                raise Unreadable(explain(error, self.sources, self.split, self.where, self.found)) from error

    @cached_property
    def _builder(self) -> Any:
        """One to look at and to begin with; making the copy takes a fresh one."""
        builder = self._make_builder()
        if getattr(builder.config, "batch_size", 0) is None:
            builder.config.batch_size = PARQUET_BATCH
        return builder

    def _make_builder(self) -> Any:
        from datasets import load_dataset_builder

        arguments = {key: value for key, value in self.sources.arguments.items() if key not in IGNORED}
        arguments.pop("verification_mode", None)
        return load_dataset_builder(**arguments, cache_dir=str(datasets_cache()))


def _generate(builder: Any, split: str) -> Iterator[Any]:
    """The Arrow tables that the library's reader makes of a split's files, one after another.

    What datasets.IterableDataset does, which cannot be used here: it loads torch.
    """
    from datasets import DownloadConfig
    from datasets.download import StreamingDownloadManager

    manager = StreamingDownloadManager(
        base_path=builder.base_path,
        download_config=DownloadConfig(token=builder.token, storage_options=builder.storage_options),
        dataset_name=builder.dataset_name,
        data_dir=builder.config.data_dir,
    )
    generators = {generator.name: generator for generator in builder._split_generators(manager)}
    chosen = list(generators.values()) if split == "all" else [generators[split]] if split in generators else []
    if not chosen:
        raise ValueError(f'Unknown split "{split}". Should be one of {list(generators)}.')
    for generator in chosen:
        for _, table in builder._generate_tables(**generator.gen_kwargs):
            if table.num_rows:
                yield table


def _watch(builder: Any, report: Report | None) -> None:
    """Let `report` hear of the rows that a builder reads; it may raise Stopped."""
    generate = getattr(builder, "_generate_tables", None)
    if report is None or generate is None:
        return

    def watched(**arguments: Any) -> Iterator[Any]:
        done = 0
        report("reading with datasets", done, None)
        for key, table in generate(**arguments):
            yield key, table
            done += table.num_rows
            report("reading with datasets", done, None)

    builder._generate_tables = watched


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no log lines in the notebook; the library's settings are global, so put them back."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    verbosity, hidden = logging.get_verbosity(), are_progress_bars_disabled()
    logging.set_verbosity(logging.CRITICAL)
    disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if not hidden:
            enable_progress_bars()
