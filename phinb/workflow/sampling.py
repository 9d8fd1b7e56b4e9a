"""What the model under training answers to the prompts of phinb.samples, every now and then while it trains.

Looking must not change what is looked at: the trained weights are the same to the bit with samples and without. So
the random numbers are put back as they were, and so is each module's mode. Runs in the worker, where torch is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from phinb.data.recipe import Recipe, read_recipe
from phinb.data.source import parameters

TIMES = 10
"""How often prompts are answered in a training where `samples_every` does not say it."""

Told = Callable[[int, str, str], None]
"""Hears of (step, prompt, text)."""


class Sampler:
    """Answers `prompts` before the first step, every `every` steps (None: a tenth of the training) and after the last.

    The most likely token is taken each time, at most `new_tokens` of them, fewer where the model ends earlier.
    `seconds` counts what it took.
    """

    def __init__(
        self, prompts: Sequence[str], every: int | None, new_tokens: int, recipe: Recipe, tokenizer: Any, told: Told
    ) -> None:
        self.seconds = 0.0
        self._texts = {prompt: _as_trained(prompt, recipe, tokenizer) for prompt in prompts}
        self._every = every
        self._new_tokens = new_tokens
        self._tokenizer = tokenizer
        self._told = told
        self._last: int | None = None

    def is_due(self, step: int, total: int) -> bool:
        """Whether `step` of `total` is one to look at the model."""
        every = self._every or max(1, total // TIMES)
        return step != self._last and (self._last is None or step % every == 0 or step >= total)

    def sample(self, model: Any, step: int) -> None:
        """Tell what `model` answers to each prompt at `step`; the model and all random numbers stay as they were."""
        began = time.monotonic()
        self._last = step
        with untouched(model):
            for prompt, text in self._texts.items():
                self._told(step, prompt, self._answer(model, text))
        self.seconds += time.monotonic() - began

    def _answer(self, model: Any, text: str) -> str:
        import torch

        asked = self._tokenizer(text, add_special_tokens=False, return_tensors="pt").to(model.device)
        inputs = {"input_ids": asked["input_ids"], "attention_mask": asked["attention_mask"]}
        ends = {self._tokenizer.eos_token_id, *_as_list(getattr(model.generation_config, "eos_token_id", None))}
        with torch.no_grad():
            output = model.generate(
                **inputs,
                max_new_tokens=self._new_tokens,
                do_sample=False,
                num_beams=1,
                use_cache=True,
                eos_token_id=sorted(end for end in ends if end is not None) or None,
                pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id,
            )
        new = output[0, inputs["input_ids"].shape[1] :]
        return str(self._tokenizer.decode(new, skip_special_tokens=True))


def make_sampler(
    phinb_section: Mapping[str, Any],
    olive: Mapping[str, Any],
    pass_name: str,
    model: str,
    told: Told,
    *,
    alternative: int = 0,
) -> Sampler | None:
    """The sampler of a training pass, as phinb's section asks for it; None where it names no prompt.

    Prompts are tokenised as the pass's own rows are: with the same special tokens, or in the same chat template.
    alternative: which one it is, from 0, of a list of passes.
    """
    prompts = [str(prompt) for prompt in phinb_section.get("samples") or ()]
    if not prompts:
        return None
    from transformers import AutoTokenizer

    load = olive.get("input_model", {}).get("load_kwargs") or {}
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=bool(load.get("trust_remote_code")))
    every, new_tokens = phinb_section.get("samples_every"), int(phinb_section.get("samples_tokens") or 24)
    return Sampler(prompts, every, new_tokens, find_recipe(olive, pass_name, alternative), tokenizer, told)


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Within it `model` is in evaluation mode; afterwards modes and random numbers are as they were before."""
    import numpy
    import torch

    modes = [(module, module.training) for module in model.modules()]
    numbers, of_numpy = random.getstate(), numpy.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            model.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training
        random.setstate(numbers)
        numpy.random.set_state(of_numpy)


def _as_trained(prompt: str, recipe: Recipe, tokenizer: Any) -> str:
    """The prompt as the beginning of a row has it in training."""
    if recipe.chat_template:
        template = recipe.chat_template if isinstance(recipe.chat_template, str) else None
        turns = [{"role": "user", "content": prompt}]
        rendered = tokenizer.apply_chat_template(
            turns, chat_template=template, tokenize=False, add_generation_prompt=True
        )
        return str(rendered)
    return f"{tokenizer.bos_token} {prompt}" if recipe.add_special_tokens and tokenizer.bos_token else prompt


def find_recipe(olive: Mapping[str, Any], pass_name: str, alternative: int = 0) -> Recipe:
    """How the rows of a training pass become tokens; `alternative`: which one of a list of passes, from 0."""
    value = olive["passes"][pass_name]
    named = (value[alternative] if isinstance(value, list) else value).get("train_data_config")
    for data_config in olive.get("data_configs") or []:
        if data_config.get("name") == named:
            return read_recipe(parameters(data_config.get("pre_process_data_config")))
    return Recipe()


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
