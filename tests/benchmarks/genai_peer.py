"""The other side of the latency benchmark: onnxruntime-genai's own procedure (its benchmark/python/benchmark_e2e.py).

    python -m tests.benchmarks.genai_peer MODEL

Prints "ready"; each line on standard input is {"ids", "new_tokens"}, and it prints {"first_s", "step_s"} of one
repetition: a new generator; prompt processing (append_tokens) and the first sampling, timed apart and added; then each
later token, model and sampling together. Greedy. The making of the generator is not counted there.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise


def main(folder: str) -> None:
    import numpy
    import onnxruntime_genai

    model = onnxruntime_genai.Model(folder)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        ids = numpy.array(asked["ids"], dtype=numpy.int32)
        length = len(ids) + asked["new_tokens"]
        parameters = onnxruntime_genai.GeneratorParams(model)
        parameters.set_search_options(do_sample=False, max_length=length, min_length=length)
        generator = onnxruntime_genai.Generator(model, parameters)
        marks = [time.perf_counter()]
        generator.append_tokens(ids)
        for _ in range(asked["new_tokens"]):
            generator.generate_next_token()
            marks.append(time.perf_counter())
        steps = [after - before for before, after in pairwise(marks[1:])]
        print(json.dumps({"first_s": marks[1] - marks[0], "step_s": steps}), flush=True)
        del generator


if __name__ == "__main__":
    main(*sys.argv[1:])
