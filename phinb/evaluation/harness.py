"""Tasks of lm-evaluation-harness (EleutherAI), run on a variant by the process that serves it.

The harness asks for log-likelihoods and generations; the served model answers, PyTorch and ONNX alike. It is no part
of phinb: where it is not installed, the error has the line that installs it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import hash_json, hash_one_file
from phinb.evaluation.text_stream import TextStream

if TYPE_CHECKING:
    from phinb.evaluation.operations import Served
    from phinb.evaluation.request import Request

INSTALL = "pip install lm_eval"
MOST_TOKENS = 256
"""Where a task does not say how long a generation may be: the harness's own default."""


def describe_task(task: str) -> dict[str, Any]:
    """All that decides what a task gives, as JSON: its name or the path of its YAML (a file, or a folder of them), the
    files' contents, the harness's version, whether the hub may be asked.

    Raises PhinbError where the harness is not installed, and for a path that has no task.
    """
    if find_spec("lm_eval") is None:
        raise PhinbError("lm_eval:... runs lm-evaluation-harness, which is not installed.", f"Install it: {INSTALL}")
    path = Path(task).expanduser()
    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    record: dict[str, Any] = {"task": task, "version": version("lm_eval"), "offline": offline}
    if not path.exists():
        if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
            raise PhinbError(f"There is no task at {task}.", "Name a YAML file, a folder of them, or a task's name.")
        return record
    folder = path if path.is_dir() else path.parent
    files = [path] if path.is_file() else sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise PhinbError(f"The folder {task} has no YAML file of a task.", "Name the file, or another folder.")
    contents = {file.name: hash_one_file(file) for file in sorted(folder.iterdir()) if file.is_file()}
    return record | {"paths": [str(file.resolve()) for file in files], "contents": hash_json(contents)}


def run_task(served: Served, request: Request) -> dict[str, Any]:
    """The operation `harness`: what describe_task gives -> {"harness": {task: {"n", "metrics": {metric: {"value",
    "stderr"}}}}}, each task of a group by its own name. Progress in "requests"."""
    asked = request.payload
    try:
        import lm_eval  # type: ignore[import-untyped, import-not-found, unused-ignore]
        from lm_eval.tasks import TaskManager  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as error:
        raise PhinbError(f"lm-evaluation-harness cannot be loaded: {error}.", f"Install it: {INSTALL}") from None
    if not asked["offline"]:
        _admit_hub()
    paths = [Path(path) for path in asked.get("paths", ())]
    try:
        manager = TaskManager(include_path=str(paths[0].parent) if paths else None, include_defaults=not paths)
        names = [_read_name(path) for path in paths] or [asked["task"]]
        found = lm_eval.simple_evaluate(
            model=_make_model(served, request),
            tasks=names,
            task_manager=manager,
            log_samples=False,
            bootstrap_iters=1000,
        )
    except PhinbError:
        raise
    except Exception as error:  # whatever the harness, its tasks and its data sets raise
        request.check()
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise PhinbError(
            f"lm_eval:{asked['task']} failed ({type(error).__name__}): {first_line}",
            "Is the task's name right (lm_eval ls tasks), and can its data be reached?",
        ) from error
    return {"harness": {name: _read_result(found, name) for name in found["results"] if name in found["n-samples"]}}


def _admit_hub() -> None:
    """The process works offline, every model being a folder; a task's rows may have to be fetched."""
    import datasets
    import huggingface_hub.constants

    huggingface_hub.constants.HF_HUB_OFFLINE = False
    datasets.config.HF_HUB_OFFLINE = False


def _read_name(path: Path) -> str:
    from ruamel.yaml import YAML

    loader = YAML(typ="rt")  # keeps the tags of the harness (!function) as they are
    record = loader.load(path.read_text(encoding="utf-8"))
    name = record.get("task") if isinstance(record, dict) else None
    if not isinstance(name, str):
        raise PhinbError(f"{path.name} names no task.", "Its YAML needs a line task: NAME.")
    return name


def _read_result(found: dict[str, Any], name: str) -> dict[str, Any]:
    """`{"acc,none": 0.3, "acc_stderr,none": 0.05}` -> metrics; "none" is the harness's word for no filter."""
    metrics: dict[str, dict[str, float | None]] = {}
    figures = found["results"][name]
    for key, value in figures.items():
        metric, _, kind = key.partition(",")
        if not kind or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        error = figures.get(f"{metric}_stderr,{kind}")
        label = metric if kind == "none" else f"{metric} ({kind})"
        metrics[label] = {"value": float(value), "stderr": error if isinstance(error, int | float) else None}
    return {"n": found["n-samples"][name]["effective"], "metrics": metrics}


def _make_model(served: Served, request: Request) -> Any:
    """The served variant as the harness's TemplateLM, which is there only once the harness is."""
    from lm_eval.api.model import TemplateLM  # type: ignore[import-untyped, import-not-found, unused-ignore]

    class ServedModel(TemplateLM):  # type: ignore[misc]
        """Answers from phinb's own model: each continuation in a pass of its own, as `is_greedy` needs it."""

        def __init__(self) -> None:
            super().__init__()
            self._report = request.count("requests")

        @property
        def eot_token_id(self) -> int:
            return min(served.model.stop_ids, default=0)

        @property
        def prefix_token_id(self) -> int:
            bos = served.tokenizer.bos
            return served.tokenizer.encode(bos).ids[0] if bos else self.eot_token_id

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            return list(served.tokenizer.encode(string).ids)

        def _loglikelihood_tokens(
            self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
        ) -> list[tuple[float, bool]]:
            answers = []
            for done, (_texts, context, continuation) in enumerate(requests, 1):
                answers.append(_score(served, context, continuation))
                self._report(done, len(requests))
            return answers

        def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
            answers = []
            for done, one in enumerate(requests, 1):
                ids = self.tok_encode(one.args[0])
                answers.append(_score(served, [self.prefix_token_id], ids)[0] if ids else 0.0)
                self._report(done, len(requests))
            return answers

        def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
            answers = []
            for done, one in enumerate(requests, 1):
                context, options = one.args
                answers.append(_generate(served, request, self.tok_encode(context), options))
                self._report(done, len(requests))
            return answers

    return ServedModel()


def _score(served: Served, context: Sequence[int], continuation: Sequence[int]) -> tuple[float, bool]:
    """(log-likelihood of the continuation, whether greedy decoding would give it)"""
    import numpy

    logs = served.model.log_probabilities([*context, *continuation])[len(context) - 1 : -1]
    targets = numpy.asarray(continuation)
    value = float(logs[numpy.arange(len(targets)), targets].astype(numpy.float64).sum())
    return value, bool((logs.argmax(axis=-1) == targets).all())


def _generate(served: Served, request: Request, prompt: Sequence[int], options: dict[str, Any]) -> str:
    from phinb.evaluation.operations import Sampling

    until = options.get("until") or []
    stream = TextStream(served.tokenizer.decode, (until,) if isinstance(until, str) else tuple(until))
    draws = options.get("do_sample", False)
    sampling = Sampling(float(options.get("temperature", 1.0)) if draws else 0.0, float(options.get("top_p", 1.0)), 0)
    for token in served.model.stream(prompt, int(options.get("max_gen_toks", MOST_TOKENS)), sampling):
        request.check()
        if token in served.model.stop_ids:
            break
        stream.push(token)
        if stream.stopped:
            break
    stream.close()
    return stream.text
