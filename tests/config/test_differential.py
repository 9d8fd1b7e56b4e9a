"""phinb's verdict and the judge's on 5,000 configurations, each determined by its number (mutations.py).

The judge (olive_judge.py) is Olive itself, with the libraries that it calls. Where phinb says ok, it gets what Olive
would get; where not, the configuration as it was written, without phinb's own section. No ok may be false. An error
that the judge does not share must be one of OWN_RULES, and those may be one in a hundred.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from phinb.config import load_config
from phinb.types import Problem
from tests.config.mutations import Mutant, bases, mutant
from tests.config.olive_judge import Judge, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COUNT = 5000
BATCH = 40
FALSE_ERRORS = 0.01

OWN_RULES: dict[tuple[str, str], str] = {
    ("placeholder", "*"): "a text that the reader of a tutorial was to replace: no such file, model or name is meant",
    ("secret", "*"): "a token or password in clear text works; whoever gets the notebook gets it too",
    ("unknown_model", "model_path"): "phinb:// is phinb's own address; Olive gets the folder behind it",
    ("*", "phinb"): "phinb's own section, which Olive never sees",
    ("ignored", "eval_strategy"): "Olive sets it to no where nothing is there to evaluate on, without a word",
    ("ignored", "text_template"): "a chat_template makes the text; Olive drops the template without a word",
    ("ignored", "text_cols"): "a chat_template makes the text; Olive drops the columns without a word",
    ("ignored", "target_modules"): "QLoRA and LoftQ overwrite them without a word",
    ("out_of_range", "alpha"): "a negative alpha turns the adapter's sign, and 0 switches it off",
    ("out_of_range", "lora_dropout"): "peft takes a negative dropout for none, and LoHa any for none",
    ("out_of_range", "rank_dropout"): "peft takes a negative dropout for none",
    ("out_of_range", "module_dropout"): "peft takes a negative dropout for none",
    ("out_of_range", "learning_rate"): "above 1 each step of AdamW moves every weight by more than 1",
    ("out_of_range", "label_smoothing_factor"): "a share; outside 0 to 1 the loss rewards wrong tokens",
    ("out_of_range", "max_steps"): "-1 is transformers' 'not set'; it takes any other negative number for it as well",
    ("out_of_range", "num_train_epochs"): "0 epochs, which nobody reads beside max_steps",
    ("out_of_range", "eval_steps"): "not a number of steps; nobody reads it where nothing is evaluated",
    ("out_of_range", "eval_accumulation_steps"): "not a number of steps; nobody reads it where nothing is evaluated",
    ("out_of_range", "max_grad_norm"): "transformers takes a negative norm for no clipping, as 0",
    ("out_of_range", "save_total_limit"): "transformers takes a negative number for no limit",
    ("out_of_range", "logging_steps"): "transformers takes -1 for every step",
    ("bad_choice", "train_sampling_strategy"): "transformers takes any other text for random, without a word",
    ("unknown_key", "lr_scheduler_kwargs"): "a schedule without options drops them without a word",
    ("unknown_key", "gradient_checkpointing_kwargs"): "torch hands it to the layers, which drop it",
    ("unknown_key", "activation_checkpointing_kwargs"): "torch hands it to the layers, which drop it",
    ("bad_choice", "int4_accuracy_level"): "true is no level; it counts as 1",
    (
        "wrong_type",
        "cache_dir",
    ): "a folder's name is text; Olive makes one that is called True",
    ("wrong_type", "extra_args"): "0 where a mapping belongs counts as none",
    ("wrong_type", "model_name"): "what is empty here is replaced by the input model's own name",
    ("wrong_type", "streaming"): "null is no flag; datasets only asks whether it is true",
    ("wrong_type", "lr_scheduler_kwargs"): "a text that is no mapping; only schedules without options do not read it",
}
"""Errors of phinb's own where Olive and its libraries raise nothing: by code, and by the last key or a section."""


@dataclass
class Table:
    """The confusion table, and what has to be looked at in it."""

    cells: Counter[str] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    false_oks: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    def add(self, made: Mutant, errors: list[Problem], verdict: Verdict) -> None:
        told = f"{made.number} ({made.base}; {'; '.join(made.mistakes)})"
        if not errors:
            self.cells["ok / ok" if verdict.accepted else "false ok"] += 1
            if not verdict.accepted:
                self.false_oks.append(f"{told}: {(verdict.olive + verdict.values)[:2]}")
        elif not verdict.accepted:
            self.cells["error / Olive refuses or ignores" if verdict.olive else "error / fails or is void later"] += 1
        elif reasons := [explain(error) for error in errors if explain(error)]:
            self.cells["error by a rule of phinb's own"] += 1
            self.own.update({reasons[0]: 1})
        else:
            self.cells["false error, unexplained"] += 1
            self.unexplained.append(f"{told}: {[(error.code, error.path, error.message) for error in errors][:2]}")

    def __str__(self) -> str:
        lines = ["phinb / judge"]
        lines += [f"{count:6d}  {cell}" for cell, count in sorted(self.cells.items(), key=lambda item: -item[1])]
        lines += [f"{count:12d}  {rule}" for rule, count in self.own.most_common()]
        lines += [f"  unexplained: {told}" for told in self.unexplained]
        return "\n".join(lines)


def explain(error: Problem) -> str:
    """The rule of phinb's own that an error is, with its reason; "" where it is none."""
    parts = error.path.split(".")
    for code, key in (
        (error.code, parts[-1]),
        (error.code, parts[-2] if len(parts) > 1 else ""),
        (error.code, "*"),
        ("*", parts[0]),
    ):
        if (code, key) in OWN_RULES:
            return f"{error.code} at {key}: {OWN_RULES[code, key]}"
    return ""


def compare(numbers: range, judges: Sequence[Judge]) -> Table:
    """Both verdicts on each number. The judges take turns, and work while phinb checks the batches after theirs."""
    table = Table()
    waiting: deque[tuple[Judge, list[tuple[Mutant, list[Problem]]]]] = deque()
    for turn, start in enumerate(range(numbers.start, numbers.stop, BATCH)):
        batch, given = [], []
        for made in map(mutant, range(start, min(start + BATCH, numbers.stop))):
            config = load_config(json.dumps(made.config))
            batch.append((made, [problem for problem in config.problems if problem.severity == "error"]))
            given.append(config.to_olive() if config.ok else without_phinb(made))
        if len(waiting) == 2 * len(judges):
            receive(table, *waiting.popleft())
        judge = judges[turn % len(judges)]
        judge.send(given)
        waiting.append((judge, batch))
    while waiting:
        receive(table, *waiting.popleft())
    return table


def without_phinb(made: Mutant) -> dict[str, object]:
    return {key: value for key, value in made.config.items() if key != "phinb"}


def receive(table: Table, judge: Judge, batch: list[tuple[Mutant, list[Problem]]]) -> None:
    for (made, errors), verdict in zip(batch, judge.receive(), strict=True):
        table.add(made, errors, verdict)


def test_no_ok_is_false_and_every_error_is_explained(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    other = Judge()
    try:
        table = compare(range(COUNT), (judge, other))
    finally:
        other.close()
    with capsys.disabled():
        print(f"\n{table}\n{COUNT} configurations from {len(bases())} valid ones, {time.monotonic() - began:.0f} s")
    assert sum(table.cells.values()) == COUNT
    assert table.false_oks == [], f"{table}\n" + "\n".join(table.false_oks)
    assert table.unexplained == [], str(table)
    # What stands in phinb's own section Olive never sees: it cannot judge that.
    ours = sum(count for rule, count in table.own.items() if OWN_RULES["*", "phinb"] not in rule)
    assert ours <= FALSE_ERRORS * COUNT, str(table)
    assert table.cells["ok / ok"] > COUNT // 10, str(table)


def test_a_number_is_always_the_same_configuration() -> None:
    numbers = [0, 7, 200, 4999]
    assert [mutant(number) for number in numbers] == [mutant(number) for number in numbers]
    assert mutant(200).mistakes
    assert mutant(200).config != mutant(201).config
    assert len(bases()) > 60


def test_the_judge_can_say_no(judge: Judge) -> None:
    """One configuration for each way in which it complains; a judge that accepts everything proves nothing."""
    bent = [json.loads(json.dumps(bases()["as it is"])) for _ in range(5)]
    bent[1]["passes"]["lora"]["r"] = "eight"
    bent[2]["passes"]["lora"]["rank"] = 8
    bent[3]["passes"]["lora"]["r"] = -4
    bent[4]["data_configs"][0]["pre_process_data_config"]["text_template"] = '{"a": {phrase}}'
    assert [(bool(verdict.olive), bool(verdict.values)) for verdict in judge.ask(bent)] == [
        (False, False),
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]
