"""The forms by which old Olive reached Azure ML. phinb names them; it cannot carry them out yet."""

from __future__ import annotations

from phinb.config.document import Node
from phinb.config.findings import Findings
from phinb.config.sections import text

TOP_LEVEL = ("azureml_client", "workflow_host")
"""Keys of the outermost level that sent old Olive to Azure ML."""

_HINT = "Run it here with a local system, a local path or a hub name; or take these lines out."


def is_azure(node: Node) -> bool:
    """Whether a mapping is a resource or a system in Azure: `{"type": "azureml_...", "config": {...}}`."""
    return text(node.get("type")).lower().startswith("azureml")


def add_azure(findings: Findings, node: Node, what: str) -> None:
    """One error for such a form, at the key that holds it."""
    message = f"phinb cannot carry this to Azure ML yet: {what} was dropped from Olive, which would refuse it."
    findings.add("azure", node, message, _HINT, at="key")
