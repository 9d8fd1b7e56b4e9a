"""`phinb doctor`: whether this machine and its packages can do what phinb asks of them, and what to do where not.

Nothing heavy is imported: versions come from the packages' metadata, accelerators from nvidia-smi.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Literal

from phinb import folders
from phinb.workflow.devices import list_gpus
from phinb.workflow.standby import describe_standby, find_standby

Status = Literal["ok", "warning", "error"]

RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
GENAI = ("onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml")
EXTRAS = ("cpu", "gpu", "directml")
"""The extra of phinb that installs the first, second, third of each of the two."""

MEMORY_BYTES = 4 * 10**9
"""Training the demo model took 2.2 GB at most, its conversion and JupyterLab come on top."""

DISK_BYTES = 5 * 10**9
"""A run of the demo model writes about 1.5 GB (adapter, merged float32, int4); its conversion 0.6 GB."""

DISK_NEEDED = 10**9
"""Below this not even the demo model fits."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` is a command or a step, "" where all is well."""

    name: str
    status: Status
    message: str
    remedy: str = ""


def diagnose() -> list[Finding]:
    """Look at Python, packages, ONNX runtimes, memory, disk and accelerators. Takes well under a second."""
    installed = list_installed()
    gpus = list_gpus()
    return [
        check_python(),
        *check_packages(installed, read_known_good()),
        *check_runtimes(installed, has_gpu=bool(gpus)),
        check_memory(),
        check_disk("disk for runs", folders.home()),
        check_disk("disk for models", folders.cache()),
        Finding("standby", "ok", describe_standby(find_standby())),
        Finding("accelerator", "ok", ", ".join(gpus) or "no NVIDIA GPU: everything runs on the CPU"),
    ]


def to_text(findings: Sequence[Finding]) -> str:
    """A line a finding, its remedy below it; the word for the status is there as well as the sign."""
    signs = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{signs[finding.status]}  {finding.name:<{width}}  {finding.message}")
        if finding.remedy:
            lines.append(f"{'':<{width + 9}}  -> {finding.remedy}")
    return "\n".join(lines)


def to_json(findings: Sequence[Finding]) -> str:
    """{"status": the worst one, "findings": [{name, status, message, remedy}, ...]}"""
    worst: Status = max((finding.status for finding in findings), key=("ok", "warning", "error").index, default="ok")
    return json.dumps({"status": worst, "findings": [asdict(finding) for finding in findings]}, indent=2)


def list_installed() -> dict[str, str]:
    """The version of every installed package by its normalised name; of two the one that Python imports."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(_normalise(name), distribution.version)
    return found


def read_known_good() -> dict[str, str]:
    """The versions that phinb's tests ran on (name==version a line); empty where phinb was installed without them.

    The wheel carries the repository's constraints.txt as known_good.txt; in a checkout it stands at the top.
    """
    package = Path(str(files("phinb")))
    file = next(
        (path for path in (package / "known_good.txt", package.parent / "constraints.txt") if path.is_file()), None
    )
    if file is None:
        return {}
    lines = [line.partition("#")[0].partition(";")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("==") for line in lines]
    return {_normalise(name): version.strip() for name, sign, version in pairs if sign}


def check_python() -> Finding:
    version, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    if sys.maxsize < 2**32:
        remedy = "Install a 64-bit Python: torch and ONNX Runtime have no 32-bit builds."
        return Finding("Python", "error", f"{version} (32 bit) on {system}", remedy)
    return Finding("Python", "ok", f"{version} on {system}")


def check_packages(installed: Mapping[str, str], known_good: Mapping[str, str]) -> list[Finding]:
    """What phinb needs itself: each package that is missing or outside its range, then what differs from the set
    that the tests ran on."""
    findings: list[Finding] = []
    direct = _requirements()
    for name, allowed in direct.items():
        if name not in installed:
            findings.append(Finding(name, "error", "not installed", f'pip install "{name}{allowed}"'))
        elif not _satisfies(installed[name], allowed):
            message = f"{installed[name]} is installed; phinb works with {allowed}"
            findings.append(Finding(name, "error", message, f'pip install "{name}{allowed}"'))
    runtimes = {*RUNTIMES, *GENAI}
    compared = [name for name in known_good if name in installed and name not in runtimes]
    differing = [name for name in compared if not _same_version(installed[name], known_good[name])]
    broken = {finding.name for finding in findings}
    ours = [name for name in differing if name in direct and name not in broken]
    for name in ours:
        message = f"{installed[name]} is installed; the tests ran on {known_good[name]}"
        remedy = f"If something fails: pip install {name}=={known_good[name]}"
        findings.append(Finding(name, "warning", message, remedy))
    if not known_good:
        message = "The list of the versions that the tests ran on is missing."
        findings.append(Finding("packages", "warning", message, "pip install --force-reinstall --no-deps phinb"))
    elif not findings:
        others = len(differing) - len(ours)
        message = f"all {len(direct)} that phinb needs are there, in the versions that the tests ran on"
        findings.append(Finding("packages", "ok", message + (f"; of all others {others} differ" if others else "")))
    return findings


def check_runtimes(installed: Mapping[str, str], *, has_gpu: bool = False) -> list[Finding]:
    """Exactly one ONNX Runtime and one ONNX Runtime GenAI, of the same kind: two share their files."""
    findings: list[Finding] = []
    kinds: set[str] = set()
    for what, family, module in (("ONNX Runtime", RUNTIMES, RUNTIMES[0]), ("ONNX Runtime GenAI", GENAI, GENAI[0])):
        found = [name for name in family if name in installed]
        kinds |= {EXTRAS[family.index(name)] for name in found}
        if not found:
            message = f"{what} is not installed"
            findings.append(Finding(module, "error", message, _offer_extras(has_gpu)))
        elif len(found) > 1:
            message = f"{' and '.join(found)} are both installed; they overwrite each other's files"
            keep = _choose_extra(found, family, has_gpu)
            findings.append(Finding(module, "error", message, _reinstall(installed, keep)))
    if findings:
        return findings
    if len(kinds) > 1:
        message = f"runtimes of different kinds are installed: {', '.join(_list_runtimes(installed))}"
        extra = "gpu" if has_gpu and "gpu" in kinds else sorted(kinds - {"cpu"})[0]
        return [Finding("ONNX runtimes", "error", message, _reinstall(installed, extra))]
    described = ", ".join(f"{name} {installed[name]}" for name in _list_runtimes(installed))
    if has_gpu and kinds == {"cpu"}:
        message = f"{described}: they do not use the GPU"
        return [Finding("ONNX runtimes", "warning", message, _reinstall(installed, "gpu"))]
    return [Finding("ONNX runtimes", "ok", described)]


def check_memory() -> Finding:
    """What is free for new processes, in a container what its limit leaves."""
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available, memory.total
    limit = _container_limit()
    if limit is not None and limit < total:
        total, free = limit, min(free, limit)
    message = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    if free < MEMORY_BYTES:
        remedy = f"Training the demo model needs about {MEMORY_BYTES / 1e9:.0f} GB: close other programs and kernels."
        return Finding("memory", "warning", message, remedy)
    return Finding("memory", "ok", message)


def check_disk(name: str, folder: Path) -> Finding:
    """Room at a folder that may not exist yet, and whether it can be written to."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    message = f"{free / 1e9:.1f} GB free at {folder}"
    elsewhere = "set PHINB_HOME to a folder on another disk"
    if not os.access(there, os.W_OK):
        return Finding(name, "error", f"{there} cannot be written to", f"Change its rights, or {elsewhere}.")
    if free < DISK_BYTES:
        return Finding(name, "error" if free < DISK_NEEDED else "warning", message, f"Make room, or {elsewhere}.")
    return Finding(name, "ok", message)


def _requirements() -> dict[str, str]:
    """What phinb's own metadata asks for, extras left out: name to range; empty where it is not installed."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("phinb") or []
    except metadata.PackageNotFoundError:
        return {}
    found = [Requirement(line) for line in lines]
    return {
        _normalise(one.name): str(one.specifier)
        for one in found
        if one.marker is None or one.marker.evaluate({"extra": ""})
    }


def _satisfies(version: str, allowed: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(allowed).contains(version, prereleases=True)


def _same_version(one: str, other: str) -> bool:
    """2.13.0+cpu is 2.13.0: the build does not matter here."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one).public == Version(other).public
    except InvalidVersion:
        return one == other


def _offer_extras(has_gpu: bool) -> str:
    first, second = ("gpu", "cpu") if has_gpu else ("cpu", "gpu")
    return f'pip install "phinb[{first}]"; the other kinds are phinb[{second}] and, on Windows, phinb[directml]'


def _choose_extra(found: Sequence[str], family: Sequence[str], has_gpu: bool) -> str:
    """The kind to keep: what the machine can use, of what somebody chose to install."""
    extras = [EXTRAS[family.index(name)] for name in found]
    if "gpu" in extras and has_gpu:
        return "gpu"
    if "directml" in extras and platform.system() == "Windows":
        return "directml"
    return "cpu" if "cpu" in extras else extras[0]


def _reinstall(installed: Mapping[str, str], extra: str) -> str:
    """All runtimes have to go first: removing one of two takes the other's files with it."""
    return f'pip uninstall -y {" ".join(_list_runtimes(installed))}, then pip install "phinb[{extra}]"'


def _list_runtimes(installed: Mapping[str, str]) -> list[str]:
    return [name for name in (*RUNTIMES, *GENAI) if name in installed]


def _container_limit() -> int | None:
    """The memory limit of a Linux control group (version 2, then 1), in bytes; None without one."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return int(Path(path).read_text(encoding="ascii"))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return None


def _normalise(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")
