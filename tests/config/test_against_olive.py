"""phinb's verdicts against the real Olive: what phinb lets through Olive takes whole, what Olive would not is an error.

Each bad case names the text whose line the error must stand on. Of `own` cases Olive's reading says nothing: they fail,
or train nonsense, only later.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from phinb.config import load_config
from tests.config.bad_forms import BAD
from tests.config.forms import (
    VALID,
    Bend,
)
from tests.config.olive_judge import Judge

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"


def bent(text: str, bend: Bend) -> str:
    config = json.loads(text)
    bend(config)
    return json.dumps(config, indent=2)


def test_what_phinb_lets_through_olive_takes_whole(valid: str, judge: Judge) -> None:
    configs = {name: load_config(bent(valid, bend)) for name, bend in VALID.items()}
    for file in sorted(SAMPLES.glob("*.json")):
        configs[file.name] = load_config(file)
    wrong = {
        name: [problem for problem in config.problems if problem.severity == "error"]
        for name, config in configs.items()
        if not config.ok
    }
    assert wrong == {}
    verdicts = judge.ask([config.to_olive() for config in configs.values()])
    complaints = {name: verdict for name, verdict in zip(configs, verdicts, strict=True) if not verdict.accepted}
    assert complaints == {}


def test_what_olive_would_not_take_is_an_error_at_its_line(valid: str, judge: Judge) -> None:
    texts = {name: bent(valid, case.bend) for name, case in BAD.items()}
    wrong = []
    for name, case in BAD.items():
        lines = texts[name].splitlines()
        errors = [problem for problem in load_config(texts[name]).problems if problem.severity == "error"]
        fitting = [error for error in errors if error.code == case.code and error.line]
        if not any(case.at in lines[error.line - 1] for error in fitting if error.line):
            wrong.append((name, [(error.code, error.line, error.message) for error in errors]))
    assert wrong == []
    plain = [{key: value for key, value in json.loads(text).items() if key != "phinb"} for text in texts.values()]
    verdicts = dict(zip(texts, judge.ask(plain), strict=True))
    taken = {name for name, verdict in verdicts.items() if not verdict.olive}
    assert taken ^ {name for name, case in BAD.items() if case.own} == set()
    accepted = {name for name, verdict in verdicts.items() if verdict.accepted}
    assert accepted ^ {name for name, case in BAD.items() if case.void} == set()


def test_one_mistake_is_one_error(valid: str) -> None:
    several = {}
    for name, case in BAD.items():
        errors = [problem for problem in load_config(bent(valid, case.bend)).problems if problem.severity == "error"]
        if len(errors) != 1:
            several[name] = [(error.code, error.path) for error in errors]
    assert several == {}


def test_the_effective_values_are_those_of_olive(valid: str) -> None:
    """The defaults that effective() tells are in what Olive's own parse makes of the same configuration."""
    config = load_config(valid)
    program = (
        "import json,os,sys\nos.environ['OLIVE_DISABLE_TELEMETRY']='1'\n"
        "from olive.workflows.run.config import RunConfig\n"
        "run = RunConfig.model_validate(json.load(sys.stdin))\n"
        "data = run.data_configs[0]\n"
        "made = {'data': {k: v.model_dump() for k, v in (('load_dataset_config', data.load_dataset_config),"
        " ('pre_process_data_config', data.pre_process_data_config), ('dataloader_config', data.dataloader_config),"
        " ('post_process_data_config', data.post_process_data_config))}}\n"
        "from olive.package_config import OlivePackageConfig\n"
        "from olive.hardware import DEFAULT_CPU_ACCELERATOR\n"
        "package = OlivePackageConfig.load_default_config()\n"
        "given = run.passes['lora'][0].config\n"
        "lora = package.import_pass_module('lora').generate_config(DEFAULT_CPU_ACCELERATOR, given, {}, True)\n"
        "made['lora'] = {k: v for k, v in lora.model_dump().items() if not k.endswith('data_config')}\n"
        "sys.stdout.write('\\nANSWER ' + json.dumps(made, default=str) + '\\n'); sys.stdout.flush(); os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(config.to_olive()),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert "\nANSWER " in done.stdout, done.stderr[-2000:]
    made = json.loads(done.stdout.rpartition("\nANSWER ")[2])
    effective = config.effective()
    checked = 0
    for section, component in made["data"].items():
        assert effective[f"data_configs.train.{section}.type"].value.lower() == component["type"].lower()
        for name, value in component["params"].items():
            known = effective.get(f"data_configs.train.{section}.{name}")
            if value is not None and (section, name) != ("post_process_data_config", "model_name"):  # nothing takes it
                assert known is not None, f"{section}.{name}"
                assert known.value == value
                checked += 1
    for name, value in made["lora"].items():
        if name != "training_args":
            known = effective[f"passes.lora.{name}"]
            assert known.value == value or re.fullmatch(f"{value}", str(known.value)), name
            checked += 1
    for name, value in made["lora"]["training_args"].items():
        if name not in ("extra_args", "warmup_ratio"):
            known = effective[f"passes.lora.training_args.{name}"]
            if known.origin == "phinb":  # where checkpoints lie is decided by phinb, and shown as that
                assert name == "output_dir"
                continue
            assert known.value == value, name
            checked += 1
    assert checked > 25
