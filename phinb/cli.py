"""The public functions from a terminal: phinb check FILE, phinb run FILE, phinb compare RUN, ...

Exit codes: 0 it went well, 1 it did not (errors in a configuration, a failed run), 2 the command itself was wrong.
Standard output holds what was asked for, standard error what is said along the way.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phinb import __version__
from phinb.errors import ConfigError, PhinbError
from phinb.types import Problem


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. What the user can act on is said in a sentence, without a traceback."""
    options = build_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a sign (a run's marks, a phrase's letters) shows a question mark, and nothing fails.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code: int = options.command(options)
    except ConfigError as error:
        print(_write_problems(error.problems), error.hint, sep="\n", file=sys.stderr)
        return 1
    except PhinbError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or 'A file'}: {error.strerror or error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `phinb runs | head` is no failure; what is left in the buffer has no reader.
        sys.stdout = None
        return 0
    return code


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="phinb", description="Fine-tune and shrink language models with Olive.")
    parser.add_argument("--version", action="version", version=f"phinb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    def add_file(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = add(name, command, text)
        sub.add_argument("file", metavar="FILE", help="a configuration, JSON (comments allowed) or YAML")
        return sub

    check = add_file("check", _check, "Name every problem that a configuration's text shows; exit 1 on errors.")
    check.add_argument("--json", action="store_true", help="the problems as JSON, for programs")
    check.add_argument("--files", action="store_true", help="look at model, data, memory and disk as well")
    upgrade = add_file("upgrade", _upgrade, "Show what today's form of a configuration changes, or write it.")
    upgrade.add_argument("--write", metavar="PATH", help="write the upgraded configuration to PATH")
    add_file("show", _show, "Show every value that a run will really use, and where it comes from.")
    preview = add_file("preview", _preview, "Show the numbers and first sequences that training gets.")
    preview.add_argument("--data", metavar="NAME", help="the data config, by default the training data")
    preview.add_argument("--limit", type=int, default=3, metavar="N", help="sequences to print (3)")
    plain = add_file("plain", _plain, "Ask Olive what it alone would make of the same text.")
    plain.add_argument("--model", metavar="REF", help="tokenize with this model instead, e.g. phinb://demo")
    run = add_file("run", _run, "Run a configuration and follow it; Ctrl-C stops and keeps, twice cancels.")
    run.add_argument("--until", metavar="PASS", help="the last pass to run")
    run.add_argument("--from", dest="from_", metavar="PASS", help="use no earlier result from this pass on")
    run.add_argument("--fresh", action="store_true", help="use no earlier result at all")
    run.add_argument("--detach", action="store_true", help="print the run's id and leave it to itself")
    add("runs", _runs, "List the runs, newest first.")
    attach = add("attach", _attach, "Follow a run that goes on, or show how it ended.")
    stop = add("stop", _stop, "End a run's training and keep what is trained.")
    stop.add_argument("--cancel", action="store_true", help="end the run now, with nothing kept but its checkpoints")
    resume = add("resume", _resume, "Go on with a run that was cancelled or failed.")
    compare = add("compare", _compare, "Measure the variants of a run on the same rows.")
    compare.add_argument("--rows", metavar="PATH", help="rows, or a data config's name; by default the evaluation data")
    compare.add_argument("--save", metavar="PATH", help="write the comparison as JSON")
    for sub in (attach, stop, resume, compare):
        sub.add_argument("run", metavar="RUN", help="an id, a unique part of one, a folder, or a configuration's name")
    model = add("model", _model, "Make an embedded model (phinb://demo, phinb://tiny) and print its folder.")
    model.add_argument("reference", metavar="REF")
    doctor = add("doctor", _doctor, "Look at the installation and the machine; exit 1 where something must be mended.")
    doctor.add_argument("--json", action="store_true", help="the findings as JSON, for programs")
    return parser


def _load(options: argparse.Namespace) -> Any:
    from phinb.api import load_config

    return load_config(Path(options.file))


def _load_readable(options: argparse.Namespace) -> Any:
    """The configuration, where there is anything in the file to be shown. Raises ConfigError else."""
    config = _load(options)
    if not config.dumps():
        raise ConfigError(config.problems)
    return config


def _check(options: argparse.Namespace) -> int:
    config = _load(options)
    problems: Sequence[Problem] = config.problems
    if options.files and config.ok:
        from phinb.api import preflight

        found = preflight(config)
        problems = found.problems
        print(_write_forecast(found.forecast), file=sys.stderr)
    errors = sum(problem.severity == "error" for problem in problems)
    if options.json:
        print(json.dumps({"ok": not errors, "problems": [asdict(problem) for problem in problems]}, indent=1))
    else:
        print(_write_problems(problems) or "No problems.")
        if config.changes:
            print(f"{len(config.changes)} old forms are upgraded; phinb upgrade {options.file} shows them.")
    return 1 if errors else 0


def _upgrade(options: argparse.Namespace) -> int:
    from phinb.workflow.store import write_atomically

    config = _load_readable(options)
    if options.write:
        target = Path(options.write)
        write_atomically(target, config.dumps("yaml" if target.suffix in (".yaml", ".yml") else "json"))
    for change in config.changes:
        place = f"line {change.line}, " if change.line else ""
        print(f"{place}{change.path}: {change.before!r} -> {change.after!r}\n    {change.why}", file=sys.stderr)
    print(config.diff() or "Nothing to upgrade: the configuration has today's form.")
    return 0


def _show(options: argparse.Namespace) -> int:
    config = _load_readable(options)
    values = config.effective()
    width = max((len(path) for path in values), default=0)
    for path, entry in values.items():
        line = f", line {entry.line}" if entry.line else ""
        note = f" ({entry.note})" if entry.note else ""
        print(
            f"{path:<{width}}  {json.dumps(entry.value, ensure_ascii=False, default=str)}  [{entry.origin}{line}]{note}"
        )
    return 0 if config.ok else 1


def _preview(options: argparse.Namespace) -> int:
    from phinb.api import preview

    found = preview(_load(options), options.data, limit=options.limit)
    stats = found.stats
    print(
        f"{found.name}: {stats.rows:,} rows -> {stats.sequences:,} sequences, {stats.tokens:,} tokens an epoch, "
        f"{stats.trained_tokens:,} trained on, {stats.dropped_tokens:,} dropped"
    )
    for sequence in found.sequences:
        print("  " + json.dumps("".join(sequence.tokens), ensure_ascii=False))
    if found.problems:
        print(_write_problems(found.problems))
    return 0 if found.ok else 1


def _plain(options: argparse.Namespace) -> int:
    from phinb.api import check_plain_olive

    rows = check_plain_olive(_load(options), options.model)
    table = [("", "what", "you wrote", "plain Olive", "phinb")]
    table += [("≠" if row.differs else "", row.what, row.you_wrote, row.plain_olive, row.phinb) for row in rows]
    print(_write_table(table))
    return 0


def _run(options: argparse.Namespace) -> int:
    from phinb.api import preflight, start

    config = _load(options)
    if config.ok:
        print(_write_forecast(preflight(config).forecast), file=sys.stderr)
    started = start(config, until=options.until, from_=options.from_, fresh=options.fresh)
    if options.detach:
        print(started.id)
        return 0
    print(f"{started.id} in {started.folder}", file=sys.stderr)
    return _follow(started, owner=True)


def _follow(run: Any, owner: bool) -> int:
    """Tell a run's story until it ends.

    Ctrl-C of who started it (`owner`) stops and keeps at first, and cancels at the second; others only look away.
    """
    from phinb.workflow.narration import Chronicle

    chronicle = Chronicle(write=lambda line: print(line, flush=True))
    interrupts = 0
    while True:
        try:
            state = run.state
            chronicle.tell(state)
            if state.ended:
                break
            time.sleep(0.2)
        except KeyboardInterrupt:
            if not owner:
                print(f"{run.id} goes on; phinb stop {run.id} ends its training.", file=sys.stderr)
                return 130
            interrupts += 1
            if interrupts == 1:
                print("Stopping: what is trained is kept. Ctrl-C again cancels.", file=sys.stderr)
                run.stop()
            else:
                run.cancel()
    chronicle.close(state)
    return 0 if state.status in ("succeeded", "stopped") else 1


def _runs(options: argparse.Namespace) -> int:
    from phinb.api import runs

    rows = [("run", "name", "status", "passes", "started")]
    for run in runs():
        state = run.state
        done = sum(item.status == "done" for item in state.passes.values())
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(state.queued_at)) if state.queued_at else ""
        rows.append((run.id, run.name, state.status, f"{done} of {len(state.passes)}", began))
    print(_write_table(rows) if len(rows) > 1 else "There is no run yet.")
    return 0


def _attach(options: argparse.Namespace) -> int:
    from phinb.api import open_run

    return _follow(open_run(options.run), owner=False)


def _stop(options: argparse.Namespace) -> int:
    from phinb.api import open_run

    run = open_run(options.run)
    if run.state.ended:
        print(f"{run.id} has ended already: {run.state.status}.")
    elif options.cancel:
        run.cancel()
        print(f"{run.id} is cancelled.")
    else:
        run.stop()
        print(f"{run.id} ends its training after the current step; the later passes still run.")
    return 0


def _resume(options: argparse.Namespace) -> int:
    from phinb.api import open_run

    return _follow(open_run(options.run).resume(), owner=True)


def _compare(options: argparse.Namespace) -> int:
    from phinb.api import compare

    if options.save and not Path(options.save).absolute().parent.is_dir():
        raise PhinbError(f"{options.save} cannot be written: there is no such folder.", "Make it first.")
    comparison = compare(options.run, rows=options.rows, on_event=_tell_measuring)
    print(comparison.to_text())
    for sentence in comparison.sentences():
        print(sentence)
    if options.save:
        comparison.save(Path(options.save))
    return 1 if any(measured.error for measured in comparison.measurements) else 0


def _tell_measuring(event: Any) -> None:
    if event.type == "pass_started":
        print(f"measuring {event.pass_name} ...", file=sys.stderr, flush=True)
    elif event.type == "notice":
        print(event.message, file=sys.stderr)


def _model(options: argparse.Namespace) -> int:
    from phinb.models.references import resolve_model

    said = set()

    def tell(what: str, done: float | None, total: float | None) -> None:
        if what not in said:
            said.add(what)
            print(f"{what} ...", file=sys.stderr, flush=True)

    print(resolve_model(options.reference, progress=tell))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from phinb.doctor import diagnose, to_json, to_text

    findings = diagnose()
    print(to_json(findings) if options.json else to_text(findings))
    return 1 if any(finding.status == "error" for finding in findings) else 0


def _write_forecast(forecast: Any) -> str:
    def write(size: int | None) -> str:
        return "unknown" if size is None else f"about {size / 1e9:.1f} GB"

    return f"disk: {write(forecast.disk_bytes)}, memory: {write(forecast.memory_bytes)} ({forecast.how})"


def _write_problems(problems: Sequence[Problem]) -> str:
    lines = []
    for problem in problems:
        lines.append(f"{problem.severity}: {problem.where}: {problem.message}")
        if problem.hint:
            lines.append(f"    {problem.hint}")
    return "\n".join(lines)


def _write_table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
