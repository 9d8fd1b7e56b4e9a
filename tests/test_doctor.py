"""The doctor on this machine, and on environments that are made ill on purpose."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from phinb import doctor
from phinb.doctor import Finding, check_packages, check_runtimes, diagnose, list_installed, to_json, to_text

CPU = {"onnxruntime": "1.32.0", "onnxruntime-genai": "0.14.1"}


def install(folder: Path, name: str, version: str) -> None:
    """A package's metadata as pip leaves it, with nothing behind it."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


def test_this_environment_has_nothing_broken() -> None:
    findings = diagnose()
    assert [finding for finding in findings if finding.status == "error"] == []
    assert {"Python", "ONNX runtimes", "memory", "disk for runs", "disk for models", "accelerator"} <= {
        finding.name for finding in findings
    }


def test_versions_are_those_that_python_imports() -> None:
    installed = list_installed()
    assert installed["transformers"] == metadata.version("transformers")
    assert installed["onnxruntime-genai"] == metadata.version("onnxruntime_genai")


def test_two_runtimes_beside_each_other_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "onnxruntime_gpu", "1.32.0")
    install(tmp_path, "onnxruntime-genai-cuda", "0.14.1")
    monkeypatch.syspath_prepend(tmp_path)
    errors = {finding.name: finding for finding in diagnose() if finding.status == "error"}
    assert "onnxruntime and onnxruntime-gpu are both installed" in errors["onnxruntime"].message
    assert "onnxruntime-genai and onnxruntime-genai-cuda are both" in errors["onnxruntime-genai"].message
    assert errors["onnxruntime"].remedy.startswith(
        "pip uninstall -y onnxruntime onnxruntime-gpu onnxruntime-genai onnxruntime-genai-cuda, then pip install"
    )


@pytest.mark.parametrize(
    ("installed", "has_gpu", "status", "words", "remedy"),
    [
        (CPU, False, "ok", "onnxruntime 1.32.0, onnxruntime-genai 0.14.1", ""),
        (CPU, True, "warning", "do not use the GPU", '"phinb[gpu]"'),
        ({}, False, "error", "ONNX Runtime is not installed", '"phinb[cpu]"; the other kinds are phinb[gpu] and'),
        ({}, True, "error", "ONNX Runtime is not installed", 'pip install "phinb[gpu]"'),
        ({"onnxruntime": "1"}, False, "error", "ONNX Runtime GenAI is not installed", "phinb[directml]"),
        (
            {"onnxruntime-gpu": "1", "onnxruntime-genai": "1"},
            True,
            "error",
            "different kinds are installed: onnxruntime-gpu, onnxruntime-genai",
            'pip uninstall -y onnxruntime-gpu onnxruntime-genai, then pip install "phinb[gpu]"',
        ),
        (
            {**CPU, "onnxruntime-directml": "1"},
            False,
            "error",
            "onnxruntime and onnxruntime-directml are both",
            'pip uninstall -y onnxruntime onnxruntime-directml onnxruntime-genai, then pip install "phinb[',
        ),
        ({"onnxruntime-gpu": "1", "onnxruntime-genai-cuda": "1"}, True, "ok", "onnxruntime-gpu 1", ""),
    ],
)
def test_runtimes(installed: dict[str, str], has_gpu: bool, status: str, words: str, remedy: str) -> None:
    first = check_runtimes(installed, has_gpu=has_gpu)[0]
    assert first.status == status
    assert words in first.message
    assert remedy in first.remedy
    assert bool(first.remedy) == bool(remedy)


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """phinb installed with three requirements, before any other phinb on the path."""
    install(tmp_path, "phinb", "0.1.0")
    with next(tmp_path.glob("*.dist-info")).joinpath("METADATA").open("a", encoding="utf-8") as file:
        file.write("Requires-Dist: Olive_AI>=0.13,<0.14\nRequires-Dist: torch>=2.13,<2.14\nRequires-Dist: peft>=0.21\n")
        file.write('Requires-Dist: azure-ai-ml>=1; extra == "azure"\n')
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("requirements")
def test_packages_are_held_against_ranges_and_the_tested_set() -> None:
    known = {"olive-ai": "0.13.0", "torch": "2.13.0", "peft": "0.21.2", "idna": "3.10"}
    good = {**known, "torch": "2.13.0+cpu", "idna": "3.11"}
    assert [(one.name, one.status) for one in check_packages(good, known)] == [("packages", "ok")]
    assert "of all others 1 differ" in check_packages(good, known)[0].message
    ill = {"olive-ai": "0.14.1", "peft": "0.22.0"}
    assert check_packages(ill, known) == [
        Finding(
            "olive-ai",
            "error",
            "0.14.1 is installed; phinb works with <0.14,>=0.13",
            'pip install "olive-ai<0.14,>=0.13"',
        ),
        Finding("torch", "error", "not installed", 'pip install "torch<2.14,>=2.13"'),
        Finding(
            "peft",
            "warning",
            "0.22.0 is installed; the tests ran on 0.21.2",
            "If something fails: pip install peft==0.21.2",
        ),
    ]


@pytest.mark.usefixtures("requirements")
def test_without_the_list_of_tested_versions_it_says_so() -> None:
    good = {"olive-ai": "0.13.0", "torch": "2.13.0", "peft": "0.21.2"}
    assert [(one.name, one.status) for one in check_packages(good, {})] == [("packages", "warning")]


def test_a_disk_is_looked_at_even_before_the_folder_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "not" / "yet"
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(doctor, "DISK_BYTES", 0)
    assert doctor.check_disk("disk", folder).status == "ok"
    monkeypatch.setattr(doctor, "DISK_BYTES", free * 2)
    assert doctor.check_disk("disk", folder).status == "warning"
    monkeypatch.setattr(doctor, "DISK_NEEDED", free * 2)
    finding = doctor.check_disk("disk", folder)
    assert finding.status == "error"
    assert "PHINB_HOME" in finding.remedy
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'NVIDIA H100, 81559 MiB'; echo 'NVIDIA H100, 81559 MiB'", ["NVIDIA H100, 81559 MiB"] * 2),
        ("echo 'no driver' >&2; exit 9", []),
    ],
)
def test_gpus_are_what_nvidia_smi_tells(
    script: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert doctor.list_gpus() == found


def test_text_and_json_say_the_same() -> None:
    findings = [Finding("a", "ok", "fine"), Finding("bee", "error", "broken", "mend it"), Finding("c", "warning", "hm")]
    assert to_text(findings).splitlines() == [
        "ok       a    fine",
        "ERROR    bee  broken",
        "              -> mend it",
        "warning  c    hm",
    ]
    read = json.loads(to_json(findings))
    assert read["status"] == "error"
    assert [Finding(**one) for one in read["findings"]] == findings
    assert json.loads(to_json([]))["status"] == "ok"


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from phinb.doctor import diagnose; diagnose()\n"
        "heavy = {'torch', 'transformers', 'olive', 'onnxruntime', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
