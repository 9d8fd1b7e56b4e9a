"""What is wrong with training data that would not stop a run: each mistake as a problem, with what mends it.

Pure functions over the numbers of a data config (types.DataStats), its recipe, its first rows and sequences, and what
its trainer was told. Here stand those of the sequences: none, untrained, cut off, endless; the others in
number_guards.py, row_guards.py and prompt_guards.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phinb.data.completion_loss import IGNORED
from phinb.data.number_guards import check_batches, check_leaks, check_shares
from phinb.data.prompt_guards import check_prompts
from phinb.data.recipe import Recipe
from phinb.data.remedies import set_values
from phinb.data.row_guards import check_leaking_answer, check_special_texts
from phinb.data.trainer import Trainer
from phinb.data.wording import agree, write_count, write_first, write_part, write_part_of_first
from phinb.models.tokenizers import Tokenizer
from phinb.types import DataStats, Fix, Problem
from phinb.types import Sequence as TrainingSequence

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What the guards look at. `name` is the data config's; `rows` and `sequences` are its first ones, as many as are
    at hand; `answer` is the column of the template, or the role of the chat, that is to be predicted."""

    name: str
    stats: DataStats
    recipe: Recipe
    tokenizer: Tokenizer
    rows: Sequence[Row] = ()
    sequences: Sequence[TrainingSequence] = ()
    answer: str | None = None
    trainer: Trainer | None = None

    @property
    def path(self) -> str:
        return f"data_configs.{self.name}.pre_process_data_config"


def find_problems(seen: Evidence) -> list[Problem]:
    """Everything that the guards have to say of a data config, the worst first.

    What keeps Olive from reading the rows at all is not among it (data.scan says that before).
    """
    stats = seen.stats
    if not stats.rows:
        return []
    if not stats.exact:
        return _sort([_counted_partly(seen), *_look_at_some(seen)])
    if not stats.sequences:
        return [_no_sequences(seen)]
    problems = [
        *_check_padding_token(seen),
        *_check_trained(seen),
        *_check_end(seen),
        *_look_at_some(seen),
        *check_shares(stats, seen.recipe, seen.path),
        *check_leaks(stats, seen.name),
    ]
    if seen.trainer is not None:
        problems += check_batches(stats, seen.trainer)
    return _sort(problems)


def _look_at_some(seen: Evidence) -> list[Problem]:
    """What is true as soon as some rows show it, whatever the others hold."""
    return [
        *_check_truncation(seen),
        *check_prompts(seen.rows, seen.recipe, seen.tokenizer, seen.answer, seen.path),
        *check_special_texts(seen.rows, seen.recipe, seen.tokenizer, seen.path),
        *check_leaking_answer(seen.rows, seen.recipe, seen.answer, seen.path),
    ]


def _counted_partly(seen: Evidence) -> Problem:
    rows = seen.stats.rows
    message = (
        f"Only {write_first(rows, 'row')} {agree(rows, 'is', 'are')} counted: all numbers are "
        f"{agree(rows, 'its', 'theirs')}, and what only all rows together tell ("
        "too few sequences, classes, duplicates, leaks, steps) is not looked at."
    )
    return Problem("info", "counted_partly", message, seen.path, hint="Count all rows.")


def _sort(problems: list[Problem]) -> list[Problem]:
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(problems, key=lambda problem: order[problem.severity])


def _no_sequences(seen: Evidence) -> Problem:
    """Olive would go on to a training error that it swallows."""
    stats, recipe = seen.stats, seen.recipe
    longest = max(stats.lengths, default=0)
    where, hint, fix = f"{seen.path}.max_seq_len", "", None
    if not longest:
        why, hint = "no row has any text", "Look at the columns that the text is made of."
    elif recipe.max_samples is not None and recipe.max_samples < 1:
        why, where, hint = "max_samples is 0", f"{seen.path}.max_samples", "Leave max_samples out."
        fix = set_values("Take all samples", seen.path, max_samples=None)
    elif recipe.joins:
        why = (
            f"{agree(stats.rows, 'the only row has', f'all {stats.rows:,} rows joined have')} "
            f"{write_count(sum(stats.lengths), 'token')} of text, "
            f"not enough for one sequence of {recipe.max_seq_len}"
        )
        hint = f'Set "strategy" to "line-by-line" and "max_seq_len" to {longest}.'
        fix = set_values("Make a sequence of each row", seen.path, strategy="line-by-line", max_seq_len=longest)
    else:
        why = f"every row is shorter than max_seq_len {recipe.max_seq_len} and dropped (the longest has {longest})"
        hint = 'Leave drop_short_sequences out, or set "max_seq_len" lower.'
        fix = set_values("Keep short rows", seen.path, drop_short_sequences=None)
    return Problem("error", "no_sequences", f"There is no training sequence: {why}.", where, hint=hint, fix=fix)


def _check_padding_token(seen: Evidence) -> list[Problem]:
    """LoRA.collate_batch pads with the tokenizer's pad token, whatever the batch: without one it raises TypeError."""
    if seen.trainer is None or seen.tokenizer.pad_id is not None:
        return []
    message = "The tokenizer has neither a pad nor an eos token: Olive cannot make batches, and training fails at once."
    hint = 'Name a "pad_token" in the tokenizer_config.json of the model.'
    return [Problem("error", "no_padding_token", message, seen.path, hint=hint)]


def _check_trained(seen: Evidence) -> list[Problem]:
    """Sequences without a label: a batch of such teaches nothing, and its loss is reported as 0.

    The first label of a sequence does not count: no token stands before it that could predict it.
    """
    stats, recipe = seen.stats, seen.recipe
    barren = stats.sequences if not stats.trained_tokens else stats.untrained or 0
    if not barren:
        return []
    longest = max(stats.lengths, default=0)
    cut = bool(stats.truncated_rows) and not seen.tokenizer.cuts_left
    where, fix, hint = seen.path, None, "Look at them in the preview."
    if recipe.max_seq_len == 1:
        why, where = "a sequence of one token has nothing to predict it from", f"{seen.path}.max_seq_len"
        fix, hint = _lengthen(seen, longest)
    elif recipe.chat_template and not cut:
        why = f"no message of the role {recipe.trained_field!r} is in it"
        where, hint = f"{seen.path}.message_col", "Look at the roles of the messages."
    elif cut and barren < stats.sequences and stats.truncated_answers:
        return []  # _check_truncation tells it
    elif cut:
        why, where = f"max_seq_len {recipe.max_seq_len} cuts the row off before its answer", f"{seen.path}.max_seq_len"
        fix, hint = _lengthen(seen, longest)
    elif recipe.joins and stats.trained_tokens:
        why, where = "a part of a prompt fills it", f"{seen.path}.strategy"
        hint = f'Set "strategy" to "line-by-line" and "max_seq_len" to {longest}.'
        fix = set_values("Make a sequence of each row", seen.path, strategy="line-by-line", max_seq_len=longest)
    elif recipe.context is not None:
        why, where = f"the stride {recipe.stride} leaves only context", f"{seen.path}.stride"
    else:
        why = "it holds no answer"
    if barren == stats.sequences:
        every = agree(barren, "the only sequence", f"any of the {barren:,} sequences")
        message = f"Nothing is trained on in {every}: {why}."
        return [Problem("error", "nothing_trained", message, where, hint=hint, fix=fix)]
    message = f"Nothing is trained on in {barren:,} of {stats.sequences:,} sequences, as {why}."
    return [Problem("warning", "untrained_sequences", message, where, hint=hint, fix=fix)]


def _check_end(seen: Evidence) -> list[Problem]:
    """Whether the model can learn to stop: an end of sequence has to be in the loss."""
    stats, recipe = seen.stats, seen.recipe
    if masked := _count_masked_ends(seen):
        message = (
            "The end of sequence is left out of the loss in "
            f"{write_part_of_first(masked, len(seen.sequences), 'sequence')}: it is taken for padding, because the pad "
            "token is the same."
        )
        hint = "Give the tokenizer a pad token of its own, or mask by the attention and not by the token."
        return [Problem("error", "end_masked", message, seen.path, hint=hint)]
    if not stats.no_eos or not stats.trained_tokens:
        return []
    if stats.no_eos < stats.sequences:
        unexplained = stats.no_eos - stats.truncated_rows
        if recipe.joins or unexplained <= 0:
            return []
        its, is_it = agree(unexplained, "its", "their"), agree(unexplained, "it is", "they are")
        message = (
            f"{write_part(unexplained, stats.sequences, 'sequence')} {agree(unexplained, 'has', 'have')} no end of "
            f"sequence in {its} loss, though {is_it} not cut off: the model learns to stop from the others only."
        )
        return [Problem("warning", "end_missing", message, seen.path, hint=_ways_to_end(seen))]
    where, fix = seen.path, None
    if stats.truncated_rows >= min(stats.rows - stats.empty_rows, stats.sequences) and not recipe.joins:
        why, where = f"max_seq_len {recipe.max_seq_len} cuts it off", f"{seen.path}.max_seq_len"
        fix, hint = _lengthen(seen, max(stats.lengths))
    elif recipe.chat_template:
        why, hint, where = "the chat template writes none", _ways_to_end(seen), f"{seen.path}.chat_template"
    elif not recipe.add_special_tokens:
        why, hint, where = "nothing writes one", _ways_to_end(seen), f"{seen.path}.add_special_tokens"
        fix = _end_texts(seen)
    elif list(seen.tokenizer.encode(str(seen.tokenizer.eos)).ids) != [seen.tokenizer.eos_id]:
        why, hint = f"the texts end in {seen.tokenizer.eos}, which is no token", "Look at the tokenizer's files."
    else:
        longest = max(stats.lengths)
        why = "no row ends within a sequence"
        hint = f'Set "strategy" to "line-by-line" and "max_seq_len" to {longest}, or shorten the rows.'
        limit = seen.tokenizer.max_length
        if limit is None or longest <= limit:
            fix = set_values("Make a sequence of each row", seen.path, strategy="line-by-line", max_seq_len=longest)
    message = f"No sequence has an end of sequence in its loss ({why}): the model never learns to stop."
    return [Problem("warning", "no_end_of_sequence", message, where, hint=hint, fix=fix)]


def _ways_to_end(seen: Evidence) -> str:
    ends = " or ".join(repr(seen.tokenizer.piece(token)) for token in sorted(seen.tokenizer.stop_ids))
    if seen.recipe.chat_template:
        return f"Let the chat template end each answer with {ends or 'the eos token'}."
    return f'Set "add_special_tokens" to true, or let the template end with {ends or "the eos token"}.'


def _end_texts(seen: Evidence) -> Fix | None:
    """bos and eos from Olive where the tokenizer has both, else eos in the template."""
    bos, eos, template = seen.tokenizer.bos, seen.tokenizer.eos, seen.recipe.text_template
    if bos and eos:
        return set_values("Let the texts begin with bos and end with eos", seen.path, add_special_tokens=True)
    if eos and template:
        ended = template + eos.replace("{", "{{").replace("}", "}}")
        return set_values("End the template with eos", seen.path, text_template=ended)
    return None


def _count_masked_ends(seen: Evidence) -> int:
    """Sequences whose last token is an eos that is attended to and has no label, where all the rest has one."""
    eos = seen.tokenizer.eos_id
    if seen.recipe.trained_field is not None or eos is None:
        return 0
    return sum(_ends_masked(one, eos) for one in seen.sequences)


def _ends_masked(sequence: TrainingSequence, eos: int) -> bool:
    real = [index for index, attended in enumerate(sequence.attention_mask) if attended]
    labels = [sequence.labels[index] for index in real]
    return len(real) > 1 and sequence.input_ids[real[-1]] == eos and labels[-1] == IGNORED and labels[-2] != IGNORED


def _check_truncation(seen: Evidence) -> list[Problem]:
    stats, recipe = seen.stats, seen.recipe
    if not stats.truncated_rows:
        return []
    longest, rows = max(stats.lengths), stats.truncated_rows
    side = "beginning" if seen.tokenizer.cuts_left else "end"
    fix, hint = _lengthen(seen, longest)
    message = (
        f"{write_part(rows, stats.rows, 'row')} {agree(rows, 'is', 'are')} longer than max_seq_len "
        f"{recipe.max_seq_len} (the longest has {write_count(longest, 'token')}): {agree(rows, 'its', 'their')} {side} "
        "is cut off and never learnt."
    )
    code = "truncated_rows"
    if stats.truncated_answers:
        which = ", ".join(map(str, stats.cut_answers[:5])) + (", ..." if stats.truncated_answers > 5 else "")
        message += f" In {agree(rows, 'it', f'{stats.truncated_answers:,} of them')} a part of the answer is lost"
        message += f" ({agree(stats.truncated_answers, 'row', 'rows')} {which})" if which else ""
        if stats.untrained:
            message += f", in {agree(rows, 'fact', f'{stats.untrained:,}')} all of it: "
            message += agree(stats.untrained, "it teaches", "they teach") + " nothing"
        message += "."
        code = "truncated_answers"
    return [Problem("warning", code, message, f"{seen.path}.max_seq_len", hint=hint, fix=fix)]


def _lengthen(seen: Evidence, longest: int) -> tuple[Fix | None, str]:
    """max_seq_len as long as the longest row, where the model takes so much."""
    limit = seen.tokenizer.max_length
    if limit is not None and longest > limit:
        return None, f"Shorten the rows: the model takes {limit:,} tokens."
    hint = f'Set "max_seq_len" to {longest}, or shorten the rows.'
    return set_values(f"Allow {longest} {agree(longest, 'token', 'tokens')}", seen.path, max_seq_len=longest), hint
