"""The tutorials' configurations, in every form in circulation: only what the reader fills in is wrong with them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from phinb.config import Config, load_config
from phinb.config.pieces import Piece
from tests.config.olive_judge import Judge

FOLDER = Path(__file__).with_name("tutorials")
DATA = ("data_local", "data_azure")
MODELS = ("model_local", "model_registry")
PASSES = ("lora", "qlora")
ENGINES = ("engine", "engine_keys", "")
WHOLE = ("whole_azure.json", "whole_azure_zh.json", "whole_local.json", "whole_template.yaml")
"""Without `engine`: its keys on the outermost level, or none of them."""

PRINTED = re.compile(r"Your [^\"]+|您的[^\"]+|REPLACE_\w+")
"""The placeholders as they stand in these files; told apart from the code that is tested."""

FILLED = {
    "ubscri": "01234567-89ab-cdef-0123-456789abcdef",
    "訂閱": "01234567-89ab-cdef-0123-456789abcdef",
    "Resource Group": "my_group",
    "資源群組": "my_group",
    "ocation": "train/train_data.json",
    "位置": "train/train_data.json",
    "docker": "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04",
    "Compute": "gpu-cluster",
    "計算": "gpu-cluster",
    "Work": "my-workspace",
    "工作區": "my-workspace",
    "Key": "my-vault",
    "KEYVAULT": "my-vault",
}
"""What a reader would write, by a word of the placeholder."""


def put_together(*pieces: str) -> str:
    """The pieces of the page in one pair of braces, as they are printed: each ends in a comma, but for the engine."""
    texts = [(FOLDER / f"{piece}.json").read_text(encoding="utf-8") for piece in pieces if piece]
    return "{\n" + "".join(texts) + "}\n"


def fill(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        return next(value for word, value in FILLED.items() if word in match[0])

    return PRINTED.sub(value, text)


COMBINATIONS = list(itertools.product(DATA, MODELS, PASSES, ENGINES))
TEXTS = {"+".join(filter(None, names)): put_together("systems", *names) for names in COMBINATIONS}
TEXTS |= {name: (FOLDER / name).read_text(encoding="utf-8") for name in WHOLE}


def errors(config: Config) -> list[str]:
    return [f"{problem.code} {problem.where}" for problem in config.problems if problem.severity == "error"]


def test_all_forms_are_here() -> None:
    assert len(COMBINATIONS) == 24
    assert len(set(TEXTS.values())) == 28


@pytest.mark.parametrize("name", TEXTS)
def test_only_the_placeholders_are_wrong_and_each_is_named_at_its_line(name: str) -> None:
    text = TEXTS[name]
    found = load_config(text).problems
    assert {problem.code for problem in found if problem.severity == "error"} <= {"placeholder"}
    told = sorted((problem.line or 0, problem.message[1:20]) for problem in found if problem.code == "placeholder")
    printed = [
        (number, f'{match[0].strip()}" is a placeholder.'[:19])
        for number, line in enumerate(text.splitlines(), 1)
        for match in PRINTED.finditer(line)
    ]
    assert told == sorted(printed)
    columns = {(problem.line, problem.column) for problem in found if problem.code == "placeholder"}
    for line, column in columns:
        assert line is not None
        assert column is not None
        assert PRINTED.match(text.splitlines()[line - 1][column - 1 :].lstrip('"'))


@pytest.mark.parametrize("name", TEXTS)
def test_the_upgraded_text_still_names_its_placeholders(name: str) -> None:
    """What a reader would paste back: none is lost in an address that was put together."""
    config = load_config(TEXTS[name])
    again = load_config(config.dumps())
    assert again.changes == ()
    assert {error.split()[0] for error in errors(again)} == {error.split()[0] for error in errors(config)}


@pytest.mark.parametrize("name", TEXTS)
def test_filled_in_it_is_ok_and_upgrades_to_itself(name: str) -> None:
    config = load_config(fill(TEXTS[name]))
    assert errors(config) == []
    for format_ in ("json", "yaml"):
        again = load_config(config.dumps(format_))  # type: ignore[arg-type]
        assert again.changes == ()
        assert again.ok
        assert again.to_olive() == config.to_olive()
        assert dict(again.phinb) == dict(config.phinb)


def test_what_the_page_says_of_azure_is_kept() -> None:
    config = load_config(fill(put_together("systems", "data_azure", "model_registry", "lora", "engine")))
    olive = config.to_olive()
    address = "azureml://registries/azureml-msr/models/microsoft/Phi-3-mini-4k-instruct/versions/11"
    assert olive["input_model"]["model_path"] == address
    load = olive["data_configs"][0]["load_dataset_config"]
    assert load["data_files"] == "azureml://datastores/workspaceblobstore/paths/train/train_data.json"
    accelerator = {"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}
    assert olive["systems"]["aml"] == {"type": "LocalSystem", "accelerators": [accelerator]}
    assert olive["host"] == olive["target"] == "aml"
    environment = {"image": FILLED["docker"], "conda_file": "conda.yaml"}
    assert config.phinb["azure"] == {
        "subscription_id": FILLED["ubscri"],
        "resource_group": "my_group",
        "workspace_name": "my-workspace",
        "model_type": "mlflow_model",
        "targets": {
            "aml": {"compute": "gpu-cluster", "hf_token": True, "environment": environment},
            "azure_arc": {"compute": "gpu-cluster", "environment": environment},
        },
        "target": "aml",
    }
    assert config.phinb["eval_split"] == 0.3
    told = {problem.code for problem in config.problems if problem.severity == "warning"}
    assert "bad_address" in told  # the page writes the hub's name of the model for the registry's


def test_pieces_of_azure_say_the_same_as_the_whole_and_know_their_cells() -> None:
    names = ("data_azure", "systems", "model_registry", "lora", "engine")
    texts = [fill((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    config = load_config([Piece(text, f"In [{number}]") for number, text in enumerate(texts, 1)])
    assert errors(config) == []
    whole = load_config(fill(put_together(*names)))
    assert config.to_olive() == whole.to_olive()
    assert dict(config.phinb) == dict(whole.phinb)
    sources = {change.path.split(".")[0]: change.source for change in config.changes}
    assert sources == {
        "data_configs": "In [1]",
        "systems": "In [2]",
        "input_model": "In [3]",
        "passes": "In [4]",
        "engine": "In [5]",
    }


@pytest.mark.slow
def test_olive_accepts_every_form_with_its_placeholders_filled_in() -> None:
    configs = [load_config(fill(text)).to_olive() for text in TEXTS.values()]
    judge = Judge()
    try:
        verdicts = dict(zip(TEXTS, judge.ask(configs), strict=True))
    finally:
        judge.close()
    assert {name: verdict for name, verdict in verdicts.items() if not verdict.accepted} == {}
