"""The preview's panel without a page: its messages, what it sends, how it shares the variable with the other panel."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from IPython.utils.capture import capture_output

from phinb.config import Config, load_config
from phinb.notebook import counting
from phinb.notebook.cells import cells_of
from phinb.notebook.config_panel import ConfigPanel
from phinb.notebook.open_previews import previews_of
from phinb.notebook.preview_panel import PreviewPanel
from phinb.notebook.preview_tokens import piece_text
from tests.notebook.conftest import Shell
from tests.notebook.test_config_magics import GOOD, ROWS

MAX = "data_configs.train.pre_process_data_config.max_seq_len"
TEMPLATE = "data_configs.train.pre_process_data_config.text_template"
CONFIG = GOOD.replace('"max_seq_len": 80', '"max_seq_len": 80, "pad_to_max_len": false')


def wait_for(condition: Callable[[], Any], what: str = "it", seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.005)


class Driver:
    """A panel without a page: `send` is what its JavaScript would send."""

    def __init__(self, shell: Shell, text: str, rows: Sequence[Mapping[str, Any]], data: str | None = None) -> None:
        Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.shell = shell
        with capture_output():
            shell.ip.run_cell(f"%%olive_config emotion\n{text}", cell_id="a")
        self.panel = PreviewPanel(shell.ip, "emotion", self.config, cells_of(shell.ip), data)
        self.widget = self.panel._widget
        with capture_output() as captured:
            self.panel.open()
        self.outputs = captured.outputs
        self.wait()

    @property
    def config(self) -> Config:
        config: Config = self.shell.ip.user_ns["emotion"]
        return config

    def wait(self) -> None:
        # The thread says that it is done before it has drawn it.
        wait_for(lambda: not self.panel._counting.is_busy and not self.widget.state["stale"], "the count")
        with self.panel._lock:  # what the thread draws last is drawn
            pass

    def send(self, **content: Any) -> None:
        self.widget._handle_custom_msg(content, [])

    @property
    def text(self) -> str:
        return "".join(map(piece_text, self.widget.sequence["pieces"]))

    @property
    def said(self) -> str:
        return (self.widget.state["said"] or {"text": ""})["text"]


@pytest.fixture
def drive(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Driver]]:
    monkeypatch.chdir(tmp_path)
    made: list[Driver] = []

    def make(text: str = CONFIG, rows: Sequence[Mapping[str, Any]] = ROWS, data: str | None = None) -> Driver:
        made.append(Driver(shell, text, rows, data))
        return made[-1]

    yield make
    for one in made:
        one.panel.close()


def test_the_tokens_are_those_of_the_preview(drive: Callable[..., Driver]) -> None:
    import phinb

    driver = drive()
    sequence = phinb.preview(driver.config).sequences[0]
    sent = driver.widget.sequence
    assert sent["ids"] == list(sequence.input_ids)
    assert [lane.lower() == "t" for lane in sent["lanes"]] == [label != -100 for label in sequence.labels]
    fields = [sent["sources"][at][1] if at >= 0 else None for at in sent["source"]]
    assert fields == [span.field if span else None for span in sequence.spans]
    assert "I·love·it·so·much" in driver.text.replace(" ", "·")
    assert driver.widget.state["told"].startswith("8 rows → 8 sequences")
    assert driver.widget.place == {"order": "data", "position": 1, "total": 8, "more": False}
    assert driver.widget.state["progress"]["text"] == "All 8 rows are counted."


def test_one_moves_through_the_sequences_in_any_order(drive: Callable[..., Driver]) -> None:
    rows = [*ROWS, {"phrase": "I love " * 20, "tone": "joy"}]
    driver = drive(CONFIG.replace('"max_seq_len": 80', '"max_seq_len": 60'), rows)
    driver.send(action="show", order="longest", position=1)
    assert driver.widget.sequence["number"] == 9
    assert driver.widget.place["position"] == 1
    driver.send(action="show", order="data", position=3)
    assert driver.widget.sequence["number"] == 3
    driver.send(action="show", order="data", position=99)
    assert driver.widget.place["position"] == 9, "as far as there are any"
    driver.send(action="show", order="truncated", position=1)
    assert driver.widget.place["total"] == 1
    assert driver.widget.state["orders"][3] == {"order": "truncated", "label": "cut off (1)", "some": True}
    assert "x" in driver.widget.sequence["lanes"].lower()


def test_what_is_cut_off_is_shown_behind_the_sequence(drive: Callable[..., Driver]) -> None:
    driver = drive(CONFIG.replace('"max_seq_len": 80', '"max_seq_len": 24'))
    sent = driver.widget.sequence
    whole = len(sent["ids"])
    assert sent["own"] == 24
    assert sent["lanes"][24:].lower() == "x" * (whole - 24)
    assert "tone" in {sent["sources"][at][1] for at in sent["source"][24:] if at >= 0}
    assert f"{whole - 24} cut off" in sent["caption"]


def test_joined_rows_say_where_they_begin_and_go_on(drive: Callable[..., Driver]) -> None:
    driver = drive(CONFIG.replace("line-by-line", "join").replace('"max_seq_len": 80', '"max_seq_len": 50'))
    sent = driver.widget.sequence
    assert [row for _, row in sent["begins"]] == [1, 2]
    begin = sent["begins"][1][0]
    assert sent["lanes"][begin].isupper(), "the row's own bos comes first"
    assert sent["notes"] == ["Row 2 goes on in sequence 2."]
    driver.send(action="show", order="data", position=2)
    assert driver.widget.sequence["notes"][0] == "Row 2 begins before this sequence."
    last = driver.widget.place["total"]
    driver.send(action="show", order="data", position=last)
    assert "is in no sequence." in driver.widget.sequence["notes"][-1]


def test_a_remedy_mends_the_configuration_and_the_other_panel_hears_of_it(drive: Callable[..., Driver]) -> None:
    driver = drive(CONFIG.replace('"max_seq_len": 80', '"max_seq_len": 24'))
    form = ConfigPanel(driver.shell.ip, "emotion", driver.config, cells_of(driver.shell.ip))
    with capture_output():
        form.open()
    number, card = next((at, card) for at, card in enumerate(driver.widget.state["cards"]) if card["fix"])
    driver.send(action="fix", number=number, of="something else")
    assert driver.config.effective()[MAX].value == 24, "a press on a list that has changed does nothing"
    driver.send(action="fix", number=number, of=card["title"])
    assert driver.config.effective()[MAX].value > 24
    driver.wait()
    assert not any("cut" in card["title"] for card in driver.widget.state["cards"])
    # The form shows it, writes it to the cell, and its Undo takes it back, here as well.
    assert form.config is driver.config
    assert form._widget.values[MAX]["value"] == driver.config.effective()[MAX].value
    assert form._widget.state["standing"] == "1 change, not in the cell yet."
    assert form._widget.texts["cells"][0]["write"].count('"max_seq_len": 24') == 0
    form._widget._handle_custom_msg({"action": "undo"}, [])
    assert driver.config.effective()[MAX].value == 24
    driver.wait()
    assert driver.widget.sequence["own"] == 24


def test_a_change_in_the_form_reaches_the_tokens(drive: Callable[..., Driver]) -> None:
    driver = drive()
    form = ConfigPanel(driver.shell.ip, "emotion", driver.config, cells_of(driver.shell.ip))
    with capture_output():
        form.open()
    form._widget._handle_custom_msg({"action": "set", "path": TEMPLATE, "value": "Say {tone}"}, [])
    driver.wait()
    assert "Say" in driver.text


def test_a_cell_that_is_run_again_is_followed(drive: Callable[..., Driver]) -> None:
    driver = drive()
    form = ConfigPanel(driver.shell.ip, "emotion", driver.config, cells_of(driver.shell.ip))
    with capture_output():
        form.open()
        driver.shell.ip.run_cell("%%olive_config emotion\n" + CONFIG.replace("### Text:", "### Words:"), cell_id="a")
        ConfigPanel(driver.shell.ip, "emotion", driver.config, cells_of(driver.shell.ip))
    driver.wait()
    assert "Words" in driver.text


def test_the_template_is_edited_as_one_step(drive: Callable[..., Driver]) -> None:
    driver = drive()
    before = driver.config
    for version, text in enumerate(["S", "Sa", "Say: {tone}"], 1):
        driver.send(action="template", name="train", view="v", version=version, text=text)
    driver.wait()
    assert driver.config.effective()[TEMPLATE].value == "Say: {tone}"
    assert "Say" in driver.text
    assert driver.widget.template["answers"] == {"v": 3}
    assert driver.widget.state["undo"] == 1
    driver.send(action="undo")
    driver.wait()
    assert driver.config is before
    assert "Text" in driver.text


def test_a_template_that_cannot_be_read_is_told_and_can_be_mended(drive: Callable[..., Driver]) -> None:
    driver = drive()
    driver.send(action="template", name="train", view="v", version=1, text="{phrase.__class__}")
    driver.wait()
    assert driver.widget.state["failed"]
    assert driver.widget.state["cards"], "the mistake is told"
    assert driver.widget.template["text"] == "{phrase.__class__}"
    driver.send(action="template", name="train", view="v", version=2, text="{phrase}{tone}")
    driver.wait()
    assert not driver.widget.state["failed"]
    assert "I·love" in driver.text.replace(" ", "·")


def test_a_template_cannot_ask_for_more_than_the_memory_holds(drive: Callable[..., Driver]) -> None:
    driver = drive()
    driver.send(action="template", name="train", view="v", version=1, text="{phrase:>99999999999}{tone}")
    driver.wait()
    assert driver.widget.state["failed"]
    assert any("characters" in card["title"] for card in driver.widget.state["cards"])


def test_data_that_change_on_disk_are_counted_anew(drive: Callable[..., Driver]) -> None:
    """What the panel still knows is not what training would get."""
    driver = drive()
    rows = [{"phrase": f"quite another row {number}", "tone": "joy"} for number in range(5)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    driver.send(action="show", order="data", position=2)
    assert "changed on disk" in driver.said
    driver.wait()
    assert driver.widget.state["told"].startswith("5 rows → 5 sequences")
    assert "quite another row 1" in driver.text.replace("·", " ")
    Path("rows.jsonl").unlink()
    driver.send(action="show", order="data", position=1)
    driver.wait()
    assert driver.widget.state["failed"]
    assert any("does not exist" in card["title"] for card in driver.widget.state["cards"])


def write_rows(*phrases: str) -> None:
    text = "".join(json.dumps({"phrase": phrase, "tone": "joy"}) + "\n" for phrase in phrases)
    Path("rows.jsonl").write_text(text, encoding="utf-8")


def test_data_that_a_cell_changes_are_counted_anew_after_it(drive: Callable[..., Driver]) -> None:
    """Nobody touches the panel."""
    driver = drive()
    driver.shell.ip.run_cell("1 + 1")
    assert driver.said == ""
    driver.shell.ip.run_cell(
        'from pathlib import Path; Path(\'rows.jsonl\').write_text(\'{"phrase": "x", "tone": "y"}\')'
    )
    assert "changed on disk" in driver.said
    driver.wait()
    assert driver.widget.state["told"].startswith("1 row → 1 sequence")
    driver.panel.close()
    write_rows("a", "b")
    driver.shell.ip.run_cell("1 + 1")
    assert driver.widget.state["told"].startswith("1 row → 1 sequence"), "a closed panel looks no more"


def test_a_file_that_a_pattern_finds_later_is_noticed(drive: Callable[..., Driver]) -> None:
    driver = drive(CONFIG.replace('"rows.jsonl"', '"rows*.jsonl"'))
    before = driver.panel._counting.preview.stats.rows
    Path("rows2.jsonl").write_text(json.dumps({"phrase": "x", "tone": "joy"}) + "\n", encoding="utf-8")
    driver.shell.ip.run_cell("1 + 1")
    driver.wait()
    assert driver.panel._counting.preview.stats.rows == before + 1


def test_a_run_of_other_rows_than_the_panel_shows_says_so(drive: Callable[..., Driver]) -> None:
    driver = drive()
    previews = previews_of(driver.shell.ip)
    assert previews.look_before_run(driver.config) == ""
    write_rows("quite another")
    other = load_config(CONFIG)
    assert previews.look_before_run(other) == "", "it is no preview of that one"
    told = previews.look_before_run(driver.config)
    assert told.startswith("The data of train have changed on disk since they were previewed")
    driver.wait()
    assert driver.widget.state["told"].startswith("1 row → 1 sequence")
    assert previews.look_before_run(driver.config) == ""


@pytest.mark.slow
def test_the_magic_that_starts_a_run_says_it_in_its_cell(drive: Callable[..., Driver]) -> None:
    driver = drive()
    write_rows(*["a row that the panel has not seen"] * 12)
    text = driver.shell.text("%olive_run emotion --until lora")
    assert "The data of train have changed on disk since they were previewed" in text
    assert "12 training sequences" in text


def test_data_that_change_while_they_are_counted_are_counted_once_more_and_then_it_is_said(
    drive: Callable[..., Driver],
) -> None:
    driver = drive()
    panel = driver.panel
    for phrases, told in ((("a", "b"), "2 rows"), (("a", "b", "c"), "2 rows")):
        write_rows(*phrases)
        panel._hear_count(panel._counting)  # as at the end of a count
        driver.wait()
        assert driver.widget.state["told"].startswith(told)
    assert "changed on disk again" in driver.said
    driver.send(action="show", order="data", position=1)
    driver.wait()
    assert driver.widget.state["told"].startswith("3 rows")


def test_ten_thousand_columns_are_not_sent(drive: Callable[..., Driver]) -> None:
    row = {"phrase": "x", "tone": "joy"} | {f"feature_{number}": number for number in range(9_998)}
    driver = drive(rows=[row] * 8)
    driver.send(action="rows")
    sent = len(json.dumps([driver.widget.template, driver.widget.rows]))
    assert sent < 120_000
    assert driver.widget.template["more"] == "and 9,900 more"
    assert driver.widget.rows["more_columns"] == "and 9,950 more"
    assert [column["name"] for column in driver.widget.rows["columns"]][:2] == ["phrase", "tone"]
    driver.send(action="template", name="train", view="v", version=1, looking_for="FEATURE_777")
    names = [column["name"] for column in driver.widget.template["columns"]]
    assert names == ["phrase", "tone", "feature_777", *(f"feature_777{digit}" for digit in range(10))]
    assert driver.widget.template["more"] == ""
    driver.send(action="rows", columns="feature_9997")
    assert [column["name"] for column in driver.widget.rows["columns"]] == ["phrase", "tone", "feature_9997"]
    driver.send(
        action="template", name="train", view="v", version=2, text="{phrase} {feature_9996} {feature_9999}{tone}"
    )
    driver.wait()
    kinds = [kind for _, _, kind in driver.widget.template["marks"]]
    assert kinds == ["field", "field", "unknown", "field"]
    (problem,) = driver.widget.template["problems"]
    assert len(json.dumps(problem)) < 2000


SINGULAR = re.compile(
    r"(?<![\d,.])1 (?!(of|more)\b)(?:\w+ )?(rows|sequences|tokens|columns|values|problems|steps|labels)\b|\(rows 1\)"
)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"max_seq_len": 8},
        {"strategy": "join"},
        {"strategy": "join", "max_seq_len": 4},
        {"max_seq_len": 30, "pad_to_max_len": True},
    ],
)
def test_one_of_a_thing_is_said_in_the_singular(drive: Callable[..., Driver], params: dict[str, Any]) -> None:
    """In the panel, in its static twin, and in the figures."""
    config = json.loads(CONFIG)
    config["data_configs"][0]["pre_process_data_config"] |= params
    for rows in ([{"phrase": "x", "tone": "joy"}], [{"phrase": "x y z", "tone": None}, {"phrase": "", "tone": "y"}]):
        driver = drive(json.dumps(config), rows=rows)
        driver.send(action="rows")
        driver.send(action="rows", query="x")
        state = [driver.widget.state, driver.widget.numbers, driver.widget.rows, driver.widget.sequence]
        told = json.dumps(state, ensure_ascii=False) + json.dumps(driver.panel._bundle(), ensure_ascii=False)
        assert not [found[0] for found in SINGULAR.finditer(told)], SINGULAR.search(told)
        driver.panel.close()


def test_going_on_twice_counts_once(drive: Callable[..., Driver]) -> None:
    """Two presses that wait while the kernel is busy."""
    driver = drive()
    counting = driver.panel._counting
    begun: list[str] = []
    counting._work = lambda _stop, ended: (begun.append("x"), ended.set())  # type: ignore[method-assign]
    counting.phase = "stopped"
    driver.send(action="go_on")
    driver.send(action="go_on")
    wait_for(lambda: begun)
    time.sleep(0.05)
    assert begun == ["x"]


def test_a_row_leads_to_its_sequence(drive: Callable[..., Driver]) -> None:
    driver = drive()
    assert driver.widget.rows == {}, "rows are sent once they are asked for"
    driver.send(action="rows")
    assert len(driver.widget.rows["rows"]) == 8
    driver.send(action="row", row=5)
    assert driver.widget.sequence["number"] == 6
    driver.send(action="row", row=500)
    assert "Row 501" in driver.said


@pytest.mark.slow
def test_counting_is_stopped_and_gone_on_with(drive: Callable[..., Driver]) -> None:
    rows = [{"phrase": f"I love {number} of them so much", "tone": "joy"} for number in range(25_000)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shown: list[dict[str, Any]] = []

    class Patient(Driver):
        def wait(self) -> None:
            pass

    driver = Patient(drive().shell, CONFIG, rows)
    driver.widget.observe(lambda change: shown.append(change["new"]), "state")
    assert driver.widget.sequence["number"] == 1, "the first sequence is there before the rows are counted"
    assert driver.widget.place["more"]
    wait_for(lambda: driver.panel._counting.phase == "counting" and driver.panel._counting.preview.stats.rows)
    driver.send(action="stop")
    wait_for(lambda: driver.panel._counting.phase == "stopped")
    wait_for(lambda: driver.widget.state["progress"]["action"] == "go_on")
    assert " rows so far → " in driver.widget.state["told"]
    assert 0 < driver.panel._counting.preview.stats.rows < 25_000
    driver.send(action="go_on")
    wait_for(lambda: driver.widget.state["progress"]["text"] == "All 25,000 rows are counted.", seconds=90)
    fractions = [state["progress"]["fraction"] for state in shown if state["progress"]["action"] == "stop"]
    assert fractions == sorted(fractions)
    # So many rows are not compared before somebody asks for it.
    assert driver.widget.state["comparable"]
    driver.send(action="compare")
    wait_for(lambda: driver.panel._counting.preview.stats.near_duplicates is not None, seconds=90)
    driver.panel.close()


def test_a_row_of_megabytes_does_not_silence_the_kernel(
    drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page takes a kernel that is silent while it counts for gone, and takes its Stop away."""
    monkeypatch.setattr(counting, "ALIVE_EVERY_S", 0.01)
    spoken: list[int] = []

    class Patient(Driver):
        def wait(self) -> None:
            self.widget.observe(lambda change: spoken.append(change["new"]), "spoken")
            super().wait()

    driver = Patient(drive().shell, CONFIG, [{"phrase": "I love it so much " * 60_000, "tone": "joy"}])
    assert len(spoken) > 10, "or nothing is said but that it begins and ends"
    before = driver.widget.spoken
    time.sleep(0.1)
    assert driver.widget.spoken - before <= 1, "who has counted is done"


def test_the_name_that_means_something_else_is_left_alone(drive: Callable[..., Driver]) -> None:
    driver = drive()
    driver.shell.ip.user_ns["emotion"] = "mine"
    driver.send(action="template", name="train", view="v", version=1, text="{tone}")
    assert driver.shell.ip.user_ns["emotion"] == "mine"
    assert "something else by now" in driver.said


def test_messages_that_make_no_sense_change_nothing(drive: Callable[..., Driver]) -> None:
    driver = drive()
    before, sequence = driver.config, driver.widget.sequence
    for content in (
        {},
        {"action": "nonsense"},
        {"action": []},
        {"action": "show"},
        {"action": "show", "order": "sideways", "position": "x"},
        {"action": "show", "order": [], "position": -5},
        {"action": "data", "number": 99},
        {"action": "fix", "number": "0"},
        {"action": "template"},
        {"action": "row", "row": None},
        {"action": "rows", "start": -7},
        {"action": "compare"},
        {"action": "go_on"},
    ):
        driver.send(**content)
        driver.wait()
        assert driver.config is before, content
        assert driver.widget.sequence == sequence, content
        assert "phinb itself failed" not in driver.said, content


def test_a_configuration_with_errors_shows_them_with_their_remedies(drive: Callable[..., Driver]) -> None:
    driver = drive(CONFIG.replace('"max_seq_len"', '"max_seq_lem"'))
    (card,) = driver.widget.state["cards"]
    assert driver.widget.sequence == {}
    driver.send(action="fix", number=0, of=card["title"])
    driver.wait()
    assert driver.widget.sequence["number"] == 1


def test_the_saved_form_is_made_anew_when_all_is_counted(drive: Callable[..., Driver]) -> None:
    driver = drive()
    with capture_output() as captured:
        driver.panel._save(driver.panel._counting)
    twin, live = driver.outputs
    assert "phinb-twin" in twin.data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in live.data
    (saved,) = captured.outputs
    assert "8 rows → 8 sequences" in saved.data["text/plain"]
    assert len(json.dumps([saved.data, live.data])) < 100_000


def test_a_closed_panel_counts_no_more(drive: Callable[..., Driver]) -> None:
    driver = drive()
    sequence = driver.widget.sequence
    driver.panel.close()
    driver.panel.binding.edit(*[])
    driver.send(action="show", order="data", position=2)
    assert driver.widget.sequence == sequence


def test_typing_shows_new_tokens_within_a_tenth_of_a_second(
    drive: Callable[..., Driver], sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("emotion_train.jsonl", "emotion_test.jsonl"):
        (Path.cwd() / name).write_bytes((sample_data / name).read_bytes())
    text = (sample_data / "emotion.json").read_text(encoding="utf-8").replace("phinb://demo", "phinb://tiny")
    driver = drive(text)
    seconds = []
    for version in range(8):
        word = f"q{version}z"
        began = time.perf_counter()
        driver.send(action="template", name="train", view="v", version=version, text=f"{word} {{phrase}}\n{{tone}}")
        wait_for(lambda: word in driver.text, word)  # noqa: B023
        seconds.append(time.perf_counter() - began)
        driver.wait()
    assert min(seconds) < 0.1, seconds
