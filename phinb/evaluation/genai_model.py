"""An ONNX model of ModelBuilder in onnxruntime-genai: scores labels and generates. Loads no torch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.latency import read_clock
from phinb.evaluation.scoring import EncodedRow
from phinb.types import Latency, Variant

if TYPE_CHECKING:
    from phinb.evaluation.operations import Sampling


class GenAIModel:
    """The loaded variant. `import_s` is what the library took, `load_s` what the model took from disk."""

    def __init__(self, variant: Variant) -> None:
        began = time.perf_counter()
        import numpy
        import onnxruntime_genai

        self.import_s = time.perf_counter() - began
        self._numpy = numpy
        self._library = onnxruntime_genai
        began = time.perf_counter()
        try:
            self._model = onnxruntime_genai.Model(variant.path)
        except Exception as error:  # onnxruntime_genai raises RuntimeError and its own classes
            raise PhinbError(
                f"{variant.name}: the ONNX model in {variant.path} cannot be loaded: {str(error).splitlines()[0]}",
                "Its files are damaged or incomplete: run the pass that makes it again.",
            ) from error
        self.load_s = time.perf_counter() - began
        self._precision = variant.precision
        settings = json.loads((Path(variant.path) / "genai_config.json").read_text(encoding="utf-8"))["model"]
        self.vocabulary = int(settings["vocab_size"])
        ends = settings.get("eos_token_id", [])
        self.stop_ids = frozenset(map(int, ends if isinstance(ends, list) else [ends]))

    def describe(self) -> dict[str, Any]:
        """Backend, device and number format. ModelBuilder leaves the threads to ONNX Runtime: a thread a core."""
        import psutil

        device = str(self._model.device_type).lower()
        cores = psutil.cpu_count(logical=False) or psutil.cpu_count()
        return {"backend": "ONNX Runtime GenAI", "device": device, "threads": cores, "dtype": self._precision or None}

    # ------------------------------------------------------------------------------------------ scoring

    def score(self, rows: Sequence[EncodedRow]) -> Iterator[tuple[int, list[float]]]:
        """(row, log-likelihood of each candidate in nats), shortest prompts first.

        A prompt goes through the model once. Then each candidate is appended, and the generator rewound to the
        prompt's end; a candidate's last token needs no step, its first none of its own.
        """
        if not rows:
            return
        longest = max(len(row.prompt) + max(map(len, row.candidates)) for row in rows)
        generator = self._generator(max_length=longest + 1)
        for row in sorted(rows, key=lambda row: (len(row.prompt), row.row)):
            # A fresh start costs nothing: the key-value buffer stays.
            generator.rewind_to(0)
            generator.append_tokens(self._ids(row.prompt))
            opening = self._log_softmax(generator.get_output("logits")[0, -1:])[0]
            values = []
            for candidate in row.candidates:
                value = float(opening[candidate[0]])
                if len(candidate) > 1:
                    generator.append_tokens(self._ids(candidate[:-1]))
                    logs = self._log_softmax(generator.get_output("logits")[0, -len(candidate) + 1 :])
                    value += float(logs[self._numpy.arange(len(candidate) - 1), list(candidate[1:])].sum())
                    generator.rewind_to(len(row.prompt))
                values.append(value)
            yield row.row, values

    def _log_softmax(self, logits: Any) -> Any:
        """log softmax over the last axis, in float64."""
        values = self._numpy.asarray(logits, dtype=self._numpy.float64)
        values = values - values.max(axis=-1, keepdims=True)
        return values - self._numpy.log(self._numpy.exp(values).sum(axis=-1, keepdims=True))

    def _generator(self, **options: Any) -> Any:
        parameters = self._library.GeneratorParams(self._model)
        parameters.set_search_options(**{"do_sample": False, "batch_size": 1} | options)
        return self._library.Generator(self._model, parameters)

    def _ids(self, tokens: Sequence[int]) -> Any:
        return self._numpy.array(tokens, dtype=self._numpy.int32)

    def log_probabilities(self, ids: Sequence[int]) -> Any:
        """Shape (len(ids), vocabulary), float32 NumPy: the natural logarithm of the next token's distribution."""
        generator = self._generator(max_length=len(ids) + 1)
        generator.append_tokens(self._ids(ids))
        return self._log_softmax(generator.get_output("logits")[0]).astype(self._numpy.float32)

    # --------------------------------------------------------------------------------------- generation

    def generate(self, prompt: Sequence[int], new_tokens: int, batch: int = 1) -> Latency:
        """Greedy; the clock starts before the generator is made and is read after each token."""
        length = len(prompt) + new_tokens
        began = time.perf_counter()
        generator = self._generator(max_length=length, min_length=length, batch_size=batch)
        generator.append_tokens(self._ids(prompt) if batch == 1 else self._numpy.tile(self._ids(prompt), (batch, 1)))
        times = []
        for _ in range(new_tokens):
            generator.generate_next_token()
            times.append(time.perf_counter())
        return read_clock(began, times, len(prompt), batch)

    def stream(self, prompt: Sequence[int], new_tokens: int, sampling: Sampling) -> Iterator[int]:
        """Tokens one by one, the likeliest or drawn; an end token is the last."""
        options: dict[str, Any] = {"max_length": len(prompt) + new_tokens}
        if sampling.temperature > 0:
            options |= {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p}
            if sampling.seed is not None:
                options["random_seed"] = sampling.seed
        generator = self._generator(**options)
        generator.append_tokens(self._ids(prompt))
        for _ in range(new_tokens):
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            yield token
            if token in self.stop_ids or generator.is_done():
                return
