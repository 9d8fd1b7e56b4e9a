"""Yesterday's forms -> today's: one small function a rule, in the order of RULES; every change is recorded.

A rule changes only what the installed Olive no longer takes, or what it takes in two forms that mean the same (the
levels `config`, `params`, `engine`). What an old form meant and Olive has dropped, phinb keeps in its own section:
the split of the data, and all that was Azure ML's. What has no equivalent is a problem at its line. An upgraded
configuration upgrades to itself.

The old forms are those of Olive 0.4 to 0.12, as its sources, its documentation and the Phi-3 tutorials have them.
"""

from __future__ import annotations

from collections.abc import Callable

from phinb.config import (
    upgrade_azure,
    upgrade_components,
    upgrade_data,
    upgrade_engine,
    upgrade_metrics,
    upgrade_model,
    upgrade_packaging,
    upgrade_passes,
    upgrade_paths,
    upgrade_quantization,
    upgrade_systems,
    upgrade_training,
)
from phinb.config.document import Node
from phinb.config.rewrite import Rewrite
from phinb.config.schema import Schema
from phinb.config.sections import COMPONENTS, data_configs, members, passes
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
    model = root.get("input_model")
    if model is not None:
        dissolve(rewrite, model, "config")
    for _, system in members(root, "systems"):
        dissolve(rewrite, system, "config")
    for key in ("host", "target", "workflow_host"):
        _dissolve_system(rewrite, root.get(key))
    for entry in passes(root):
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
    upgrade_engine.drop_schema_key,
    dissolve_levels,
    upgrade_data.list_data_configs,
    upgrade_data.list_inline_data_configs,
    upgrade_data.keep_dataset,
    upgrade_components.rename_components,
    dissolve_component_levels,
    upgrade_components.spread_params_config,
    # Azure, and the systems
    upgrade_azure.keep_workspace,
    upgrade_azure.keep_aml_systems,
    upgrade_azure.keep_workflow_host,
    upgrade_packaging.keep_packaging,
    upgrade_systems.rename_system_types,
    upgrade_systems.spread_docker_config,
    upgrade_systems.drop_managed_environments,
    upgrade_systems.upgrade_accelerators,
    upgrade_systems.upgrade_engine_providers,
    # the model
    upgrade_model.rename_model_types,
    upgrade_model.drop_model_keys,
    upgrade_model.upgrade_hf_config,
    upgrade_paths.name_models,
    upgrade_paths.drop_model_file_format,
    # the engine
    upgrade_engine.drop_output_name,
    upgrade_engine.drop_disable_search,
    upgrade_engine.drop_clean_run_cache,
    upgrade_engine.apply_pass_flows,
    upgrade_engine.upgrade_search_strategy,
    upgrade_engine.upgrade_cloud_cache,
    upgrade_packaging.drop_packaging_extras,
    # data and metrics
    upgrade_components.place_batch_size,
    upgrade_components.name_label_column,
    upgrade_paths.name_data,
    upgrade_paths.apply_data_root,
    upgrade_data.upgrade_text_generation,
    upgrade_metrics.upgrade_function_arguments,
    upgrade_metrics.name_dummy_data,
    upgrade_metrics.drop_metric_feeding,
    upgrade_data.spell_names,
    # passes
    upgrade_passes.rename_types,
    upgrade_quantization.replace_matmul_quantizer,
    upgrade_quantization.rename_parameters,
    upgrade_quantization.spell_integer_types,
    upgrade_quantization.nest_extra_options,
    upgrade_quantization.drop_pass_feeding,
    upgrade_quantization.drop_gone_parameters,
    upgrade_passes.rename_lora_parameters,
    upgrade_passes.drop_adapter_quantization,
    upgrade_passes.drop_old_trainer,
    upgrade_passes.drop_bias,
    upgrade_passes.keep_eval_split,
    upgrade_training.rename_training_args,
    upgrade_training.upgrade_group_by_length,
    upgrade_training.upgrade_warmup_ratio,
    upgrade_training.upgrade_adafactor,
    upgrade_training.upgrade_hub_names,
    upgrade_training.upgrade_metric_inputs,
    upgrade_training.nest_training_args,
    upgrade_training.drop_logging_dir,
    upgrade_training.drop_gone_training_args,
)
