"""Rules of values that are our own: what Olive takes and what then fails, or trains nonsense.

Olive's own validation accepts `r: -4`, `torch_dtype: "bfloat17"` and `learning_rate: "fast"`. Each bound here has its
reason in the library that uses the value (peft, transformers, Olive's pre-processing); none is a matter of taste.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """low <= value <= high, without the bound itself where it is open; `special` values are allowed as well."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    special: tuple[float, ...] = ()

    def admits(self, value: float) -> bool:
        if value in self.special:
            return True
        if value != value:  # NaN is in no range
            return False
        if self.low is not None and (value < self.low or (self.open_low and value == self.low)):
            return False
        return not (self.high is not None and (value > self.high or (self.open_high and value == self.high)))

    def __str__(self) -> str:
        low = "" if self.low is None else f"{'more than' if self.open_low else 'at least'} {self.low:g}"
        high = "" if self.high is None else f"{'less than' if self.open_high else 'at most'} {self.high:g}"
        extra = "".join(f", or {value:g}" for value in self.special)
        return " and ".join(part for part in (low, high) if part) + extra


_COUNT = Bounds(1)
_POSITIVE = Bounds(0, open_low=True)
_NOT_NEGATIVE = Bounds(0)
_SHARE_BELOW_1 = Bounds(0, 1, open_high=True)

ADAPTER: Mapping[str, Bounds] = {
    "r": Bounds(1, 65536),  # peft: "`r` should be a positive integer value"; no layer of any model is that wide
    "alpha": _POSITIVE,  # scales the adapter by alpha / r; 0 trains nothing
    "lora_dropout": _SHARE_BELOW_1,  # 1 would drop everything
    "rank_dropout": _SHARE_BELOW_1,
    "module_dropout": _SHARE_BELOW_1,
    "loftq_iter": _COUNT,
}

TRAINING: Mapping[str, Bounds] = {
    "learning_rate": Bounds(0, 1, open_low=True),  # beyond 1 the weights are soon no numbers any more
    "max_steps": Bounds(1, special=(-1,)),  # -1 is transformers' "not set"
    "num_train_epochs": _POSITIVE,
    "per_device_train_batch_size": _COUNT,
    "per_device_eval_batch_size": _COUNT,
    "gradient_accumulation_steps": _COUNT,
    "eval_accumulation_steps": _COUNT,
    "weight_decay": _NOT_NEGATIVE,
    "warmup_steps": _NOT_NEGATIVE,  # TrainingArguments refuses what is below 0
    "max_grad_norm": _NOT_NEGATIVE,
    "logging_steps": _POSITIVE,
    "eval_steps": _POSITIVE,
    "save_steps": _POSITIVE,
    "save_total_limit": _COUNT,
    "adam_beta1": _SHARE_BELOW_1,
    "adam_beta2": _SHARE_BELOW_1,
    "adam_epsilon": _POSITIVE,  # 0 divides nought by nought where a gradient is none
    "label_smoothing_factor": Bounds(0, 1),
    "seed": Bounds(0, 2**32 - 1),  # numpy takes 32 bits
    "data_seed": Bounds(-(2**63), 2**64 - 1),  # torch takes 64 bits
    "dataloader_num_workers": _NOT_NEGATIVE,
    "torch_empty_cache_steps": _COUNT,
    "neftune_noise_alpha": _NOT_NEGATIVE,
}

DATA: Mapping[str, Bounds] = {
    "max_seq_len": _COUNT,
    "max_samples": _COUNT,
    "stride": _COUNT,  # 0 never gets on
    "processing_batch_size": _COUNT,
    "num_proc": _COUNT,
    "batch_size": _COUNT,
    "num_workers": _NOT_NEGATIVE,
}

NOT_FROM_TEXT = ("sampler", "batch_sampler", "collate_fn", "generator", "worker_init_fn")
"""Options of torch's DataLoader that take an object or a function: a text can only be null."""

LOAD_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "torch_dtype": ("auto", "float32", "float16", "bfloat16", "float64", "float", "half", "double"),
    "quantization_method": ("bitsandbytes", "gptq"),  # HfLoadKwargs.dict_to_quantization_config
}

GONE_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "json": {
        "newlines_in_values": "The JSON reader of datasets no longer takes it; values may hold line breaks.",
    },
}
"""Options that a reader of `datasets` still declares, and raises on."""

ENGINE: Mapping[str, Bounds] = {
    "log_severity_level": Bounds(0, 4),
    "ort_log_severity_level": Bounds(0, 4),
    "ort_py_log_severity_level": Bounds(0, 4),
}

PHINB: Mapping[str, Bounds] = {
    "eval_split": Bounds(0, 1, open_low=True, open_high=True),
    "seed": Bounds(0, 2**32 - 1),
    "samples_every": Bounds(1),
    "samples_tokens": Bounds(1, 1024),
}

_DTYPES = ("bfloat16", "float16", "float32")

NOT_NULL = (
    *("r", "alpha", "lora_dropout", "torch_dtype", "quant_type", "loftq_iter"),
    *("module_dropout", "decompose_factor", "rank_pattern", "alpha_pattern"),
)
"""Parameters of the training passes that peft or torch fails on as null; Olive hands a null on, not its default."""

PASS_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "torch_dtype": _DTYPES,  # LoRA.get_torch_dtype asserts it, after the model was loaded
    "compute_dtype": _DTYPES,
    "quant_type": ("fp4", "nf4"),  # bitsandbytes
}
"""Choices of the training passes that Olive tells in prose only."""


# --------------------------------------------------------------------- ModelBuilder of onnxruntime-genai 0.14.1

MODEL_BUILDER_PRECISIONS = ("fp32", "fp16", "bf16", "int4")
"""Olive lets int8 through as well, and the builder then raises KeyError (set_onnx_dtype)."""

KNOWN_TO_BUILDER = (
    *("CPUExecutionProvider", "CUDAExecutionProvider", "DmlExecutionProvider", "WebGpuExecutionProvider"),
    "NvTensorRTRTXExecutionProvider",
)
"""ModelBuilder.EP_MAP; for any other provider but JsExecutionProvider it builds as for a CPU."""

_NO_FP32 = ("CUDAExecutionProvider", "DmlExecutionProvider", "NvTensorRTRTXExecutionProvider")
"""In fp32 the builder chooses the packed Attention here and forgets its outputs: an invalid graph, or an assertion."""


def build_precisions(device: str, provider: str) -> list[str]:
    """The precisions that ModelBuilder takes and builds for a target; tested by building them all."""
    if provider == "JsExecutionProvider":
        return []  # Olive calls it "web", which the builder does not know: KeyError
    able = {
        "fp32": provider not in _NO_FP32,
        "fp16": device == "gpu" and provider != "CPUExecutionProvider",  # ModelBuilder.validate_config
        "bf16": provider == "CUDAExecutionProvider",  # the same
        "int4": True,
    }
    return [precision for precision in MODEL_BUILDER_PRECISIONS if able[precision]]


INT4_ALGORITHMS = ("default", "rtn", "rtn_last", "k_quant", "k_quant_mixed", "k_quant_last", "k_quant_linear")
"""make_int4_algo_config; any other name silently means default."""

INT4_OPERATORS = ("MatMul", "Gather")
"""What MatMulNBitsQuantizer can quantize; another operator is passed over, and alone it leaves the model as it is."""

BUILDER_FLAGS = (
    *("int4_is_symmetric", "exclude_embeds", "exclude_lm_head", "include_hidden_states", "enable_cuda_graph"),
    *("enable_webgpu_graph", "use_8bits_moe", "use_qdq", "use_webgpu_fp32", "use_cuda_bf16", "shared_embeddings"),
    *("hf_remote", "disable_qkv_fusion", "prune_lm_head"),
)
BUILDER_NUMBERS = ("int4_accuracy_level", "int4_block_size", "qmoe_block_size", "num_hidden_layers")
BUILDER_TEXTS = ("int4_algo_config", "filename", "hf_token", "adapter_path", "config_only")
"""Keys of extra_options. Olive hands them on as they are: a quoted "true" is not turned into one."""

BUILDER_SEARCH = {
    "flags": ("do_sample", "early_stopping", "past_present_share_buffer"),
    "numbers": (
        *("batch_size", "chunk_size", "diversity_penalty", "length_penalty", "max_length", "min_length"),
        *("no_repeat_ngram_size", "num_beams", "num_return_sequences", "random_seed", "repetition_penalty"),
        *("temperature", "top_k", "top_p"),
    ),
}
"""What genai_config.json may hold under "search"; onnxruntime-genai refuses to load a model with any other key."""
