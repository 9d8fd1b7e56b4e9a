"""The judge's second stage for ModelBuilder: the installed onnxruntime-genai itself."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def judge(config: Any, spec: tuple[str, str], found: list[str]) -> None:
    if config.metadata_only:
        return
    if type(config.precision).__name__ == "Categorical":
        return
    precision = str(getattr(config.precision, "value", config.precision))
    found += build(precision, spec)
    judge_search(config.search)
    judge_algorithm(config.int4_algo_config, found)
    operators = config.int4_op_types_to_quantize
    if operators and precision == "int4" and not set(operators) & {"MatMul", "Gather"}:
        found.append(f"{operators} quantizes nothing")
    for name, value in (config.extra_options or {}).items():
        judge_option(name, value, found)


@cache
def build(precision: str, spec: tuple[str, str]) -> list[str]:
    """Build a small model for the target, and load it where this machine can tell that nothing could."""
    import onnxruntime
    from olive.hardware.accelerator import AcceleratorSpec, Device
    from olive.model import HfModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.model_builder import ModelBuilder

    output = Path("built").absolute()
    shutil.rmtree(output, ignore_errors=True)
    accelerator = AcceleratorSpec(Device(spec[0]), spec[1])
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            made = create_pass_from_dict(
                ModelBuilder, {"precision": precision}, disable_search=True, accelerator_spec=accelerator
            )
            made.run(HfModelHandler(str(small_model())), str(output))
    except Exception as error:
        return [f"{precision} for {spec[1]}: {type(error).__name__}: {error}"[:300]]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(output / "model.onnx", options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # a kernel that the CPU does not have may be there on the target; an invalid graph is invalid everywhere
        if "invalid model" in str(error) or spec[1] == "CPUExecutionProvider":
            return [f"{precision} for {spec[1]}: {error}"[:300]]
    return []


@cache
def small_model() -> Path:
    from phinb.models.tiny import make_tiny

    return make_tiny(Path("small").absolute())


def judge_search(search: Any) -> None:
    """The search options, by letting the runtime read them."""
    import onnxruntime_genai

    if not search:
        return
    build("int4", ("cpu", "CPUExecutionProvider"))
    whole = json.loads(_config_text())
    whole["search"].update(search)
    folder = Path("options")
    folder.mkdir(exist_ok=True)
    (folder / "genai_config.json").write_text(json.dumps(whole), encoding="utf-8")
    onnxruntime_genai.Config(str(folder))


@cache
def _config_text() -> str:
    build.__wrapped__("int4", ("cpu", "CPUExecutionProvider"))
    return Path("built/genai_config.json").read_text(encoding="utf-8")


def judge_algorithm(name: Any, found: list[str]) -> None:
    """The builder's own choice of an algorithm: for a name that it does not know it silently takes the default."""
    if name in (None, "default") or not isinstance(name, str):
        return
    from onnxruntime_genai.models.builders.base import Model

    if Model.make_int4_algo_config(SimpleNamespace(num_layers=2), name) is None:  # type: ignore[arg-type]
        found.append(f"int4_algo_config {name} is not known and dropped")


@cache
def _options() -> tuple[frozenset[str], frozenset[str]]:
    """The options that the builder reads anywhere, and those of them that it declares to be true or false."""
    spec = importlib.util.find_spec("onnxruntime_genai")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    read = set(re.findall(r'extra_options(?:\.get\(|\[)\s*"(\w+)"', source))
    read |= set(re.findall(r'"(\w+)" (?:not )?in (?:self\.)?extra_options', source))
    flags = re.search(r"bools = \[(.*?)\]", source, re.DOTALL)
    assert flags is not None
    return frozenset(read), frozenset(re.findall(r'"(\w+)"', flags[1]))


def judge_option(name: str, value: Any, found: list[str]) -> None:
    read, flags = _options()
    if name not in read:
        found.append(f"extra_options.{name} is unread")
    elif name in flags and not isinstance(value, bool):
        found.append(f"extra_options.{name} {value!r} is neither true nor false")
    elif name.endswith(("size", "level", "layers")):
        int(value)


def main() -> None:
    """Print what the installed builder does, as JSON: precisions by device and provider, options, search options."""
    os.environ.update(OLIVE_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.chdir(sys.argv[1])
    from olive.hardware.accelerator import AcceleratorSpec, Device
    from olive.hardware.constants import DEVICE_TO_EXECUTION_PROVIDERS
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.model_builder import ModelBuilder

    table: dict[str, list[str]] = {}
    for device, providers in DEVICE_TO_EXECUTION_PROVIDERS.items():
        for provider in sorted(map(str, providers)):
            spec = AcceleratorSpec(Device(device), provider)
            able = []
            for precision in ("fp32", "fp16", "bf16", "int8", "int4"):
                made = create_pass_from_dict(
                    ModelBuilder, {"precision": precision}, disable_search=True, accelerator_spec=spec
                )
                taken = ModelBuilder.validate_config(made.config, spec)
                if taken and not build(precision, (device, provider)):
                    able.append(precision)
            table[f"{device} {provider}"] = able
    read, flags = _options()
    names = {str(provider.value) for provider in ModelBuilder.EP_MAP}
    json.dump({"table": table, "options": sorted(read), "flags": sorted(flags), "providers": sorted(names)}, answers)
    answers.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
