"""Is what a pass made sound? A few seconds of looking at it, before the run calls it done.

adapter   while the trained model is still in memory, it goes through eight tokens and generates four; then the files
          are read: every weight must be a finite number. No second copy of the model is loaded.
merged    the folder is loaded as transformers does and goes through the same. Merging held as much and has let go.
onnx      a folder of ModelBuilder's is loaded by onnxruntime-genai on the processor, reads two prompts, generates four
          tokens; another ONNX file is opened by onnxruntime.

What comes out must be finite, must differ from token to token of the vocabulary, and must depend on what went in.
What cannot be loaded here (memory, a device, a library that is missing) is not called broken: it is said that it was
not tried.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from phinb.types import Variant
from phinb.workflow.failures import explain

PROMPT_TOKENS = 8
NEW_TOKENS = 4
ROOM = 1.3
"""Memory that must be free to load a model again, as a multiple of its files."""


class Broken(ValueError):
    """What a pass made cannot be used. Olive lets errors of this class through."""


class NotTried(Exception):
    """It could not be found out here whether the artefact is sound; the text says why."""


def check_artefact(variant: Variant) -> None:
    """Look at what lies on disk. Raises Broken or NotTried."""
    folder = Path(variant.path)
    try:
        if variant.kind == "adapter":
            _check_adapter(folder)
        elif variant.kind == "merged":
            _check_transformers(folder)
        elif (folder / "genai_config.json").is_file():
            _check_genai(folder)
        else:
            _check_onnx(folder)
    except (Broken, NotTried):
        raise
    except (ImportError, MemoryError) as error:
        raise NotTried(f"{type(error).__name__}: {error}") from error
    except Exception as error:  # of any class: the libraries' own, of files that they cannot read
        if explain(f"{type(error).__name__}: {error}")[0] in ("out_of_memory", "disk_full"):
            raise NotTried(str(error)) from error
        raise Broken(f"It cannot be loaded: {_first_line(error)}") from error


def check_trained(model: Any) -> None:
    """Let a torch model, as it stands in memory, read and generate. Raises Broken or NotTried.

    It draws no random number, and leaves the model in the mode that it was in.
    """
    import torch

    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            _check_generation(_torch_reader(model), int(model.config.get_text_config().vocab_size))
    except (Broken, NotTried):
        raise
    except Exception as error:  # a model of another kind wants other inputs than token ids
        raise NotTried(_first_line(error)) from error
    finally:
        model.train(was_training)


def _torch_reader(model: Any) -> Callable[[Sequence[int]], Any]:
    """ids -> logits of each position, as a numpy array of float32 (positions × vocabulary)."""
    import torch

    device = model.get_input_embeddings().weight.device

    def read(ids: Sequence[int]) -> Any:
        found = model(input_ids=torch.tensor([list(ids)], device=device), use_cache=False).logits
        return found[0].float().cpu().numpy()

    return read


def _check_generation(read: Callable[[Sequence[int]], Any], vocabulary: int) -> None:
    """`read` gives the logits of the positions of a prompt, or of its last one alone."""
    import numpy as np

    ids = _prompt(vocabulary, 1)
    for _ in range(NEW_TOKENS):
        logits = np.atleast_2d(read(ids))
        if not np.isfinite(logits).all():
            raise Broken("It answers with numbers that are none (NaN or infinity).")
        last = logits[-1]
        if last.max() == last.min():
            raise Broken("It gives every token of the vocabulary the same chance, whatever it reads.")
        ids = [*ids, int(last.argmax())]
    other = np.atleast_2d(read(_prompt(vocabulary, 2)))[-1]
    first = np.atleast_2d(read(_prompt(vocabulary, 1)))[-1]
    if np.array_equal(first, other):
        raise Broken("It answers the same whatever it reads.")


def _prompt(vocabulary: int, number: int) -> list[int]:
    """Token ids spread over the vocabulary: any will do to see whether numbers come out."""
    return [(number * 7919 + 104_729 * place) % vocabulary for place in range(1, PROMPT_TOKENS + 1)]


# ------------------------------------------------------------------------------------------------ what lies on disk


def _check_adapter(folder: Path) -> None:
    json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    files = sorted(folder.glob("adapter_model*.safetensors"))
    if not files:
        raise NotTried("its weights are in no file of safetensors.")
    for file in files:
        _check_weights(file)


def _check_weights(file: Path) -> None:
    """One tensor at a time, so that any size fits."""
    import torch
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - not a dictionary
            tensor = tensors.get_tensor(name)
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise Broken(f"The weights {name} hold numbers that are none (NaN or infinity).")


def _check_transformers(folder: Path) -> None:
    """Without room for the whole model, only its weights are read."""
    architectures = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    if not any("CausalLM" in name or "ConditionalGeneration" in name for name in architectures):
        raise NotTried("it is no language model that generates.")
    weights = sorted(folder.glob("*.safetensors"))
    gc.collect()
    if weights and sum(file.stat().st_size for file in weights) * ROOM > psutil.virtual_memory().available:
        for file in weights:
            _check_weights(file)
        raise NotTried("there is no room in memory to load it; its weights are finite.")
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    check_trained(model)
    del model
    gc.collect()


def _check_genai(folder: Path) -> None:
    import numpy as np
    import onnxruntime_genai as genai

    settings = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]
    if "decoder" not in settings:
        raise NotTried("it is no decoder alone.")
    options = settings["decoder"].get("session_options", {}).get("provider_options", [])
    needed = [name for one in options for name in one if name.lower() != "cpu"]
    if needed:
        raise NotTried(f"it was built for {', '.join(needed)}.")
    _need_room(folder)
    model = genai.Model(str(folder))
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(do_sample=False, batch_size=1, max_length=PROMPT_TOKENS + NEW_TOKENS + 1)
    generator = genai.Generator(model, parameters)

    def read(ids: Sequence[int]) -> Any:
        generator.rewind_to(0)
        generator.append_tokens(np.array(ids, dtype=np.int32))
        return generator.get_output("logits")[0].astype(np.float32)

    _check_generation(read, int(settings["vocab_size"]))


def _check_onnx(folder: Path) -> None:
    import onnxruntime

    files = [folder] if folder.suffix == ".onnx" else sorted(folder.glob("*.onnx"))
    if not files:
        raise Broken("There is no ONNX file in it.")
    _need_room(folder)
    for file in files:
        onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    raise NotTried("it can be opened, but what it wants to be fed with is not known.")


def _need_room(folder: Path) -> None:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size * ROOM > psutil.virtual_memory().available:
        raise NotTried("there is no room in memory to load it.")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
