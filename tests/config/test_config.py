"""load_config as a whole: effective values, what Olive gets, the texts, and that nothing raises or loads torch."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.config import Config, load_config
from phinb.config.document import load
from phinb.config.starting.gallery import starting_points, starting_text
from phinb.config.writing.rewriting import write_anew
from phinb.errors import ConfigError
from tests.config.sprinkling import SAMPLES, sprinkle, tutorial


def test_a_valid_configuration_has_no_problem(valid: str) -> None:
    config = load_config(valid)
    assert config.ok
    assert config.problems == ()
    assert config.changes == ()
    assert config.diff() == ""
    assert dict(config.passes) == {"lora": "LoRA", "merge": "MergeAdapterWeights", "int4": "ModelBuilder"}
    assert config.summary() == "config: lora > merge > int4; no problems"
    assert config.to_olive() == json.loads(valid)


def test_the_origin_of_every_value(valid: str) -> None:
    effective = load_config(valid).effective()
    mine = effective["passes.lora.r"]
    assert (mine.value, mine.origin, mine.line) == (8, "you", valid[: valid.index('"r"')].count("\n") + 1)
    assert (effective["passes.lora.device_map"].value, effective["passes.lora.device_map"].origin) == ("auto", "olive")
    assert effective["passes.lora.training_args.lr_scheduler_type"].value == "constant"
    assert effective["passes.lora.training_args.max_steps"].origin == "you"
    assert effective["data_configs.train.pre_process_data_config.max_seq_len"].value == 64
    assert effective["data_configs.train.pre_process_data_config.add_special_tokens"].value is True
    assert (
        effective["data_configs.train.pre_process_data_config.type"].value == "text_generation_huggingface_pre_process"
    )
    assert effective["data_configs.train.pre_process_data_config.model_name"].value == "phinb://tiny"
    assert effective["systems.local_system.type"].value == "LocalSystem"
    assert effective["input_model.task"].value == "text-generation"
    seed = effective["phinb.seed"]
    assert (seed.value, seed.origin) == (42, "phinb")
    assert "passes.lora.training_args.warmup_ratio" not in effective  # transformers 5 drops Olive's default


def test_phinbs_section_never_reaches_olive(plain: dict[str, Any]) -> None:
    config = load_config({**plain, "phinb": {"eval_split": 0.2, "loss_on": "all"}})
    assert config.ok
    assert "phinb" not in config.to_olive()
    assert (config.phinb["eval_split"], config.phinb["loss_on"], config.phinb["seed"]) == (0.2, "all", 42)
    assert (config.format, config.path, config.name, config.folder) == ("dict", None, "config", Path.cwd())


def test_to_olive_is_new_each_time_and_leaves_the_source_alone(plain: dict[str, Any]) -> None:
    before = copy.deepcopy(plain)
    config = load_config(plain)
    config.to_olive()["passes"]["lora"]["r"] = 99
    assert config.to_olive()["passes"]["lora"]["r"] == 8
    assert plain == before


def test_errors_keep_a_configuration_from_olive(valid: str) -> None:
    config = load_config(valid.replace('"r": 8', '"rr": 8'))
    assert not config.ok
    with pytest.raises(ConfigError) as raised:
        config.to_olive()
    line = valid[: valid.index('"r": 8')].count("\n") + 1
    assert f"line {line}, " in str(raised.value)
    assert '"rr" is no key' in str(raised.value)


@pytest.mark.parametrize("source", ["", "some prose", "[1]", "missing.json", "\x00", '{"a": ', {}])
def test_bad_content_is_told_never_raised(source: Any) -> None:
    config = load_config(source)
    assert not config.ok
    assert any(problem.severity == "error" for problem in config.problems)
    assert config.effective() is not None
    assert isinstance(config.summary() + config.dumps() + config.diff(), str)
    with pytest.raises(ConfigError):
        config.to_olive()


def test_what_is_cut_off_is_not_called_missing(valid: str) -> None:
    config = load_config(valid[: valid.index('"passes"')].rstrip().rstrip(","))
    assert [problem.code for problem in config.problems if problem.severity == "error"] == ["never_closed"]


def test_a_file_gives_the_name_and_the_folder(tmp_path: Path, valid: str) -> None:
    file = tmp_path / "emotion.json"
    file.write_text(valid, encoding="utf-8")
    config = load_config(str(file))
    assert (config.name, config.folder, config.path, config.text) == ("emotion", tmp_path, file, valid)


def test_a_name_and_a_folder_may_be_given(tmp_path: Path, valid: str) -> None:
    config = load_config(valid, name="emotion", folder=tmp_path)
    assert (config.name, config.folder, config.path) == ("emotion", tmp_path, None)


def test_yaml_and_json_texts_mean_the_same(valid: str) -> None:
    config = load_config(valid)
    again = load_config(config.dumps("yaml"))
    assert again.format == "yaml"
    assert again.ok
    assert again.to_olive() == config.to_olive() == load_config(config.dumps("json")).to_olive()
    lines = again.text.splitlines()
    problem = load_config(again.text.replace("r: 8", "rr: 8")).problems[0]
    assert problem.line is not None
    assert "r: 8" in lines[problem.line - 1]


def test_a_pass_may_be_a_list(plain: dict[str, Any]) -> None:
    plain["passes"]["merge"] = [{"type": "mergeadapterweights"}]
    config = load_config(plain)
    assert config.ok
    assert config.passes["merge"] == ["MergeAdapterWeights"]
    assert config.effective()["passes.merge.0.type"].value == "mergeadapterweights"


def test_the_default_join_is_warned_of_and_can_be_mended(valid: str) -> None:
    text = valid.replace('        "strategy": "line-by-line",\n', "")
    config = load_config(text)
    warning = config.problems[0]
    assert (warning.severity, warning.code) == ("warning", "default_join")
    assert config.ok
    assert warning.fix is not None
    edit = warning.fix.edits[0]
    assert (edit.kind, edit.path) == ("set", "data_configs.0.pre_process_data_config.strategy")
    assert edit.value == "line-by-line"


def test_fixes_name_the_place_in_the_users_own_form(plain: dict[str, Any]) -> None:
    lora = plain["passes"]["lora"]
    lora.pop("lora_dropout", None)
    plain["passes"]["lora"] = {"type": lora.pop("type"), "config": {**lora, "lora_dropot": 0.1}}
    problem = next(problem for problem in load_config(json.dumps(plain, indent=1)).problems if problem.fix)
    assert problem.path == "passes.lora.config.lora_dropot"
    assert problem.fix is not None
    assert problem.fix.edits[0].path == problem.path
    assert problem.fix.edits[0].value == "lora_dropout"


def test_importing_and_checking_load_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from phinb.config import load_config\n"
        f"assert load_config({str(SAMPLES / 'emotion.json')!r}).ok\n"
        "heavy = {'torch', 'transformers', 'olive', 'azure', 'datasets', 'pandas', 'pyarrow', 'peft', 'numpy'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["emotion.json", "tutorial_today.json"])
def test_the_samples_are_fine_as_they_are(name: str) -> None:
    config = load_config(SAMPLES / name)
    assert config.ok
    assert config.changes == ()


OLD = SAMPLES / "tutorial_2024.json"
FORMS = {
    "as it is": OLD.read_text(encoding="utf-8"),
    "in YAML": write_anew(tutorial(), "yaml"),
    "minified": json.dumps(tutorial()),
    "with other levels": json.dumps(tutorial(), indent="\t").replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_comments_survive_the_upgrade_and_it_upgrades_once(form: str) -> None:
    text = FORMS[form]
    mark = "#" if form == "in YAML" else "//"
    for source, comments in ((text, []), sprinkle(text, mark)):
        config = load_config(source)
        assert config.changes
        written = config.dumps()
        assert [comment for comment in comments if written.count(comment) != 1] == []
        again = load_config(written)
        assert (again.format, again.changes, again.diff()) == (config.format, (), "")
        assert again.to_olive() == config.to_olive()
        assert again.phinb == config.phinb
        assert again.dumps() == written
        upgraded = config.upgraded()
        assert upgraded.text == written
        assert (upgraded.name, upgraded.folder, upgraded.changes) == (config.name, config.folder, ())
        assert upgraded.upgraded() is upgraded
        for format_ in ("json", "yaml"):
            other = load_config(config.dumps(format_))  # type: ignore[arg-type]
            assert other.to_olive() == config.to_olive()


@pytest.mark.parametrize(
    "source", [*sorted(SAMPLES.glob("*.json")), *(point.name for point in starting_points())], ids=str
)
def test_every_sample_is_written_as_it_means(source: Path | str) -> None:
    config = load_config(source if isinstance(source, Path) else starting_text(source))
    again = load_config(config.dumps(), folder=config.folder)
    assert again.changes == ()
    if config.ok:
        assert again.to_olive() == config.to_olive()
    if not config.changes:
        assert config.dumps() == config.text


def test_the_diff_shows_only_lines_that_change() -> None:
    """Of a whole file in which one key is old, one line differs, whatever its formatting is."""
    text = (SAMPLES / "emotion.json").read_text(encoding="utf-8")
    odd = re.sub(r'"(r|alpha)":', r'"lora_\1" :', text).replace('"type"', '"type"   ')
    diff = load_config(odd).diff().splitlines()[2:]
    changed = [line for line in diff if line.startswith(("+", "-"))]
    assert [line[0] for line in changed] in (["-", "+"] * 2, ["-", "-", "+", "+"])
    assert all('"r" :' in line or '"alpha" :' in line for line in changed if line.startswith("+"))


def test_a_mapping_that_became_a_list_keeps_its_comments() -> None:
    text = """{
  "input_model": {"type": "HfModel", "model_path": "phinb://tiny"},  // the model
  "data_configs": {  // all data
    // to train on
    "my-train": {  // mine
      "type": "HuggingfaceContainer",
      "params_config": {
        "data_name": "json",  // a file
        "data_files": "train.jsonl",
        "split": "train",
        // many options
        "component_kwargs": {"pre_process_data": {"corpus_strategy": "line-by-line", "text_cols": ["a"]}}
      }  // so much
    }  // end of mine
    // no more
  },
  "passes": {"lora": {"type": "LoRA", /* named above */ "train_data_config": "my-train", "lora_r": 8}}
}
"""
    config = load_config(text)
    written = config.dumps()
    comments = re.findall(r"// .*|/\* .*? \*/", text)
    assert len(comments) == 10
    assert [comment for comment in comments if written.count(comment) != 1] == []
    assert load_config(written).to_olive() == config.to_olive()


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.sampled_from(
        ["", "HfModel", "LoRA", "train", "SEARCHABLE_VALUES", "AzureML", "{a}", "{", "Your name", "x" * 99]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "config", "params", "name", "r", "a-b", "metrics", "device"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
KEYS = [
    "input_model", "systems", "data_configs", "evaluators", "passes", "engine", "host", "target", "evaluator", "phinb",
    "search_strategy", "packaging_config", "pass_flows", "execution_providers", "workflow_id", "cache_config",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for key in value for place in places(value[key], (*path, key))]
    if isinstance(value, list):
        found += [place for at in range(len(value)) for place in places(value[at], (*path, at))]
    return found


def bend(config: dict[str, Any], place: tuple[Any, ...], value: Any) -> None:
    holder: Any = config
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value


@given(data=st.data())
@settings(max_examples=120, deadline=None, derandomize=True)
def test_no_bent_configuration_raises(data: st.DataObject) -> None:
    samples = [json.loads((SAMPLES / "tutorial_2024.json").read_text(encoding="utf-8")), load_plain("emotion.json")]
    config = copy.deepcopy(data.draw(st.sampled_from(samples)))
    for key in data.draw(st.lists(st.sampled_from(KEYS), max_size=2)):
        config[key] = data.draw(ODD)
    for _ in range(data.draw(st.integers(0, 3))):
        here = places(config)
        bend(config, data.draw(st.sampled_from(here)), data.draw(ODD))
    loaded: Config = load_config(config)
    loaded.effective()
    loaded.summary()
    assert loaded.phinb is not None
    if loaded.ok:
        again = load_config(loaded.dumps("json"))
        assert again.ok
        assert again.changes == ()


def load_plain(name: str) -> dict[str, Any]:
    root = load(SAMPLES / name).root
    assert root is not None
    plain: dict[str, Any] = root.plain()
    return plain
