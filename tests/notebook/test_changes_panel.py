"""The panel of what changed, without a page: real variants read a row's tokens, are stopped; what is read is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.utils.capture import capture_output

from phinb.evaluation.comparison import Comparison
from phinb.notebook.changes_panel import ChangesPanel
from tests.notebook.conftest import Shell
from tests.notebook.real_comparison import make_comparison

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return make_comparison(tmp_path_factory.mktemp("tiny"))


class Driver:
    """`send` is what the page's JavaScript would send."""

    def __init__(self, comparison: Comparison, folder: Path) -> None:
        self.panel = ChangesPanel(comparison, folder, "A note.")
        self.widget = self.panel._widget
        with capture_output() as captured:
            self.panel.open()
        self.outputs = captured.outputs

    def send(self, **content: Any) -> None:
        self.widget._handle_custom_msg(content, [])

    def wait_for(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        end = time.monotonic() + 120
        while not condition(self.widget.tokens):
            assert time.monotonic() < end, self.widget.tokens
            time.sleep(0.02)
        tokens: dict[str, Any] = self.widget.tokens
        return tokens


@pytest.fixture
def drive(
    shell: Shell, comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Driver]]:
    monkeypatch.chdir(tmp_path)
    made: list[Driver] = []

    def make() -> Driver:
        made.append(Driver(comparison, tmp_path / "kept"))
        return made[-1]

    yield make
    for one in made:
        one.panel.close()


def test_the_rows_are_those_that_the_comparison_counts(drive: Callable[[], Driver], comparison: Comparison) -> None:
    driver = drive()
    change = comparison.summaries[1].change
    assert change is not None
    assert change.changed > 0, "the two models differ"
    assert driver.widget.table["total"] == change.changed
    html = driver.outputs[0].data["text/html"]
    assert "phinb-twin" in html
    assert f"of 60 rows {change.broken} broken, {change.mended} mended" in html
    assert "A note." in driver.widget.state["told"]
    driver.send(action="kind", kind="all")
    driver.send(action="export", **{"as": "jsonl"})
    path = Path(driver.widget.state["said"]["text"].partition("written: ")[2])
    assert path.parent == Path.cwd()
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(records) == 60
    for name, measured in zip(("base", "merged"), comparison.measurements, strict=True):
        assert [record[name] for record in records] == [score.predicted for score in measured.scores]
    driver.send(action="export", **{"as": "exe"})
    assert len(list(Path.cwd().glob("tiny-*"))) == 1


def test_tokens_are_read_once_stopped_and_kept(drive: Callable[[], Driver], comparison: Comparison) -> None:
    driver = drive()
    row = driver.widget.table["rows"][0]["row"]
    driver.send(action="row", row=row)
    tokens = driver.wait_for(lambda tokens: tokens.get("phase") == "unread")
    assert tokens["cost"].startswith("Loads 2 variants, one after the other (")
    driver.send(action="tokens")
    driver.wait_for(lambda tokens: "loading base" in tokens["doing"])
    driver.send(action="stop")
    tokens = driver.wait_for(lambda tokens: not tokens["busy"])
    assert (tokens["phase"], tokens["error"], tokens["tables"]) == ("unread", "", [])
    driver.send(action="tokens")
    # Another row may be looked at meanwhile; what is at work is said there.
    driver.send(action="row", row=row + 1)
    driver.wait_for(lambda tokens: tokens["doing"].startswith(f"row {row + 1}: "))
    driver.send(action="tokens")  # one at a time
    driver.send(action="row", row=row)
    tokens = driver.wait_for(lambda tokens: tokens["phase"] == "read" and not tokens["busy"])
    (table,) = tokens["tables"]
    assert [name["name"] for name in table["names"]] == ["base", "merged"]
    for text, measured in zip(table["sums"], comparison.measurements, strict=True):
        score = measured.scores[row]
        assert float(text.replace("−", "-")) == pytest.approx(score.log_likelihoods[score.label], abs=2e-3)
    assert [part for _, _, part, _ in table["tokens"]][-1] == "answer"
    json.dumps(tokens)
    # Another panel of the same folder has them at once, and no process.
    other = drive()
    other.send(action="row", row=row)
    again = other.wait_for(lambda tokens: tokens.get("phase") == "read")
    assert again["tables"] == tokens["tables"]


def test_what_fails_is_said_in_the_panel(drive: Callable[[], Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    driver = drive()
    gone = Path.cwd() / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    driver.send(action="export", **{"as": "csv"})
    assert driver.widget.state["said"]["tone"] == "bad"
    driver.send(action="sort", column="x")
    driver.send(action="nothing")
    assert driver.widget.state["said"] is None
