"""How a first configuration trains: precision, batch, steps, rates. Rules of thumb, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from phinb.config.starting.facts import Machine, Rows, write_gb
from phinb.config.starting.recipe_text import Choice
from phinb.models.facts import ModelFacts

SMALL = 1_000_000_000
"""Parameters below which a model trains on a processor while one waits."""

TOKENS = 2048
"""Tokens of a batch, padding included: a guess on the safe side, for memory that the weights have not taken."""

BATCH = 8
"""Rows an optimizer step."""

WAIT_STEPS, MOST_STEPS, LEAST_STEPS = 60, 1000, 20
"""Steps of a small model on a processor (three to four minutes for the demo model), of any other, and of any at all."""

ADAPTERS: Mapping[str, str] = {"lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA", "azure": "LoRA"}
"""The pass that trains, by recipe."""


def choose_training(recipe: str, facts: ModelFacts, rows: Rows, machine: Machine, length: int) -> dict[str, Any]:
    """The values of recipes/_adapter.json; `length` is max_seq_len."""
    kind = ADAPTERS[recipe]
    small = facts.parameters is not None and facts.parameters < SMALL
    batch, accumulation = _choose_batch(rows, length)
    steps = _choose_steps(rows, batch.value * accumulation.value, wait=small and not machine.gpus)
    evaluates = rows.eval_split is not None or any(config.name == "test" for config in rows.configs)
    merged = "the adapter goes into the model's own weights"
    if kind == "QLoRA":
        merged = "into the weights as they were, not into their four bits: compare adapter and merged"
    return {
        "adapter": {"name": kind.lower(), "type": _describe_adapter(kind)},
        "target_modules": _choose_modules(facts) if kind != "QLoRA" else None,
        "r": Choice(16, "the adapter's rank: more learns more, and takes more memory"),
        "alpha": Choice(32, "how strongly the adapter counts: twice r"),
        "dtype": choose_dtype(facts, machine),
        "max_steps": steps,
        "batch": batch,
        "accumulation": accumulation,
        "checkpointing": Choice(False, "the model is small: no need to save memory at the cost of time")
        if small
        else Choice(True, "saves memory at the cost of about a third of the time"),
        "learning_rate": Choice(5e-4, "for a small model; 2e-4 is usual for those of billions")
        if small
        else Choice(2e-4, "usual for LoRA on a model of this size"),
        "eval_data": "test" if any(config.name == "test" for config in rows.configs) else None,
        "eval_steps": Choice(max(1, ceil(steps.value / 3)), "the loss on rows that training does not see")
        if evaluates
        else None,
        "logging_steps": max(1, steps.value // 30),
        "merge": Choice("MergeAdapterWeights", merged),
    }


def choose_dtype(facts: ModelFacts, machine: Machine) -> Choice:
    """float32 where a processor has room for it, else bfloat16."""
    if machine.gpus:
        return Choice("bfloat16", "half of float32's memory; on a GPU older than Ampere (T4, V100) write float16")
    exact = facts.weight_bytes("float32")
    if exact is not None and machine.memory_bytes is not None and exact * 1.5 > machine.memory_bytes:
        needed, there = write_gb(exact), write_gb(machine.memory_bytes)
        return Choice("bfloat16", f"float32 would take {needed} for the weights alone; this machine has {there}")
    if machine.bf16:
        return Choice("float32", "exact; bfloat16 is about a tenth faster on this processor, at the same loss")
    return Choice("float32", "exact; without bf16 instructions in the processor, bfloat16 would be no faster")


def advise(recipe: str, facts: ModelFacts, machine: Machine) -> list[str]:
    """Sentences about what the machine lacks for this recipe and model; none where nothing is known to be missing."""
    if recipe == "azure":
        return []
    trains = recipe in ADAPTERS
    dtype = "nf4" if recipe == "qlora" else str(choose_dtype(facts, machine).value)
    needed = facts.weight_bytes(dtype)
    if needed is None:
        return []
    there = machine.gpu_bytes if machine.gpus and trains else machine.memory_bytes
    place = "its GPU" if machine.gpus and trains else "this machine"
    if there is not None and needed > 0.8 * there:
        words = f"Beware: the weights alone take {write_gb(needed)} in {dtype}, and {place} has {write_gb(there)}."
        four = facts.weight_bytes("nf4") or needed
        if recipe in ("lora", "dora") and four < 0.8 * there:
            return [f"{words} The recipe qlora keeps them in four bits: {write_gb(four)}."]
        return [f"{words} Take a smaller model, or the recipe azure."]
    if trains and not machine.gpus and (facts.parameters or 0) >= SMALL:
        size = f"{(facts.parameters or 0) / 1e9:.1f} billion weights"
        return [f"Beware: there is no GPU that phinb can find, and {size} train very slowly on a processor."]
    return []


def _describe_adapter(kind: str) -> Choice:
    return {
        "LoRA": Choice("LoRA", "small matrices beside the frozen weights are trained, and nothing else"),
        "QLoRA": Choice("QLoRA", "LoRA beside weights in four bits (nf4), on every linear layer"),
        "DoRA": Choice("DoRA", "LoRA that learns direction and size apart; slower, and often better at a small rank"),
    }[kind]


def _choose_modules(facts: ModelFacts) -> Choice | None:
    if not facts.target_modules:
        return None
    return Choice(list(facts.target_modules), f"all linear layers of a {facts.architecture}; fewer would be faster")


def _choose_batch(rows: Rows, length: int) -> tuple[Choice, Choice]:
    """Rows a batch and batches a step: BATCH rows a step, in as many parts as their length asks for."""
    wanted = BATCH if rows.training is None else max(1, min(BATCH, rows.training // 4))
    fits = max(1, TOKENS // length)
    if fits >= wanted:
        why = "rows at a time" if wanted == BATCH else f"few, because there are only {rows.training} rows"
        return Choice(wanted, why), Choice(1, "each batch is a step")
    fits = 2 ** (fits.bit_length() - 1)
    parts = ceil(wanted / fits)
    return (
        Choice(fits, f"rows of up to {length} tokens: no more at a time, for the memory"),
        Choice(parts, f"so that a step still sees {fits * parts} rows"),
    )


def _choose_steps(rows: Rows, batch: int, *, wait: bool) -> Choice:
    if rows.training is None:
        return Choice(WAIT_STEPS if wait else 200, f"{batch} rows each; go up to three rounds through your rows")
    a_round = ceil(rows.training / batch)
    steps = max(LEAST_STEPS, min(3 * a_round, WAIT_STEPS if wait else MOST_STEPS))
    why = f"{steps / a_round:.1f} rounds through {rows.training:,} rows at {batch} a step"
    if steps < a_round:
        why = f"{steps * batch:,} of {rows.training:,} rows at {batch} a step"
    if steps < 3 * a_round:
        why += f"; a start: three rounds would take {3 * a_round:,} steps"
    return Choice(steps, why)
