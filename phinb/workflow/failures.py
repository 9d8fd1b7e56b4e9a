"""Known failures of Olive, its libraries and the machine: from what was printed or raised to cause and remedy.

One table, most specific first. Each row was provoked for real by a test where that is possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OUT_OF_MEMORY = "The system ended it because memory ran out."
"""What is said where the system, and not a library, found too little memory: there is no text to recognise then."""


@dataclass(frozen=True)
class Failure:
    """`code` is a stable word for programs; cause and remedy are sentences for the user."""

    code: str
    pattern: re.Pattern[str]
    cause: str
    remedy: str


def _failure(code: str, pattern: str, cause: str, remedy: str) -> Failure:
    return Failure(code, re.compile(pattern, re.IGNORECASE | re.DOTALL), cause, remedy)


KNOWN = (
    _failure(
        "diverged",
        r"checkup\.Broken: .*\(NaN or infinity\)",
        "Some of its numbers are none (NaN or infinity): training diverged, or the model was like that before.",
        "Lower learning_rate: 1e-4 to 2e-4 is usual for LoRA. float16 has too small a range for many models: use "
        "bfloat16 or float32.",
    ),
    _failure(
        "broken_artefact",
        r"checkup\.Broken: ",
        "What the pass made cannot be used; nothing of it was kept.",
        "Check the input model with %olive_doctor and a small run; start again with --fresh.",
    ),
    _failure(
        "inputs_changed",
        r"changed between being hashed and being read",
        "A data file was written to while the run was starting.",
        "Run it again: it then trains on what the file holds now.",
    ),
    _failure(
        "disk_full",
        r"No space left on device|Errno 28|os error 28|Disk quota exceeded|Errno 122",
        "The disk is full.",
        "Free some space, or set PHINB_HOME to a larger disk.",
    ),
    _failure(
        "file_too_large",
        r"File too large|Errno 27|os error 27",
        "A file may not grow as large as it would have to.",
        "Look at `ulimit -f`, or set PHINB_HOME to a disk whose file system holds files of more than 4 GB.",
    ),
    _failure(
        "not_written",
        r"PytorchStreamWriter failed|inline_container",  # torch says no more
        "A file could not be written: the disk is full, or a limit on the size of files was hit.",
        "Free some space, or set PHINB_HOME to a larger disk; `ulimit -f` shows the limit.",
    ),
    _failure(
        "out_of_memory",
        r"MemoryError|std::bad_alloc|DefaultCPUAllocator: can't allocate|CUDA out of memory|Cannot allocate memory"
        r"|OutOfMemoryError|bad allocation|Failed to allocate memory|can't start new thread",
        "There was not enough memory.",
        "Lower per_device_train_batch_size or max_seq_len, turn gradient_checkpointing on, or close other notebooks.",
    ),
    _failure(
        "not_utf8",
        r"UnicodeDecodeError|'utf-8' codec can't decode",
        "A data file is not UTF-8 text.",
        "Save it again as UTF-8.",
    ),
    _failure(
        "missing_column",
        r"template\.format\(.*(KeyError|IndexError)|text_template.*KeyError|Replacement index .* out of range",
        "The text template names a field that the data has no column for, or holds a literal brace.",
        "Compare the template's {fields} with the columns; write a literal brace twice: {{ }}.",
    ),
    _failure(
        "no_sequences",
        r"DatasetGenerationError|SchemaInferenceError|no training sequences|pass `features` or at least one example",
        "The data gave no training sequence.",
        "With strategy join, rows are joined until max_seq_len is full, and the rest is dropped: use strategy "
        "line-by-line, or a smaller max_seq_len. `phinb preview FILE` shows what comes of the rows.",
    ),
    _failure(
        "wrong_modules",
        r"Target modules .* not found in the base model|No modules were targeted for adaptation",
        "target_modules names layers that this model does not have.",
        "Phi-3 has qkv_proj, o_proj, gate_up_proj and down_proj; Llama-like models q_proj, k_proj, v_proj, o_proj. "
        "Leave target_modules out to take the model's usual ones.",
    ),
    _failure(
        "gated_model",
        r"GatedRepoError|401 Client Error|Access to model .* is restricted|You must have access to it",
        "The model is gated: it needs a Hugging Face account that was granted access.",
        "Run `hf auth login` in a terminal, once; never write a token into a configuration.",
    ),
    _failure(
        "hub_out_of_reach",
        r"LocalEntryNotFoundError|couldn't connect to 'https://huggingface.co'|OfflineModeIsEnabled|MaxRetryError"
        r"|is not a local folder and is not a valid model identifier|Temporary failure in name resolution",
        "The model or data set is neither in a local folder nor in reach on the hub.",
        "Check the name, the network or the proxy; phinb://demo needs no hub.",
    ),
    _failure(
        "genai_versions",
        r"parse_extra_options|genai\.models\.quantized_model|multi_cache|No module named 'onnxruntime_genai",
        "onnxruntime-genai and Olive do not fit together.",
        'Install the set that works: pip install "phinb[cpu]" -c constraints.txt. `phinb doctor` shows what differs.',
    ),
    _failure(
        "bad_checkpoint",
        r"output directory .* already exists and is not empty|Can't find a valid checkpoint|invalid checkpoint",
        "The checkpoints of an earlier run cannot be used.",
        "Start again with --fresh.",
    ),
    _failure(
        "dtype",
        r"not implemented for '(Half|BFloat16)'|bf16.*not supported|BFloat16 is not supported|fp16 mixed precision",
        "This device cannot compute in the chosen torch_dtype.",
        "Set torch_dtype to float32.",
    ),
    _failure(
        "no_adapter",
        r"No adapter path found in the model",
        "There is no adapter to merge.",
        "Put a LoRA or QLoRA pass before MergeAdapterWeights.",
    ),
    _failure(
        "missing_file",
        r"FileNotFoundError|No such file or directory|doesn't exist at|Couldn't find any data file",
        "A file that the configuration names is not there.",
        "Check the path; relative paths start at the configuration's own folder.",
    ),
)


def find_code(cause: str) -> str:
    """The code of the failure whose cause stands in an event, or begins it; "" for one that is not of the table."""
    if cause.startswith(OUT_OF_MEMORY):
        return "out_of_memory"
    return next((failure.code for failure in KNOWN if cause.startswith(failure.cause)), "")


def explain(text: str) -> tuple[str, str, str]:
    """(code, cause, remedy) of the first known failure in `text`; ("unknown", "", "look at the log") else."""
    for failure in KNOWN:
        if failure.pattern.search(text):
            return failure.code, failure.cause, failure.remedy
    return (
        "unknown",
        "",
        "The log's tail says more: %olive_attach RUN shows it, and log.txt in the run's folder is whole.",
    )
