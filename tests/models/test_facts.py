"""What phinb says of models, against what transformers makes of them."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.models.facts import KNOWN, TARGET_MODULES, ChatTurns, find_facts, find_turns
from phinb.models.references import resolve_model
from phinb.models.tokenizers import load_tokenizer


def test_a_known_model_is_known_without_being_here() -> None:
    facts = find_facts("microsoft/phi-4-mini-instruct")
    assert facts.reference == "microsoft/Phi-4-mini-instruct"
    assert facts.target_modules == ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
    assert facts.context == 131072
    assert facts.licence == "MIT"
    assert not facts.embedded


def test_a_model_that_is_not_here_has_a_name_and_nothing_else() -> None:
    facts = find_facts("somebody/some-model-7b")
    assert (facts.title, facts.architecture, facts.target_modules) == ("some-model-7b", "", ())
    assert facts.weight_bytes("bfloat16") is None


def test_a_folder_is_read(tmp_path: Path) -> None:
    tiny = resolve_model("phinb://tiny")
    shutil.copytree(tiny, tmp_path / "mine")
    facts = find_facts("mine", folder=tmp_path)
    known = find_facts("phinb://tiny")
    assert (facts.architecture, facts.context, facts.vocabulary) == ("phi3", known.context, known.vocabulary)
    assert facts.chat == ChatTurns("<|user|>\n", "<|end|>\n<|assistant|>\n", "<|end|>")
    assert facts.parameters is not None
    assert known.parameters is not None
    assert abs(facts.parameters - known.parameters) < 0.01 * known.parameters  # the file has a head of its own


@pytest.mark.parametrize("reference", ["phinb://demmo", "nowhere/at all", "./nowhere"])
def test_what_is_no_model_is_said_to_be_none(reference: str) -> None:
    with pytest.raises(PhinbError):
        find_facts(reference)


@pytest.mark.parametrize(
    ("template", "turns"),
    [
        (None, None),
        ("{{ messages[0]['content'] }}", None),  # no place for an answer
        ("A long system message, which nobody wants to learn word for word. " * 2 + "{{ messages[0].content }}", None),
        (
            "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}[assistant]{% endif %}",
            ChatTurns("[user]", "\n[assistant]", ""),
        ),
    ],
)
def test_the_chat_form_is_found_by_rendering(template: str | None, turns: ChatTurns | None) -> None:
    tokenizer = dataclasses.replace(load_tokenizer(resolve_model("phinb://tiny")), chat_template=template)
    assert find_turns(tokenizer) == turns


def test_the_weights_in_memory() -> None:
    demo = find_facts("phinb://demo")
    assert demo.weight_bytes("float32") == 4 * 134_515_008
    assert demo.weight_bytes("nf4") == pytest.approx(134_515_008 * 0.5625)


@pytest.mark.slow
def test_layers_and_sizes_are_those_of_the_installed_transformers() -> None:
    """Built on torch's meta device, which holds no weights: every linear layer of a decoder layer is listed."""
    code = """
import json, sys
import torch
from transformers import AutoConfig, AutoModelForCausalLM

asked, sizes = json.loads(sys.argv[1]), json.loads(sys.argv[2])
found = {}
for kind in asked:
    config = AutoConfig.for_model(kind)
    config.num_hidden_layers, config.pad_token_id = 1, 0
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    found[kind] = sorted({name.split(".")[-1] for name, layer in model.named_modules()
                          if isinstance(layer, torch.nn.Linear) and ".layers." in name})
counts = {}
for name, shape in sizes.items():
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("phi3", pad_token_id=0, **shape))
    counts[name] = sum(weight.numel() for weight in set(model.parameters()))
print(json.dumps([found, counts]))
"""
    # The published shapes; what is not named is Phi3Config's default, which is Phi-3 mini.
    sizes = {
        "phi-3-mini": {},
        "phi-3.5-mini": {},
        "phi-4-mini": {
            "vocab_size": 200064,
            "num_attention_heads": 24,
            "num_key_value_heads": 8,
            "tie_word_embeddings": True,
        },
    }
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(list(TARGET_MODULES)), json.dumps(sizes)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found, counts = json.loads(done.stdout)
    assert found == {kind: sorted(names) for kind, names in TARGET_MODULES.items()}
    assert counts == {facts.key: facts.parameters for facts in KNOWN if not facts.embedded}
