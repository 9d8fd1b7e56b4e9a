"""A Phi-3 on disk: the Hugging Face folder that Olive, transformers and ModelBuilder read, written with numpy.

Neither torch nor transformers is needed to write one, so that the kernel can. Tensor names and the fused
projections are those of `transformers.models.phi3`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Phi3Shape:
    """The sizes of a Phi-3. `context` is the longest sequence in tokens.

    ModelBuilder takes a model whose `max_position_embeddings` and `original_max_position_embeddings` differ for
    a long-context one and fails on it, therefore both are `context`.
    """

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    vocabulary: int
    context: int
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5
    tied_embeddings: bool = False

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads

    @property
    def qkv_rows(self) -> int:
        """Rows of `qkv_proj`: the queries of all heads, then the keys, then the values."""
        return (self.heads + 2 * self.key_value_heads) * self.head_size

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of model.safetensors by its name, in the order of the layers."""
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary, self.hidden)}
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            shapes[prefix + "input_layernorm.weight"] = (self.hidden,)
            shapes[prefix + "self_attn.qkv_proj.weight"] = (self.qkv_rows, self.hidden)
            shapes[prefix + "self_attn.o_proj.weight"] = (self.hidden, self.heads * self.head_size)
            shapes[prefix + "post_attention_layernorm.weight"] = (self.hidden,)
            shapes[prefix + "mlp.gate_up_proj.weight"] = (2 * self.intermediate, self.hidden)
            shapes[prefix + "mlp.down_proj.weight"] = (self.hidden, self.intermediate)
        shapes["model.norm.weight"] = (self.hidden,)
        if not self.tied_embeddings:
            shapes["lm_head.weight"] = (self.vocabulary, self.hidden)
        return shapes


@dataclass(frozen=True)
class SpecialTokens:
    """The texts of the special tokens, as they stand in the tokenizer's vocabulary."""

    bos: str
    eos: str
    pad: str
    unk: str


def write_phi3(
    folder: Path, shape: Phi3Shape, weights: Weights, tokenizer: Tokenizer, special: SpecialTokens, chat_template: str
) -> None:
    """Write config.json, generation_config.json, model.safetensors and the tokenizer's two files into `folder`.

    `weights` holds float32 arrays under exactly the names and shapes of `shape.tensor_shapes()`.

    Raises ValueError where a weight is missing, left over, or of another shape, KeyError where the tokenizer
    lacks a special token.
    """
    from safetensors.numpy import save_file

    found = {name: tuple(array.shape) for name, array in weights.items()}
    if found != shape.tensor_shapes():
        wrong = sorted(set(found.items()) ^ set(shape.tensor_shapes().items()))
        raise ValueError(f"the weights do not fit the shape: {wrong[:4]}")
    ids = {word: tokenizer.get_vocab()[text] for word, text in vars(special).items()}
    _write_json(folder / "config.json", _config(shape, ids))
    token_ids = {f"{word}_token_id": ids[word] for word in ("bos", "eos", "pad")}
    _write_json(folder / "generation_config.json", {"_from_model_config": True, **token_ids})
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(shape, special, chat_template))
    save_file(dict(weights), folder / "model.safetensors", metadata={"format": "pt"})


def _config(shape: Phi3Shape, ids: Mapping[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        "dtype": "float32",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "original_max_position_embeddings": shape.context,
        "rms_norm_eps": shape.rms_norm_eps,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": shape.rope_theta,
            "partial_rotary_factor": 1.0,
        },
        "sliding_window": None,
        "tie_word_embeddings": shape.tied_embeddings,
        "attention_dropout": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": ids["bos"],
        "eos_token_id": ids["eos"],
        "pad_token_id": ids["pad"],
    }


def _tokenizer_config(shape: Phi3Shape, special: SpecialTokens, chat_template: str) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": special.bos,
        "eos_token": special.eos,
        "pad_token": special.pad,
        "unk_token": special.unk,
        "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False,
        "chat_template": chat_template,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
