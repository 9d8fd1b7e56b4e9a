"""One JupyterLab server a session, and Chromium pages that may reach nothing but it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
Theme = Literal["light", "dark"]
THEMES: dict[str, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


FAILED = pytest.StashKey[bool]()


@dataclass
class Server:
    """A running JupyterLab whose files lie in `root`; its kernels see the same runs as the tests."""

    url: str
    token: str
    root: Path


@dataclass
class Lab:
    """A page with one notebook open. `outside` lists every request that wanted to leave this machine."""

    page: Any
    url: str
    path: Path
    outside: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Load the page and wait until its notebook has a kernel that answers."""
        self.page.goto(self.url)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget?.sessionContext")
        self.page.evaluate(
            """async () => {
                const context = window.jupyterapp.shell.currentWidget.sessionContext;
                await context.ready;
                await context.session.kernel.info;
            }"""
        )

    def set_theme(self, theme: Theme) -> None:
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", THEMES[theme]
        )
        light = "true" if theme == "light" else "false"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")

    def run_all(self) -> None:
        """Start all cells; returns at once."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def run_cell(self, index: int) -> None:
        """Execute one cell and wait until it has ended."""
        self.page.evaluate(
            """async index => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.activeCellIndex = index;
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def save(self) -> dict[str, Any]:
        """Save the notebook and return what is on disk then."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        notebook: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return notebook

    def reload(self) -> None:
        self.page.reload()
        self.wait_for_kernel()

    def shut_kernel_down(self) -> None:
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quickstart, the longest of all, begins first: of two workers, one has it and the other all else."""
    items.sort(key=lambda item: item.path.name != "test_quickstart.py")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, phinb_home: Path) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("lab")
    root, config = base / "files", base / "config"
    root.mkdir()
    (config / "labconfig").mkdir(parents=True)
    (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    port, token = _free_port(), secrets.token_hex(12)
    environment = dict(os.environ) | {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "IPYTHONDIR": str(base / "ipython"),
        "PHINB_HOME": str(phinb_home),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }
    environment.pop("PHINB_HEADLESS", None)
    flags = [
        "--allow-root",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
    ]
    with (base / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *flags], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/api/status?token={token}", process, base / "server.log")
        yield Server(f"http://127.0.0.1:{port}", token, root)
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser. Its absence is a failure, not a reason to skip: these tests are part of `make test`."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("The browser tests need Chromium: apt-get install chromium", pytrace=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Let fixtures know whether their test failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def open_notebook(
    server: Server, chromium: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Lab]]:
    """open_notebook(path, theme="light", beside=(), files=()) -> Lab: a copy of the notebook in a page of its own.

    `beside` names folders that the notebook expects next to its own (../sample_data), `files` files in its own. When
    the test ends, no request may have left 127.0.0.1; each was aborted.
    """
    opened: list[tuple[Any, Lab]] = []

    def open_one(path: Path, theme: Theme = "light", beside: Sequence[Path] = (), files: Sequence[Path] = ()) -> Lab:
        case = server.root / secrets.token_hex(4)
        copy = case / path.parent.name / path.name
        copy.parent.mkdir(parents=True)
        shutil.copy(path, copy)
        for file in files:
            shutil.copy(file, copy.parent)
        for folder in beside:
            shutil.copytree(folder, case / folder.name, dirs_exist_ok=True)
        context = chromium.new_context(viewport={"width": 1180, "height": 900})
        page = context.new_page()
        page.set_default_timeout(60_000)
        url = f"{server.url}/doc/tree/{copy.relative_to(server.root).as_posix()}?token={server.token}&reset"
        lab = Lab(page, url, copy)
        opened.append((context, lab))

        def guard(route: Any) -> None:
            target = urlsplit(route.request.url)
            if target.hostname == "127.0.0.1" or target.scheme in ("data", "blob"):
                route.continue_()
            else:
                lab.outside.append(route.request.url)
                route.abort()

        page.route("**/*", guard)
        page.on("websocket", lambda socket: "//127.0.0.1:" in socket.url or lab.outside.append(socket.url))
        lab.open()
        lab.set_theme(theme)
        return lab

    yield open_one
    outside = [url for _, lab in opened for url in lab.outside]
    for number, (context, lab) in enumerate(opened):
        if request.node.stash.get(FAILED, False):
            lab.page.screenshot(path=tmp_path / f"page-{number}.png")
            print(f"The page as it was: {tmp_path / f'page-{number}.png'}")
            print("\n".join(lab.page.locator(".jp-OutputArea").all_inner_texts()))
        lab.shut_kernel_down()
        context.close()
    assert outside == []


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """write_notebook(*cells) -> path of a notebook with these code cells."""

    def write(*cells: str) -> Path:
        import nbformat

        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = tmp_path / "notebook.ipynb"
        nbformat.write(notebook, path)
        return path

    return write
