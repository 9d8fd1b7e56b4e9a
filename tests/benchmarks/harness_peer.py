"""The other side of the comparison's benchmark: lm-evaluation-harness on a Hugging Face model, in a process of its own.

    python -m tests.benchmarks.harness_peer BASE ADAPTER|- ROWS.jsonl LABELS FOLDER

ROWS has `prompt` and `target`; a multiple-choice task in float32. Prints "ready"; for each line on standard input, a
batch size, it runs the task and prints {"seconds", "predicted"}: the seconds are those of its log-likelihoods alone.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

TASK = """task: tones
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: {labels}
doc_to_target: "{{{{target}}}}"
target_delimiter: ""
metric_list: [{{metric: acc}}]
"""


def main(base: str, adapter: str, rows: str, labels: str, folder: str) -> None:
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    Path(folder, "tones.yaml").write_text(TASK.format(rows=json.dumps(rows), labels=labels), encoding="utf-8")
    peft = None if adapter == "-" else adapter
    model = HFLM(pretrained=base, peft=peft, dtype="float32", device="cpu", add_bos_token=False)
    manager = TaskManager(include_path=folder, include_defaults=False)
    seconds = 0.0
    ask = model.loglikelihood

    def timed(*arguments: Any, **options: Any) -> Any:
        nonlocal seconds
        began = time.perf_counter()
        try:
            return ask(*arguments, **options)
        finally:
            seconds += time.perf_counter() - began

    model.loglikelihood = timed
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, model.batch_size_per_gpu = 0.0, int(line)
        found = lm_eval.simple_evaluate(model=model, tasks=["tones"], task_manager=manager, bootstrap_iters=0)
        samples = sorted(found["samples"]["tones"], key=lambda sample: sample["doc_id"])
        values = [[float(pair[0]) for pair in sample["filtered_resps"]] for sample in samples]
        predicted = [max(range(len(row)), key=row.__getitem__) for row in values]
        print(json.dumps({"seconds": seconds, "predicted": predicted}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
