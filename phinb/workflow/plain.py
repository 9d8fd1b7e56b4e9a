"""What Olive alone makes of a configuration's text: asked of Olive itself, in a process of its own, never guessed.

`ask_olive` gives a dict to RunConfig as it stands. What Olive rejects is noted and taken out until the rest
parses; then each pass is constructed and each training pass's data config is read and tokenised. So the answer
says what is refused, which values a training would really have had, and on how many sequences.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from phinb.errors import PhinbError

MAX_REJECTIONS = 20


def ask_olive(configurations: dict[str, dict[str, Any]], folder: Path, timeout: float = 600) -> dict[str, Any]:
    """{name: facts} for each {name: dict as Olive would get it}; model references must be folders already.

    facts: rejected [{path, message}], passes {name: {parameter: value}}, data {name: {parameter: value}},
    sequences {pass name: count or a sentence why there is none}. Raises PhinbError where the process fails.
    """
    from phinb.workflow.process import worker_environment

    with tempfile.TemporaryDirectory(prefix="phinb-plain-") as temporary:
        request, result = Path(temporary) / "request.json", Path(temporary) / "result.json"
        request.write_text(json.dumps(configurations), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "phinb.workflow.plain", str(request), str(result)],
            cwd=folder,
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if not result.is_file():
            last = done.stderr.strip().rsplit("\n", 1)[-1]
            raise PhinbError(f"Olive could not be asked: {last}", "`phinb doctor` checks the installation.")
        facts: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return facts


def examine(configuration: dict[str, Any]) -> dict[str, Any]:
    """The facts of one configuration (see ask_olive). Runs in the process of its own; imports Olive."""
    from olive.workflows.run.config import RunConfig
    from pydantic import ValidationError

    given = deepcopy(configuration)
    rejected: list[dict[str, str]] = []
    for _ in range(MAX_REJECTIONS):
        try:
            run_config = RunConfig.model_validate(deepcopy(given))
            break
        except ValidationError as error:
            if not _take_out(given, error.errors(), rejected):
                return {"rejected": rejected, "passes": {}, "data": {}, "sequences": {}}
        except Exception as error:
            rejected.append({"path": "", "message": f"{type(error).__name__}: {error}"})
            return {"rejected": rejected, "passes": {}, "data": {}, "sequences": {}}
    else:
        return {"rejected": rejected, "passes": {}, "data": {}, "sequences": {}}
    if note := _load_model(given):
        rejected.append(note)
        run_config = RunConfig.model_validate(deepcopy(given))
    passes, sequences = _examine_passes(run_config)
    data = {config.name: _data_parameters(config) for config in run_config.data_configs}
    return {"rejected": rejected, "passes": passes, "data": data, "sequences": sequences}


def _take_out(given: dict[str, Any], errors: list[Any], rejected: list[dict[str, str]]) -> bool:
    """Remove what the first removable error points at, and note it; echoes of it in other sections are left."""
    for error in errors:
        path = [str(part) for part in error["loc"]]
        parent: Any = given
        for part in path[:-1]:
            parent = _step(parent, part)
        if isinstance(parent, dict) and path and path[-1] in parent and "Invalid engine" not in error["msg"]:
            del parent[path[-1]]
            rejected.append({"path": ".".join(path), "message": error["msg"]})
            return True
    rejected.append({"path": ".".join(map(str, errors[0]["loc"])), "message": errors[0]["msg"]})
    return False


def _step(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    return None


def _load_model(given: dict[str, Any]) -> dict[str, str] | None:
    """What Olive says when it makes the input model; replaces a 2024 form by today's, so that the rest can be seen."""
    from olive.model import ModelConfig

    model = given["input_model"]
    try:
        ModelConfig.model_validate(model).create_model()
        return None
    except Exception as error:
        hf_config = (model.get("config") or {}).get("hf_config") or {}
        path = hf_config.get("model_name") or (model.get("config") or {}).get("model_path")
        task = hf_config.get("task", "text-generation")
        given["input_model"] = {"type": "HfModel", "model_path": path, "task": task}
        return {"path": "input_model", "message": f"{type(error).__name__}: {error}".split("\n")[0][:300]}


def _examine_passes(run_config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    from olive.hardware.accelerator import DEFAULT_CPU_ACCELERATOR
    from olive.package_config import OlivePackageConfig

    package = OlivePackageConfig.parse_file_or_obj(OlivePackageConfig.get_default_config_path())
    passes: dict[str, Any] = {}
    sequences: dict[str, Any] = {}
    for name, alternatives in (run_config.passes or {}).items():
        chosen = alternatives[0]
        try:
            pass_class = package.import_pass_module(chosen.type)
            config = pass_class.generate_config(DEFAULT_CPU_ACCELERATOR, deepcopy(chosen.config), {}, True)
            built = pass_class(DEFAULT_CPU_ACCELERATOR, config)
            passes[name] = json.loads(json.dumps(built.config.to_json(), default=str))
        except Exception as error:
            passes[name] = {}
            sequences[name] = f"{type(error).__name__}: {error}".split("\n")[0][:300]
            continue
        if getattr(built.config, "train_data_config", None) is not None:
            sequences[name] = _count_sequences(built.config.train_data_config)
    return passes, sequences


def _count_sequences(data_config: Any) -> int | str:
    """How many sequences the data config yields, by the very functions that training calls."""
    from olive.common.config_utils import validate_config
    from olive.data.config import DataConfig

    try:
        container = validate_config(data_config, DataConfig).to_data_container()
        return len(container.pre_process(container.load_dataset()))
    except Exception as error:
        return f"{type(error).__name__}: {error}".strip().split("\n")[0][:300]


def _data_parameters(config: Any) -> dict[str, Any]:
    """The pre-process parameters as Olive fills them up."""
    from olive.common.config_utils import validate_config
    from olive.data.component.text_generation import TextGenParams

    component = config.pre_process_data_config
    parameters = dict(component.params or {}) if component else {}
    if component and component.type == "text_generation_huggingface_pre_process":
        try:
            known = validate_config(parameters, TextGenParams)
            parameters = known.model_dump(mode="json")
        except Exception as error:
            parameters = {"error": f"{type(error).__name__}: {error}"[:300]}
    shown: dict[str, Any] = json.loads(json.dumps(parameters, default=str))
    return shown


def _main(request: str, result: str) -> None:
    configurations = json.loads(Path(request).read_text(encoding="utf-8"))
    facts = {name: examine(value) for name, value in configurations.items()}
    Path(result).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    # Olive's telemetry would hold the process at a normal exit.
    os._exit(0)
