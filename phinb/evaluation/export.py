"""Taking a variant home: a folder that runs elsewhere, with its checksums, its model card and its programs.

It is written beside its place and renamed when it is whole. No path of this machine goes into it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phinb import folders
from phinb.errors import PhinbError
from phinb.evaluation.artefacts import base_of, list_files, tokenizer_folder
from phinb.evaluation.model_card import Origin, Usage, write_card
from phinb.evaluation.programs import (
    Prompt,
    package_of,
    usage,
    write_csharp_program,
    write_csharp_project,
    write_genai_program,
    write_transformers_program,
)
from phinb.evaluation.results import Comparison
from phinb.evaluation.tokenizer import load_tokenizer
from phinb.types import Event, Preparing, Queued, RunFinished, Variant
from phinb.workflow.process import worker_environment

SUMS = "SHA256SUMS"
CHUNK = 1 << 22
BESIDES = ("config.json", "configuration_*.py", "modeling_*.py", "tokenization_*.py", "LICENSE*", "NOTICE*")
"""What a variant may have beside the files that it needs to answer."""

_ABSOLUTE = re.compile(r"^(/|~|[A-Za-z]:[\\/]|\\\\)")


@dataclass(frozen=True)
class Export:
    """A folder that runs elsewhere. files: their names, sorted; problems: what its reader should know, in words."""

    folder: Path
    variant: str
    files: tuple[str, ...]
    size_bytes: int
    measured: bool
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        from phinb.evaluation.wording import size

        told = "" if self.measured else " The card says that nothing was measured."
        lines = [f"{self.variant} is in {self.folder}: {len(self.files)} files, {size(self.size_bytes)}.{told}"]
        return "\n".join([*lines, *self.problems, "Check it: sha256sum -c SHA256SUMS. Run it: see README.md."])


def export_variant(
    variant: Variant,
    folder: str | Path,
    *,
    prompt: Prompt,
    origin: Origin,
    comparison: Comparison | None = None,
    how_to_measure: str = "",
    overwrite: bool = False,
    trust_remote_code: bool = False,
    on_event: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Export:
    """Write the variant's files, a program that answers `prompt`, SHA256SUMS and the model card into `folder`.

    comparison: where the card's figures come from; None, or one without the variant: the card says "not measured" and
    how_to_measure. on_event gets the bytes that are copied. should_stop is asked between pieces of a file; once true,
    nothing of the export is left. Raises PhinbError for a folder that is there and not empty, unless `overwrite`, for
    one that must not be replaced, for an incomplete variant, and where it was stopped.
    """
    target = Path(folder).expanduser().absolute()
    _check_target(target, overwrite, [Path(variant.path), *([Path(variant.base_path)] if variant.base_path else [])])
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    teller = _Teller(variant.name, on_event, should_stop or (lambda: False))
    try:
        part.mkdir(parents=True)
        sums = _copy(_list_copies(variant), part, origin.base, teller)
        filled, checked, problems = _check_tokens(variant, part, prompt)
        texts = _write_programs(variant, part, filled, origin, trust_remote_code)
        size_bytes = sum((part / name).stat().st_size for name in sums)
        used = Usage(
            "pip install -r requirements.txt", usage(filled), filled.as_format(), checked, variant.kind == "onnx"
        )
        texts["README.md"] = write_card(variant, origin, used, comparison, size_bytes, how_to_measure)
        for name, text in texts.items():
            (part / name).write_bytes(text.encode("utf-8"))
            sums[name] = hashlib.sha256(text.encode("utf-8")).hexdigest()
        lines = "".join(f"{sum_}  {name}\n" for name, sum_ in sorted(sums.items()))
        (part / SUMS).write_bytes(lines.encode("utf-8"))
        _put_in_place(part, target)
    except OSError as error:
        teller.finish("failed")
        raise PhinbError(
            f"{target} cannot be written: {error.strerror or error}.", "Name another folder, or make room on the disk."
        ) from None
    except BaseException as error:
        teller.finish("cancelled" if isinstance(error, Stopped) else "failed")
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    teller.finish("succeeded")
    summaries = comparison.summaries if comparison else ()
    measured = any(s.name == variant.name and not s.error for s in summaries)
    return Export(target, variant.name, (*sorted(sums), SUMS), size_bytes, measured, problems)


class Stopped(PhinbError):
    """The export was stopped; nothing of it is left."""


class _Teller:
    """The events of an export, numbered and stamped, and the question whether it is to stop."""

    def __init__(self, name: str, on_event: Callable[[Event], None] | None, should_stop: Callable[[], bool]) -> None:
        self._on_event, self._should_stop = on_event, should_stop
        self._seq, self._began = 0, time.monotonic()
        self.tell(Queued("", f"export of {name}", (), ""))

    def tell(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(replace(event, seq=self._seq, time=time.time()))
            self._seq += 1

    def copied(self, done: int, total: int) -> None:
        if self._should_stop():
            raise Stopped("The export was stopped; nothing of it is left.")
        self.tell(Preparing("copying", float(done), float(total)))

    def finish(self, status: Any) -> None:
        self.tell(RunFinished(status, time.monotonic() - self._began, ""))


# ------------------------------------------------------------------------------------------------- the folder


def _check_target(target: Path, overwrite: bool, sources: Sequence[Path]) -> None:
    if target.exists() and not target.is_dir():
        raise PhinbError(f"{target} is a file.", "Name a folder that is not there yet.")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not overwrite:
        raise PhinbError(
            f"{target} is there and not empty.", "Name another folder, or replace it: overwrite (--overwrite)."
        )
    kept = [Path.cwd(), Path.home(), folders.home(), *(source.absolute() for source in sources)]
    if any(place == target or place.is_relative_to(target) for place in kept) or (target / ".git").exists():
        raise PhinbError(f"{target} holds more than an export and is not replaced.", "Name a folder of its own.")


def _put_in_place(part: Path, target: Path) -> None:
    """Rename the whole folder to its name; what stood there goes only once the new one stands."""
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old") if target.exists() else None
    if old is not None:
        target.rename(old)
    try:
        part.rename(target)
    except OSError:
        if old is not None:
            old.rename(target)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _list_copies(variant: Variant) -> list[tuple[Path, str]]:
    """(file, name in the export) of all that the variant consists of; an adapter's base goes into base/."""
    places = [(variant, "")] + ([(base_of(variant), "base/")] if variant.kind == "adapter" else [])
    found: dict[str, Path] = {}
    for one, prefix in places:
        besides = [file for pattern in BESIDES for file in Path(one.path).glob(pattern) if file.is_file()]
        found |= {f"{prefix}{file.name}": file for file in (*list_files(one), *besides)}
    if variant.kind == "adapter" and "tokenizer.json" not in found:
        names = [name.removeprefix("base/") for name in found if name.startswith("base/")]
        texts = [
            name for name in names if "token" in name or name in ("chat_template.jinja", "vocab.json", "merges.txt")
        ]
        found |= {name: found[f"base/{name}"] for name in texts if name not in found}
    return [(file, name) for name, file in sorted(found.items())]


def _copy(files: Sequence[tuple[Path, str]], part: Path, base: str, teller: _Teller) -> dict[str, str]:
    """Copy and hash in one reading; {name: SHA-256}. Settings lose the paths of this machine on the way."""
    total, done = sum(file.stat().st_size for file, _ in files), 0
    sums = {}
    for file, name in files:
        target = part / name
        target.parent.mkdir(exist_ok=True)
        if file.suffix == ".json" and "config" in file.name:
            data = _without_paths(file.read_bytes(), base)
            target.write_bytes(data)
            sums[name] = hashlib.sha256(data).hexdigest()
            done += file.stat().st_size
            teller.copied(done, total)
            continue
        digest = hashlib.sha256()
        with file.open("rb") as source, target.open("wb") as copy:
            while piece := source.read(CHUNK):
                copy.write(piece)
                digest.update(piece)
                done += len(piece)
                teller.copied(done, total)
        sums[name] = digest.hexdigest()
    return sums


def _without_paths(data: bytes, base: str) -> bytes:
    """A JSON file's bytes; anew, without this machine's paths, where it holds any."""
    try:
        value = json.loads(data)
    except ValueError:
        return data
    clean = strip_paths(value, base)
    return data if clean == value else (json.dumps(clean, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def strip_paths(value: Any, base: str = "") -> Any:
    """The same with every absolute path as its last part alone; what names the base model gets its reference."""
    if isinstance(value, Mapping):
        return {
            key: base if base and str(key).endswith("name_or_path") and _is_path(item) else strip_paths(item, base)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [strip_paths(item, base) for item in value]
    return re.split(r"[\\/]", value.rstrip("\\/"))[-1] if _is_path(value) else value


def _is_path(value: Any) -> bool:
    """Whether a text is an absolute path, and not a template or a pattern that begins with the same sign."""
    if not isinstance(value, str) or not _ABSOLUTE.match(value) or any(sign in value for sign in "\n{}<>|"):
        return False
    return len(re.split(r"[\\/]", value.rstrip("\\/"))) > 2 or Path(value).expanduser().exists()


# ------------------------------------------------------------------------------------------------- the programs


def _write_programs(
    variant: Variant, part: Path, prompt: Prompt, origin: Origin, trust_remote_code: bool
) -> dict[str, str]:
    """run.py, requirements.txt and for ONNX the C# twin, by name."""
    if variant.kind != "onnx":
        adapter = variant.kind == "adapter"
        names = ["torch", "transformers", *(["peft"] if adapter else [])]
        program = write_transformers_program(prompt, adapter=adapter, trust_remote_code=trust_remote_code)
        return {"run.py": program, "requirements.txt": _pin(names, origin.versions)}
    config = json.loads((part / "genai_config.json").read_text(encoding="utf-8"))
    sessions = [
        decoder.get("session_options", {})
        for decoder in config.get("model", {}).values()
        if isinstance(decoder, Mapping)
    ]
    providers = [name for session in sessions for entry in session.get("provider_options", []) for name in entry]
    python, nuget = package_of(providers)
    version = origin.versions.get(python) or origin.versions.get("onnxruntime-genai") or "*"
    return {
        "run.py": write_genai_program(prompt),
        "requirements.txt": _pin([python], {python: version})
        + (_pin(["onnxruntime"], origin.versions) if python == "onnxruntime-genai" else ""),
        "Program.cs": write_csharp_program(prompt),
        "run.csproj": write_csharp_project(nuget, version),
    }


def _pin(names: Sequence[str], versions: Mapping[str, str]) -> str:
    """A line a package; a build's own mark (2.13.0+cpu) is no version that an index has."""
    known = {name: versions.get(name, "").partition("+")[0] for name in names}
    return "".join(
        f"{name}=={version}\n" if version not in ("", "*") else f"{name}\n" for name, version in known.items()
    )


# A process of its own: the kernel loads no ONNX library.
TOKENS = """
import json, sys
import onnxruntime_genai as og
tokenizer = og.Tokenizer(og.Model(sys.argv[1]))
print(json.dumps([[int(token) for token in tokenizer.encode(text)] for text in json.loads(sys.argv[2])]))
"""


def _check_tokens(variant: Variant, part: Path, prompt: Prompt) -> tuple[Prompt, str, tuple[str, ...]]:
    """(the prompt as the program has to give it, what was checked, what is wrong).

    onnxruntime-genai has a tokenizer of its own, which may add a first token by itself: then the program leaves it out.
    """
    if variant.kind != "onnx":
        return prompt, "The tokenizer is the training's own.", ()
    values = dict.fromkeys(prompt.fields, "A phrase, to see its tokens.")
    bare = replace(prompt, lead="")
    try:
        texts = [prompt.fill(values), bare.fill(values)]
    except ValueError:  # a format for numbers
        return prompt, "Its tokens were not compared with the training's.", ()
    wanted = list(load_tokenizer(replace(variant, path=str(tokenizer_folder(variant)))).encode(texts[0]).ids)
    command = [sys.executable, "-P", "-c", TOKENS, str(part), json.dumps(texts)]
    done = subprocess.run(command, capture_output=True, text=True, env=worker_environment(), check=False)
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        told = f"Its tokens could not be compared with the training's: {last}"
        return prompt, told.replace(str(part), "this folder"), (told,)
    same = "Checked at export: the program gives the model the same token ids as the training did."
    for candidate, ids in zip((prompt, bare), found, strict=True):
        if ids == wanted:
            return candidate, same, ()
    told = "onnxruntime-genai's tokenizer makes other tokens of the prompt than the training did: answers may differ."
    return prompt, told, (told,)
