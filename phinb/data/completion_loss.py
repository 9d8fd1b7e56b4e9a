"""A pre-process for Olive that puts the loss on the answers, and can hold sequences out for evaluation.

This file needs Olive and nothing of phinb: phinb copies it beside a configuration, which names it as the
`user_script` of its data configs, and `olive run` executes it. It takes the parameters of the pre-process that it
stands before, and

  pre_process     the type of that pre-process, by default text_generation_huggingface_pre_process
  trained_field   the column of the text_template that is to be learnt: the loss is on its value and on what follows
                  it in the row's text, end of sequence included
  trained_role    the role of a chat_template's messages that is to be learnt, with what ends each of its turns
  held_out_share  the share of the sequences, shuffled with seed 42, that training does not get (between 0 and 1)
  held_out        true: give the sequences held out, instead of the others

Olive itself makes the sequences, twice: once of the texts, and once of the numbers of their tokens, so that every
token of a sequence is known by its row and place whatever the strategy, cut or stride.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain, takewhile
from string import Formatter
from typing import Any

NAME = "phinb_completion_loss"
"""What the component is called in a configuration: the `type` of pre_process_data_config."""

IGNORED = -100
"""The label of a token that is not trained on (torch's cross entropy)."""

SPLIT_SEED = 42
"""Olive up to 0.6 split eval_dataset_size off the tokenised sequences, shuffled with this seed."""

TEXT_GENERATION = "text_generation_huggingface_pre_process"
"""The only pre-process of Olive's whose prompts can be masked."""

BATCH = 1000
"""Texts that are tokenised at once."""

Range = tuple[int, int]
"""Characters [start, end) of a text."""

_FORMATTER = Formatter()

Render = Callable[[Sequence[Mapping[str, Any]], bool], str]
"""(messages, whether the prompt for the next answer is added) -> the text of a conversation."""


# ------------------------------------------------------------------------------- which characters are trained on


def find_answer(template: str, row: Mapping[str, Any], answer: str) -> int | None:
    """The character of the filled template at which the first value of `answer` begins; None without one."""
    found = _parse_before(template, answer)
    if found is None:
        return None
    start, before = found
    for name, spec, conversion in before:
        value = row[name]
        start += len(
            value
            if type(value) is str and not (spec or conversion)
            else _FORMATTER.format_field(_FORMATTER.convert_field(value, conversion), spec)
        )
    return start


@lru_cache(maxsize=16)
def _parse_before(template: str, answer: str) -> tuple[int, tuple[tuple[str, str, str | None], ...]] | None:
    """(literal characters, fields with their specs and conversions) that stand before the first `answer`."""
    length = 0
    before: list[tuple[str, str, str | None]] = []
    for literal, name, spec, conversion in _FORMATTER.parse(template):
        length += len(literal)
        if name == answer:
            return length, tuple(before)
        if name is not None:
            before.append((name, spec or "", conversion))
    return None


def find_turns(render: Render, messages: Sequence[Mapping[str, Any]], role: str) -> list[Range]:
    """Where the turns of `role` stand in render(messages, False): each from behind the prompt that a model gets
    before it speaks, to the end of what closes the turn.

    A template may close a turn otherwise where it is the last one: what both ways share is the turn's.
    """
    text, turns, behind = render(messages, False), [], 0
    for index, message in enumerate(messages):
        if message.get("role") != role:
            continue
        prompt = _try_render(render, messages[:index], True)
        known = prompt is not None and text.startswith(prompt)
        content = message.get("content")
        content = content.strip() if isinstance(content, str) else ""
        start = len(prompt or "") if known else text.find(content, behind)
        if start < behind:
            continue  # the template does not write it
        upto = _try_render(render, messages[: index + 1], False) or ""
        alone = upto.find(content, start) if known else upto.rfind(content)
        closing = upto[alone + len(content) :] if alone >= 0 else ""
        found = text.find(content, start)
        if found >= 0:
            end = found + len(content)
            behind = end + _count_shared(text[end:], closing)
        else:  # written otherwise than it is (without its thoughts): up to what closes it when it is the last
            end = text.find(closing, start) if closing else -1
            behind = end + len(closing) if end >= 0 else start
        turns.append((start, behind))
    return turns


def mark_tokens(offsets: Sequence[Range], ranges: Sequence[Range]) -> list[bool]:
    """Whether each token is trained on: it is where at least half of its characters are within the ranges."""
    return [
        any(start <= first < end for start, end in ranges)
        if first == last
        else 2 * sum(max(0, min(last, end) - max(first, start)) for start, end in ranges) >= last - first
        for first, last in offsets
    ]


def _count_shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _try_render(render: Render, messages: Sequence[Mapping[str, Any]], prompts: bool) -> str | None:
    """None where the template refuses a part of a conversation."""
    try:
        return render(messages, prompts)
    except Exception:  # whatever a template raises
        return None


# ----------------------------------------------------------------------------------------------- the component


def completion_loss(
    dataset: Any,
    model_name: str | None = None,
    trust_remote_code: bool | None = None,
    pre_process: str = TEXT_GENERATION,
    trained_field: str | None = None,
    trained_role: str | None = None,
    held_out_share: float | None = None,
    held_out: bool = False,
    **kwargs: Any,
) -> Any:
    """The sequences that Olive's pre-process makes of `dataset`, with the labels of all but the answers IGNORED.

    Raises ValueError where an answer cannot be told from its prompt, or a sequence not be traced to its rows.
    """
    from olive.data.registry import Registry

    if "random" in str(kwargs.get("strategy")) and kwargs.get("random_seed") is None:
        kwargs["random_seed"] = random.randrange(2**32)  # both passes have to draw the same
    model = {"model_name": model_name, "trust_remote_code": trust_remote_code}
    model = {name: value for name, value in model.items() if value is not None}
    made = Registry.get_pre_process_component(pre_process)(dataset, **model, **kwargs)
    if (trained_field or trained_role) and len(made):
        made = _mask_prompts(made, dataset, model, kwargs, trained_field, trained_role)
    return made if held_out_share is None else _take_part(made, held_out_share, held_out)


def _mask_prompts(
    made: Any, dataset: Any, model: Mapping[str, Any], kwargs: Mapping[str, Any], field: str | None, role: str | None
) -> Any:
    from olive.common.hf.utils import get_tokenizer
    from olive.data.component.dataset import ClassificationDataset

    name = str(model["model_name"])
    tokenizer = get_tokenizer(name, trust_remote_code=model.get("trust_remote_code"))
    params = {key: value for key, value in kwargs.items() if key != "task"}
    data = _Rows(dataset, tokenizer, params, field, role).mask(made.data.select(range(len(made))))
    data.set_format("torch", output_all_columns=True)
    return ClassificationDataset(data, "labels")


def _take_part(made: Any, share: float, held_out: bool) -> Any:
    """The sequences that are held out, or the others."""
    from datasets import Dataset
    from torch.utils.data import Subset

    if len(made) < 2:
        raise ValueError(f"Of {len(made)} sequences none can be held out for evaluation.")
    numbers = Dataset.from_dict({"number": list(range(len(made)))})
    parts = numbers.train_test_split(test_size=share, shuffle=True, seed=SPLIT_SEED)
    return Subset(made, parts["test" if held_out else "train"]["number"])


class _Rows:
    """The rows' texts as one stream of tokens, each text's followed by the joiner's: ids, and which are trained on."""

    def __init__(
        self, dataset: Any, tokenizer: Any, params: Mapping[str, Any], field: str | None, role: str | None
    ) -> None:
        import numpy

        self.tokenizer = tokenizer
        self.params = params
        self.field, self.role = field, role
        if not tokenizer.is_fast:
            raise ValueError("A loss on the completion needs a fast tokenizer (one with a tokenizer.json).")
        joins = "join" in str(params.get("strategy", "join"))
        joiner = params.get("joiner", "\n\n") if joins else ""
        self.joiner = tokenizer.encode(joiner, add_special_tokens=False) if joiner else []
        self.lengths: list[int] = []
        ids, trained = [], []
        for row_ids, row_trained in self._tokenize(dataset):
            self.lengths.append(len(row_ids))
            ids += [row_ids, self.joiner]
            trained += [row_trained, [False] * len(self.joiner)]
        self.ids = numpy.fromiter(chain.from_iterable(ids), dtype=numpy.int64)
        self.trained = numpy.fromiter(chain.from_iterable(trained), dtype=bool)

    def mask(self, data: Any) -> Any:
        """`data`, which Olive made of the same rows, with the labels of all but the answers IGNORED."""
        import numpy
        import pyarrow
        from datasets import Dataset
        from olive.data.component.text_generation import text_gen_pre_process

        without = ("text_template", "text_formatting_func", "chat_template")
        params = {name: value for name, value in self.params.items() if name not in without}
        params |= {"text_cols": ["text"], "add_special_tokens": False}
        numbers = Dataset.from_dict({"text": [str(number) for number in range(len(self.lengths))]})
        stand_in = _Positions(self.lengths, len(self.joiner), self.tokenizer.truncation_side)
        made = text_gen_pre_process(numbers, stand_in, params).data
        table = data.with_format("arrow")[:]
        (ids, sizes), (labels, _) = _flatten(table["input_ids"]), _flatten(table["labels"])
        places, same = _flatten(made.select(range(len(data))).with_format("arrow")[:]["input_ids"])
        real = places >= 0
        if not (numpy.array_equal(sizes, same) and numpy.array_equal(ids[real], self.ids[places[real]])):
            raise ValueError("Olive's sequences are not those of the rows' tokens: the prompts cannot be masked.")
        masked = numpy.where(real & self.trained[places], labels, IGNORED)
        bounds = numpy.concatenate([[0], numpy.cumsum(sizes)])
        column = pyarrow.LargeListArray.from_arrays(bounds, masked).cast(table["labels"].type)
        return Dataset(table.set_column(table.column_names.index("labels"), "labels", column))

    def _tokenize(self, dataset: Any) -> Iterator[tuple[list[int], list[bool]]]:
        """(ids, which of them are trained on) of each text; empty texts are left out, as Olive does."""
        batch: list[tuple[str, list[Range]]] = []
        for row in dataset:
            text, ranges = self._write(row)
            if text:
                batch.append((text, ranges))
            if len(batch) == BATCH:
                yield from self._encode(batch)
                batch = []
        yield from self._encode(batch)

    def _encode(self, batch: Sequence[tuple[str, list[Range]]]) -> Iterator[tuple[list[int], list[bool]]]:
        if not batch:
            return
        texts = [text for text, _ in batch]
        found = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        for ids, offsets, (_, ranges) in zip(found["input_ids"], found["offset_mapping"], batch, strict=True):
            yield ids, mark_tokens(offsets, ranges)

    def _write(self, row: Mapping[str, Any]) -> tuple[str, list[Range]]:
        """A row's text, as Olive writes it, and what of it is trained on."""
        from olive.data.component.text_generation import get_text

        special, template = self.params.get("add_special_tokens", True), self.params.get("text_template")
        chat, column = self.params.get("chat_template"), self.params.get("message_col", "messages")
        text = get_text(row, chat, column, None, template, None, special, self.tokenizer)
        if chat and self.role:
            return text, find_turns(self._renderer(chat), row[column], self.role)
        found = find_answer(template, row, self.field) if template and self.field and not chat else None
        if found is None:
            raise ValueError(f"Nothing tells prompt and answer ({self.field or self.role}) apart in the text.")
        before = len(f"{self.tokenizer.bos_token} ") if special else 0
        return text, [(before + found, len(text))]

    def _renderer(self, chat: bool | str) -> Render:
        template = chat if isinstance(chat, str) else None
        return lambda messages, prompts: self.tokenizer.apply_chat_template(
            messages, tokenize=False, chat_template=template, add_generation_prompt=prompts
        )


def _flatten(column: Any) -> tuple[Any, Any]:
    """(all values of a column of lists end to end, how many each list has), as arrays."""
    import pyarrow.compute

    return column.combine_chunks().flatten().to_numpy(), pyarrow.compute.list_value_length(column).to_numpy()


class _Positions:
    """Stands in for the tokenizer in Olive's pre-process: a text's number -> where its tokens are in the stream."""

    bos_token = eos_token = None

    def __init__(self, lengths: Sequence[int], joiner: int, truncation_side: str) -> None:
        self.bounds = [0, *accumulate(length + joiner for length in lengths)]
        self.joiner = joiner
        self.truncation_side = truncation_side
        self.padding_side = "right"

    def encode(self, text: str, **_: Any) -> list[int]:
        """The joiner's tokens: no place of their own is needed, they are never trained on."""
        return [-1] * self.joiner

    def __call__(self, texts: str | list[str], **options: Any) -> Any:
        from transformers import BatchEncoding

        if isinstance(texts, str):
            places, mask = self._place(texts, options)
            as_batch = options.get("return_tensors") is not None
            single = {"input_ids": [places], "attention_mask": [mask]} if as_batch else {"input_ids": places}
            return BatchEncoding(single, tensor_type=options.get("return_tensors"))
        found = [self._place(text, options) for text in texts]
        return BatchEncoding({"input_ids": [one for one, _ in found], "attention_mask": [mask for _, mask in found]})

    def _place(self, text: str, options: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        """(places, attention mask) of one text, cut and padded as asked."""
        start, end = self.bounds[int(text)], self.bounds[int(text) + 1] - self.joiner
        size = int(options.get("max_length") or 0)
        if options.get("truncation") and end - start > size:
            start, end = (end - size, end) if self.truncation_side == "left" else (start, start + size)
        places, mask = list(range(start, end)), [1] * (end - start)
        missing = max(size - len(places), 0) if options.get("padding") == "max_length" else 0
        padding, absent = [-1] * missing, [0] * missing
        return (padding + places, absent + mask) if self.padding_side == "left" else (places + padding, mask + absent)


def register() -> None:
    """Let Olive know the component under NAME."""
    from olive.data.registry import Registry

    Registry.register_pre_process(NAME)(completion_loss)
