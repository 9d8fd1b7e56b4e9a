"""Checks of a text generation pre-process: the rules of Olive's TextGenParams, and a default that surprises."""

from __future__ import annotations

from phinb.config.checks.components import TEXT_GENERATION, component_type
from phinb.config.checks.findings import Findings, number_of
from phinb.config.checks.template import check_template
from phinb.config.document import Node
from phinb.config.sections import place_of_new_key, text
from phinb.config.value_types import TRUE_WORDS, fits
from phinb.types import Edit, Fix


def check_text_generation(findings: Findings, config: Node) -> None:
    """The rules of TextGenParams: which keys need each other, and which shut each other out."""
    node = config.get("pre_process_data_config")
    if component_type(findings, config, "pre_process_data_config") != TEXT_GENERATION:
        return
    if node is None or node.value is None:
        _warn_of_join(findings, node or config, f"{config.path}.pre_process_data_config.strategy")
        return
    if not node.is_mapping:
        return  # told as a wrong type
    strategy = node.get("strategy")
    if strategy is None:
        _warn_of_join(findings, node, place_of_new_key(node, "strategy"))
    name = text(strategy) or "join"
    _check_strategy_needs(findings, node, name)
    _check_padding(findings, node, name)
    if padding := node.get("padding_side"):
        findings.choice(padding, "padding_side", ("left", "right"))
    _check_function(findings, node)
    check_template(findings, node)


def _check_function(findings: Findings, node: Node) -> None:
    function = node.get("text_formatting_func")
    if function is None:
        return
    if reason := findings.schema.defect("text_formatting_func"):
        message = f"The installed Olive fails on every text_formatting_func ({reason})."
        fix = Fix("Remove it", (Edit("remove", function.path),))
        findings.add("olive_fails", function, message, "Use a text_template, or make the text in the data.", fix=fix)
    elif text(function) and not text(node.get("user_script")):
        message = "A text_formatting_func needs the user_script that defines it."
        findings.add("missing_key", function, message, 'Add "user_script": its path.', at="key")


def _check_padding(findings: Findings, node: Node, strategy: str) -> None:
    pad, mask = _flag(node, "pad_to_max_len", default=True), _flag(node, "use_attention_mask", default=True)
    if pad and _flag(node, "drop_short_sequences", default=False):
        message = "Olive refuses drop_short_sequences together with pad_to_max_len, which is on by default."
        hint = 'Set "pad_to_max_len": false, or remove drop_short_sequences.'
        findings.add("contradiction", node.value["drop_short_sequences"], message, hint, at="key")
    if pad and not mask and not strategy.startswith("join"):
        message = "Olive refuses padding (pad_to_max_len, on by default) without the attention mask."
        hint = 'Set "pad_to_max_len": false, or leave the mask on.'
        findings.add("contradiction", node.value["use_attention_mask"], message, hint, at="key")


def _flag(node: Node, key: str, *, default: bool) -> bool:
    """A flag as pydantic reads it: 1 and "true" are true as well. What is no flag is told as a wrong type."""
    member = node.get(key)
    if member is None or fits(member.value, "bool") == "no":
        return default
    return member.value in (True, 1) or str(member.value).lower() in TRUE_WORDS


def _check_strategy_needs(findings: Findings, node: Node, strategy: str) -> None:
    given = node.get("strategy") or node
    seed = node.get("random_seed")
    if "random" in strategy and _absent(node, "max_samples"):
        hint = 'Add "max_samples": how many sequences to draw.'
        findings.add("missing_key", given, f'The strategy {strategy} needs "max_samples".', hint)
    retries = number_of(node.get("random_retries"))
    if "random" in strategy and retries is not None and retries < 1:
        message = f'With "random_retries" {retries:g} no sequence is ever drawn.'
        findings.add("out_of_range", node.value["random_retries"], message, "Write 1 or more; Olive's default is 10.")
    if "random" in strategy and seed is None:
        message = f"Without a random_seed, {strategy} draws other rows in every run."
        findings.warn("missing_key", given, message, 'Add "random_seed": 42.')
    elif "random" in strategy and seed is not None and seed.value is None:
        findings.add("wrong_type", seed, f'With the strategy {strategy}, "random_seed" must be a number.', "Write 42.")
    if strategy == "join-sliding-window" and _absent(node, "stride"):
        hint = 'Add "stride", e.g. half of max_seq_len.'
        findings.add("missing_key", given, f'The strategy {strategy} needs a "stride".', hint)
    stride, length = number_of(node.get("stride")), number_of(node.get("max_seq_len")) or 1024
    if strategy == "join-sliding-window" and stride is not None and stride > length:
        message = f"A stride of {stride:g} steps over tokens: sequences have {length:g}."
        findings.add("contradiction", node.value["stride"], message, f"Write at most {length:g}.")


def _absent(node: Node, key: str) -> bool:
    member = node.get(key)
    return member is None or member.value is None


def _warn_of_join(findings: Findings, node: Node, place: str) -> None:
    message = (
        "No strategy is named; Olive's default joins all rows and cuts them into sequences of max_seq_len (1024). "
        "Data that fills no sequence gives none at all."
    )
    hint = 'One row a sequence is "strategy": "line-by-line"; if joining is meant, write "join".'
    fix = Fix("Line by line", (Edit("set", place, "line-by-line"),))
    findings.add("default_join", node, message, hint, severity="warning", at="key", fix=fix)
