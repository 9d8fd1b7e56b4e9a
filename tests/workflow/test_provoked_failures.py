"""Known failures, provoked for real: the cause that the run names, and the change of configuration that mends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from phinb.models.references import resolve_model
from phinb.workflow.failures import explain, find_code
from phinb.workflow.fixes import find_fix, offer_fix
from phinb.workflow.runner import Run, launch
from tests.workflow.conftest import MakeConfig
from tests.workflow.test_checkup import change_weights

pytestmark = pytest.mark.slow

PROCESS = "data_configs.0.pre_process_data_config"
ARGUMENTS = "passes.lora.training_args"


def codes_of(run: Run) -> list[str]:
    """The codes of what the failed run gives as its causes."""
    state = run.wait(timeout=300)
    assert state.status == "failed", state
    notices = [notice.code for notice in state.notices if notice.severity == "error"]
    return [code for code in (find_code(state.cause), *notices) if code]


@pytest.mark.parametrize(
    ("changes", "code", "mended", "trains"),
    [
        (
            {f"{PROCESS}.strategy": "join", f"{PROCESS}.max_seq_len": 512},
            "no_sequences",
            {"strategy": "line-by-line"},
            True,
        ),
        ({f"{PROCESS}.text_template": "{phrase}: {mood}"}, "missing_column", None, False),
        ({"passes.lora.target_modules": ["q_proj_of_another"]}, "wrong_modules", {}, True),
        (
            {
                "passes.lora.alpha": 1_000_000,
                f"{ARGUMENTS}.optim": "sgd",
                f"{ARGUMENTS}.learning_rate": 1.0,
                f"{ARGUMENTS}.max_grad_norm": 1e30,
            },
            "diverged",
            {"learning_rate": 1e-4},
            False,
        ),
    ],
)
def test_a_failure_is_recognised_and_its_fix_trains(
    quick: None,
    make_config: MakeConfig,
    empty_cache: Path,
    tmp_path: Path,
    changes: dict[str, Any],
    code: str,
    mended: dict[str, Any] | None,
    trains: bool,
) -> None:
    config = make_config(changes)
    data = tmp_path / "train.jsonl"
    data.write_text("".join(data.read_text(encoding="utf-8").splitlines(keepends=True)[:6]), encoding="utf-8")
    run = launch(config, until="lora")
    assert code in codes_of(run)
    assert run.state.passes["lora"].status == "failed"
    assert "adapter" not in run.variants
    fix = offer_fix(run.state, config)
    if mended is None:
        assert fix is None
        return
    assert fix is not None
    again = config.edit(*fix.edits)
    values = {path.rsplit(".", 1)[1]: effective.value for path, effective in again.effective().items()}
    assert {key: values[key] for key in mended} == mended
    if trains:
        assert launch(again, until="lora").wait(timeout=300).status == "succeeded"


def test_data_that_are_no_utf8(quick: None, make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    (tmp_path / "train.jsonl").write_bytes('{"phrase": "Olá", "tone": "joy"}\n'.encode("latin-1"))
    assert "not_utf8" in codes_of(launch(config, until="lora"))


def test_data_that_are_gone(quick: None, make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    (tmp_path / "train.jsonl").unlink()
    assert "missing_file" in codes_of(launch(config, until="lora"))


def test_a_model_that_answers_the_same_to_everything_is_not_kept(
    quick: None, make_config: MakeConfig, tmp_path: Path, empty_cache: Path
) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(str(resolve_model("phinb://tiny")), model)
    change_weights(model, "lm_head.weight", 0.0)
    run = launch(make_config({"input_model.model_path": "model"}))
    assert codes_of(run)[0] == "broken_artefact"
    assert "whatever it reads" in run.state.message
    assert list(run.variants) in ([], ["base"])
    assert not list(empty_cache.rglob("phinb.json"))


def test_a_library_of_another_version(make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime-genai 0.16 and later have no `models.quantized_model`."""
    package = tmp_path / "other" / "onnxruntime_genai"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    run = launch(make_config({"passes.lora": None, "passes.merge": None}))
    assert "genai_versions" in codes_of(run)


class _Hub(BaseHTTPRequestHandler):
    """A hub that knows one model, and lets nobody have it."""

    def _refuse(self) -> None:
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("X-Error-Message", "Access to model owner/gated is restricted.")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = _refuse

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    yield address
    server.shutdown()


def test_a_gated_model(make_config: MakeConfig, hub: str) -> None:
    assert "gated_model" in codes_of(launch(make_config({"input_model.model_path": "owner/gated"})))


def test_a_hub_out_of_reach(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert "hub_out_of_reach" in codes_of(launch(make_config({"input_model.model_path": "owner/away"})))


def test_checkpoints_are_few_while_it_trains_and_none_when_it_is_done(
    quick: None, make_config: MakeConfig, empty_cache: Path
) -> None:
    run = launch(make_config({f"{ARGUMENTS}.max_steps": 40, f"{ARGUMENTS}.save_steps": 2}), until="lora")
    most = 0
    while not run.state.ended:
        most = max(most, len(list(empty_cache.glob("*/checkpoints/*/checkpoint-*"))))
    assert run.state.status == "succeeded"
    assert 1 <= most <= 3, "two are kept, and one may be being written"
    assert not list(empty_cache.glob("*/checkpoints/*/checkpoint-*"))


def test_memory_is_saved_without_changing_what_is_learnt(make_config: MakeConfig) -> None:
    batch = f"{ARGUMENTS}.per_device_train_batch_size"
    config = make_config({batch: 8})
    fix = find_fix("out_of_memory", config)
    assert fix is not None
    values = config.edit(*fix.edits).effective()
    assert values[batch].value * values[f"{ARGUMENTS}.gradient_accumulation_steps"].value == 8
    one = make_config({batch: 1})
    fix = find_fix("out_of_memory", one)
    assert fix is not None
    assert one.edit(*fix.edits).effective()[f"{ARGUMENTS}.gradient_checkpointing"].value is True
    assert find_fix("out_of_memory", one.edit(*fix.edits)) is None


def test_a_dtype_that_the_device_lacks_is_answered_by_float32(make_config: MakeConfig) -> None:
    assert explain("RuntimeError: \"addmm_impl_cpu_\" not implemented for 'Half'")[0] == "dtype"
    config = make_config({"passes.lora.torch_dtype": "bfloat16", f"{ARGUMENTS}.bf16": True})
    fix = find_fix("dtype", config)
    assert fix is not None
    mended = config.edit(*fix.edits).effective()
    assert mended["passes.lora.torch_dtype"].value == "float32"
    assert f"{ARGUMENTS}.bf16" not in mended
    assert find_fix("dtype", config.edit(*fix.edits)) is None
