"""The real Olive as a judge: reads configurations (a JSON list of dicts) on stdin, writes what Olive says of each.

For each configuration a list of complaints: what Olive refuses, and every key that it would ignore. Empty: accepted.
Run as a process of its own; it imports olive, transformers and torch once.
"""

from __future__ import annotations

import copy
import inspect
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["OLIVE_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

IGNORED = ("Ignoring", "ignored", "not a field", "not part of", "not allowed", "not supported")


class _Listener(logging.Handler):
    """Collects Olive's warnings about keys that it ignores."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if any(word in message for word in IGNORED):
            self.said.append(message)


@contextmanager
def complaint(found: list[str], what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        found.append(f"{what}: {type(error).__name__}: {str(error)[:300]}")


def judge(config: dict[str, Any], listener: _Listener) -> list[str]:
    """Everything that Olive refuses or ignores in one configuration."""
    from olive.workflows.run.config import RunConfig

    found: list[str] = []
    listener.said.clear()
    run = None
    with complaint(found, "RunConfig"):
        run = RunConfig.model_validate(copy.deepcopy(config))
    if run is not None:
        judge_model(config, found)
        for data_config in run.data_configs:
            with complaint(found, f"data config {data_config.name}"):
                judge_data(data_config, found)
        for name, alternatives in run.passes.items():
            for given in alternatives:
                with complaint(found, f"pass {name}"):
                    judge_pass(run, name, given, found)
    return found + listener.said


def judge_model(config: dict[str, Any], found: list[str]) -> None:
    from olive.model.config.hf_config import HfLoadKwargs
    from olive.model.config.model_config import ModelConfig
    from olive.model.config.registry import get_model_handler

    with complaint(found, "input model"):
        model = ModelConfig(**copy.deepcopy(config["input_model"]))
        inspect.signature(get_model_handler(model.type).__init__).bind(None, **model.config)
        if model.config.get("load_kwargs"):
            HfLoadKwargs(**model.config["load_kwargs"])


def judge_data(data_config: Any, found: list[str]) -> None:
    """The parameters of each component, as the functions that take them would see them."""
    from olive.common.config_utils import validate_config
    from olive.data.component.text_generation import TextGenParams

    kind = data_config.pre_process_data_config.type
    if kind == "text_generation_huggingface_pre_process":
        params = dict(data_config.pre_process_params)
        for own in ("task", "model_name", "trust_remote_code"):
            params.pop(own, None)
        validate_config(params, TextGenParams, warn_unused_keys=True)
    if data_config.load_dataset_config.type == "huggingface_dataset":
        judge_dataset(data_config.load_dataset_params, found)
    if data_config.dataloader_config.type == "default_dataloader":
        from torch.utils.data import DataLoader

        DataLoader([1, 2], **data_config.dataloader_params)


def judge_dataset(params: dict[str, Any], found: list[str]) -> None:
    import datasets

    rest = {
        key: value for key, value in params.items() if key not in ("data_name", "subset", "data_dir", "col_filters")
    }
    rest.pop("split", None)
    rest.pop("trust_remote_code", None)  # Olive fills it in from the model; load_dataset takes it out again
    if not params.get("data_name"):
        found.append("data: no data_name")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        file.write('{"a": 1}\n')
    rest["data_files"] = file.name
    inspect.signature(datasets.load_dataset).bind(params["data_name"], **rest)
    if params["data_name"] in ("json", "csv", "parquet", "text"):
        taken = inspect.signature(datasets.load_dataset_builder).parameters
        loading = inspect.signature(datasets.load_dataset).parameters
        options = {key: value for key, value in rest.items() if key in taken or key not in loading}
        datasets.load_dataset_builder(params["data_name"], **options)
    Path(file.name).unlink()


def judge_pass(run: Any, name: str, given: Any, found: list[str]) -> None:
    """The pass's construction for a CPU or the target, its own validation, and its training arguments."""
    from olive.common.config_utils import validate_config
    from olive.engine.config import RunPassConfig
    from olive.package_config import OlivePackageConfig
    from olive.systems.accelerator_creator import AcceleratorSpec

    package = OlivePackageConfig.load_default_config()
    pass_config = validate_config(given.model_dump(), RunPassConfig)
    pass_class = package.import_pass_module(pass_config.type)
    spec = AcceleratorSpec(*target(run))
    config = pass_class.generate_config(spec, pass_config.config, {}, not run.engine.search_strategy)
    if not pass_class.validate_config(config, spec):
        found.append(f"pass {name}: validate_config says no")
    arguments = getattr(config, "training_args", None)
    if "training_args" in type(config).model_fields and arguments:  # Olive takes its defaults for an empty one
        arguments.output_dir = arguments.output_dir or tempfile.mkdtemp()
        if arguments.eval_strategy not in (None, "no", "steps", "epoch"):
            found.append(f"pass {name}: eval_strategy {arguments.eval_strategy}")
        made = arguments.create_training_args()
        ignored = {key for key in (pass_config.config or {}).get("training_args", {}) if not hasattr(made, key)}
        found += [f"pass {name}: {key} is ignored" for key in ignored - {"extra_args", "overwrite_output_dir"}]


def target(run: Any) -> tuple[str, str]:
    system = run.engine.target
    accelerator = (system.config.accelerators or [None])[0] if system and system.config else None
    if accelerator is None:
        return "cpu", "CPUExecutionProvider"
    from olive.hardware.accelerator import AcceleratorLookup

    providers = accelerator.get_ep_strs()
    device = str(accelerator.device or AcceleratorLookup.infer_single_device_from_execution_providers(providers))
    return device, providers[0] if providers else {"gpu": "CUDAExecutionProvider"}.get(device, "CPUExecutionProvider")


def main() -> None:
    configs = json.load(sys.stdin)

    listener = _Listener()
    logger = logging.getLogger("olive")
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    answers = [judge(config, listener)[:20] for config in configs]
    # what libraries print goes elsewhere; the answer is one line of its own
    sys.stdout.write("\nANSWER " + json.dumps(answers) + "\n")
    sys.stdout.flush()
    os._exit(0)  # Olive's telemetry keeps a thread that waits for its host


if __name__ == "__main__":
    main()
