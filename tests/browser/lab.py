"""A JupyterLab server, a Chromium, and pages with one notebook that may reach nothing but the server."""

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

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


class NotThere(Exception):
    """The browser or the server is not to be had."""


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


@contextmanager
def start_server(base: Path, home: Path) -> Iterator[Server]:
    """A server of its own settings, in the empty folder `base`; its kernels have PHINB_HOME in `home`.

    Raises NotThere where it does not come up.
    """
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
        "PHINB_HOME": str(home),
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
    raise NotThere(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


@contextmanager
def start_chromium() -> Iterator[Any]:
    """The installed browser, through playwright. Raises NotThere where there is none."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        raise NotThere("The browser tests need Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def open_lab(
    server: Server,
    chromium: Any,
    path: Path,
    theme: Theme = "light",
    beside: Sequence[Path] = (),
    files: Sequence[Path] = (),
) -> Lab:
    """A copy of the notebook in a page of its own, whose kernel answers.

    `beside` names folders that the notebook expects next to its own (../sample_data), `files` files in its own.
    Requests that would leave 127.0.0.1 are aborted and listed in `outside`. Who opens it closes its page.context.
    """
    case = server.root / secrets.token_hex(4)
    copy = case / path.parent.name / path.name
    copy.parent.mkdir(parents=True)
    shutil.copy(path, copy)
    for file in files:
        shutil.copy(file, copy.parent)
    for folder in beside:
        shutil.copytree(folder, case / folder.name, dirs_exist_ok=True)
    page = chromium.new_context(viewport={"width": 1180, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    url = f"{server.url}/doc/tree/{copy.relative_to(server.root).as_posix()}?token={server.token}&reset"
    lab = Lab(page, url, copy)

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


def restart_kernel(lab: Lab) -> None:
    """Beneath the page, which is told nothing."""
    lab.page.evaluate(
        """async () => {
            const context = window.jupyterapp.shell.currentWidget.sessionContext;
            await context.session.kernel.restart();
            await context.session.kernel.info;
        }"""
    )


def write_cells(path: Path, *cells: str) -> Path:
    """Write a notebook with these code cells."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
