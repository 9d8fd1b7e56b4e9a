"""The forecast's peak of memory against the measured one, a pass at a time, for the tiny and the demo model.

Wanted: within 25 % for LoRA, QLoRA, merge and int4. A ratio of 1.10 says that the forecast was a tenth too high.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
CASES: Mapping[str, dict[str, Any]] = {
    "tiny, LoRA float32": {"model": "phinb://tiny", "max_seq_len": 160},
    "tiny, LoRA float32, batches of 64": {"model": "phinb://tiny", "max_seq_len": 160, "batch": 64},
    "tiny, QLoRA bfloat16": {"model": "phinb://tiny", "max_seq_len": 160, "kind": "QLoRA", "dtype": "bfloat16"},
    "demo, LoRA float32": {},
    "demo, LoRA bfloat16": {"dtype": "bfloat16"},
    "demo, LoRA float32, checkpointing": {"checkpointing": True},
    "demo, LoRA bfloat16, filled up to 256": {"dtype": "bfloat16", "max_seq_len": 256, "fills": True},
    "demo, QLoRA bfloat16": {"kind": "QLoRA", "dtype": "bfloat16"},
}


def measure() -> str:
    """A line a pass: forecast, measured, ratio. Merge and int4 come after a training in the same process."""
    from phinb.api import load_config, preflight, start

    lines, worst = [], 1.0
    with own_home():
        for name, settings in CASES.items():
            config = load_config(make_config(**settings))
            expected = {one.name: one.memory_bytes for one in preflight(config).forecast.passes}
            run = start(config, fresh=True)
            for pass_name, peak in watch_peaks(run).items():
                forecast = expected[pass_name]
                if forecast is None:
                    raise RuntimeError(f"{name}, {pass_name}: nothing was forecast")
                ratio = forecast / peak
                worst = max(worst, ratio, 1 / ratio)
                lines.append(
                    f"{name}: {pass_name} forecast {forecast / 1e6:,.0f} MB, measured {peak / 1e6:,.0f} MB, {ratio:.2f}"
                )
            if run.state.status != "succeeded":
                raise RuntimeError(f"{name} {run.state.status}: {run.state.message}")
    return "\n".join([*lines, f"farthest apart: {worst:.2f} (wanted: at most 1.25)"])


def make_config(
    model: str = "phinb://demo",
    kind: str = "LoRA",
    dtype: str = "float32",
    *,
    max_seq_len: int = 80,
    fills: bool = False,
    batch: int = 8,
    checkpointing: bool = False,
    steps: int = 6,
    sampling: str = "random",
) -> dict[str, Any]:
    """The sample's configuration with these settings, as a dict; paths are absolute."""
    from phinb.api import load_config

    config = load_config(SAMPLE / "emotion.json")
    tree = config.to_olive()
    tree["input_model"]["model_path"] = model
    for data_config in tree["data_configs"]:
        loading = data_config["load_dataset_config"]
        loading["data_files"] = str(SAMPLE / loading["data_files"])
        data_config["pre_process_data_config"] |= {"max_seq_len": max_seq_len, "pad_to_max_len": fills}
    lora = tree["passes"]["lora"]
    lora |= {"type": kind, "torch_dtype": dtype}
    if kind == "QLoRA":
        del lora["target_modules"]
    del lora["eval_data_config"]
    arguments = lora["training_args"]
    del arguments["eval_strategy"], arguments["eval_steps"]
    arguments |= {
        "max_steps": steps,
        "per_device_train_batch_size": batch,
        "gradient_checkpointing": checkpointing,
        "train_sampling_strategy": sampling,
    }
    return {**tree, "phinb": {"loss_on": config.phinb["loss_on"]}}


def watch_peaks(run: Any) -> dict[str, int]:
    """Pass -> the highest resident memory of the run's worker while it ran, in bytes, until it ended.

    The kernel's own high-water mark (VmHWM), set back where a pass begins: what is looked at now and then has no peaks.
    """
    from phinb.workflow.process import find_worker
    from phinb.workflow.store import RunFolder

    worker = find_worker(RunFolder(run.folder))
    assert worker is not None
    process = Path(f"/proc/{worker.pid}")
    current, peaks = "", dict[str, int]()
    while not (state := run.state).ended:
        running = next((name for name, item in state.passes.items() if item.status == "running"), "")
        with contextlib.suppress(OSError, ValueError):  # it ends
            if running != current:
                (process / "clear_refs").write_text("5")
                current = running
            status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
            if current and "VmHWM" in status:
                peaks[current] = 1024 * int(status["VmHWM"].split()[0])
        time.sleep(0.02)
    return peaks


@contextmanager
def own_home() -> Iterator[Path]:
    """A home of its own, with the user's models linked in: nothing that was made earlier is used again."""
    from phinb import folders
    from phinb.models.references import resolve_model

    resolve_model("phinb://demo")
    models = folders.cache() / "models"
    kept = {name: os.environ.get(name) for name in ("PHINB_HOME", "PHINB_STANDBY")}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cache").mkdir()
        (Path(folder) / "cache" / "models").symlink_to(models, target_is_directory=True)
        os.environ |= {"PHINB_HOME": folder, "PHINB_STANDBY": "0"}
        try:
            yield Path(folder)
        finally:
            for name, value in kept.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
