"""A Llama in a GGUF file, rewritten as a Phi-3 folder.

The two architectures compute the same: a Phi-3 keeps a Llama's query, key and value projections in one matrix and
its gate and up projections in another. Reads with the package gguf and numpy; torch is not needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.folders import Report
from phinb.models.phi3 import Phi3Shape, SpecialTokens, write_phi3

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    Matrix = NDArray[np.float32]

CONTEXT = 2048
"""Tokens. The demo model could do 8,192; a shorter context keeps the key-value caches of its variants small."""

CONTROL = 3
"""The type of a special token in `tokenizer.ggml.token_type` (gguf.TokenType.CONTROL)."""


def convert_llama(gguf: Path, folder: Path, progress: Report) -> None:
    """Write the Llama of `gguf` into `folder` as a Phi-3 in float32, with its tokenizer and chat template."""
    from gguf import GGUFReader

    reader = GGUFReader(gguf)
    values = {name: field.contents() for name, field in reader.fields.items()}
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    shape = _shape(values)
    weights: dict[str, Matrix] = {}
    for done, (name, sources) in enumerate(_sources(shape).items()):
        progress("converting the demo model", done, len(shape.tensor_shapes()))
        weights[name] = _fuse([_read(tensors[source], source, shape) for source in sources])
    progress("writing the demo model", None, None)
    tokens = values["tokenizer.ggml.tokens"]
    special = SpecialTokens(
        bos=tokens[values["tokenizer.ggml.bos_token_id"]],
        eos=tokens[values["tokenizer.ggml.eos_token_id"]],
        pad=tokens[values["tokenizer.ggml.padding_token_id"]],
        unk=tokens[values["tokenizer.ggml.unknown_token_id"]],
    )
    write_phi3(folder, shape, weights, _tokenizer(values), special, values["tokenizer.chat_template"])


def _shape(values: dict[str, Any]) -> Phi3Shape:
    return Phi3Shape(
        layers=values["llama.block_count"],
        hidden=values["llama.embedding_length"],
        intermediate=values["llama.feed_forward_length"],
        heads=values["llama.attention.head_count"],
        key_value_heads=values["llama.attention.head_count_kv"],
        vocabulary=len(values["tokenizer.ggml.tokens"]),
        context=min(CONTEXT, values["llama.context_length"]),
        rope_theta=values["llama.rope.freq_base"],
        # stored in float32 as 9.999999747378752e-06; 1e-5 rounds to the same float32
        rms_norm_eps=round(values["llama.attention.layer_norm_rms_epsilon"], 9),
        tied_embeddings=True,
    )


def _sources(shape: Phi3Shape) -> dict[str, list[str]]:
    """Which tensors of the GGUF, one above the other, make each tensor of the Phi-3."""
    sources = {"model.embed_tokens.weight": ["token_embd.weight"]}
    for layer in range(shape.layers):
        ours, theirs = f"model.layers.{layer}.", f"blk.{layer}."
        sources[ours + "input_layernorm.weight"] = [theirs + "attn_norm.weight"]
        sources[ours + "self_attn.qkv_proj.weight"] = [f"{theirs}attn_{part}.weight" for part in "qkv"]
        sources[ours + "self_attn.o_proj.weight"] = [theirs + "attn_output.weight"]
        sources[ours + "post_attention_layernorm.weight"] = [theirs + "ffn_norm.weight"]
        sources[ours + "mlp.gate_up_proj.weight"] = [theirs + "ffn_gate.weight", theirs + "ffn_up.weight"]
        sources[ours + "mlp.down_proj.weight"] = [theirs + "ffn_down.weight"]
    sources["model.norm.weight"] = ["output_norm.weight"]
    return sources


def _fuse(parts: list[Matrix]) -> Matrix:
    import numpy as np

    return np.ascontiguousarray(np.concatenate(parts))


def _read(tensor: Any, name: str, shape: Phi3Shape) -> Matrix:
    """One tensor as float32, rows by columns; queries and keys in the order that Hugging Face's rotation expects.

    llama.cpp rotates neighbouring pairs and reorders the rows of both on conversion (`permute` in its
    convert_hf_to_gguf.py); this is the way back.
    """
    import numpy as np
    from gguf import dequantize

    matrix: Matrix = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
    heads = {"attn_q": shape.heads, "attn_k": shape.key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return matrix
    pairs = matrix.reshape(heads, shape.head_size // 2, 2, shape.hidden)
    return pairs.swapaxes(1, 2).reshape(matrix.shape)


def _tokenizer(values: dict[str, Any]) -> Tokenizer:
    """The byte-level BPE, equal to what transformers makes of the same GGUF."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = values["tokenizer.ggml.tokens"]
    merges = [(left, right) for left, right in (merge.split(" ") for merge in values["tokenizer.ggml.merges"])]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    kinds = values["tokenizer.ggml.token_type"]
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer
