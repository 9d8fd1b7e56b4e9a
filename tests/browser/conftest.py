"""One JupyterLab server a session, and Chromium pages that may reach nothing but it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import Lab, NotThere, Server, Theme, open_lab, start_chromium, start_server, write_cells

FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quickstart, the longest of all, begins first: nothing waits for it then."""
    items.sort(key=lambda item: item.path.name != "test_quickstart.py")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, phinb_home: Path) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("lab"), phinb_home) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser. Its absence is a failure, not a reason to skip: these tests are part of `make test`."""
    try:
        with start_chromium() as browser:
            yield browser
    except NotThere as error:
        pytest.fail(str(error), pytrace=False)


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
    """open_notebook(path, theme="light", beside=(), files=()) -> Lab (lab.open_lab).

    When the test ends, no request may have left 127.0.0.1.
    """
    opened: list[Lab] = []

    def open_one(path: Path, theme: Theme = "light", beside: Sequence[Path] = (), files: Sequence[Path] = ()) -> Lab:
        opened.append(open_lab(server, chromium, path, theme, beside, files))
        return opened[-1]

    yield open_one
    for number, lab in enumerate(opened):
        if request.node.stash.get(FAILED, False):
            lab.page.screenshot(path=tmp_path / f"page-{number}.png")
            print(f"The page as it was: {tmp_path / f'page-{number}.png'}")
            print("\n".join(lab.page.locator(".jp-OutputArea").all_inner_texts()))
        lab.shut_kernel_down()
        lab.page.context.close()
    assert [url for lab in opened for url in lab.outside] == []


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """write_notebook(*cells) -> path of a notebook with these code cells."""
    return lambda *cells: write_cells(tmp_path / "notebook.ipynb", *cells)
