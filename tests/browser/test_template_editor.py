"""The template editor in Chromium: typing, choosing, dragging, composing; the kernel's part is the real one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phinb.config import Config, load_config
from phinb.data.preview import open_scan
from phinb.data.scan import Scan
from phinb.errors import PhinbError
from phinb.notebook.column_choice import read_wanted
from phinb.notebook.template_view import describe_editor, editor_edits, note_answer
from tests.browser.component_page import ComponentPage, open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCRIPTS = ("template_text.js", "template_editor.js")
STYLES = ("template_editor.css",)
CONFIG = """{
  "input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"},
  "data_configs": [{
    "name": "train", "type": "HuggingfaceContainer",
    "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
    "pre_process_data_config": {"text_template": "### {phrase}\\n{tone}", "strategy": "line-by-line", "max_seq_len": 80}
  }],
  "passes": {"lora": {"type": "LoRA", "train_data_config": "train"}}
}"""
MESSAGES = [{"role": "user", "content": "x"}]
ROW = {"phrase": "I walked <b>home</b>.", "tone": "joy", "Best Answer": "yes", "messages": MESSAGES}


class Kernel:
    """What a preview panel does with the editor's messages."""

    def __init__(self, folder: Path, text: str = CONFIG, row: dict[str, Any] | None = None) -> None:
        (folder / "rows.jsonl").write_text((json.dumps(row or ROW) + "\n") * 5, encoding="utf-8")
        self.config: Config = load_config(text, folder=folder)
        self.scan: Scan = open_scan(self.config)
        self.tokenizer = self.scan.tally.tokenizer
        self.rows = self.scan.rows.page(0, 5)
        self.answers: dict[str, int] = {}
        self.looking_for = ""
        self.said = ""

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        self.answers = note_answer(self.answers, message)
        self.looking_for = read_wanted(message, "looking_for", self.looking_for)
        try:
            columns = self.scan.rows.columns
            edits = editor_edits(self.config, message, columns, rows=self.rows, tokenizer=self.tokenizer)
            self.config = self.config.edit(*edits)
        except PhinbError as error:
            self.said = error.message
        return self.describe()

    def describe(self) -> dict[str, Any]:
        columns = self.scan.rows.columns
        return describe_editor(
            self.config,
            "train",
            columns,
            rows=self.rows,
            tokenizer=self.tokenizer,
            answers=self.answers,
            looking_for=self.looking_for,
        )

    def value(self, key: str) -> Any:
        return self.config.effective()[f"data_configs.train.pre_process_data_config.{key}"].value

    @property
    def template(self) -> Any:
        return self.value("text_template")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    with open_page(chromium, 900, 640) as page:
        yield page


@pytest.fixture
def editor(page: Any, kernel: Kernel) -> ComponentPage:
    shown = ComponentPage(page, "TemplateEditor", SCRIPTS, STYLES, kernel.answer)
    shown.fill(kernel.describe())
    return shown


def area(editor: ComponentPage) -> Any:
    return editor.page.get_by_role("textbox", name="Text template")


def wait_until(told: Callable[[], Any], editor: ComponentPage) -> None:
    until = time.monotonic() + 5
    while not told():
        assert time.monotonic() < until
        editor.page.wait_for_timeout(20)


def marked(editor: ComponentPage) -> list[tuple[str, str]]:
    script = "nodes => nodes.map(node => [node.className.replace('phinb-mark-', ''), node.textContent])"
    found = editor.page.locator(".phinb-template-layer span").evaluate_all(script)
    return [(kind, text) for kind, text in found]


def caret(editor: ComponentPage) -> tuple[int, int]:
    start, end = area(editor).evaluate("node => [node.selectionStart, node.selectionEnd]")
    return start, end


def test_what_is_typed_reaches_the_configuration(editor: ComponentPage, kernel: Kernel) -> None:
    field = area(editor)
    assert field.input_value() == "### {phrase}\n{tone}"
    field.press("Control+End")
    editor.page.keyboard.type("\nüber 😀 {{x}} {frase} } {tone.x}", delay=5)
    editor.page.keyboard.press("Escape")
    text = "### {phrase}\n{tone}\nüber 😀 {{x}} {frase} } {tone.x}"
    wait_until(lambda: kernel.template == text, editor)
    assert "\\n{tone}\\nüber 😀 {{x}} {frase}" in kernel.config.text, "written as \\n into the JSON"
    fields = [("field", "{phrase}"), ("field", "{tone}")]
    braces = [("escaped", "{{"), ("escaped", "}}")]
    wrong = [("unknown", "{frase}"), ("brace", "}"), ("refused", "{tone.x}")]
    wait_until(lambda: marked(editor) == [*fields, *braces, *wrong], editor)
    assert field.input_value() == text
    assert field.get_attribute("aria-invalid") == "true"
    described = editor.page.locator(f"#{field.get_attribute('aria-describedby')}")
    assert described.locator(".phinb-symbol").count() == 3
    assert "reaches into a value: {tone.x}" in described.inner_text()
    described.get_by_role("button", name="Use {phrase}").click()
    wait_until(lambda: kernel.template == text.replace("frase", "phrase"), editor)
    # It was an edit like any other: the editor's own undo takes it back.
    editor.page.keyboard.press("Control+z")
    wait_until(lambda: kernel.template == text, editor)


def test_at_most_ten_messages_a_second_and_the_last_is_never_lost(editor: ComponentPage, kernel: Kernel) -> None:
    area(editor).press("Control+End")
    began = time.monotonic()
    editor.page.keyboard.type("a quick brown fox jumps", delay=10)
    wait_until(lambda: str(kernel.template).endswith("fox jumps"), editor)
    assert len(editor.sent) <= 2 + 10 * (time.monotonic() - began)
    versions = [message["version"] for message in editor.sent]
    assert versions == sorted(set(versions))


def test_columns_are_chosen_by_keyboard(editor: ComponentPage, kernel: Kernel) -> None:
    area(editor).press("Control+End")
    keyboard = editor.page.keyboard
    keyboard.type(" {")
    options = editor.page.locator("[role=option]")
    options.first.wait_for()
    assert [one.split("\n")[0] for one in options.all_inner_texts()] == ["phrase", "tone", "Best Answer", "messages"]
    active = area(editor).get_attribute("aria-activedescendant")
    assert editor.page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    assert editor.serious() == []
    assert "4 columns" in editor.page.locator(".phinb-template [role=status]").inner_text()
    assert ("field", "{") in marked(editor), "a brace behind which one chooses is no mistake"
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    wait_until(lambda: kernel.template == "### {phrase}\n{tone} {tone}", editor)
    keyboard.type("{best")
    assert options.count() == 1
    keyboard.press("Tab")
    wait_until(lambda: kernel.template == "### {phrase}\n{tone} {tone}{Best Answer}", editor)
    assert area(editor).evaluate("node => node === document.activeElement"), "Tab has chosen, and not gone on"
    keyboard.type("{{")
    assert not options.first.is_visible(), "a brace that is text opens nothing"
    keyboard.type("{")
    assert options.first.is_visible()
    keyboard.press("Escape")
    assert not options.first.is_visible()
    keyboard.press("Backspace")
    keyboard.press("Tab")
    assert not area(editor).evaluate("node => node === document.activeElement"), "Tab leaves where nothing is offered"


@pytest.fixture
def wide(page: Any, tmp_path: Path) -> tuple[ComponentPage, Kernel]:
    """The editor of a table of ten thousand columns."""
    row: dict[str, Any] = {"phrase": "I walked", "tone": "joy"} | {
        f"feature_{number}": number for number in range(9_998)
    }
    kernel = Kernel(tmp_path, row=row)
    shown = ComponentPage(page, "TemplateEditor", SCRIPTS, STYLES, kernel.answer)
    shown.fill(kernel.describe())
    return shown, kernel


def test_any_of_ten_thousand_columns_is_typed_and_found(wide: tuple[ComponentPage, Kernel]) -> None:
    editor, kernel = wide
    chips = editor.page.locator(".phinb-chip")
    assert chips.count() == 100
    assert "and 9,900 more" in editor.page.locator(".phinb-finder").inner_text()
    area(editor).press("Control+End")
    keyboard = editor.page.keyboard
    keyboard.type(" {feature_97", delay=30)
    options = editor.page.locator("[role=option]")
    # Those that begin with it come from the kernel: feature_97, _970 to _979, _9700 to _9799, up to a hundred in all.
    wait_until(lambda: options.count() == 98, editor)
    keyboard.type("34", delay=30)
    wait_until(lambda: options.all_inner_texts()[0].startswith("feature_9734"), editor)
    keyboard.press("Enter")
    wait_until(lambda: kernel.template == "### {phrase}\n{tone} {feature_9734}", editor)
    assert marked(editor)[-1] == ("field", "{feature_9734}")
    # What was looked for is over with the choice.
    wait_until(lambda: chips.count() == 100, editor)
    keyboard.type("{feature_9999}")
    wait_until(lambda: marked(editor)[-1] == ("unknown", "{feature_9999}"), editor)
    editor.page.get_by_label("Find a column").fill("ture_123")
    wait_until(lambda: chips.count() == 11, editor)
    chips.nth(0).click()
    wait_until(lambda: "{feature_123}" in str(kernel.template), editor)
    editor.page.get_by_label("Find a column").fill("nowhere")
    editor.page.get_by_text("No column is called so.").wait_for()
    assert editor.serious() == []


def test_one_of_ten_thousand_columns_becomes_a_turn(wide: tuple[ComponentPage, Kernel]) -> None:
    editor, kernel = wide
    editor.page.get_by_label("Text from").select_option("turns")
    editor.page.get_by_label("user", exact=True).wait_for()
    editor.page.get_by_label("Find a column").fill("feature_9734")
    wait_until(lambda: editor.page.locator("option[value=feature_9734]").count() == 3, editor)
    editor.page.get_by_label("user", exact=True).select_option("feature_9734")
    wait_until(lambda: "{feature_9734}" in str(kernel.template), editor)
    assert "not there" not in editor.page.locator(".phinb-turns").inner_text()


def test_columns_are_clicked_and_dragged_into_the_text(editor: ComponentPage, kernel: Kernel) -> None:
    chip = editor.page.get_by_role("button", name="Insert Best Answer")
    assert "Not in the text." in chip.get_attribute("aria-label")
    area(editor).press("Control+Home")
    chip.click()
    wait_until(lambda: kernel.template == "{Best Answer}### {phrase}\n{tone}", editor)
    wait_until(lambda: "Not in" not in chip.get_attribute("aria-label"), editor)
    box = area(editor).bounding_box()
    editor.page.get_by_role("button", name="Insert messages").drag_to(
        area(editor), target_position={"x": box["width"] - 20, "y": 18}
    )
    wait_until(lambda: kernel.template == "{Best Answer}### {phrase}{messages}\n{tone}", editor)


def test_an_answer_to_an_older_text_does_not_disturb(editor: ComponentPage, kernel: Kernel) -> None:
    field = area(editor)
    field.press("Control+Home")
    editor.silent = True
    editor.page.keyboard.type("one ")
    wait_until(lambda: editor.sent and editor.sent[-1].get("text", "").startswith("one "), editor)
    old = kernel.answer(editor.sent[-1])
    editor.page.keyboard.type("two ")
    editor.fill(old)
    assert field.input_value() == "one two ### {phrase}\n{tone}"
    assert caret(editor) == (8, 8)
    wait_until(lambda: editor.sent[-1]["text"].startswith("one two "), editor)
    editor.fill(kernel.answer(editor.sent[-1]))
    assert field.input_value() == kernel.template == "one two ### {phrase}\n{tone}"
    # What is changed elsewhere (an undo, a fix) comes in, and the caret stays between its signs.
    kernel.config = kernel.config.edit(*editor_edits(kernel.config, {"name": "train", "text": "one two {phrase}!"}))
    editor.fill(kernel.describe())
    assert (field.input_value(), caret(editor)) == ("one two {phrase}!", (8, 8))
    # Another view of the same panel has its own count of versions.
    other = kernel.answer({"name": "train", "view": "another", "version": 1, "text": "from elsewhere"})
    editor.fill(other)
    assert field.input_value() == "from elsewhere"


def test_what_is_being_composed_is_left_alone(editor: ComponentPage, kernel: Kernel) -> None:
    """An input method: its signs are sent once they are settled, and no key of it chooses a column."""
    field = area(editor)
    field.press("Control+End")
    session = editor.page.context.new_cdp_session(editor.page)
    for text in ("に", "にほ", "にほん{"):
        session.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
    editor.fill({**kernel.describe(), "text": "something else"})
    assert field.input_value().endswith("にほん{")
    assert editor.sent == []
    assert not editor.page.get_by_role("listbox").is_visible()
    session.send("Input.insertText", {"text": "日本"})
    wait_until(lambda: kernel.template == "### {phrase}\n{tone}日本", editor)
    assert len(editor.sent) == 1


def test_every_kind_of_text_and_back(editor: ComponentPage, kernel: Kernel) -> None:
    page = editor.page
    kind = page.get_by_label("Text from")
    kind.select_option("turns")
    wait_until(lambda: kernel.template == "<|user|>\n{phrase}<|end|>\n<|assistant|>\n{tone}<|end|>\n", editor)
    assert kernel.value("add_special_tokens") is False
    page.get_by_label("system", exact=True).select_option("Best Answer")
    wait_until(lambda: str(kernel.template).startswith("<|system|>\n{Best Answer}<|end|>\n<|user|>"), editor)
    page.get_by_label("Chat template").select_option("phi3")
    wait_until(lambda: str(kernel.template).endswith("<|end|>\n<|endoftext|>"), editor)
    assert editor.serious() == []
    kind.select_option("text_template")
    page.get_by_label("assistant", exact=True).wait_for(state="hidden")
    assert area(editor).is_visible()
    kind.select_option("text_cols")
    wait_until(lambda: kernel.value("text_cols") == ["Best Answer", "phrase", "tone"], editor)
    assert kernel.template is None
    page.get_by_role("button", name="Take out: Best Answer").click()
    page.get_by_role("button", name="Move to the back: phrase").click()
    wait_until(lambda: kernel.value("text_cols") == ["tone", "phrase"], editor)
    assert editor.serious() == []
    kind.select_option("chat_template")
    wait_until(lambda: (kernel.value("chat_template"), kernel.value("message_col")) == (True, "messages"), editor)
    page.get_by_label("Chat template").select_option("own")
    own = page.get_by_role("textbox", name="Chat template (Jinja)")
    own.press("Control+End")
    page.keyboard.type("{# x #}")
    wait_until(lambda: str(kernel.value("chat_template")).endswith("{# x #}"), editor)
    own.fill("")
    page.wait_for_timeout(250)
    own.fill("{{ messages }}")
    wait_until(lambda: kernel.value("chat_template") == "{{ messages }}", editor)
    assert editor.serious() == []
    kind.select_option("text_template")
    wait_until(lambda: kernel.template == "{phrase}\n{tone}\n{Best Answer}", editor)
    assert [one.message for one in kernel.config.problems if one.severity == "error"] == []
    assert kernel.said == ""


def test_names_and_values_are_only_text(page: Any, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    kernel = Kernel(tmp_path)
    kernel.rows = [{**kernel.rows[0], name: "<script>window.ran=1</script>\x1b[31m\u202e"}]
    shown = ComponentPage(page, "TemplateEditor", SCRIPTS, STYLES, kernel.answer)
    columns = (*kernel.scan.rows.columns, name)
    shown.fill(describe_editor(kernel.config, "train", columns, rows=kernel.rows, tokenizer=kernel.tokenizer))
    area(shown).press("Control+End")
    page.keyboard.type("{<img")
    page.locator("[role=option]").first.wait_for()
    assert "\\u001b[31m\\u202e" in page.locator("[role=option]").first.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert page.locator(".phinb img, .phinb script").count() == 0
    assert (page.evaluate("() => window.ran"), dialogs) == (None, [])


def test_it_is_readable_in_both_themes_and_narrow(editor: ComponentPage, kernel: Kernel) -> None:
    area(editor).press("Control+End")
    editor.page.keyboard.type(" {frase} } {{")
    editor.page.keyboard.press("Escape")
    wait_until(lambda: editor.page.locator(".phinb-template-problem").count() == 2, editor)
    for width in (900, 420):
        editor.page.set_viewport_size({"width": width, "height": 640})
        for theme in ("light", "dark"):
            editor.set_theme(theme)  # type: ignore[arg-type]
            assert editor.serious() == []
        assert editor.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
        # The layer breaks its lines where the text area does.
        sizes = editor.page.evaluate(
            "() => ['area', 'layer'].map(name => document.querySelector(`.phinb-template-${name}`).scrollHeight)"
        )
        assert sizes[0] == sizes[1]
