"""The values of a first configuration, and the reason for each: from the model, the machine and the rows.

Rules of thumb, not tuning: what runs on the machine at hand, ends while one waits, and shows whether the way is right.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from phinb.config.starting.facts import Machine, Rows, write_gb
from phinb.config.starting.prompt_text import Prompt
from phinb.config.starting.recipe_text import Choice
from phinb.config.starting.training import ADAPTERS, choose_training
from phinb.models.facts import ModelFacts

UNKNOWN_LENGTH = 256
LOGIT_BYTES = 600_000_000
"""What Olive's evaluator may take for all logits at once; it holds them twice."""


def choose_values(
    recipe: str, facts: ModelFacts, rows: Rows, prompt: Prompt, machine: Machine, head: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Everything that the files in recipes/ name."""
    length = _choose_length(facts, rows)
    trains = recipe in ADAPTERS
    values: dict[str, Any] = {
        "head": head,
        "model": _describe_model(facts),
        "data_configs": rows.configs,
        "message_col": prompt.message_col,
        "template": prompt.template,
        "special_tokens": prompt.special_tokens,
        "strategy": Choice("line-by-line", "one row is one sequence; Olive's default joins them all"),
        "max_seq_len": length,
        "max_samples": None,
        "padding": Choice(False, "each batch is only as long as its longest row"),
        "phinb": _choose_phinb(rows, prompt, trains),
        "azure": recipe == "azure",
        **_choose_target(recipe, machine),
    }
    if trains:
        values |= choose_training(recipe, facts, rows, machine, length.value)
    if recipe == "evaluate":
        values["padding"] = Choice(True, "Olive's evaluator wants rows of one length; padding does not count")
        values["max_samples"] = _choose_samples(facts, length.value)
    return values


def _describe_model(facts: ModelFacts) -> Choice:
    if not facts.architecture:
        return Choice(facts.reference, "not on this machine yet, and nothing is known of it before")
    parts = [facts.note or facts.title]
    if facts.download_bytes:
        source = "the package registry" if facts.embedded else "the Hugging Face hub"
        parts.append(f"{write_gb(facts.download_bytes)} from {source} at first use")
    if facts.context:
        parts.append(f"up to {facts.context:,} tokens")
    if facts.licence:
        parts.append(f"licence {facts.licence}")
    return Choice(facts.reference, "; ".join(parts))


def _choose_length(facts: ModelFacts, rows: Rows) -> Choice:
    if rows.longest is None:
        why = "tokens; a longer row loses its end, which is the answer (phinb preview tells how long yours are)"
        return Choice(min(UNKNOWN_LENGTH, facts.context or UNKNOWN_LENGTH), why)
    context = facts.context or 2**31
    if rows.longest > context:
        lost = f"{rows.cut} of {rows.total} rows are longer and lose their end, the answer"
        why = f"the model's context: {lost}; shorten them"
        return Choice(context, why)
    value = min(max(1, ceil(rows.longest / 8)) * 8, context)
    if rows.counted:
        return Choice(value, f"tokens; the longest of {rows.total:,} rows has {rows.longest}, so nothing is cut off")
    why = "estimated from the letters of the longest row; phinb preview counts once the model is on this machine"
    return Choice(value, why)


def _choose_samples(facts: ModelFacts, length: int) -> Choice:
    count = max(8, min(256, LOGIT_BYTES // (4 * length * (facts.vocabulary or 100_000))))
    why = "rows for the perplexity: Olive keeps the scores of every token in memory; a comparison takes all"
    return Choice(count, why)


def _choose_phinb(rows: Rows, prompt: Prompt, trains: bool) -> list[tuple[str, Any]]:
    chosen: list[tuple[str, Any]] = []
    if prompt.answer and trains:
        chosen.append(("loss_on", Choice("completion", "it learns to answer, not to write prompts")))
    if prompt.answer:
        chosen.append(("answer", Choice(prompt.answer, "the column to be predicted")))
    if rows.eval_split is not None and trains:
        chosen.append(("eval_split", rows.eval_split))
    return chosen


def _choose_target(recipe: str, machine: Machine) -> dict[str, Any]:
    what = "what the model is measured on" if recipe == "evaluate" else "what int4 is built for"
    if machine.gpus and machine.cuda_runtime:
        why = f"{what}: this machine's GPU. CPUExecutionProvider on cpu runs everywhere"
        return {"device": Choice("gpu"), "provider": "CUDAExecutionProvider", "target": Choice("local_system", why)}
    why = f"{what}: any processor. For a GPU write gpu and CUDAExecutionProvider, and install phinb[gpu]"
    return {"device": Choice("cpu"), "provider": "CPUExecutionProvider", "target": Choice("local_system", why)}
