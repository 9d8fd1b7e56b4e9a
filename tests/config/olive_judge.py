"""The real Olive as a judge of configurations, in a process of its own.

`Judge` starts `python -m tests.config.olive_judge FOLDER` and asks it about lists of dicts. For each there are two
lists of complaints, both empty where it is accepted whole:

olive: what Olive refuses when it reads the configuration, and every key that it would ignore. RunConfig, the model's
handler, each data component and each pass are made of it, as Olive makes them at the beginning of a run.

values: what fails or comes to nothing later (olive_values.py), by calling what Olive would call.

What only files, installed packages and devices can tell is no complaint: it is for preflight.
"""

from __future__ import annotations

import copy
import inspect
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IGNORED = ("Ignoring", "ignored", "not a field", "not part of", "not allowed", "not supported")
"""Words of the warnings by which Olive drops a key."""

ELSEWHERE = re.compile(
    r"No module named|Could not import|[Pp]lease install|is not installed|requires the .* (library|package)"
    r"|requires .*to be installed|doesn't support bf16/gpu|--tf32 requires Ampere|Python path .* does not exist"
    r"|Python executable not found|No such file or directory|is not available|Using the `.*` requires"
    r"|not compiled with CUDA|Is a directory|doesn't exist"
)
"""What files, packages and devices tell. The judge has no GPU and few packages; the user's machine may have them."""


MOST = 4
"""Complaints that are told of one configuration: an answer about a batch must fit into a pipe."""


@dataclass
class Verdict:
    """What the judge says of one configuration."""

    olive: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return not self.olive and not self.values


class Judge:
    """A process that has imported Olive once; `ask` may be called as often as one likes."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.config.olive_judge", self._folder.name],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
        )

    def send(self, configs: Sequence[dict[str, Any]]) -> None:
        """Hand over a list without waiting; `receive` gives its answer, in the order of the lists."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(configs) + "\n")
        self._process.stdin.flush()

    def receive(self) -> list[Verdict]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._said.seek(0)
            last = self._said.read()[-3000:]
            raise AssertionError(f"the judge has died with exit code {self._process.wait(10)}:\n{last}")
        return [Verdict(**answer) for answer in json.loads(line)]

    def ask(self, configs: Sequence[dict[str, Any]]) -> list[Verdict]:
        self.send(configs)
        return self.receive()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()
        self._folder.cleanup()


# ------------------------------------------------------------------------- below runs in the judge's process


class Listener(logging.Handler):
    """Collects Olive's warnings about keys that it ignores."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if any(word in message for word in IGNORED):
            self.said.append(message[:300])


@contextmanager
def complaint(found: list[str], what: str) -> Iterator[None]:
    """Whatever is raised inside is a complaint, unless it is for preflight to say."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        each = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        found += [f"{what}: {text[:300]}" for text in each if not ELSEWHERE.search(text)]
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if not isinstance(error, ImportError) and not ELSEWHERE.search(text):
            found.append(f"{what}: {text[:300]}")


class Reader:
    """Judges one configuration after the other; what is the same in many of them is judged once."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.known: dict[str, list[str]] = {}

    def once(self, what: str, given: Any, judge: Callable[[list[str]], None]) -> list[str]:
        """The complaints of `judge`, and what Olive logs meanwhile, remembered by what was judged."""
        key = f"{what} {json.dumps(given, sort_keys=True, default=str)}"
        if key not in self.known:
            found: list[str] = []
            self.listener.said.clear()
            with complaint(found, what):
                judge(found)
            self.known[key] = found + self.listener.said
        return self.known[key]

    def read(self, config: dict[str, Any]) -> Verdict:
        from olive.workflows.run.config import RunConfig

        from tests.config import olive_values

        found: list[str] = []
        self.listener.said.clear()
        run = None
        with complaint(found, "RunConfig"):
            run = RunConfig.model_validate(copy.deepcopy(config))
        found += self.listener.said
        with complaint(found, "RunConfig.to_json"):  # a run begins by writing its configuration down
            if run is not None:
                run.to_json()
        if run is None or found:
            return Verdict(found or ["RunConfig: refused"], [])
        spec = target(run)
        found += self.once("model", config.get("input_model"), lambda f: judge_model(config, f))
        for data in run.data_configs:
            found += self.once("data", data.model_dump(), lambda f, data=data: judge_data(data, f))
        searches = bool(run.engine.search_strategy)
        for name, alternatives in run.passes.items():
            if not alternatives:
                found.append(f"pass {name}: an empty list")  # the engine takes its first entry
            for at, given in enumerate(alternatives):
                if at and not searches:
                    found.append(f"pass {name}: without a search only the first alternative runs")
                known = [spec, searches, given.model_dump()]
                found += self.once(f"pass {name}", known, lambda f, g=given: judge_pass(g, spec, searches, f))
        verdict = Verdict(found[:MOST], [])
        if not found:
            verdict.values = olive_values.judge(config, run, spec, self.once)[:MOST]
        return verdict


def judge_model(config: dict[str, Any], found: list[str]) -> None:
    from olive.model.config.hf_config import HfLoadKwargs
    from olive.model.config.model_config import ModelConfig
    from olive.model.config.registry import get_model_handler

    model = ModelConfig(**copy.deepcopy(config["input_model"]))
    inspect.signature(get_model_handler(model.type).__init__).bind(None, **model.config)
    if model.config.get("load_kwargs"):
        HfLoadKwargs(**model.config["load_kwargs"])


def judge_data(data: Any, found: list[str]) -> None:
    """The parameters of each component, as the functions that take them would see them."""
    from olive.common.config_utils import validate_config
    from olive.data.component.text_generation import TextGenParams
    from olive.data.registry import Registry

    for section, component in data.components.items():
        function = Registry.get_component(section, component.type)
        assert function is not None, f"no component {component.type}"
        first = () if section == "load_dataset" else (None,)
        inspect.signature(function).bind(*first, **component.params)
    if data.pre_process_data_config.type == "text_generation_huggingface_pre_process":
        params = dict(data.pre_process_params)
        for own in ("task", "model_name", "trust_remote_code"):
            params.pop(own, None)
        validate_config(params, TextGenParams, warn_unused_keys=True)
    if data.load_dataset_config.type == "huggingface_dataset":
        judge_dataset(data.load_dataset_params, found)
    if data.dataloader_config.type == "default_dataloader":
        from torch.utils.data import DataLoader

        DataLoader([1, 2], **data.dataloader_params)


def judge_dataset(params: dict[str, Any], found: list[str]) -> None:
    """What load_dataset gets, and the options of the packaged readers, by making the reader itself."""
    import datasets

    own = ("data_name", "subset", "data_dir", "data_files", "split", "col_filters")
    rest = {key: value for key, value in params.items() if key not in own}
    rest.pop("trust_remote_code", None)  # Olive fills it in from the model; load_dataset takes it out again
    if not params.get("data_name"):
        found.append("data: no data_name")
        return
    named = {"path": params["data_name"], "name": params.get("subset"), "data_dir": params.get("data_dir")}
    inspect.signature(datasets.load_dataset).bind(**named, split=None, data_files=None, **_apart(named, rest))
    file = Path("rows.jsonl")
    file.write_text('{"a": 1}\n', encoding="utf-8")
    rest["data_files"] = str(file)
    if params["data_name"] in ("json", "csv", "parquet", "text"):
        taken = inspect.signature(datasets.load_dataset_builder).parameters
        loading = inspect.signature(datasets.load_dataset).parameters
        options = {key: value for key, value in rest.items() if key in taken or key not in loading}
        datasets.load_dataset_builder(params["data_name"], **options)


def _apart(named: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    for name in named.keys() & rest.keys():
        raise TypeError(f"load_dataset() got multiple values for keyword argument {name!r}")
    return rest


def judge_pass(given: Any, spec: tuple[str, str], searches: bool, found: list[str]) -> None:
    """The pass's construction for the target, its own validation, and its training arguments."""
    from olive.common.config_utils import validate_config
    from olive.engine.config import RunPassConfig
    from olive.hardware.accelerator import AcceleratorSpec, Device
    from olive.package_config import OlivePackageConfig

    package = OlivePackageConfig.load_default_config()
    pass_config = validate_config(given.model_dump(), RunPassConfig)
    pass_class = package.import_pass_module(pass_config.type)
    accelerator = AcceleratorSpec(Device(spec[0]), spec[1])
    parameters = copy.deepcopy(pass_config.config or {})  # what makes a pydantic model of it moves its keys about
    config = pass_class.generate_config(accelerator, pass_config.config, {}, not searches)
    unknown = set(parameters) - set(type(config).model_fields)
    found += [f"{key} is ignored" for key in sorted(unknown)]
    if not pass_class.validate_config(config, accelerator):
        found.append("validate_config says no")
    arguments = getattr(config, "training_args", None)
    if "training_args" in type(config).model_fields and arguments:  # Olive takes its defaults for an empty one
        judge_training(flat(parameters.get("training_args")), arguments, config, found)


def flat(arguments: Any) -> dict[str, Any]:
    """Training arguments without the level extra_args."""
    given = dict(arguments) if isinstance(arguments, dict) else {}
    return {**(given.pop("extra_args", None) or {}), **given}


def judge_training(given: dict[str, Any], arguments: Any, config: Any, found: list[str]) -> None:
    """The arguments as LoRA.train_and_save_new_model prepares them."""
    for name in ("accelerator_config", "fsdp_config", "deepspeed"):
        if isinstance(given.get(name), bool | int):  # it would be opened as a file, by its number
            found.append(f"{name} {given[name]}")
            return
    arguments.output_dir = arguments.output_dir or "trainer"
    chosen = arguments.eval_strategy
    arguments.eval_strategy = "no"
    if getattr(config, "eval_data_config", None):
        arguments.eval_strategy = "steps" if chosen in (None, "no") else chosen
    elif chosen not in (None, "no", "steps", "epoch"):
        found.append(f"eval_strategy {chosen}")
    made = arguments.create_training_args()
    ignored = {key for key in given if not hasattr(made, key)}
    found += [f"{key} is ignored" for key in ignored - {"overwrite_output_dir"}]


def target(run: Any) -> tuple[str, str]:
    """Device and execution provider to build for, as accelerator_creator.py fills them in."""
    system = run.engine.target
    accelerator = (system.config.accelerators or [None])[0] if system and system.config else None
    if accelerator is None:
        return "cpu", "CPUExecutionProvider"
    from olive.hardware.accelerator import AcceleratorLookup, Device

    providers = accelerator.get_ep_strs()
    device = str(accelerator.device or "") or None
    if device is None:
        try:
            device = str(AcceleratorLookup.infer_single_device_from_execution_providers(providers))
        except AssertionError:  # told by the values stage
            device = "cpu"
    device = device.lower()
    if device not in list(Device):
        device = "cpu"  # told by the values stage
    return device, providers[0] if providers else {"gpu": "CUDAExecutionProvider"}.get(device, "CPUExecutionProvider")


def main() -> None:
    from tests.config import olive_setup

    os.environ.update(OLIVE_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes elsewhere
    os.chdir(sys.argv[1])
    olive_setup.leave_files_alone()
    olive_setup.make_classes_once()
    import datasets
    import olive.passes.pytorch.lora  # noqa: F401
    import peft  # noqa: F401

    datasets.disable_progress_bars()
    datasets.disable_caching()
    reader = Reader()
    olive_setup.waste_no_time()
    logger = logging.getLogger("olive")
    logger.handlers = [reader.listener]
    logger.setLevel(logging.INFO)
    for line in sys.stdin:
        verdicts = []
        for config in json.loads(line):
            with olive_setup.scripts_of(config):
                verdicts.append(reader.read(config))
        answers.write(json.dumps([vars(verdict) for verdict in verdicts]) + "\n")
        answers.flush()
    os._exit(0)  # Olive's telemetry keeps a thread that waits for its host


if __name__ == "__main__":
    main()
