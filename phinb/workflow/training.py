"""What phinb does while the trainer steps: tells steps, metrics and samples, and hears the user's wish to stop."""

from __future__ import annotations

import traceback
from typing import Any

from phinb.types import Sample
from phinb.workflow.sampling import Sampler, make_sampler
from phinb.workflow.throughput import Throughput
from phinb.workflow.watch import Watch

COUNTED = "num_input_tokens_seen"
"""The trainer's own count, which `tokens_per_s` comes from; logged by itself it would only fill the events."""


def make_callback(watch: Watch) -> type[Any]:
    """The class of callback that the trainer makes one of for each training; loads transformers."""
    import transformers

    class TrainingWatch(transformers.TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.look = Look(watch)

        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            self.look.begin(args, state, model)

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.look.throughput.begin_step(state.num_input_tokens_seen)

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            self.look.end_step(state, control, model)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            self.look.log(state, logs or {})

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.look.end()

    return TrainingWatch


class Look:
    """One training, as it is watched."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._pass = watch.current
        self.throughput = Throughput()
        self._sampler: Sampler | None = None
        self._counts_for_us = False

    def begin(self, args: Any, state: Any, model: Any) -> None:
        # The trainer counts tokens only where it is asked to; padding is not what one pays for.
        if args.include_num_input_tokens_seen == "no":
            args.include_num_input_tokens_seen = "non_padding"
            self._counts_for_us = True
        # By default the trainer writes 0, or what it was before, where the loss is NaN or infinite.
        args.logging_nan_inf_filter = False
        self._watch.reporter.progress(self._pass, state.global_step, state.max_steps, "steps")
        try:
            job, name = self._watch.job, self._watch.pass_name
            choice = self._watch.search.choice(name) if self._watch.search is not None else None
            alternative = choice["index"] if choice else 0
            self._sampler = make_sampler(
                job.phinb, job.olive, name, job.base_model, self._tell_sample, alternative=alternative
            )
        except Exception as error:  # of any class, by a tokenizer's own code
            self._give_sampling_up(error)
        self._sample(model, state)

    def end_step(self, state: Any, control: Any, model: Any) -> None:
        self.throughput.end_step()
        self._watch.reporter.progress(self._pass, state.global_step, state.max_steps, "steps")
        if self._watch.control.stopping.is_set() and state.global_step < state.max_steps:
            self._watch.cut_short = True
            control.should_training_stop = True
            control.should_save = True
            return
        self._sample(model, state)

    def log(self, state: Any, logs: dict[str, Any]) -> None:
        values = {key: value for key, value in logs.items() if not (self._counts_for_us and key == COUNTED)}
        if "loss" in values:
            rate = self.throughput.take(state.num_input_tokens_seen)
            values |= {} if rate is None else {"tokens_per_s": round(rate, 1)}
        self._watch.log_metrics(state.global_step, values)

    def end(self) -> None:
        if self._sampler is not None:
            text = f"Answering the prompts of phinb.samples took {self._sampler.seconds:.1f} s of the training."
            self._watch.reporter.notice("info", "sampled", text)

    def _sample(self, model: Any, state: Any) -> None:
        if self._sampler is None or not self._sampler.is_due(state.global_step, state.max_steps):
            return
        try:
            self._sampler.sample(model, state.global_step)
        except Exception as error:  # looking at a model must never end its training
            self._give_sampling_up(error)

    def _give_sampling_up(self, error: Exception) -> None:
        traceback.print_exc()
        self._sampler = None
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        text = f"The prompts of phinb.samples are not answered any more: {reason}"
        self._watch.reporter.notice("warning", "not_sampled", text, "Training goes on without; the log says more.")

    def _tell_sample(self, step: int, prompt: str, text: str) -> None:
        self._watch.reporter.emit(Sample(pass_name=self._pass, step=step, prompt=prompt, text=text))
