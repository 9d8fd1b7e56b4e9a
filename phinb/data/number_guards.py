"""Mistakes that the numbers of a data config show: batches and steps, classes, duplicates, what joining loses."""

from __future__ import annotations

from phinb.data.recipe import Recipe
from phinb.data.remedies import set_values
from phinb.data.statistics import count_held_out
from phinb.data.trainer import Trainer
from phinb.data.wording import agree, write_count, write_part
from phinb.types import DataStats, Problem

OFTEN = 100
"""Times that a sequence is trained on from which it is learnt by heart."""

ONE_SIDED = 0.9
"""Share of the most frequent answer from which there is little to learn but that."""

RARE = 20
"""How many times rarer than the most frequent answer the rarest may be."""

REPEATED = 0.1
LOST = 0.2
WASTED = 0.5
"""Shares from which duplicates, tokens that joining loses, and padding are told."""


def check_batches(stats: DataStats, trainer: Trainer) -> list[Problem]:
    """Batches that are larger than the set, steps that see it hardly once or far too often."""
    where = f"{trainer.path}.training_args"
    if trainer.eval_split is not None and stats.sequences < 2:
        message = (
            f"There is {write_count(stats.sequences, 'sequence')}: none can be held out for evaluation (eval_split)."
        )
        return [Problem("error", "nothing_to_hold_out", message, "phinb.eval_split", hint="Leave eval_split out.")]
    sequences = stats.sequences - count_held_out(stats.sequences, trainer.eval_split)
    problems, are = [], agree(sequences, "is", "are")
    if trainer.batch_size > sequences:
        message = (
            f"A batch of {trainer.batch_size} is larger than the set: there {are} "
            f"{write_count(sequences, 'sequence')} to train on, so that every batch is "
            f"{agree(sequences, 'that one', 'all of them')}."
        )
        fitting = max(1, sequences // 4)
        fix = set_values(f"Make batches of {fitting}", where, per_device_train_batch_size=fitting)
        hint = f'Set "per_device_train_batch_size" to {fitting}, or give more rows.'
        path = f"{where}.per_device_train_batch_size"
        if trainer.drops_last:
            message = (
                f"Nothing is trained on: a batch takes {trainer.batch_size} sequences, there {are} {sequences} to "
                "train on, and dataloader_drop_last leaves out a batch that is not full."
            )
            return [Problem("error", "no_full_batch", message, path, hint=hint, fix=fix)]
        problems.append(Problem("warning", "batch_too_large", message, path, hint=hint, fix=fix))
    elif trainer.batch_size * trainer.accumulation > sequences and trainer.accumulation > 1:
        each = trainer.batch_size * trainer.accumulation
        message = (
            f"A step of {trainer.accumulation} batches takes {each} sequences, and there {are} {sequences} to train "
            "on: an epoch is one step."
        )
        path = f"{where}.gradient_accumulation_steps"
        fix = set_values("Take each batch as a step", where, gradient_accumulation_steps=1)
        hint = 'Set "gradient_accumulation_steps" to 1.'
        problems.append(Problem("warning", "batch_too_large", message, path, hint=hint, fix=fix))
    return problems + _check_steps(sequences, trainer)


def _check_steps(sequences: int, trainer: Trainer) -> list[Problem]:
    where = f"{trainer.path}.training_args"
    if trainer.max_steps is None:
        if trainer.epochs < OFTEN:
            return []
        message = f"{trainer.epochs:g} epochs: each sequence is trained on as many times, and learnt by heart."
        path = f"{where}.num_train_epochs"
        fix = set_values("Train 3 epochs", where, num_train_epochs=3)
        return [Problem("warning", "too_many_steps", message, path, hint='Set "num_train_epochs" to 3.', fix=fix)]
    size = min(trainer.batch_size, sequences) * trainer.accumulation
    seen, path = trainer.max_steps * size, f"{where}.max_steps"
    each = f"{write_count(trainer.max_steps, 'step')} of {write_count(size, 'sequence')}"
    see = agree(trainer.max_steps, "sees", "see")
    only = agree(sequences, "the only sequence", f"each of the {sequences:,} sequences")
    epoch = -(-sequences // size)
    if seen < sequences:
        message = f"{each} {see} {seen:,} of the {sequences:,} sequences once, and the others never."
        fix = set_values("Train one epoch", where, max_steps=epoch)
        hint = f'Set "max_steps" to {epoch} for one epoch.'
        return [Problem("info", "too_few_steps", message, path, hint=hint, fix=fix)]
    if seen >= OFTEN * sequences:
        message = f"{each} {see} {only} {seen // sequences} times: it is learnt by heart."
        fix = set_values("Train 3 epochs", where, max_steps=3 * epoch)
        hint = f'Set "max_steps" to {3 * epoch} for three epochs, or give more rows.'
        return [Problem("warning", "too_many_steps", message, path, hint=hint, fix=fix)]
    return []


def check_shares(stats: DataStats, recipe: Recipe, path: str) -> list[Problem]:
    """What a large share of the rows or tokens has in common; `path` is the pre-process's."""
    problems = _check_labels(stats, path)
    if stats.empty_rows:
        message = (
            f"{write_part(stats.empty_rows, stats.rows, 'row')} {agree(stats.empty_rows, 'has', 'have')} no text and "
            f"{agree(stats.empty_rows, 'is', 'are')} left out."
        )
        hint = "Look at the columns that the text is made of."
        problems.append(Problem("info", "empty_rows", message, path, hint=hint))
    repeated = stats.exact_duplicates or 0
    if repeated > REPEATED * stats.rows:
        message = (
            f"{write_part(repeated, stats.rows, 'row')} {agree(repeated, 'says', 'say')} the same as an earlier one."
        )
        hint = "What is repeated counts as often as it stands there; take it out if that is not meant."
        problems.append(Problem("warning", "duplicates", message, path, hint=hint))
    text = sum(stats.lengths)
    if recipe.joins and stats.dropped_tokens > LOST * text:
        message = (
            f"Joining loses {write_part(stats.dropped_tokens, text, 'token')}: the rest that fills no sequence of "
            f"{recipe.max_seq_len} is dropped."
        )
        hint = 'Set "strategy" to "line-by-line", or "max_seq_len" lower.'
        longest = max(stats.lengths, default=1)
        fix = set_values("Make a sequence of each row", path, strategy="line-by-line", max_seq_len=longest)
        problems.append(Problem("warning", "joining_loses", message, f"{path}.strategy", hint=hint, fix=fix))
    waste = stats.padding.get("configured", 0.0)
    if recipe.pads and waste > WASTED:
        message = f"{waste:.0%} of each batch is padding: every sequence is filled up to {recipe.max_seq_len}."
        fix = set_values("Pad each batch to its longest sequence", path, pad_to_max_len=False)
        where, hint = f"{path}.pad_to_max_len", 'Set "pad_to_max_len" to false: batches are padded as they need it.'
        problems.append(Problem("info", "padding_waste", message, where, hint=hint, fix=fix))
    return problems


def check_leaks(stats: DataStats, name: str) -> list[Problem]:
    """Rows of other data configs that are among those of the data config `name`."""
    problems = []
    for other in dict.fromkeys((*stats.leaks, *stats.near_leaks)):
        same, near = stats.leaks.get(other, 0), stats.near_leaks.get(other, 0)
        parts = [f"{same:,} of its rows {agree(same, 'stands', 'stand')} there word for word"] if same else []
        parts += [f"{near:,} nearly so"] if near else []
        if parts:
            message = (
                f"{other} is not new to a model trained on {name}: {', '.join(parts)}. What is measured on {other}"
            )
            message += " is better than the truth."
            hint = f"Take these rows out of {name} or out of {other}."
            path = f"data_configs.{other}.load_dataset_config"
            problems.append(Problem("warning", "rows_leak", message, path, hint=hint))
    return problems


def _check_labels(stats: DataStats, path: str) -> list[Problem]:
    """Whether the answers, where they are few, are all the same or nearly so."""
    counts = dict(sorted(stats.labels.items(), key=lambda item: -item[1]))
    if not counts:
        return []
    total, (most, often), (least, rare) = sum(counts.values()), next(iter(counts.items())), list(counts.items())[-1]
    where = f"{path}.text_template"
    if len(counts) == 1:
        message = f"All {total:,} rows have the same answer, {most!r}: nothing else can be learnt."
        return [Problem("warning", "one_class", message, where, hint="Give rows with the other answers too.")]
    hint = "Give more rows of the others, and look at each answer's own figures, not at the accuracy."
    if often > ONE_SIDED * total:
        message = (
            f"{often:,} of {total:,} rows have the answer {most!r}: always to say so is right in {often / total:.0%}."
        )
        return [Problem("warning", "imbalance", message, where, hint=hint)]
    if often > RARE * rare:
        message = (
            f"The answer {least!r} stands in {write_count(rare, 'row')}, and {most!r} in {often:,}: it will hardly be "
            "learnt."
        )
        return [Problem("warning", "imbalance", message, where, hint=hint)]
    return []
