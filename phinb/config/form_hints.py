"""What a form says of a value beside its schema: its unit, its plain words, and whether it matters first.

Olive's own help texts lack most of the data side, and none of its texts has a unit. What is written here is no taste of
ours: each sentence is what the installed Olive or transformers does.
"""

from __future__ import annotations

from collections.abc import Mapping

UNITS: Mapping[str, str] = {
    "max_steps": "steps",
    "num_train_epochs": "epochs",
    "warmup_steps": "steps",
    "logging_steps": "steps",
    "eval_steps": "steps",
    "save_steps": "steps",
    "save_total_limit": "checkpoints",
    "gradient_accumulation_steps": "batches",
    "per_device_train_batch_size": "sequences",
    "per_device_eval_batch_size": "sequences",
    "processing_batch_size": "rows",
    "batch_size": "sequences",
    "max_samples": "rows",
    "max_seq_len": "tokens",
    "stride": "tokens",
    "eval_split": "share",
    "lora_dropout": "share",
    "rank_dropout": "share",
    "module_dropout": "share",
    "label_smoothing_factor": "share",
    "num_workers": "processes",
    "dataloader_num_workers": "processes",
    "timeout": "s",
    "int4_block_size": "weights",
    "block_size": "weights",
    "bits": "bits",
    "latency_budget": "ms",
}
"""The unit of a number, by the last key of its path."""

FIRST: Mapping[str, tuple[str, ...]] = {
    "input_model": ("model_path", "task", "adapter_path"),
    "system": ("device", "execution_providers"),
    "engine": ("output_dir", "evaluator", "search_strategy"),
    "compute": ("host", "target"),
    "evaluator": ("type", "metrics"),
    "phinb": ("loss_on", "eval_split", "answer", "labels", "seed"),
    "load_dataset_config": ("data_name", "data_files", "subset", "split"),
    "pre_process_data_config": ("text_template", "chat_template", "strategy", "max_seq_len", "pad_to_max_len"),
    "training_args": (
        "learning_rate",
        "max_steps",
        "num_train_epochs",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "lr_scheduler_type",
        "warmup_steps",
        "eval_strategy",
        "eval_steps",
        "logging_steps",
        "gradient_checkpointing",
        "seed",
    ),
    "adapter": (
        "r",
        "alpha",
        "lora_dropout",
        "target_modules",
        "torch_dtype",
        "train_data_config",
        "eval_data_config",
        "quant_type",
        "double_quant",
        "compute_dtype",
    ),
    "ModelBuilder": ("precision", "int4_block_size", "int4_accuracy_level", "int4_is_symmetric", "int4_algo_config"),
}
"""What matters first, in this order; a pass that is not listed shows what it requires and what was written."""

WORDS: Mapping[str, str] = {"r": "rank", "alpha": "scale"}
"""A plain word beside a key that does not say by itself what it is."""

HELP: Mapping[str, str] = {
    "type": "What it is; its other keys follow from it.",
    "input_model.type": "HfModel is a Hugging Face model.",
    "input_model.model_path": "A folder, a hub name, phinb://demo (small, real) or phinb://tiny (random, for trials).",
    "input_model.task": "What the model is for; text-generation for Phi-3 and its like.",
    "input_model.adapter_path": "The folder of an adapter that was trained before.",
    "load_dataset_config.type": "The function that reads the data.",
    "load_dataset_config.data_name": "The reader, or a dataset on the hub: json, csv, text, parquet.",
    "load_dataset_config.data_files": "The data's file or files, relative to the configuration's folder.",
    "load_dataset_config.subset": "The dataset's configuration name, where it has several.",
    "load_dataset_config.split": "Which rows: train, test, train[:70%]. A file without splits is all train.",
    "load_dataset_config.data_dir": "The folder in the dataset to read.",
    "load_dataset_config.col_filters": "Only rows whose columns have these values.",
    "pre_process_data_config.type": "The function that makes tokens of the rows.",
    "pre_process_data_config.text_template": "The text of a row; {column} is filled in. Literal braces fail.",
    "pre_process_data_config.text_cols": "The columns that are joined to a text; without effect beside a template.",
    "pre_process_data_config.chat_template": "true: the tokenizer's own template, on message_col; or a text: your own.",
    "pre_process_data_config.message_col": "The column of messages that the chat template takes.",
    "pre_process_data_config.strategy": "line-by-line: a row is a sequence. join: rows are joined and cut again.",
    "pre_process_data_config.max_seq_len": "What is longer is cut. With join every sequence has this length.",
    "pre_process_data_config.pad_to_max_len": "Pad every sequence to max_seq_len, which costs time and memory.",
    "pre_process_data_config.max_samples": "Use at most this many rows.",
    "pre_process_data_config.stride": "How far the window of join-sliding-window moves.",
    "pre_process_data_config.joiner": "What stands between joined rows.",
    "pre_process_data_config.add_special_tokens": "Put the model's begin and end tokens around each row, with spaces.",
    "pre_process_data_config.drop_short_sequences": "Leave out what is shorter than max_seq_len.",
    "pre_process_data_config.use_attention_mask": "Hand the attention mask on to the model.",
    "pre_process_data_config.padding_side": "Where the padding goes: left or right.",
    "dataloader_config.batch_size": "Sequences in a batch where the pass does not say it itself.",
    "system.type": "Where Olive works: in this process, another Python environment, or a container.",
    "accelerators.device": "The device that the model is made for.",
    "accelerators.execution_providers": "The ONNX Runtime backend on that device.",
    "engine.host": "The system on which the passes run.",
    "engine.target": "The system for which the model is made, and on which it is evaluated.",
    "engine.evaluator": "The evaluator that measures the input model and what the passes make.",
    "engine.evaluate_input_model": "Measure the input model as well, before the passes.",
    "evaluators.type": "PyTorchEvaluator for Hugging Face models and adapters, OnnxEvaluator for ONNX models.",
    "evaluators.metrics": "What is measured, each with a name, a type, sub_types, and the data_config to run on.",
    "evaluators.type_args": "What the type takes beside these; the same keys may stand here or beside the type.",
    "evaluators.user_script": "The Python file that defines an evaluator of your own.",
    "evaluators.script_dir": "The folder of what that script imports.",
    "phinb.azure": "The run as a job in Azure ML: its compute, data and environment.",
}
"""A sentence for what Olive itself leaves unsaid, by the last two parts of the path."""
