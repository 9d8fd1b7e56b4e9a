"""MLflow, TensorBoard and Weights & Biases, the real ones: what they hold of a run, and that they never cost it."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import phinb
from phinb.types import MetricLogged, Notice
from phinb.workflow.preflight import preflight
from phinb.workflow.process import find_worker, wait_until
from phinb.workflow.runner import Run
from phinb.workflow.store import RunFolder
from phinb.workflow.trackers.feed import name_metrics, trains_several
from phinb.workflow.trackers.mlflow_tracker import make_store
from phinb.workflow.trackers.packages import PACKAGES
from phinb.workflow.trackers.process import LAST_S
from phinb.workflow.trackers.tracker import without_credentials
from phinb.workflow.trackers.wandb_tracker import is_logged_in
from tests.workflow.conftest import MakeConfig, wait_for_step
from tests.workflow.tracked import Curves, Tracked, read_events, read_mlflow, read_tensorboard, read_wandb

ALL = ["mlflow", "tensorboard", "wandb"]
TRAINING = "passes.lora.training_args."
SAVE_STEPS = 10

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a server nor a login of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "WANDB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


def finished(run: Run, status: str = "succeeded") -> Run:
    state = run.wait(timeout=300)
    assert state.status == status, f"{state.message}\n{run.log_tail()}"
    return run


def notices(run: Run, code: str) -> list[Notice]:
    return [notice for notice in run.state.notices if notice.code == code]


def trackers_of(run: Run) -> list[psutil.Process]:
    """The processes that tell trackers of the run."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if "phinb.workflow.trackers.process" in line and str(run.folder) in line:
            found.append(process)
    return found


def uri_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def assert_curves(found: Curves, expected: Curves, rel: float = 1e-9) -> None:
    assert set(found) == set(expected)
    for name, points in expected.items():
        assert [step for step, _ in found[name]] == [step for step, _ in points], name
        assert [value for _, value in found[name]] == pytest.approx([value for _, value in points], rel=rel), name


# ------------------------------------------------------------------------------------------------ what they are told


@pytest.mark.parametrize(
    ("pass_name", "key", "trains", "several", "name", "axis"),
    [
        ("lora", "loss", True, False, "train/loss", "train/step"),
        ("lora", "eval_loss", True, False, "eval/loss", "train/step"),
        ("lora", "train_runtime", True, False, "train/train_runtime", "train/step"),
        ("lora", "check_s", True, False, "lora/check_s", "train/step"),
        ("lora", "loss", True, True, "lora/train/loss", "lora/train/step"),
        ("trial-2/lora", "eval_loss", True, True, "trial-2/lora/eval/loss", "trial-2/lora/train/step"),
        ("int4", "hash_s", False, False, "int4/hash_s", "int4/step"),
        ("", "perplexity", False, False, "input_model/perplexity", "input_model/step"),
    ],
)
def test_names(pass_name: str, key: str, trains: bool, several: bool, name: str, axis: str) -> None:
    assert name_metrics(pass_name, [key], trains=trains, several=several) == ({key: name}, axis)


def test_several_trainings_are_told_apart(make_config: MakeConfig) -> None:
    config = make_config()
    assert not trains_several(config, ["lora", "merge", "int4"])
    second = {"passes.more": {"type": "QLoRA", "train_data_config": "train"}}
    assert trains_several(make_config(second), ["lora", "merge", "int4", "more"])
    assert not trains_several(make_config(second), ["lora", "merge"])  # --until merge


def test_a_login_is_found_where_wandb_looks_for_it(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine api.wandb.ai\n  login user\n  password 0123\n", encoding="utf-8")
    assert not is_logged_in({"NETRC": str(tmp_path / "none")})
    assert is_logged_in({"NETRC": str(file)})
    assert not is_logged_in({"NETRC": str(file), "WANDB_BASE_URL": "https://wandb.example.org"})
    assert is_logged_in({"NETRC": str(tmp_path / "none"), "WANDB_API_KEY": "0123"})


def test_a_password_in_an_address_is_not_repeated() -> None:
    assert without_credentials("no reply from https://me:secret@host:80/x") == "no reply from https://host:80/x"
    assert without_credentials("postgresql://me:p@ss@host/db") == "postgresql://host/db"
    assert without_credentials("sqlite:////home/me@work/mlflow.db") == "sqlite:////home/me@work/mlflow.db"


@pytest.mark.slow
def test_a_store_that_is_cut_off_while_it_is_made_harms_nobody(tmp_path: Path) -> None:
    """Killed as soon as it has begun to write; and then made by two at once."""
    uri = uri_of(tmp_path)
    line = [sys.executable, "-c", f"from {make_store.__module__} import make_store; make_store({uri!r})"]
    first = subprocess.Popen(line)
    assert wait_until(lambda: any(tmp_path.glob("mlflow.db*")), 60)
    first.kill()
    first.wait()
    two = [subprocess.Popen(line) for _ in range(2)]
    assert [process.wait(120) for process in two] == [0, 0]
    assert read_mlflow(uri) == []


def check_contents(tracked: Tracked, run: Run) -> None:
    """Parameters, artefacts and texts, whatever the tracker makes of their types."""
    expected = run.config.effective()
    assert set(tracked.parameters) == set(expected)
    assert float(tracked.parameters["passes.lora.r"]) == 8
    assert float(tracked.parameters[f"{TRAINING}learning_rate"]) == 0.001
    assert tracked.parameters["passes.int4.precision"] == "int4"
    for name, variant in run.variants.items():
        if name != "base":
            assert tracked.facts[f"artefacts.{name}.path"] == variant.path
            assert tracked.facts[f"artefacts.{name}.kind"] == variant.kind
    assert tracked.facts["run.status"] == run.state.status
    assert 0 < float(tracked.facts["run.seconds"]) < 300
    assert tracked.facts["versions.olive-ai"] == run.state.versions["olive-ai"]
    assert {"config.json", "upgraded.json", "olive.json"} <= set(tracked.files)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_all_three_have_the_whole_run(make_config: MakeConfig, tmp_path: Path, empty_cache: Path) -> None:
    changes = {"phinb": {"trackers": ALL, "eval_split": 0.2}, f"{TRAINING}eval_strategy": "steps"}
    config = make_config({**changes, f"{TRAINING}eval_steps": 2}, name="emotion / small")
    assert config.ok, config.problems
    run = finished(phinb.start(config))
    assert not notices(run, "tracker_failed"), notices(run, "tracker_failed")
    expected = read_events(run)
    assert [step for step, _ in expected["train/loss"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in expected["eval/loss"]] == [2, 4, 6]
    assert {"merge/check_s", "int4/hash_s", "train/tokens_per_s"} <= set(expected)

    (mlflow,) = read_mlflow(uri_of(tmp_path))
    assert_curves(mlflow.curves, expected)
    check_contents(mlflow, run)
    assert mlflow.status == "FINISHED"

    tensorboard = read_tensorboard(run)
    assert_curves(tensorboard.curves, expected, rel=1e-6)  # 32 bits
    check_contents(tensorboard, run)

    (wandb,) = read_wandb(run)
    assert_curves(wandb.curves, expected)
    check_contents(wandb, run)
    assert (wandb.ids[0], wandb.status) == (run.id, "0")

    places = [notice.message for notice in notices(run, "tracked")]
    assert len(places) == 3
    assert any(str(tmp_path / "mlflow.db") in place for place in places)
    assert sum(str(run.folder / "tracking") in place for place in places) == 2
    assert trackers_of(run) == []
    # One run in each: the trainer tells none of them besides.
    assert run.config.effective()[f"{TRAINING}report_to"].value == "none"
    assert not list(tmp_path.glob("**/events.out.tfevents.*"))


def read_steps(run: phinb.Run) -> list[int]:
    return [event.step for event in run.events() if isinstance(event, MetricLogged) and "loss" in event.values]


def is_held_after_a_checkpoint(worker: psutil.Process, run: phinb.Run) -> bool:
    """Hold the worker where it has told steps that its last checkpoint does not hold, else let it go on."""
    worker.suspend()
    if read_steps(run)[-1] % SAVE_STEPS:
        return True
    worker.resume()
    return False


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_resumed_run_goes_on_in_the_same_place(make_config: MakeConfig, tmp_path: Path, empty_cache: Path) -> None:
    longer = {f"{TRAINING}max_steps": 400, f"{TRAINING}save_steps": SAVE_STEPS}
    run = phinb.start(make_config({**longer, "phinb.trackers": ALL}), until="lora")
    wait_for_step(run, 25)
    assert wait_until(lambda: len(notices(run, "tracked")) == 3, 60)
    worker = find_worker(RunFolder(run.folder))
    assert worker is not None
    assert wait_until(lambda: is_held_after_a_checkpoint(worker, run), 20)
    worker.kill()
    assert run.wait(timeout=20).status == "failed"
    # Nobody is left to tell them, and yet they learn of it.
    assert wait_until(lambda: trackers_of(run) == [], LAST_S)
    (first,) = read_mlflow(uri_of(tmp_path))
    assert first.status == "FAILED"
    assert first.facts["run.message"] == "The worker process is gone."
    finished(run.resume())
    expected = read_events(run)
    assert [step for step, _ in expected["train/loss"]] == list(range(1, 401))
    assert len(read_steps(run)) > 400  # what was trained again after the checkpoint
    (second,) = read_mlflow(uri_of(tmp_path))
    assert (second.ids, second.status) == (first.ids, "FINISHED")
    assert second.facts["run.attempt"] == "2"
    assert_curves(second.curves, expected)
    assert_curves(read_tensorboard(run).curves, expected, rel=1e-6)
    # Offline it cannot go on in the same file: the newer one, of the same id, holds all of it.
    *_, last = read_wandb(run)
    assert_curves(last.curves, expected)
    assert last.ids[0] == run.id


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_run_of_mlflow_that_is_given_goes_on(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    """As in a job that has a run already; what it holds stays. Another run of ours becomes a child of it."""
    import mlflow

    uri = uri_of(tmp_path)
    client = mlflow.MlflowClient(tracking_uri=uri)
    given = client.create_run(client.create_experiment("the user's"), run_name="a job").info.run_id
    client.log_param(given, "passes.lora.r", "the user's")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    config = make_config({"phinb.trackers": ["mlflow"], f"{TRAINING}max_steps": 2})
    first = finished(phinb.start(config, until="lora"))
    assert not notices(first, "tracker_failed"), notices(first, "tracker_failed")
    (one,) = read_mlflow(uri)
    assert (one.ids, one.status) == ([given], "FINISHED")
    assert_curves(one.curves, read_events(first))
    assert one.parameters["passes.lora.r"] == "the user's"
    assert one.parameters["passes.lora.alpha"]
    finished(phinb.start(config, until="lora"))
    runs = read_mlflow(uri)
    assert [run.facts.get("mlflow.parentRunId") for run in runs if run.ids != [given]] == [given]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_password_is_neither_in_the_events_nor_in_the_logs(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:geh@im@127.0.0.1:9/")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = finished(phinb.start(make_config({"phinb.trackers": ["mlflow"], f"{TRAINING}max_steps": 2}), until="lora"))
    assert notices(run, "tracker_failed")
    held = [file for file in run.folder.rglob("*") if file.is_file() and b"geh@im" in file.read_bytes()]
    assert held == []
    assert not any(b"im@127" in file.read_bytes() for file in run.folder.rglob("*") if file.is_file())


# ---------------------------------------------------------------------------------------------- what they never cost


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("when", ["at its beginning", "on the way"])
def test_a_tracker_that_raises_is_silent_and_the_run_goes_on(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    config = make_config({"phinb.trackers": ["mlflow", "tensorboard"], f"{TRAINING}max_steps": 600})
    if when == "at its beginning":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/train.jsonl/mlflow.db")
        config = make_config({"phinb.trackers": ["mlflow", "tensorboard"]})
    run = phinb.start(config, until="lora", fresh=True)
    if when == "on the way":
        assert wait_until(lambda: len(notices(run, "tracked")) == 2, 60)
        assert not run.state.ended
        with sqlite3.connect(tmp_path / "mlflow.db") as store:
            store.execute("DROP TABLE metrics")
    finished(run)
    (told,) = notices(run, "tracker_failed")
    assert told.severity == "warning"
    assert told.message.startswith("MLflow gets nothing more of this run: ")
    assert str(run.folder / "tracking" / "mlflow.log") in told.hint
    assert_curves(read_tensorboard(run).curves, read_events(run), rel=1e-6)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes every request, and never answers one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def hold() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=hold, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_tracker_that_hangs_does_not_hold_the_run_up(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, silent_server: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", silent_server)
    run = finished(phinb.start(make_config({"phinb.trackers": ["mlflow"]}), until="lora", fresh=True))
    (told,) = notices(run, "tracker_failed")
    assert "did not" in told.message
    events = list(run.events())
    done = next(event for event in events if event.type == "pass_finished")
    assert events[-1].type == "run_finished"
    assert events[-1].time - done.time < LAST_S + 5
    waiting = [event for event in events if getattr(event, "what", "") == "telling MLflow the rest"]
    assert len(waiting) == 1
    assert trackers_of(run) == []


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("how", "ending"), [("cancel", "KILLED"), ("SIGTERM", "FAILED")])
def test_a_run_that_is_ended_leaves_no_tracker_behind(
    make_config: MakeConfig, tmp_path: Path, how: str, ending: str
) -> None:
    config = make_config({f"{TRAINING}max_steps": 4000, "phinb.trackers": ALL})
    run = phinb.start(config, until="lora", fresh=True)
    wait_for_step(run, 3)
    assert wait_until(lambda: len(notices(run, "tracked")) == 3, 60)
    family = [member for process in trackers_of(run) for member in [process, *process.children(recursive=True)]]
    assert len(family) >= 4  # wandb has one of its own
    began = time.monotonic()
    if how == "cancel":
        run.cancel()
    else:
        worker = find_worker(RunFolder(run.folder))
        assert worker is not None
        worker.terminate()
    assert wait_until(lambda: not any(map(is_alive, family)), 2 - (time.monotonic() - began)), family
    (mlflow,) = read_mlflow(uri_of(tmp_path))
    assert (mlflow.status, mlflow.facts["run.status"]) == (ending, run.state.status)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_tracker_that_hangs_ends_with_a_cancelled_run(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, silent_server: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", silent_server)
    config = make_config({f"{TRAINING}max_steps": 4000, "phinb.trackers": ["mlflow"]})
    run = phinb.start(config, until="lora", fresh=True)
    wait_for_step(run, 3)
    (tracker,) = trackers_of(run)
    began = time.monotonic()
    run.cancel()
    assert wait_until(lambda: not is_alive(tracker), 2 - (time.monotonic() - began))
    assert list(run.events())[-1].type == "run_finished"


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


# -------------------------------------------------------------------------------------------------- a missing package


def test_nothing_is_said_of_trackers_that_are_there(make_config: MakeConfig) -> None:
    problems = preflight(make_config({"phinb.trackers": ALL}), within_s=0.5).problems
    assert [problem for problem in problems if problem.code == "tracker_missing"] == []


@pytest.fixture
def without_wandb(tmp_path: Path) -> Path:
    """A Python whose packages are those of this one, by links, without wandb and MLflow."""
    place = tmp_path / "bare"
    venv.create(place, with_pip=False, symlinks=sys.platform != "win32")
    (packages,) = (
        place.glob("lib/python*/site-packages") if sys.platform != "win32" else place.glob("Lib/site-packages")
    )
    shutil.rmtree(packages)
    packages.mkdir()
    for path in Path(psutil.__file__).parents[1].iterdir():
        if not path.name.startswith(("wandb", "mlflow")):
            (packages / path.name).symlink_to(path)
    return place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


@pytest.mark.slow
def test_a_missing_package_is_told_before_and_in_the_run(
    make_config: MakeConfig, tmp_path: Path, without_wandb: Path, phinb_home: Path
) -> None:
    config = make_config({"phinb.trackers": ALL, f"{TRAINING}max_steps": 2})
    (tmp_path / "config.json").write_text(config.text, encoding="utf-8")

    def command(*arguments: str) -> str:
        line = [str(without_wandb), "-m", "phinb.cli", *arguments, str(tmp_path / "config.json")]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "wandb").mkdir()  # what wandb leaves where it has run is no package
    told = command("check", "--files")
    for name in ("mlflow", "wandb"):
        assert f"{PACKAGES[name].title} is not installed: {name} gets nothing of this run." in told
        assert f"pip install {PACKAGES[name].install}," in told
    assert "TensorBoard is not installed" not in told
    line = 1 + next(at for at, text in enumerate(config.text.splitlines()) if '"trackers"' in text)
    assert f"line {line}" in told
    command("run", "--until", "lora", "--yes")
    run = phinb.open_run("config")
    assert [notice.hint.partition(",")[0] for notice in notices(run, "tracker_missing")] == [
        "pip install mlflow-skinny",
        "pip install wandb",
    ]
    assert_curves(read_tensorboard(run).curves, read_events(run), rel=1e-6)
    assert not (run.folder / "tracking" / "wandb.json").exists()
