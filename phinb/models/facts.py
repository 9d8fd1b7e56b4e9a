"""What a first configuration has to know of a model: its linear layers, its context, its size, its way to chat.

Of the models that phinb names itself the facts stand here; of any other they are read from its folder, or from its
snapshot in huggingface_hub's cache. Nothing is fetched, and neither torch nor transformers is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phinb.errors import PhinbError
from phinb.models.references import EMBEDDED, resolve_model
from phinb.models.tokenizers import Tokenizer, load_tokenizer

_FUSED = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
_SEPARATE = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

TARGET_MODULES: Mapping[str, tuple[str, ...]] = {
    "phi3": _FUSED,  # Phi-3, Phi-3.5 mini, Phi-4, Phi-4 mini
    "phi": ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"),
    "llama": _SEPARATE,
    "mistral": _SEPARATE,
    "qwen2": _SEPARATE,
    "qwen3": _SEPARATE,
    "gemma": _SEPARATE,
    "gemma2": _SEPARATE,
    "gemma3_text": _SEPARATE,
}
"""All linear layers of a decoder layer by the model_type of config.json, as the installed transformers names them
(a test compares). peft's own choice is the queries and values alone."""

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class ChatTurns:
    """The text around a prompt and its answer in the model's own chat form: before, prompt, between, answer, after."""

    before: str
    between: str
    after: str


@dataclass(frozen=True)
class ModelFacts:
    """A model as far as it is known; None, "" and () stand for what is not.

    reference: what model_path says. key: its word in the gallery's names. architecture: the model_type of its
    config.json. context: the longest sequence in tokens. vocabulary: the number of tokens. download_bytes: what has to
    be fetched once.
    """

    reference: str
    title: str
    key: str = ""
    architecture: str = ""
    context: int | None = None
    vocabulary: int | None = None
    parameters: int | None = None
    download_bytes: int | None = None
    licence: str = ""
    note: str = ""
    chat: ChatTurns | None = None

    @property
    def target_modules(self) -> tuple[str, ...]:
        return TARGET_MODULES.get(self.architecture, ())

    @property
    def embedded(self) -> bool:
        """Whether phinb makes it by itself."""
        return self.reference in EMBEDDED

    def weight_bytes(self, dtype: str) -> int | None:
        """The weights in memory; `dtype` is float32, float16, bfloat16, or nf4 for QLoRA's four bits.

        nf4: half a byte a weight, and a scale of four bytes for each 64 of them; the embedding, of which only the
        vocabulary's size is known here, stays wider and is not counted.
        """
        if self.parameters is None:
            return None
        return int(self.parameters * (0.5 + 4 / 64 if dtype == "nf4" else _BYTES[dtype]))


# Parameters: counted on transformers' own classes with the published sizes. Context and licence: the model cards.
_PHI3_TURNS = ChatTurns("<|user|>\n", "<|end|>\n<|assistant|>\n", "<|end|>")

KNOWN: tuple[ModelFacts, ...] = (
    ModelFacts(
        reference="phinb://demo",
        title="the demo model",
        note="SmolLM2-135M-Instruct in Phi-3's architecture",
        key="demo",
        architecture="phi3",
        context=2048,
        vocabulary=49152,
        parameters=134_515_008,
        download_bytes=92_871_040,
        licence="Apache-2.0",
    ),
    ModelFacts(
        reference="microsoft/Phi-3-mini-4k-instruct",
        title="Phi-3 mini",
        key="phi-3-mini",
        architecture="phi3",
        context=4096,
        vocabulary=32064,
        parameters=3_821_079_552,
        download_bytes=7_642_159_104,
        licence="MIT",
        chat=_PHI3_TURNS,
    ),
    ModelFacts(
        reference="microsoft/Phi-3.5-mini-instruct",
        title="Phi-3.5 mini",
        key="phi-3.5-mini",
        architecture="phi3",
        context=131072,
        vocabulary=32064,
        parameters=3_821_079_552,
        download_bytes=7_642_159_104,
        licence="MIT",
        chat=_PHI3_TURNS,
    ),
    ModelFacts(
        reference="microsoft/Phi-4-mini-instruct",
        title="Phi-4 mini",
        key="phi-4-mini",
        architecture="phi3",
        context=131072,
        vocabulary=200064,
        parameters=3_836_021_760,
        download_bytes=7_672_043_520,
        licence="MIT",
        chat=ChatTurns("<|user|>", "<|end|><|assistant|>", "<|end|>"),
    ),
)
"""The gallery's models, in its order. All are Phi-3 by architecture: the same names of layers, the same passes."""

_TINY = ModelFacts(
    reference="phinb://tiny",
    title="the tiny model",
    note="a random Phi-3 of two layers, for tests; it has learnt nothing",
    architecture="phi3",
    context=4096,
    vocabulary=512,
    parameters=475_776,
    download_bytes=0,
    licence="MIT",
)


def find_facts(reference: str, *, folder: Path | None = None) -> ModelFacts:
    """What is known of the model that `reference` means; paths are relative to `folder`, by default where we are.

    A hub name that is not on this machine and not among `KNOWN` has a title and nothing else.

    Raises PhinbError for an unknown phinb:// name, a path that does not exist, or a folder that is no model.
    """
    for known in (*KNOWN, _TINY):
        if known.reference.lower() == reference.lower():
            return known
    if reference.startswith("phinb://"):
        resolve_model(reference)  # says which there are
    place = resolve_model(reference, folder=folder)
    if isinstance(place, Path) and place.is_dir():
        return _read_facts(reference, place)
    return ModelFacts(reference, Path(reference).name)


def _read_facts(reference: str, place: Path) -> ModelFacts:
    config = _read_json(place / "config.json")
    inner = config.get("text_config")
    text: dict[str, Any] = inner if isinstance(inner, dict) else config
    dtype = str(text.get("dtype") or text.get("torch_dtype") or config.get("dtype") or "")
    weights = sum(file.stat().st_size for file in place.glob("*") if file.suffix in (".safetensors", ".bin"))
    facts = ModelFacts(
        reference=reference,
        title=Path(reference).name,
        architecture=str(text.get("model_type") or ""),
        context=_whole(text.get("max_position_embeddings")),
        vocabulary=_whole(text.get("vocab_size")),
        parameters=weights // _BYTES[dtype] if weights and dtype in _BYTES else None,
    )
    try:
        return replace(facts, chat=find_turns(load_tokenizer(place)))
    except PhinbError:
        return facts  # whoever needs the tokenizer says what is wrong with it


def find_turns(tokenizer: Tokenizer) -> ChatTurns | None:
    """The chat form that the tokenizer's template gives; None where there is none, or none that fits a template.

    Found by rendering a conversation of two turns. A form with more than a few words before the prompt (a system
    message with today's date, say) would be learnt word for word and is not taken.
    """
    prompt, answer = "\u2402prompt\u2403", "\u2402answer\u2403"
    asked = [{"role": "user", "content": prompt}]
    try:
        before, found, between = tokenizer.render_chat(asked, add_generation_prompt=True).partition(prompt)
        told = tokenizer.render_chat([*asked, {"role": "assistant", "content": answer}])
    except PhinbError:
        return None
    after = told.partition(answer)[2].removesuffix("\n")
    if not found or answer not in told or len(before) > 80:
        return None
    return ChatTurns(before, between, after)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PhinbError(f"{path} cannot be read: {error}", "Copy or save the model anew.") from error
    return content if isinstance(content, dict) else {}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
