"""What is said between phinb and the process that serves one variant: JSON, a line each way.

    python -m phinb.evaluation.server         requests on standard input, answers on standard output

What libraries print goes to standard error. Requests:
    {"id": 1, "op": "load", "payload": {"variant": {...}}}      first; then any operation, one after the other
    {"id": 2, "op": "generate", "payload": {...}}
    {"cancel": 2}                                               at any time; ends the operation, keeps the model loaded
The end of standard input ends the process, whatever it is doing: one whose owner died does not stay.

Answers, each with the request's id:
    {"id": 2, "event": {...}}         an event of a run (Preparing, Progress, Notice), as in events.jsonl
    {"id": 2, "part": {...}}          a part of the result as soon as it is there: one token of `generate`
    {"id": 2, "result": {...}}        the end; a cancelled `generate` has a result too, with finish "cancelled"
    {"id": 2, "error": {"message", "hint"}}         the end: what can be explained (PhinbError); it may be asked again
    {"id": 2, "cancelled": true}      the end: there is no result
A process that ends without one of the last three has died.

The operations (phinb.evaluation.operations.OPERATIONS); ids are lists of token ids, likelihoods natural logarithms.
Each line: payload -> result.

load        {"variant"}
            -> {"load_s", "import_s", "size_bytes", "vocabulary", "stop_ids", "bos", "eos" (texts or null),
                "settings": {"backend", "device", "threads", "dtype"}}
encode      {"part", "record"}: a part of quality.QualityPlan
            -> what quality.encode_payload makes of it with this variant's tokenizer; of labels
               {"rows": [{"row", "prompt": ids, "candidates": [ids of each label]}]}
tokenize    {"texts"}; no special token is added
            -> {"texts": [{"ids", "pieces", "offsets": [[start, end)]}]}
score       {"rows": as encode gives them for labels}; Progress in "rows"
            -> {"scores": [[row, [log-likelihood of each candidate, summed over its tokens]]]}, in any order
time        {"prompts": [ids], "new_tokens", "batch": 1, "made": false}; greedy, an end token does not shorten it
            -> {"latencies": [types.Latency as a dict],
                "neighbours": [processor seconds in all, those that other programs took]}
memory      {} -> {"peak_memory_bytes"}: of the process so far
generate    {"prompts": [ids], "max_new_tokens", "stops": [texts], "temperature": 0, "top_p": 1, "seed": null};
            Progress in "generations"; a part a token: {"prompt": which, "id", "text": what it adds, "at_s": since the
            prompt began}, and one with id null for text that was held back till the end
            -> {"generations": [{"prompt", "ids", "text", "finish": "stop" | "length" | "cancelled",
                "prompt_tokens", "ttft_s", "decode_s"}]}
            Temperature 0 is greedy. It ends at one of the model's end tokens, or where a stop text begins; neither is
            in `text`; `ids` are all that were generated, the end token included. A text that may be the beginning of
            a stop text is held back until that is known.
next_token  {"sequences": [{"ids", "places": [i, ...] or null for the last}], "top": 10, "of": ids or null,
            "full": false}: the distribution of the token that follows ids[i]
            -> {"sequences": [{"places": [{"place", "top": [[id, log-probability], ...], "of": [log-probability of
                each], "full": base64 of little-endian float32, one a token id}]}]}
likelihood  {"sequences": [ids]}
            -> {"sequences": [[log-probability of each id given those before it; null for the first]]}
harness     what harness.describe_task gives -> see harness.run_task; Progress in "requests"
probe       {"texts"} -> see soundness.probe

The client is phinb.evaluation.process.VariantProcess.
"""

from __future__ import annotations

import json
from typing import Any


def encode_line(record: dict[str, Any]) -> bytes:
    """One message with its line end. Half a surrogate pair, which UTF-8 has no bytes for, is escaped as JSON does."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", errors="backslashreplace") + b"\n"


def decode_line(line: bytes) -> dict[str, Any] | None:
    """The message of a line; None for one that is cut off or no message. NaN passes: a broken model gives them."""
    try:
        record = json.loads(line.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
