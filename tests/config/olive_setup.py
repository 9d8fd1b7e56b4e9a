"""How the judge differs from a run of Olive: files need not be there, and what decides nothing is left out."""

from __future__ import annotations

import gc
import importlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def scripts_of(config: dict[str, Any]) -> Iterator[None]:
    """Meanwhile, the components that the scripts of the data configs would register are there."""
    from olive.data.registry import Registry

    made: list[tuple[str, str]] = []
    for data in config.get("data_configs") or () if isinstance(config.get("data_configs"), list) else ():
        if not isinstance(data, dict) or not isinstance(data.get("user_script"), str):
            continue
        for key, section in COMPONENTS.items():
            name = data[key].get("type") if isinstance(data.get(key), dict) else None
            if isinstance(name, str) and name.lower() not in Registry._REGISTRY[section]:
                Registry._REGISTRY[section][name.lower()] = lambda *data, **parameters: data
                made.append((section, name.lower()))
    try:
        yield
    finally:
        for section, name in made:
            del Registry._REGISTRY[section][name]


COMPONENTS = {
    "load_dataset_config": "load_dataset",
    "pre_process_data_config": "pre_process_data",
    "post_process_data_config": "post_process_data",
    "dataloader_config": "dataloader",
}


def leave_files_alone() -> None:
    """Scripts and environments that a configuration names need not be there: only their names are judged."""
    import olive.data.config
    import olive.evaluator.olive_evaluator

    run_config = importlib.import_module("olive.workflows.run.config")  # `run` there is a function as well

    def import_user_module(user_script: Any, script_dir: Any = None) -> None:
        Path(user_script), Path(script_dir or ".")

    def environments(systems: dict[str, Any]) -> None:
        for system in systems.values():
            if system.type == "PythonEnvironment" and system.config.python_environment_path is None:
                raise ValueError("python_environment_path is required for PythonEnvironmentSystem native mode")

    olive.data.config.import_user_module = import_user_module
    olive.evaluator.olive_evaluator.import_user_module = import_user_module
    run_config._validate_python_environment_path = environments


def make_classes_once() -> None:
    """A pass makes a pydantic class of its parameters whenever it is asked; here the same one serves again."""
    from olive.passes.olive_pass import Pass

    whole = Pass.get_config_class.__func__
    made: dict[Any, Any] = {}

    def get_config_class(cls: Any, accelerator_spec: Any, disable_search: bool | None = False) -> Any:
        key = (cls, accelerator_spec, bool(disable_search))
        if key not in made:
            made[key] = whole(cls, accelerator_spec, disable_search)
        return made[key]

    Pass.get_config_class = classmethod(get_config_class)


def waste_no_time() -> None:
    """What takes long and decides nothing: garbage after every training, and the names of cached data."""
    import accelerate.utils.memory
    import torch
    from datasets.fingerprint import Hasher

    numbers = itertools.count()
    Hasher.hash = classmethod(lambda cls, value: f"{next(numbers):016x}")
    accelerate.utils.memory.clear_device_cache = lambda garbage_collection=False: None
    torch.set_num_threads(1)
    gc.freeze()
