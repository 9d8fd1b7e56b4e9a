"""`python -m phinb.evaluation.measure REQUEST.json RESULT.json`: one variant, measured in a process of its own.

A process of its own, so that load time, peak memory and speed are the variant's and no neighbour's, and so that a
crash of a native library is one variant's error. Events go to standard output, a JSON object a line (`Preparing`,
`Progress` in "generations", then in "rows", `Notice`); everything that libraries print goes to standard error. The
result is written whole or not at all; a failure that can be explained is a result, with its `error`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import list_files, measure_size
from phinb.evaluation.latency import LatencySettings, measure_latency
from phinb.evaluation.machine import BUSY_SHARE, NeighbourWatch, describe_busy, peak_memory_bytes
from phinb.evaluation.records import decode_request, encode_measurement
from phinb.evaluation.scoring import EncodedRow, ScoringTask, encode_task, score_rows
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.types import Event, Measurement, Notice, Preparing, Progress, Variant
from phinb.workflow.event_lines import encode_event
from phinb.workflow.store import write_atomically

Emit = Callable[[Event], None]


def main(request: Path, result: Path) -> int:
    """Measure what `request` describes into `result`; 0, also where the result is an error that is understood."""
    variant, task, settings = decode_request(json.loads(request.read_text(encoding="utf-8")))
    with _event_stream() as stream:

        def emit(event: Event) -> None:
            stream.write(encode_event(event) + "\n")
            stream.flush()

        try:
            measurement = measure_variant(variant, task, settings, emit)
        except PhinbError as error:
            measurement = Measurement(variant, error=str(error))
        except MemoryError:
            traceback.print_exc()
            measurement = Measurement(variant, error="The memory did not suffice.\nClose other programs.")
        write_atomically(result, json.dumps(encode_measurement(measurement), ensure_ascii=False))
    return 0


def measure_variant(variant: Variant, task: ScoringTask, settings: LatencySettings, emit: Emit) -> Measurement:
    """Load, time, read the peak memory, then score: the peak is that of using the variant, not of scoring batches.

    Raises PhinbError where the variant cannot be used.
    """
    emit(Preparing(f"loading {variant.name}", None, None))
    list_files(variant)
    encoded = encode_task(task, load_tokenizer(variant))
    model = _load(variant)
    report = _Reporter(variant.name, emit)
    neighbours = NeighbourWatch()
    latencies = measure_latency(model, [row.prompt for row in encoded], settings, report.count("generations"))
    busy = neighbours.read()
    peak = peak_memory_bytes()
    if busy is not None and busy > BUSY_SHARE:
        emit(Notice("warning", "busy_machine", describe_busy(busy), "Close other programs and compare again."))
    scores = score_rows(task, dict(_counted(model.score(encoded), encoded, report.count("rows"))))
    return Measurement(
        variant,
        scores,
        latencies,
        load_s=model.load_s,
        size_bytes=measure_size(variant),
        peak_memory_bytes=peak,
        settings={**model.describe(), "import_s": model.import_s, "neighbours_share": busy},
    )


def _load(variant: Variant) -> Any:
    if variant.kind == "onnx":
        from phinb.evaluation.genai_model import GenAIModel

        return GenAIModel(variant)
    from phinb.evaluation.pytorch_model import PyTorchModel

    return PyTorchModel(variant)


class _Reporter:
    """Progress events, at most ten a second, with the time left at the speed so far."""

    def __init__(self, name: str, emit: Emit) -> None:
        self._name = name
        self._emit = emit

    def count(self, unit: str) -> Callable[[int, int], None]:
        began = time.perf_counter()
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            now = time.perf_counter()
            if now - last < 0.1 and done < total:
                return
            last = now
            self._emit(Progress(self._name, done, total, unit, (now - began) / done * (total - done)))

        return report


def _counted(
    scored: Iterator[tuple[int, list[float]]], rows: Sequence[EncodedRow], report: Callable[[int, int], None]
) -> Iterator[tuple[int, list[float]]]:
    for done, pair in enumerate(scored, 1):
        report(done, len(rows))
        yield pair


@contextmanager
def _event_stream() -> Iterator[IO[str]]:
    """Standard output for events alone: what libraries print, native ones too, is led to standard error."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)
        yield stream


if __name__ == "__main__":
    code = 1
    try:
        code = main(Path(sys.argv[1]), Path(sys.argv[2]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # some native libraries hang while Python takes itself apart
