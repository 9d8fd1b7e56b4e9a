"""Checks of a data config's components: which one runs in each section, and the parameters that it takes."""

from __future__ import annotations

from phinb.config.checks.findings import Findings, sentence
from phinb.config.checks.model import warn_of_trust
from phinb.config.checks.reading import OWN_CHECKS, check_reading, check_split
from phinb.config.checks.rules import DATA, NOT_FROM_TEXT
from phinb.config.document import Node
from phinb.config.schema import Group
from phinb.config.sections import COMPONENTS, is_hf_model, model_task, text
from phinb.config.value_types import show
from phinb.types import Edit, Fix

TEXT_GENERATION = "text_generation_huggingface_pre_process"


def check_components(findings: Findings, node: Node, where: str) -> None:
    """Every section of a data config that has a container."""
    for key in COMPONENTS:
        component = node.get(key)
        if component is not None and component.value is not None:
            _check_component(findings, node, key, component, where)
    load = node.get("load_dataset_config")
    container = text(node.get("type"))
    if container.lower() == "huggingfacecontainer" and not _names_data(load):
        hint = 'Add "load_dataset_config": {"data_name": "json", "data_files": "train.jsonl", "split": "train"}.'
        findings.missing(
            "missing_key",
            load or node,
            f'{sentence(where)} names no data ("data_name").',
            hint,
            ("data_name", "load_dataset_config"),
        )
    if load is not None and text(load.get("type")).lower() in ("", "huggingface_dataset"):
        check_split(findings, load, container)


def reads_nothing(findings: Findings, node: Node, where: str) -> bool:
    """Whether the data config names no source at all: the default component returns nothing."""
    kind = component_type(findings, node, "load_dataset_config")
    if kind not in _NO_SOURCE or text(node.get("user_script")):
        return False
    hint = 'Add "type": "HuggingfaceContainer" and a load_dataset_config with a data_name.'
    keys = ("type", "load_dataset_config")
    findings.missing("missing_key", node, f"{sentence(where)} names no source of data.", hint, keys)
    return True


_NO_SOURCE = ("default_load_dataset", "local_dataset", "simple_dataset")


def lacks_container(findings: Findings, node: Node, where: str) -> bool:
    """Whether a type is missing that would give the parameters their meaning: without one, Olive ignores them."""
    if node.get("type") is not None:
        return False
    for key, section in COMPONENTS.items():
        component = node.get(key)
        if component is None or not component.is_mapping or component.get("type") is not None:
            continue
        default = findings.schema.component(section, findings.schema.component_type("DataContainer", section, ""))
        if default is not None and any(name not in default.parameters for name, _ in component.items()):
            hint = 'Add "type": "HuggingfaceContainer".'
            message = f'{sentence(where)} has no "type": the default container would ignore what stands here.'
            fix = Fix("Add the type HuggingfaceContainer", (Edit("set", f"{node.path}.type", "HuggingfaceContainer"),))
            findings.add("missing_key", node, message, hint, at="key", fix=fix)
            findings.absent(node, "type")
            return True
    return False


def _names_data(load: Node | None) -> bool:
    if load is None or not load.is_mapping:
        return False
    kind = text(load.get("type")).lower()
    return kind not in ("", "huggingface_dataset") or (load.get("data_name") or Node(None)).value not in (None, "")


def component_type(findings: Findings, node: Node, key: str) -> str:
    """The component that runs in a section of a data config: the one named, or its container's default."""
    named = text((node.get(key) or Node(None)).get("type"))
    if named:
        return named.lower()
    schema, section = findings.schema, COMPONENTS[key]
    container = text(node.get("type")) or "DataContainer"
    found = schema.component_type(container, section, "")
    for task in _tasks(findings, node):
        found = schema.task_component(container, section, task) or found
    return found.lower()


def _tasks(findings: Findings, node: Node) -> list[str]:
    """The tasks that choose the components, the last one winning (DataConfig, RunConfig._auto_fill_data_config).

    In a HuggingfaceContainer the sections before and after the model get the model's task where they have none.
    """
    schema = findings.schema
    fills = _is_huggingface(node) and is_hf_model(findings.root, schema.input_models)
    tasks = []
    for key in COMPONENTS:
        own = text((node.get(key) or Node(None)).get("task"))
        if not own and fills and key in ("pre_process_data_config", "post_process_data_config"):
            own = model_task(findings.root, schema.default_task)
        tasks.append(own)
    return [task for task in tasks if task]


def _check_component(findings: Findings, config: Node, key: str, node: Node, where: str) -> None:
    if not node.is_mapping:
        findings.add("wrong_type", node, f'"{key}" must be a mapping.', "It holds the parameters of its component.")
        return
    section, named, inner = COMPONENTS[key], node.get("type"), node.get("params")
    if not _is_text(findings, named, "type"):
        return
    if inner is not None and inner.value and not inner.is_mapping:
        findings.add("wrong_type", inner, '"params" must be a mapping.', "It holds the parameters of the component.")
        return
    kind = component_type(findings, config, key)
    group = findings.schema.component(section, kind, text(node.get("data_name")))
    if group is None:
        _check_unknown(findings, config, section, node)
        return
    if _task_is_wrong(findings, config, section, node, group):
        return
    also = ["type", *(OWN_CHECKS if kind == "huggingface_dataset" else ())]
    if _is_huggingface(config) and section in ("pre_process_data", "post_process_data"):
        also += ["model_name", "task"]  # Olive fills them in itself, and takes them from here
    findings.group(node, group, f"{key} of {where} ({kind})", also=also, bounds=DATA, required=False)
    trust = node.get("trust_remote_code")
    if trust is not None and trust.value is True and section == "pre_process_data":
        warn_of_trust(findings, trust, "the tokenizer")
    for own in ("task", "model_name"):
        _is_text(findings, node.get(own), own)
    for option in NOT_FROM_TEXT if section == "dataloader" else ():
        given = node.get(option)
        if given is not None and given.value is not None:
            fix = Fix(f"Remove {option}", (Edit("remove", given.path),))
            message = f'"{option}" takes an object of torch, which no text can hold.'
            findings.add("wrong_type", given, message, "Remove it.", at="key", fix=fix)
    _check_model_name(findings, config, node, group, where)
    if kind == "huggingface_dataset":
        check_reading(findings, node)


def _is_huggingface(config: Node) -> bool:
    return text(config.get("type")).lower() == "huggingfacecontainer"


def _is_text(findings: Findings, node: Node | None, key: str) -> bool:
    """Whether a key is absent, null or a text; an error where it is anything else."""
    if node is None or node.value is None or isinstance(node.value, str):
        return True
    findings.add("wrong_type", node, f'"{key}" must be text, not {show(node.plain())}.')
    return False


def _check_unknown(findings: Findings, config: Node, section: str, node: Node) -> None:
    """A component that Olive does not bring along: only the user's own script knows its parameters."""
    named = node.get("type")
    if named is not None and not text(config.get("user_script")):
        message = f"Olive knows no {section} component {show(named.plain())}."
        findings.unknown_name("unknown_type", named, message, findings.schema.component_names(section))


def _check_model_name(findings: Findings, config: Node, node: Node, group: Group, where: str) -> None:
    """RunConfig fills in the model's name, which makes the tokenizer, in a HuggingfaceContainer only."""
    wanted = group.parameters.get("model_name")
    if wanted is None or not wanted.required or _is_huggingface(config):
        return
    if node.get("model_name") is None and not text(config.get("user_script")):
        hint = 'Add "type": "HuggingfaceContainer" to the data config.'
        message = f"{sentence(where)} gets no model's name from Olive, and without one there is no tokenizer."
        findings.missing("missing_key", config, message, hint, ("type", "model_name"))


def _task_is_wrong(findings: Findings, config: Node, section: str, node: Node, group: Group) -> bool:
    """Keys of text generation, and a task that leads to another component: the task is the mistake, told once."""
    if section != "pre_process_data" or node.get("type") is not None:
        return False
    generation = findings.schema.component(section, TEXT_GENERATION)
    filled = ("task", "model_name")  # Olive takes them here whatever the component
    strange = [key for key, _ in node.items() if key not in group.parameters and key not in filled]
    if generation is None or not strange or any(key not in generation.parameters for key in strange):
        return False
    model = findings.root.get("input_model")
    task = next((member.get("task") for _, member in config.items() if member.get("task") is not None), None)
    task = task or (model.get("task") if model is not None else None)
    if task is None:
        return False
    told = ("wrong_task", "unknown_task")
    if not any(problem.code in told and problem.path == task.path for problem in findings.problems):
        message = f'With the task {show(task.plain())} Olive would not read "{strange[0]}" and the like as text.'
        fix = Fix("Write text-generation", (Edit("set", task.path, "text-generation"),))
        findings.add("wrong_task", task, message, 'A model that writes text has the task "text-generation".', fix=fix)
    return True
