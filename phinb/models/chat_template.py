"""A conversation as text, rendered by a model's Jinja template as transformers renders it.

Templates come from model folders, so they run in Jinja's sandbox and see plain data only, as in
`transformers.utils.chat_template_utils`, whose environment this one repeats (transformers itself loads torch).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError

if TYPE_CHECKING:
    from jinja2 import Template


PHI3 = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
"""Phi-3's own: what the tokenizer_config.json of microsoft/Phi-3-mini-4k-instruct holds."""


def render(
    template: str, messages: Sequence[Mapping[str, Any]], special: Mapping[str, str], add_generation_prompt: bool
) -> str:
    """The text of `messages`; `special` holds bos_token and its like, which templates may use.

    Raises PhinbError where the template is broken or refuses the messages.
    """
    from jinja2.exceptions import TemplateError

    if not messages:  # transformers refuses it too
        raise PhinbError("The conversation is empty.", 'Give it at least one message with "role" and "content".')
    try:
        return _compile(template).render(
            messages=[dict(message) for message in messages],
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **special,
        )
    except (
        TemplateError,
        TypeError,
        LookupError,
        ValueError,
        ArithmeticError,
        AttributeError,
        RecursionError,
    ) as error:
        raise PhinbError(
            f"The chat template cannot render the conversation: {error}",
            'Each message needs "role" and "content"; some templates want the roles to alternate.',
        ) from error


@lru_cache(maxsize=16)
def _compile(template: str) -> Template:
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} marks what an assistant says; it changes nothing in the text."""

        tags = {"generation"}  # noqa: RUF012 -- jinja2 declares it so

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, **options: Any) -> str:
        """Jinja's own filter escapes HTML."""
        return json.dumps(value, **{"ensure_ascii": False} | options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)
