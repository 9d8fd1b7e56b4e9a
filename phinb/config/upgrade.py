"""Yesterday's forms -> today's: one small function a rule, in the order of RULES; every change is recorded.

A rule changes only what the installed Olive no longer takes, or what it takes in two forms that mean the same (the
levels `config`, `params`, `engine`). What an old form meant and Olive has dropped, phinb keeps in its own section:
the split of the data, and all that was Azure ML's. What has no equivalent is a problem at its line. An upgraded
configuration upgrades to itself.

The old forms are those of Olive 0.4 to 0.12, as its sources, its documentation and the Phi-3 tutorials have them.
"""

from __future__ import annotations

from collections.abc import Callable

from phinb.config.document import Node
from phinb.config.schema import Schema
from phinb.config.sections import COMPONENTS, data_configs, members
from phinb.config.sections import passes as passes_of
from phinb.config.upgrades import (
    azure,
    components,
    data,
    engine,
    metrics,
    model,
    packaging,
    passes,
    paths,
    quantization,
    systems,
    training,
)
from phinb.config.upgrades.rewrite import Rewrite
from phinb.types import Change, Problem

Rule = Callable[[Rewrite], None]


def upgrade(root: Node, schema: Schema) -> tuple[Node, tuple[Change, ...], tuple[Problem, ...]]:
    """The tree in today's form, what was changed, and what no rule can carry over. `root` itself is left alone."""
    rewrite = Rewrite(root, schema)
    for rule in RULES:
        rule(rewrite)
    return rewrite.root, tuple(rewrite.changes), tuple(rewrite.problems)


def dissolve_levels(rewrite: Rewrite) -> None:
    """`config`, `extra_args` and `engine` go: their keys stand one level up in today's form."""
    root = rewrite.root
    dissolve(rewrite, root, "engine")
    input_model = root.get("input_model")
    if input_model is not None:
        dissolve(rewrite, input_model, "config")
    for _, system in members(root, "systems"):
        dissolve(rewrite, system, "config")
    for key in ("host", "target", "workflow_host"):
        _dissolve_system(rewrite, root.get(key))
    for entry in passes_of(root):
        dissolve(rewrite, entry.node, "config")
        _dissolve_system(rewrite, entry.node.get("host"))
        arguments = entry.node.get("training_args")
        if arguments is not None:
            dissolve(rewrite, arguments, "extra_args")


def dissolve_component_levels(rewrite: Rewrite) -> None:
    """`params` of a data config's component goes: its parameters stand in the component's section."""
    for config in data_configs(rewrite.root):
        for section in COMPONENTS:
            component = config.get(section)
            if component is not None:
                dissolve(rewrite, component, "params")


def _dissolve_system(rewrite: Rewrite, node: Node | None) -> None:
    """A system that is defined where it is used."""
    if node is not None and node.is_mapping:
        dissolve(rewrite, node, "config")


def dissolve(rewrite: Rewrite, holder: Node, level: str) -> None:
    """Move the members of one level up. Where a key stands on both, Olive takes the inner one: that is a problem."""
    inner = holder.get(level)
    if inner is None or not (inner.is_mapping or inner.value is None):
        return
    before = {level: inner.plain()}
    moved: dict[str, Node] = {}
    for key, member in holder.value.items():
        if key == level:
            moved.update(inner.items())
        elif inner.get(key) is not None:
            twin = inner.value[key]
            message = f'"{key}" stands here and inside "{level}" (line {twin.key_line}).'
            hint = "Olive would take the inner one and drop this one without a word: remove one of them."
            rewrite.problem("twice_defined", member, message, hint)
        else:
            moved[key] = member
    holder.value = moved
    why = f'The level "{level}" is no longer needed; both forms mean the same.'
    rewrite.record(inner, before, before[level] or None, why)


RULES: tuple[Rule, ...] = (
    # where things stand
    engine.drop_schema_key,
    dissolve_levels,
    data.list_data_configs,
    data.list_inline_data_configs,
    data.keep_dataset,
    components.rename_components,
    dissolve_component_levels,
    components.spread_params_config,
    # Azure, and the systems
    azure.keep_workspace,
    azure.keep_aml_systems,
    azure.keep_workflow_host,
    packaging.keep_packaging,
    systems.rename_system_types,
    systems.spread_docker_config,
    systems.drop_managed_environments,
    systems.upgrade_accelerators,
    systems.upgrade_engine_providers,
    # the model
    model.rename_model_types,
    model.drop_model_keys,
    model.upgrade_hf_config,
    paths.name_models,
    paths.drop_model_file_format,
    # the engine
    engine.drop_output_name,
    engine.drop_disable_search,
    engine.drop_clean_run_cache,
    engine.apply_pass_flows,
    engine.upgrade_search_strategy,
    engine.upgrade_cloud_cache,
    packaging.drop_packaging_extras,
    # data and metrics
    components.place_batch_size,
    components.name_label_column,
    paths.name_data,
    paths.apply_data_root,
    data.upgrade_text_generation,
    metrics.upgrade_function_arguments,
    metrics.name_dummy_data,
    metrics.drop_metric_feeding,
    data.spell_names,
    # passes
    passes.rename_types,
    quantization.replace_matmul_quantizer,
    quantization.rename_parameters,
    quantization.spell_integer_types,
    quantization.nest_extra_options,
    quantization.drop_pass_feeding,
    quantization.drop_gone_parameters,
    passes.rename_lora_parameters,
    passes.drop_adapter_quantization,
    passes.drop_old_trainer,
    passes.drop_bias,
    passes.keep_eval_split,
    training.rename_training_args,
    training.upgrade_group_by_length,
    training.upgrade_warmup_ratio,
    training.upgrade_adafactor,
    training.upgrade_hub_names,
    training.upgrade_metric_inputs,
    training.nest_training_args,
    training.drop_logging_dir,
    training.drop_gone_training_args,
)
