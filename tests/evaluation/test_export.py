"""Taking a variant home: real variants of the tiny model, exported, checked, answered by the folder's own program."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from phinb.data.template import Part
from phinb.errors import PhinbError
from phinb.evaluation.export import Export, export_variant, strip_paths
from phinb.evaluation.model_card import Origin
from phinb.evaluation.programs import Prompt, write_csharp_program, write_genai_program, write_transformers_program
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.types import Event, Variant
from phinb.workflow.reuse import installed_versions

from .examples import make_comparison

ROOT = Path(__file__).resolve().parents[2]
PROMPT = Prompt((Part(text="### Text: "), Part(field="phrase"), Part(text="\n### The tone is:\n")), "<s> ")
ORIGIN = Origin("r-1", "emotion", "phinb://tiny", "MIT", versions=installed_versions(), seed=42)
PHRASE = "I could dance all day"

Take = Callable[..., Export]


@pytest.fixture
def take(variants: dict[str, Variant], tmp_path: Path) -> Take:
    """take("int4", ...): that variant in tmp_path/home."""

    def export(name: str, **options: object) -> Export:
        given: dict[str, object] = {"prompt": PROMPT, "origin": ORIGIN, "how_to_measure": "Compare it."} | options
        return export_variant(variants[name], tmp_path / "home", **given)  # type: ignore[arg-type]

    return export


# ------------------------------------------------------------------------------------------------- the programs


def test_a_prompt_is_the_template_up_to_the_answer() -> None:
    assert PROMPT.fields == ("phrase",)
    assert PROMPT.fill({"phrase": "{x}"}) == "<s> ### Text: {x}\n### The tone is:\n"
    spaced = Prompt((Part(text="{ "), Part(field="a"), Part(text=" is  ")))
    assert spaced.fill({"a": "b"}) == "{ b is"


@pytest.mark.parametrize("parts", [PROMPT.parts, (Part(field='a"""\nb', spec=">8"), Part(text='"""\\ \n\u2028é😀'))])
def test_programs_are_python_whatever_the_template(parts: tuple[Part, ...]) -> None:
    prompt = Prompt(parts, "<s> ")
    for text in (
        write_genai_program(prompt),
        write_transformers_program(prompt, adapter=True),
        write_transformers_program(prompt, adapter=False, trust_remote_code=True),
    ):
        compile(text, "run.py", "exec")


def test_the_csharp_twin_builds_the_same_prompt() -> None:
    text = write_csharp_program(PROMPT)
    assert r'string prompt = "<s> " + "### Text: " + args[0] + "\n### The tone is:\n";' in text


# ------------------------------------------------------------------------------------------------- the folder


def sums(folder: Path) -> dict[str, str]:
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: sum_ for sum_, name in (line.split("  ", 1) for line in lines)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["int4", "adapter", "merged", "base"])
def test_a_folder_is_whole_and_tells_no_path(name: str, take: Take, variants: dict[str, Variant], tiny: Path) -> None:
    export = take(name)
    listed = sums(export.folder)
    there = {str(p.relative_to(export.folder).as_posix()) for p in export.folder.rglob("*") if p.is_file()}
    assert there == {*listed, "SHA256SUMS"} == set(export.files)
    for file, sum_ in listed.items():
        assert hashlib.sha256((export.folder / file).read_bytes()).hexdigest() == sum_
    secret = [str(tiny.parent), str(Path(variants[name].path).parent), str(Path.home() / ".")]
    for file in there - {"tokenizer.json", "base/tokenizer.json"}:
        data = (export.folder / file).read_bytes()
        assert not [path for path in secret if path.encode() in data], file
    card = (export.folder / "README.md").read_text(encoding="utf-8")
    assert "Not measured. Compare it." in card
    assert "licence: MIT" in card
    assert not list(export.folder.parent.glob(".home*"))


@pytest.mark.slow
def test_the_card_tells_what_was_measured(take: Take) -> None:
    comparison = make_comparison(("base", "adapter", "merged", "int4"))
    settings = {**comparison.settings, "rows_from": [{"name": "test.jsonl", "sha256": "ab12"}]}
    export = take("int4", comparison=replace(comparison, settings=settings))
    card = (export.folder / "README.md").read_text(encoding="utf-8")
    assert export.measured
    assert "| accuracy | 80.4 % | 74.9 % to 84.9 % | 240 |" in card
    assert "Rows: `test.jsonl`, SHA-256 `ab12`." in card
    assert "int4 loses 3.8 points against merged" in card
    assert "Example 9000" in card
    assert "the same token ids" in card


@pytest.mark.slow
def test_a_folder_that_is_there_is_left_alone(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(PhinbError, match="not empty"):
        take("merged")
    assert (home / "mine.txt").is_file()
    monkeypatch.chdir(home)
    with pytest.raises(PhinbError, match="not replaced"):
        take("merged", overwrite=True)
    assert (home / "mine.txt").is_file()
    monkeypatch.chdir(tmp_path)
    take("merged", overwrite=True)
    assert not (home / "mine.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.slow
def test_stopping_leaves_nothing(take: Take, tmp_path: Path) -> None:
    told: list[Event] = []
    with pytest.raises(PhinbError, match="stopped"):
        take("merged", on_event=told.append, should_stop=lambda: len(told) > 2)
    assert not list(tmp_path.iterdir())
    assert [event.seq for event in told] == list(range(len(told)))
    assert (told[-1].type, getattr(told[-1], "status", "")) == ("run_finished", "cancelled")


@pytest.mark.slow
def test_an_incomplete_variant_is_refused(variants: dict[str, Variant], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = replace(variants["int4"], path=str(empty))
    with pytest.raises(PhinbError, match="no model weights"):
        export_variant(broken, tmp_path / "home", prompt=PROMPT, origin=ORIGIN)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_paths_become_names() -> None:
    given = {"base_model_name_or_path": "/home/ann/models/phi", "data": ["/data/rows.jsonl", "rows.jsonl"], "sep": "/"}
    wanted = {"base_model_name_or_path": "org/phi", "data": ["rows.jsonl", "rows.jsonl"], "sep": "/"}
    assert strip_paths(given, "org/phi") == {**wanted, "sep": strip_paths("/")}
    assert strip_paths(r"C:\Users\ann\phi") == "phi"


# ------------------------------------------------------------------------------------------------- elsewhere


def generate(variant: Variant, text: str, most: int) -> str:
    """phinb's own generation: its tokenizer's ids, the likeliest token each time."""
    import numpy
    import onnxruntime_genai

    ids = load_tokenizer(variant).encode(text).ids
    model = onnxruntime_genai.Model(variant.path)
    parameters = onnxruntime_genai.GeneratorParams(model)
    parameters.set_search_options(do_sample=False, max_length=len(ids) + most)
    generator = onnxruntime_genai.Generator(model, parameters)
    generator.append_tokens(numpy.array(ids, dtype=numpy.int32))
    while not generator.is_done():
        generator.generate_next_token()
    from phinb.models.tokenizers import load_tokenizer as load_file

    new = [int(token) for token in generator.get_sequence(0)[len(ids) :]]
    return load_file(Path(variant.path)).decode(new, skip_special=True).strip()


@pytest.mark.slow
def test_the_program_answers_where_only_the_runtime_is(
    take: Take, variants: dict[str, Variant], tmp_path: Path
) -> None:
    export = take("int4")
    elsewhere = tmp_path / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", str(elsewhere)], check=True)
    python = elsewhere / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([*install, "-r", str(export.folder / "requirements.txt")], check=True)
    run = [str(python), "-I", str(export.folder / "run.py"), PHRASE]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == generate(variants["int4"], PROMPT.fill({"phrase": PHRASE}), 64)
    absent = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    assert absent.returncode != 0, "only the runtime is there"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adapter", "merged"])
def test_the_program_of_a_pytorch_model_answers(name: str, take: Take) -> None:
    export = take(name)
    done = subprocess.run(
        [sys.executable, "-I", export.folder / "run.py", PHRASE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
