"""A Hugging Face model, with or without a LoRA adapter, in float32: scores labels and generates.

Only a measuring process imports torch through this module.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.latency import read_clock
from phinb.evaluation.scoring import EncodedRow
from phinb.types import Latency, Variant

if TYPE_CHECKING:
    from phinb.evaluation.operations import Sampling

BATCH_TOKENS = 512
"""Prompt tokens of one batch, padding included: on two cores more is not faster, and memory stays small."""


class PyTorchModel:
    """The loaded variant. `import_s` is what the libraries took, `load_s` what the model took from disk."""

    def __init__(self, variant: Variant) -> None:
        began = time.perf_counter()
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        if variant.kind == "adapter":
            from peft import PeftModel
        self._torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        folder = variant.base_path if variant.kind == "adapter" else variant.path
        with _explained(variant):
            # A model without memory: transformers now imports the model's code, which is no part of loading it.
            with torch.device("meta"):
                AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
            self.import_s = time.perf_counter() - began
            began = time.perf_counter()
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
            if variant.kind == "adapter":
                model = PeftModel.from_pretrained(model, variant.path)
            self._model = model.to(self.device).eval()
        self.load_s = time.perf_counter() - began
        self._window = getattr(model.config, "sliding_window", None)
        self.vocabulary = int(model.config.vocab_size)
        self.stop_ids = _stop_ids(model)

    def describe(self) -> dict[str, Any]:
        """Backend, device, threads and number format."""
        threads = self._torch.get_num_threads()
        return {"backend": "PyTorch", "device": self.device, "threads": threads, "dtype": "float32"}

    # ------------------------------------------------------------------------------------------ scoring

    def score(self, rows: Sequence[EncodedRow]) -> Iterator[tuple[int, list[float]]]:
        """(row, log-likelihood of each candidate in nats), in any order; rows of like length share a batch.

        A prompt goes through the model once; its keys and values then serve every candidate.
        """
        for batch in self._batches(rows):
            with self._torch.inference_mode():
                yield from self._score_batch(batch)

    def _batches(self, rows: Sequence[EncodedRow]) -> Iterator[list[EncodedRow]]:
        batch: list[EncodedRow] = []
        for row in sorted(rows, key=lambda row: (len(row.prompt), row.row)):
            longest = len(row.prompt) + max(map(len, row.candidates))
            # Padding stands between a prompt and its candidates; a sliding window would count it.
            windowed = self._window is not None and longest >= self._window
            full = (len(batch) + 1) * len(row.prompt) > BATCH_TOKENS
            if batch and (full or windowed):
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _score_batch(self, batch: Sequence[EncodedRow]) -> Iterator[tuple[int, list[float]]]:
        """Prompts are padded on the right: no real token sees the padding, so that nothing changes by it."""
        torch = self._torch
        lengths = torch.tensor([len(row.prompt) for row in batch], device=self.device)
        prompts, mask = self._pad([row.prompt for row in batch])
        first = self._model(
            input_ids=prompts, attention_mask=mask, use_cache=True, logits_to_keep=(lengths - 1).unsqueeze(1)
        )
        flat = [candidate for row in batch for candidate in row.candidates]
        each = len(batch[0].candidates)
        starts = torch.log_softmax(first.logits[:, -1].float(), dim=-1).repeat_interleave(each, dim=0)
        openers = torch.tensor([candidate[0] for candidate in flat], device=self.device)
        sums = starts.gather(1, openers.unsqueeze(1)).squeeze(1).double()
        if max(map(len, flat)) > 1:
            cache = first.past_key_values
            cache.batch_repeat_interleave(each)
            sums += self._score_rest(
                flat, cache, mask.repeat_interleave(each, dim=0), lengths.repeat_interleave(each, dim=0)
            )
        values = sums.reshape(len(batch), each).tolist()
        for row, candidates in zip(batch, values, strict=True):
            yield row.row, candidates

    def _score_rest(self, flat: Sequence[Sequence[int]], cache: Any, mask: Any, lengths: Any) -> Any:
        """Sum of the log-likelihoods of each candidate's tokens after its first; shape (candidates,)."""
        torch = self._torch
        tokens, present = self._pad([candidate[:-1] for candidate in flat])
        targets, _ = self._pad([candidate[1:] for candidate in flat])
        positions = lengths.unsqueeze(1) + torch.arange(tokens.shape[1], device=self.device)
        output = self._model(
            input_ids=tokens,
            attention_mask=torch.cat([mask, present], dim=1),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        logs = torch.log_softmax(output.logits.float(), dim=-1).gather(2, targets.unsqueeze(2)).squeeze(2)
        return torch.where(present.bool(), logs, 0.0).double().sum(dim=1)

    def _pad(self, sequences: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """(ids, mask), both of shape (sequences, longest), padded on the right with 0."""
        torch = self._torch
        width = max(map(len, sequences))
        ids = torch.zeros((len(sequences), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for index, sequence in enumerate(sequences):
            ids[index, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
            mask[index, : len(sequence)] = 1
        return ids.to(self.device), mask.to(self.device)

    def log_probabilities(self, ids: Sequence[int]) -> Any:
        """Shape (len(ids), vocabulary), float32 NumPy: the natural logarithm of the next token's distribution."""
        torch = self._torch
        with torch.inference_mode():
            logits = self._model(input_ids=torch.tensor([list(ids)], device=self.device)).logits[0]
            return torch.log_softmax(logits.float(), dim=-1).cpu().numpy()

    # --------------------------------------------------------------------------------------- generation

    def generate(self, prompt: Sequence[int], new_tokens: int, batch: int = 1) -> Latency:
        """Greedy; the clock starts before `generate` is called and is read as each token comes out."""
        torch = self._torch
        clock = _Clock()
        began = time.perf_counter()
        ids = torch.tensor([list(prompt)] * batch, device=self.device)
        with torch.inference_mode():
            self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=new_tokens,
                max_new_tokens=new_tokens,
                streamer=clock,
                pad_token_id=0,
            )
        return read_clock(began, clock.times, len(prompt), batch)

    def stream(self, prompt: Sequence[int], new_tokens: int, sampling: Sampling) -> Iterator[int]:
        """Tokens one by one, the likeliest or drawn; an end token is the last."""
        torch = self._torch
        draws = torch.Generator().manual_seed(sampling.seed) if sampling.seed is not None else None
        ids = torch.tensor([list(prompt)], device=self.device)
        cache = None
        for _ in range(new_tokens):
            with torch.inference_mode():
                output = self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
                cache = output.past_key_values
                token = self._pick(output.logits[0, -1].float().cpu(), sampling, draws)
            yield token
            if token in self.stop_ids:
                return
            ids = torch.tensor([[token]], device=self.device)

    def _pick(self, logits: Any, sampling: Sampling, draws: Any) -> int:
        torch = self._torch
        if sampling.temperature <= 0:
            return int(logits.argmax())
        shares, order = torch.softmax(logits / sampling.temperature, dim=-1).sort(descending=True)
        kept = shares.cumsum(0) - shares < sampling.top_p  # the one that crosses the bound stays
        return int(order[torch.multinomial(shares * kept, 1, generator=draws)])


def _stop_ids(model: Any) -> frozenset[int]:
    """Where generation ends, as transformers' own: generation_config.json, else config.json."""
    named = model.generation_config.eos_token_id if model.generation_config else model.config.eos_token_id
    every = named if isinstance(named, list | tuple) else [named]
    return frozenset(int(one) for one in every if one is not None)


class _Clock:
    """A transformers streamer that notes when tokens come; the first thing it is given is the prompt."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._prompt_seen = False

    def put(self, value: Any) -> None:
        if self._prompt_seen:
            self.times.append(time.perf_counter())
        self._prompt_seen = True

    def end(self) -> None:
        pass


@contextmanager
def _explained(variant: Variant) -> Iterator[None]:
    """What the libraries raise for files that they cannot load, in one line and with a remedy."""
    try:
        yield
    except Exception as error:  # of any class: configuration, safetensors, torch and peft each have their own
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise PhinbError(
            f"{variant.name}: the model in {variant.path} cannot be loaded ({type(error).__name__}): {first_line}",
            "Its files are damaged or do not fit each other: run the pass that makes it again.",
        ) from error
