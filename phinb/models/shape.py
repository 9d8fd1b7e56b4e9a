"""The sizes of a decoder, read from its folder: what its weights, a training step and its ONNX model will take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes a value, by torch's name of the type."""

GATED = ("phi3", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3")
"""Architectures (model_type) of the form that is counted here: attention, and an MLP with a gate."""


@dataclass(frozen=True)
class ModelShape:
    """A decoder with grouped-query attention and a gated MLP; `dtype` is that of the weights on disk."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    tied: bool
    dtype: str
    architecture: str = ""

    @property
    def attention_width(self) -> int:
        """Values a token that all heads make together."""
        return self.heads * self.head_size

    @property
    def embedding(self) -> int:
        """Parameters of the embedding, and of the language model's head, which are the same where `tied`."""
        return self.vocabulary * self.hidden

    @property
    def layer_parameters(self) -> int:
        """Parameters of the linear layers of one decoder layer."""
        keys = 2 * self.key_value_heads * self.head_size
        return self.hidden * (2 * self.attention_width + keys + 3 * self.intermediate)

    @property
    def parameters(self) -> int:
        """All but the norms, which are less than a thousandth."""
        return self.layers * self.layer_parameters + self.embedding * (1 if self.tied else 2)

    @property
    def multiplied(self) -> int:
        """Parameters that a token is multiplied with in one forward pass: the linear layers and the head."""
        return self.layers * self.layer_parameters + self.embedding

    @property
    def weight_bytes(self) -> int:
        """The weights as they lie on disk."""
        return self.parameters * BYTES[self.dtype]

    def linear_sizes(self) -> Mapping[str, tuple[int, int]]:
        """(inputs, outputs) of a decoder layer's linear layers by name, fused (Phi-3) and separate."""
        inside, attention, mlp = self.hidden, self.attention_width, self.intermediate
        keys = self.key_value_heads * self.head_size
        return {
            "qkv_proj": (inside, attention + 2 * keys),
            "q_proj": (inside, attention),
            "k_proj": (inside, keys),
            "v_proj": (inside, keys),
            "o_proj": (attention, inside),
            "gate_up_proj": (inside, 2 * mlp),
            "gate_proj": (inside, mlp),
            "up_proj": (inside, mlp),
            "down_proj": (mlp, inside),
        }


def read_shape(folder: Path) -> ModelShape | None:
    """The shape of the model in `folder`; None where its config.json is of another form, or cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return _read(config) if config.get("model_type") in GATED else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(config: Mapping[str, Any]) -> ModelShape | None:
    heads = int(config["num_attention_heads"])
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    if dtype not in BYTES or config.get("num_local_experts"):
        return None
    return ModelShape(
        layers=int(config["num_hidden_layers"]),
        hidden=int(config["hidden_size"]),
        intermediate=int(config["intermediate_size"]),
        heads=heads,
        key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_size=int(config.get("head_dim") or int(config["hidden_size"]) // heads),
        vocabulary=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", False)),
        dtype=dtype,
        architecture=str(config["model_type"]),
    )
