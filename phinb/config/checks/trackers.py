"""Trackers that would be told everything twice: by phinb, and by the trainer's own integration."""

from __future__ import annotations

from phinb.config.checks.findings import Findings
from phinb.config.document import Node
from phinb.config.sections import passes, text


def check_trackers(findings: Findings, section: Node) -> None:
    """`section` is phinb's own."""
    node = section.get("trackers")
    ours = {text(entry) for entry in node.entries()} if node is not None and node.is_list else set()
    for entry in passes(findings.root) if ours else ():
        arguments = entry.node.get("training_args")
        report = arguments.get("report_to") if arguments is not None and arguments.is_mapping else None
        if report is None:
            continue
        for named in report.entries() if report.is_list else [report]:
            if text(named) in {*ours, "all"}:
                which = text(named) if text(named) in ours else ", ".join(sorted(ours))
                message = f"{which} is among phinb.trackers as well: it gets each metric twice, in two runs."
                findings.warn("tracked_twice", named, message, "Take it out of report_to, or out of phinb.trackers.")
