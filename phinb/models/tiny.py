"""`phinb://tiny`: a random Phi-3 of two layers that goes through every pass in seconds.

It has learnt nothing; it stands in for a model where the way through is tried, not the result. The same numpy
and tokenizers give the same bytes.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from phinb.folders import build_folder
from phinb.models.phi3 import Phi3Shape, SpecialTokens, write_phi3

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

REVISION = 2
"""Part of the cache folder's name: raise it when what `make_tiny` writes changes."""

SEED = 42
CONTEXT = 4096
SPECIAL = SpecialTokens(bos="<s>", eos="<|endoftext|>", pad="<|pad|>", unk="<unk>")
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
"""Phi-3's own form of a conversation."""


def make_tiny(folder: Path) -> Path:
    """Make the tiny Phi-3 in `folder` unless it is there, and return the folder. Takes about 0.2 s."""
    return build_folder(Path(folder), _build)


def _build(folder: Path) -> None:
    tokenizer = _train_tokenizer()
    shape = Phi3Shape(
        layers=2,
        hidden=128,  # a multiple of 32, the block of ModelBuilder's int4
        # 2 * 320 is not the vocabulary's 512: ModelBuilder takes any layer of that width for the language model's head.
        intermediate=320,
        heads=4,
        key_value_heads=2,
        vocabulary=tokenizer.get_vocab_size(),
        context=CONTEXT,
    )
    write_phi3(folder, shape, _random_weights(shape), tokenizer, SPECIAL, CHAT_TEMPLATE)


def _train_tokenizer() -> Tokenizer:
    """A byte-level BPE of 512 pieces: any text can be encoded, and comes back as it was."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        min_frequency=2,
        special_tokens=[SPECIAL.unk, SPECIAL.bos, SPECIAL.eos, SPECIAL.pad, *ROLES],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    text = files("phinb.models").joinpath("tiny.txt").read_text(encoding="utf-8")
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    return tokenizer


def _random_weights(shape: Phi3Shape) -> dict[str, NDArray[np.float32]]:
    """Normal with Phi-3's initializer range, 0.02; the norms begin at one."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    return {
        name: np.ones(size, dtype=np.float32)
        if len(size) == 1
        else generator.normal(0.0, 0.02, size).astype(np.float32)
        for name, size in shape.tensor_shapes().items()
    }
