"""Yesterday's input models -> today's. Rules of upgrade.py."""

from __future__ import annotations

from phinb.config.document import Node
from phinb.config.sections import text
from phinb.config.upgrades.rewrite import Rewrite

_TYPES = {
    "compositeonnxmodel": "CompositeModel",
    "distributedpytorchmodel": "DistributedHfModel",
}
"""Renamed model types, by the old name in lower case (0.5, and 0.7 where the model is one of Hugging Face)."""

_LOADERS = ("model_loader", "model_script", "script_dir", "dummy_inputs_func")
"""Keys of PyTorchModel by which a script of the user's own loads the model, or feeds its export."""

_NO_EFFECT = {
    "model_storage_kind": "Olive sees by itself whether a path is a file, a folder or a name.",
    "mlflow_transformer_model_cache_dir": "It was Olive's own note of where it had put an MLflow model.",
}


def rename_model_types(rewrite: Rewrite) -> None:
    """CompositeOnnxModel -> CompositeModel, DistributedPyTorchModel -> DistributedHfModel."""
    model = rewrite.root.get("input_model")
    kind = text(model.get("type")) if model is not None else ""
    new = _TYPES.get(kind.lower())
    if model is not None and new is not None and rewrite.schema.input_model(kind) is None:
        rewrite.replace(model, "type", {"type": new}, f"The model type {kind} is called {new} now.")


def drop_model_keys(rewrite: Rewrite) -> None:
    """Keys of a model that said what Olive knows by itself."""
    model = rewrite.root.get("input_model")
    if model is not None and model.is_mapping:
        for key, why in _NO_EFFECT.items():
            rewrite.remove(model, key, why)


def upgrade_hf_config(rewrite: Rewrite) -> None:
    """PyTorchModel (and OptimumModel) with hf_config -> HfModel: model_path, task, load_kwargs."""
    model = rewrite.root.get("input_model")
    config = model.get("hf_config") if model is not None else None
    if model is None or config is None or not config.is_mapping:
        return
    why = "PyTorchModel with hf_config is now HfModel; its loading arguments are load_kwargs."
    before = {"hf_config": config.plain()}
    inner = dict(config.items())
    made = _hugging_face_model(rewrite, model, inner)
    for key, node in inner.items():
        hint = "HfModel has no place for it; remove it, or keep it with PyTorchModel and a model_loader of your own."
        rewrite.problem("no_place", node, f'"{key}" of the old hf_config has no equivalent.', hint)
    members: dict[str, Node] = {}
    for key, member in model.items():
        members.update(made if key == "hf_config" else {key: member})
    model.value = members
    rewrite.record(config, before, {key: node.plain() for key, node in made.items()}, why)
    kind = model.get("type")
    if kind is not None and text(kind).lower() not in ("hfmodel", "distributedhfmodel"):
        rewrite.replace(model, "type", {"type": "HfModel"}, why)
    _drop_loaders(rewrite, model)


def _hugging_face_model(rewrite: Rewrite, model: Node, inner: dict[str, Node]) -> dict[str, Node]:
    """The members of HfModel, moved out of `inner` with their places; what is left there has no equivalent."""
    made: dict[str, Node] = {}
    path = model.get("model_path")
    name = inner.pop("model_name", None)
    if name is not None and (path is None or path.value is None):
        if path is not None:
            model.value.pop("model_path")
        made["model_path"] = _moved(name, "model_name")
    elif name is not None and path is not None and name.plain() != path.plain():
        why = "model_path holds the weights and went first; its folder has the tokenizer and the configuration as well."
        rewrite.record(name, {"model_name": name.plain()}, None, why)
    task, feature = inner.pop("task", None), inner.get("feature")
    if task is not None:
        made["task"] = _moved(task, "task")
    if feature is not None and (task is not None or feature.value is None):
        inner.pop("feature")
        rewrite.record(feature, {"feature": feature.plain()}, None, "The task says it; it went first.")
    loading = [(key, inner.pop(key)) for key in ("model_loading_args", "from_pretrained_args") if key in inner]
    for key, node in loading:
        if not node.is_mapping:
            if node.value is not None:
                inner[key] = node
        elif "load_kwargs" not in made:
            made["load_kwargs"] = _moved(node, key)
        else:
            made["load_kwargs"].value.update(node.value)
    given = model.get("load_kwargs")
    if given is not None and "load_kwargs" in made:
        message = "Loading arguments stand here and in hf_config."
        rewrite.problem("twice_defined", given, message, "Put them together under load_kwargs.")
        made.pop("load_kwargs")
    for twin in [name for name in made if name != "load_kwargs" and model.get(name) is not None]:
        made.pop(twin)  # the model's own key stays
    return made


def _moved(node: Node, was: str) -> Node:
    """The node as it is, at its own line."""
    moved = node.copy()
    moved.origin, moved.note = "upgrade", f"upgrade of hf_config.{was}"
    return moved


def _drop_loaders(rewrite: Rewrite, model: Node) -> None:
    """HfModel loads by itself and knows its inputs; only a loader of one's own was something else."""
    if model.get("model_loader") is not None and model.value["model_loader"].value is not None:
        hint = 'Write "type": "PyTorchModel" without hf_config, or remove the model_loader.'
        message = "A model_loader of your own and hf_config cannot be kept together: HfModel loads the model itself."
        rewrite.problem("no_place", model.value["model_loader"], message, hint)
        for key in _LOADERS:
            model.value.pop(key, None)
        return
    why = "HfModel knows the inputs of a Hugging Face model by itself."
    for key in _LOADERS:
        rewrite.remove(model, key, why)
    io_config = model.get("io_config")
    if io_config is not None and isinstance(io_config.value, str):
        rewrite.remove(model, "io_config", why)  # the name of a function in the script
    components = model.get("model_components")
    if components is not None:
        hint = "Export with OptimumConversion, which has the parameter components."
        rewrite.problem("no_place", components, "HfModel has no components of its own.", hint)
        model.value.pop("model_components")
