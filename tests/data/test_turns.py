"""Columns as the turns of a chat: the text template gives what the chat template makes of the messages themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.turns import read_turns, write_turns
from phinb.errors import PhinbError
from phinb.models.chat_template import PHI3, render

SPECIAL = {"bos_token": "<s>", "eos_token": "<|endoftext|>"}
BRACES = "{% for m in messages %}{ {{ m['role'] }}: {{ m['content'] }} }\n{% endfor %}"
TRIMMED = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] | trim }}{% endfor %}{{ eos_token }}"
words = st.text("ab {}<|>\n", min_size=1, max_size=9).map(lambda text: f"x{text}y")


@given(st.sampled_from([PHI3, BRACES, TRIMMED]), st.booleans(), words, words)
def test_the_template_gives_the_conversation(template: str, has_system: bool, question: str, answer: str) -> None:
    columns = {"user": "Question", "assistant": "Best Answer"} | ({"system": "rules"} if has_system else {})
    row = {"rules": "Be kind.", "Question": question, "Best Answer": answer}
    roles = ["system", "user", "assistant"] if has_system else ["user", "assistant"]
    messages = [{"role": role, "content": row[columns[role]]} for role in roles]
    written = write_turns(columns, template, SPECIAL)
    assert written.format(**row) == render(template, messages, SPECIAL, False)
    assert read_turns(written, template, SPECIAL) == columns


def test_phi3s_own_form() -> None:
    written = write_turns({"user": "phrase", "assistant": "tone"}, PHI3, SPECIAL)
    assert written == "<|user|>\n{phrase}<|end|>\n<|assistant|>\n{tone}<|end|>\n<|endoftext|>"
    assert read_turns(f"{written} ", PHI3, SPECIAL) is None
    assert read_turns("{a", PHI3, SPECIAL) is None
    assert read_turns(written.replace("{tone}", "{tone!r}"), PHI3, SPECIAL) is None


@pytest.mark.parametrize(
    ("turns", "template", "words"),
    [
        ({"user": "a"}, PHI3, "no column for the assistant"),
        ({"user": "a", "assistant": "b.c"}, PHI3, "No template can name the column 'b.c'"),
        (
            {"user": "a", "assistant": "b", "system": "c"},
            "{{ messages[-1]['content'] }}",
            "does not write what the system",
        ),
        (
            {"user": "a", "assistant": "b"},
            "{{ messages | map(attribute='content') | map('upper') | join }}",
            "as it is",
        ),
        ({"user": "a", "assistant": "b"}, "{{ raise_exception('no') }}", "cannot render"),
    ],
)
def test_what_cannot_be_written_is_refused(turns: dict[str, str], template: str, words: str) -> None:
    with pytest.raises(PhinbError, match=words) as caught:
        write_turns(turns, template, SPECIAL)
    assert caught.value.hint
