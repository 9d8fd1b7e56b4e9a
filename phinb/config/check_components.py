"""Checks of a data config's components: which one runs in each section, and the parameters that it takes."""

from __future__ import annotations

from phinb.config.azure_forms import add_azure, is_azure
from phinb.config.document import Node
from phinb.config.findings import Findings, sentence
from phinb.config.rules import DATA
from phinb.config.schema import Group
from phinb.config.sections import COMPONENTS, is_hf_model, model_task, place_of_new_key, text
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
        findings.missing("missing_key", load or node, f'{sentence(where)} names no data ("data_name").', hint)
    if load is None or load.get("type") is None:
        _check_split(findings, load, container)


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
    container = text(node.get("type")) or "DataContainer"
    task = _task(findings, node) if container.lower() == "huggingfacecontainer" else ""
    return findings.schema.component_type(container, COMPONENTS[key], task).lower()


def _task(findings: Findings, node: Node) -> str:
    """The task that chooses the components: the data config's own, else the model's (RunConfig fills it in)."""
    for key in COMPONENTS:
        task = text((node.get(key) or Node(None)).get("task"))
        if task:
            return task
    schema = findings.schema
    return model_task(findings.root, schema.default_task) if is_hf_model(findings.root, schema.input_models) else ""


def _check_component(findings: Findings, config: Node, key: str, node: Node, where: str) -> None:
    if not node.is_mapping:
        findings.add("wrong_type", node, f'"{key}" must be a mapping.', "It holds the parameters of its component.")
        return
    section = COMPONENTS[key]
    kind = component_type(findings, config, key)
    builder = text(node.get("data_name"))
    group = findings.schema.component(section, kind, builder)
    if group is None:
        named = node.get("type")
        if named is not None and not text(config.get("user_script")):
            message = f"Olive knows no {section} component {show(named.plain())}."
            findings.unknown_name("unknown_type", named, message, findings.schema.component_names(section))
        return  # a component of the user's own script: only the script knows its parameters
    if _task_is_wrong(findings, config, section, node, group):
        return
    also = ["type", "data_files"]
    if text(config.get("type")).lower() == "huggingfacecontainer" and section in (
        "pre_process_data",
        "post_process_data",
    ):
        also += ["model_name", "task"]  # Olive fills them in itself, and takes them from here
    also = [name for name in also if name != "data_files" or "data_files" in group.parameters]
    findings.group(node, group, f"{key} of {where} ({kind})", also=also, bounds=DATA, required=False)
    files = node.get("data_files")
    if files is not None and "data_files" in group.parameters:
        _check_data_files(findings, files)


def _check_data_files(findings: Findings, node: Node) -> None:
    """A path, a list of paths, or splits with either; whether they exist is for preflight to say."""
    if node.is_mapping and is_azure(node):
        add_azure(findings, node, f"data of the kind {text(node.get('type'))}")
        return
    if isinstance(node.value, str) or node.value is None:
        return
    entries = node.entries() if node.is_list else [entry for _, entry in node.items()]
    if not entries and not node.is_mapping:
        findings.add("wrong_type", node, '"data_files" must be a path, a list of paths, or paths by split.')
    for entry in entries:
        if entry.is_mapping and is_azure(entry):
            add_azure(findings, entry, f"data of the kind {text(entry.get('type'))}")
        elif not isinstance(entry.value, str) and not (
            entry.is_list and all(isinstance(e.value, str) for e in entry.entries())
        ):
            findings.add("wrong_type", entry, '"data_files" must hold paths.')


def _check_split(findings: Findings, load: Node | None, container: str) -> None:
    """Olive's default split is `validation`, which a plain file does not have."""
    local = load is not None and text(load.get("data_name")) in findings.schema.data["data"]["builders"]
    files = load.get("data_files") if load is not None else None
    if container.lower() != "huggingfacecontainer" or load is None or not local or files is None or files.is_mapping:
        return
    if load.get("split") is None:
        message = 'No "split" is named; Olive takes "validation", and a file without named splits is all "train".'
        fix = Fix("Add the split train", (Edit("set", place_of_new_key(load, "split"), "train"),))
        findings.add("missing_split", load, message, 'Add "split": "train".', at="key", fix=fix)


def _task_is_wrong(findings: Findings, config: Node, section: str, node: Node, group: Group) -> bool:
    """Keys of text generation, and a task that leads to another component: the task is the mistake, told once."""
    if section != "pre_process_data" or node.get("type") is not None:
        return False
    generation = findings.schema.component(section, TEXT_GENERATION)
    strange = [key for key, _ in node.items() if key not in group.parameters]
    if generation is None or not strange or any(key not in generation.parameters for key in strange):
        return False
    model = findings.root.get("input_model")
    task = next((member.get("task") for _, member in config.items() if member.get("task") is not None), None)
    task = task or (model.get("task") if model is not None else None)
    if task is None:
        return False
    if not any(problem.code == "wrong_task" and problem.path == task.path for problem in findings.problems):
        message = f'With the task {show(task.plain())} Olive would not read "{strange[0]}" and the like as text.'
        fix = Fix("Write text-generation", (Edit("set", task.path, "text-generation"),))
        findings.add("wrong_task", task, message, 'A model that writes text has the task "text-generation".', fix=fix)
    return True
