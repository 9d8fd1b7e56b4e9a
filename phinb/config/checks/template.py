"""Checks of how a row becomes text: text_template, text_cols, chat_template.

Olive fills the template with `text_template.format(**row)`: every brace counts, and so do the dots and brackets in a
field's name, which str.format takes for attributes and indices of the value.
"""

from __future__ import annotations

from string import Formatter

from phinb.config.checks.findings import Findings
from phinb.config.document import Node
from phinb.config.sections import text
from phinb.config.value_types import show
from phinb.types import Edit, Fix

_LITERAL = set("\"'\n\r\t{}<>=,;")
"""Characters that show a brace to be meant as text: the inside of JSON or code, not a column's name."""


def check_template(findings: Findings, node: Node) -> None:
    """`node` is the pre_process_data_config of a text generation component."""
    template, chat = node.get("text_template"), node.get("chat_template")
    if template is not None and text(template) and not (chat is not None and chat.value):
        _check_text_template(findings, template)
    columns, broken = node.get("text_cols"), findings.schema.defect("text_formatting_func")
    if chat is not None and chat.value:
        for key in ("text_template", "text_cols", "text_formatting_func"):
            other = node.get(key)
            if other is not None and other.value:
                hint = f'Remove "{key}", or the chat_template.'
                message = f'The chat_template makes the text; Olive would ignore "{key}".'
                findings.add("ignored", other, message, hint, at="key")
    elif template is not None and template.value and columns is not None and columns.value:
        message = "The text_template makes the text; text_cols has no effect beside it."
        fix = Fix("Remove text_cols", (Edit("remove", columns.path),))
        findings.add("ignored", columns, message, "It may stay.", severity="info", at="key", fix=fix)
    elif template is not None and template.value and text(node.get("text_formatting_func")) and not broken:
        message = 'The text_formatting_func makes the text; Olive would ignore "text_template".'
        findings.add("ignored", template, message, "Remove one of the two.", at="key")


def _check_text_template(findings: Findings, node: Node) -> None:
    """Each field names a column; anything else in braces raises in str.format, on the first row."""
    try:
        parts = list(Formatter().parse(node.value))
    except ValueError as error:
        message = f"The template cannot be filled: {error}."
        findings.add("bad_template", node, message, "A brace that is meant as text is doubled: {{ and }}.")
        return
    fields = [(name, spec or "") for _, name, spec, _ in parts if name is not None]
    for name, spec in fields:
        _check_field(findings, node, name, spec)
    if not fields:
        message = "The template names no column: every row gives the same text."
        findings.add("bad_template", node, message, 'Put columns in braces, e.g. "{phrase} {tone}".')


def _check_field(findings: Findings, node: Node, name: str, spec: str) -> None:
    shown = show("{" + name + (f":{spec}" if spec else "") + "}")
    if not name or name.isdigit():
        message = f"{shown} names no column: rows have names, not numbers."
        findings.add("bad_template", node, message, "Write the column's name, or {{ and }} for plain braces.")
    elif any(character in _LITERAL for character in name) or "{" in spec:
        message = f"The braces of {shown} look like plain text; str.format takes them for a column."
        findings.add("bad_template", node, message, "Double the braces that are meant as text: {{ and }}.")
    elif "." in name or "[" in name:
        message = f"{shown} reaches into a value (str.format takes . and [ ] for attributes and indices)."
        findings.add("bad_template", node, message, "Name a column; rename columns whose names hold . or [.")
    elif name != name.strip():
        # str.format keeps it, and so do the readers of datasets: a column may be called so, which only the rows tell.
        message = f"{shown} has a blank at its end: that is right only for a column whose name has it, too."
        plain = f"Write {{{name.strip()}}}" if name.strip() else "Double the braces that are meant as text: {{ and }}"
        findings.warn("blank_in_name", node, message, f"{plain}, unless the column is called so.")
