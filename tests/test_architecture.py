"""The house's order, read from the imports themselves and tried by importing each module in a fresh process."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "phinb"

# A room may import only from those that stand before it (design.md, "The house").
ROOMS = (
    "types",  # before errors, other than in design.md: a ConfigError carries the problems
    "errors",
    "folders",
    "models",
    "config",
    "data",
    "workflow",
    "evaluation",
    "azure",
    "plots",
    "api",
    "sweep_worker",  # beside api: a trial is a run and a comparison
    "teach",
    "doctor",
    "cli",
    "notebook",
)
HEAVY = ("torch", "transformers", "olive", "azure", "pandas", "plotly", "datasets", "pyarrow", "onnxruntime", "peft")
HEAVY += ("kaleido", "mlflow", "tensorboard", "wandb")
# Which libraries only one room, or a few, may know at all, nested imports included.
OWNERS = {
    "plotly": {"plots", "notebook"},
    "kaleido": {"plots"},
    "IPython": {"notebook"},
    "ipywidgets": {"notebook"},
    "anywidget": {"notebook"},
}


def room_of(module: str) -> str | None:
    """The room of `phinb.x.y`; None for the package itself, whose __init__ only forwards names."""
    parts = module.split(".")
    return parts[1] if parts[0] == "phinb" and len(parts) > 1 else None


def imports_of(path: Path, package: str) -> set[str]:
    """Every module that a file imports, in functions and under TYPE_CHECKING too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            found.add(base)
            if base == "phinb":
                found |= {f"phinb.{alias.name}" for alias in node.names}
    return found


def violations(package: Path) -> list[str]:
    """Each import in `package` (a copy of phinb/) that breaks the order or the owners, as a sentence."""
    wrong = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative == Path("__init__.py"):
            continue
        module = ".".join(["phinb", *relative.with_suffix("").parts])
        own = room_of(module)
        container = module.removesuffix(".__init__") if path.name == "__init__.py" else module.rpartition(".")[0]
        if own not in ROOMS:
            wrong.append(f"{module}: {own} is no room of the house")
            continue
        for target in imports_of(path, container):
            other, top = room_of(target), target.split(".")[0]
            if other in ROOMS and ROOMS.index(other) > ROOMS.index(own):
                wrong.append(f"{module} imports {target}, but {other} stands after {own}")
            if top in OWNERS and own not in OWNERS[top]:
                wrong.append(f"{module} imports {target}, which only {', '.join(sorted(OWNERS[top]))} may know")
    return wrong


def test_every_import_keeps_the_order() -> None:
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("config/bad.py", "from phinb.workflow import runner"),
        ("data/bad.py", "def late():\n    import phinb.evaluation.scoring"),
        ("types.py", "from .config import Config"),
        ("workflow/bad.py", "def late():\n    import plotly.graph_objects"),
        ("strange.py", "import json"),
    ],
)
def test_the_check_can_fail(tmp_path: Path, file: str, line: str) -> None:
    target = tmp_path / "phinb" / file
    target.parent.mkdir(parents=True)
    target.write_text(line, encoding="utf-8")
    assert len(violations(tmp_path / "phinb")) == 1


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a fresh Python holds after `statement`."""
    code = f"{statement}\nimport sys\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


LIGHT = ["phinb", "phinb.api", "phinb.cli", "phinb.config", "phinb.data", "phinb.models", "phinb.doctor"]
LIGHT += ["phinb.workflow.runner", "phinb.evaluation.comparison", "phinb.plots"]


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_nothing_heavy(module: str) -> None:
    assert loaded_after(f"import {module}") & set(HEAVY) == set()


def test_load_ext_loads_nothing_heavy() -> None:
    # ipywidgets itself is what the notebook is made of; everything else must wait until it is needed.
    setup = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()"
    before = loaded_after(setup)
    assert (loaded_after(f"{setup}\nshell.run_line_magic('load_ext', 'phinb')") - before) & set(HEAVY) == set()


def every_module() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


IMPORT_EACH = """
import importlib, os, sys, traceback
import IPython, anywidget, ipywidgets, numpy, psutil, rapidfuzz, ruamel.yaml, tokenizers  # light, and slow to import
assert not any(name.startswith("phinb") for name in sys.modules)
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
            heavy = {module.split(".")[0] for module in sys.modules} & {"torch", "transformers", "olive"}
            if heavy:
                print(name, "loads", *heavy, flush=True)
        except BaseException:
            print(name, traceback.format_exc(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_every_module_imports_alone_and_lightly() -> None:
    """Each in a process that has imported no other of phinb's, so that no order of imports helps."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *every_module(), "phinb.no_such_module"],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert done.stdout.startswith("phinb.no_such_module Traceback")


def test_no_package_bears_the_name_of_a_public_function() -> None:
    import phinb

    rooms = {path.stem for path in PACKAGE.iterdir() if path.name != "__init__.py"}
    assert rooms & set(phinb.__all__) == set()
