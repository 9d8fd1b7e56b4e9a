"""What a serving process can be asked: one function an operation, OPERATIONS the table. Their forms: protocol.py."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import list_files, measure_size
from phinb.evaluation.energy import EnergyMeter
from phinb.evaluation.harness import run_task
from phinb.evaluation.machine import NeighbourWatch, peak_memory_bytes
from phinb.evaluation.quality import encode_payload
from phinb.evaluation.records import decode_row
from phinb.evaluation.request import Request
from phinb.evaluation.scoring import EncodedRow
from phinb.evaluation.soundness import probe
from phinb.evaluation.text_stream import TextStream
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.models.tokenizers import Encoding
from phinb.types import Latency, Preparing, Variant

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Temperature 0: the likeliest one."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


class Model(Protocol):
    """A loaded variant, whatever runs it. Token ids in, natural logarithms and seconds out."""

    load_s: float
    import_s: float
    vocabulary: int
    stop_ids: frozenset[int]

    def describe(self) -> dict[str, Any]:
        """Backend, device, threads, number format."""

    def score(self, rows: Sequence[EncodedRow]) -> Iterator[tuple[int, list[float]]]:
        """(row, log-likelihood of each candidate), in any order."""

    def generate(self, prompt: Sequence[int], new_tokens: int, batch: int = 1) -> Latency:
        """Time one greedy generation of exactly `new_tokens`, of `batch` copies at once."""

    def stream(self, prompt: Sequence[int], new_tokens: int, sampling: Sampling) -> Iterator[int]:
        """The tokens that follow, each as it is there, at most `new_tokens`; an end token is the last."""

    def log_probabilities(self, ids: Sequence[int]) -> numpy.ndarray[Any, Any]:
        """Shape (len(ids), vocabulary), float32: the distribution of the token after each."""


class Tokens(Protocol):
    """The variant's tokenizer."""

    @property
    def bos(self) -> str | None: ...

    @property
    def eos(self) -> str | None: ...
    def encode(self, text: str) -> Encoding: ...

    def decode(self, ids: Sequence[int]) -> str: ...


@dataclass
class Served:
    """What the process holds: nothing until `load`."""

    variant: Variant | None = None
    _model: Model | None = None
    _tokenizer: Tokens | None = None

    @property
    def model(self) -> Model:
        if self._model is None:
            raise PhinbError("No model is loaded in this process.", "Ask `load` first.")
        return self._model

    @property
    def tokenizer(self) -> Tokens:
        if self._tokenizer is None:
            raise PhinbError("No model is loaded in this process.", "Ask `load` first.")
        return self._tokenizer


def load(served: Served, request: Request) -> dict[str, Any]:
    variant = Variant(**request.payload["variant"])
    request.emit(Preparing(f"loading {variant.name}", None, None))
    list_files(variant)
    served._tokenizer = load_tokenizer(variant)
    if variant.kind == "onnx":
        from phinb.evaluation.genai_model import GenAIModel

        model: Model = GenAIModel(variant)
    else:
        from phinb.evaluation.pytorch_model import PyTorchModel

        model = PyTorchModel(variant)
    served.variant, served._model = variant, model
    return {
        "load_s": model.load_s,
        "import_s": model.import_s,
        "size_bytes": measure_size(variant),
        "vocabulary": model.vocabulary,
        "stop_ids": sorted(model.stop_ids),
        "bos": served.tokenizer.bos,
        "eos": served.tokenizer.eos,
        "settings": model.describe(),
    }


# ------------------------------------------------------------------------------------------------ tokens


def encode(served: Served, request: Request) -> dict[str, Any]:
    return encode_payload(request.payload, served.tokenizer)


def tokenize(served: Served, request: Request) -> dict[str, Any]:
    return {"texts": [asdict(served.tokenizer.encode(text)) for text in request.payload["texts"]]}


# ------------------------------------------------------------------------------------------- likelihoods


def score(served: Served, request: Request) -> dict[str, Any]:
    rows = [decode_row(row) for row in request.payload["rows"]]
    report = request.count("rows")
    scores = []
    for pair in served.model.score(rows):
        scores.append(list(pair))
        report(len(scores), len(rows))
    return {"scores": scores}


def next_token(served: Served, request: Request) -> dict[str, Any]:
    asked = request.payload
    top, of, full = asked.get("top", 10), asked.get("of"), asked.get("full", False)
    report = request.count("sequences")
    found = []
    for done, sequence in enumerate(asked["sequences"], 1):
        logs = served.model.log_probabilities(sequence["ids"])
        places = sequence.get("places")
        places = [len(sequence["ids"]) - 1] if places is None else places
        found.append({"places": [_describe_place(logs[place], place, top, of, full) for place in places]})
        report(done, len(asked["sequences"]))
    return {"sequences": found}


def _describe_place(logs: Any, place: int, top: int, of: Sequence[int] | None, full: bool) -> dict[str, Any]:
    import numpy

    count = min(top, len(logs))
    best = numpy.argpartition(-logs, count - 1)[:count] if count else numpy.array([], dtype=int)
    best = best[numpy.argsort(-logs[best], kind="stable")]
    record: dict[str, Any] = {"place": place, "top": [[int(token), float(logs[token])] for token in best]}
    if of is not None:
        record["of"] = [float(logs[token]) for token in of]
    if full:
        record["full"] = base64.b64encode(numpy.asarray(logs, dtype="<f4").tobytes()).decode()
    return record


def likelihood(served: Served, request: Request) -> dict[str, Any]:
    report = request.count("sequences")
    found: list[list[float | None]] = []
    for ids in request.payload["sequences"]:
        values: list[float | None] = [None] if ids else []
        if len(ids) > 1:
            logs = served.model.log_probabilities(ids)
            values += [float(logs[place, token]) for place, token in enumerate(ids[1:])]
        found.append(values)
        report(len(found), len(request.payload["sequences"]))
    return {"sequences": found}


# -------------------------------------------------------------------------------------------- generation


def generate(served: Served, request: Request) -> dict[str, Any]:
    asked = request.payload
    sampling = Sampling(asked.get("temperature", 0.0), asked.get("top_p", 1.0), asked.get("seed"))
    report = request.count("generations")
    generations = []
    for number, prompt in enumerate(asked["prompts"]):
        generations.append(_generate_one(served, request, number, prompt, asked["max_new_tokens"], sampling))
        if request.cancelled:
            break
        report(number + 1, len(asked["prompts"]))
    return {"generations": generations}


def _generate_one(
    served: Served, request: Request, number: int, prompt: Sequence[int], most: int, sampling: Sampling
) -> dict[str, Any]:
    stream = TextStream(served.tokenizer.decode, tuple(request.payload.get("stops") or ()))
    ids: list[int] = []
    at: list[float] = []
    finish = "length"
    began = time.perf_counter()
    tokens = served.model.stream(prompt, most, sampling)
    for token in tokens:
        ids.append(token)
        at.append(time.perf_counter() - began)
        ended = token in served.model.stop_ids
        added = "" if ended else stream.push(token)
        request.part({"prompt": number, "id": token, "text": added, "at_s": at[-1]})
        if ended or stream.stopped:
            finish = "stop"
            break
        if request.cancelled:
            finish = "cancelled"
            break
    if rest := stream.close():
        request.part({"prompt": number, "id": None, "text": rest, "at_s": at[-1]})
    return {
        "prompt": number,
        "ids": ids,
        "text": stream.text,
        "finish": finish,
        "prompt_tokens": len(prompt),
        "ttft_s": at[0] if at else None,
        "decode_s": at[-1] - at[0] if at else None,
    }


def time_generations(served: Served, request: Request) -> dict[str, Any]:
    asked = request.payload
    meter = EnergyMeter(served.model.describe()["device"])
    neighbours = NeighbourWatch()
    latencies = []
    for prompt in asked["prompts"]:
        request.check()
        before = meter.read()
        latency = served.model.generate(prompt, asked["new_tokens"], asked.get("batch", 1))
        after = meter.read()
        record = asdict(latency) | {"made": bool(asked.get("made", False))}
        record["energy_j"] = after - before if before is not None and after is not None and after >= before else None
        latencies.append(record)
    return {"latencies": latencies, "neighbours": list(neighbours.seconds())}


def memory(served: Served, request: Request) -> dict[str, Any]:
    return {"peak_memory_bytes": peak_memory_bytes()}


Operation = Callable[[Served, Request], dict[str, Any]]

OPERATIONS: dict[str, Operation] = {
    "load": load,
    "encode": encode,
    "tokenize": tokenize,
    "score": score,
    "time": time_generations,
    "memory": memory,
    "generate": generate,
    "next_token": next_token,
    "likelihood": likelihood,
    "harness": run_task,
    "probe": probe,
}
