"""The model card of an export: what was measured, on what, and how the model came to be. No path and no user's name.

Every figure stands with its interval and its n where it has one; what was not measured is called so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from phinb.evaluation.figures import FIGURES, interval_of, value_of
from phinb.evaluation.latency import own_latencies
from phinb.evaluation.results import Comparison
from phinb.evaluation.tables import describe
from phinb.evaluation.wording import size
from phinb.types import Variant

SHOWN = ("accuracy", "ttft_ms_p50", "ttft_ms_p90", "decode_tokens_per_s", "load_s", "size_bytes", "peak_memory_bytes")
NOT_MEASURED = "Not measured."


@dataclass(frozen=True)
class DataFile:
    """A file of rows by its name alone. `role`: what it was for, as training."""

    role: str
    name: str
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class Origin:
    """Where an exported variant comes from.

    base: the reference in the configuration (a local model by its name alone), base_hash what phinb hashed of it.
    passes: (name, type, seconds or None, whether it was reused) up to the one that made the variant. settings: the
    passes as they were configured.
    """

    run_id: str
    run_name: str
    base: str
    licence: str = ""
    base_hash: str = ""
    passes: tuple[tuple[str, str, float | None, bool], ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    data: tuple[DataFile, ...] = ()


@dataclass(frozen=True)
class Usage:
    """How the exported folder is used: what to install, the program's arguments, the prompt, what was checked."""

    install: str
    arguments: str
    template: str
    checked: str
    csharp: bool


def write_card(
    variant: Variant, origin: Origin, usage: Usage, comparison: Comparison | None, bytes_: int, how_to_measure: str
) -> str:
    """README.md, with the head that model hubs read. Line ends are LF."""
    parts = [
        _head(variant, origin),
        f"# {origin.run_name}: {variant.name}\n",
        f"{_kind(variant)} {size(bytes_)} on disk, exported by phinb from the run `{origin.run_id}`.\n",
        _use(usage),
        _measured(variant, comparison, how_to_measure),
        _lineage(variant, origin),
        "## Checks\n\n`sha256sum -c SHA256SUMS` tells whether every file is as it was exported.\n",
    ]
    return "\n".join(parts)


def _head(variant: Variant, origin: Origin) -> str:
    library = {"onnx": "onnxruntime-genai", "adapter": "peft"}.get(variant.kind, "transformers")
    lines = [f"library_name: {library}", "pipeline_tag: text-generation"]
    if "://" not in origin.base:
        lines.insert(0, f"base_model: {json.dumps(origin.base, ensure_ascii=False)}")
    if origin.licence:
        lines.insert(0, f"license: {origin.licence.lower()}")
    return "\n".join(["---", *lines, "tags: [phinb, olive]", "---", ""])


def _kind(variant: Variant) -> str:
    if variant.kind == "onnx":
        return f"An ONNX model for ONNX Runtime GenAI, {variant.precision or 'precision not known'}."
    words = {
        "adapter": "A LoRA adapter with the base model that it needs (`base/`).",
        "base": "The base model, untuned.",
    }
    return words.get(variant.kind, "The base model with the trained adapter merged into it.")


def _use(usage: Usage) -> str:
    lines = ["## Use\n", f"    {usage.install}", f"    python run.py {usage.arguments}", ""]
    if usage.csharp:
        lines += [f"In C#: `dotnet run -- {usage.arguments}` (`Program.cs`).\n"]
    lines += ["The prompt is that of the training, special tokens included:\n", _block(usage.template), ""]
    return "\n".join([*lines, f"{usage.checked}\n"])


def _measured(variant: Variant, comparison: Comparison | None, how: str) -> str:
    summary = next((s for s in comparison.summaries if s.name == variant.name), None) if comparison else None
    if comparison is None or summary is None or summary.error:
        why = f" It could not be: {summary.error.splitlines()[0]}" if summary and summary.error else ""
        return f"## Measured\n\n{NOT_MEASURED}{why} {how}\n"
    rows = ["| | value | 95 % interval | n |", "| --- | ---: | ---: | ---: |"]
    measured = next(m for m in comparison.measurements if m.variant.name == variant.name)
    generations = len(own_latencies(measured.latencies))
    for name in SHOWN:
        figure = FIGURES[name]
        interval = interval_of(comparison, summary, figure)
        ends = f"{figure.write(interval[0])} to {figure.write(interval[1])}" if interval else "–"
        timed = name in ("ttft_ms_p50", "ttft_ms_p90", "decode_tokens_per_s")
        n = str(interval[2]) if interval else str(generations) if timed else "1"
        value = figure.write(value_of(comparison, summary, figure))
        rows.append(f"| {figure.word} | {value} | {ends} | {n} |")
    for metric, estimate in summary.metrics.items():
        ends = "–" if estimate.low is None or estimate.high is None else f"{estimate.low:.4g} to {estimate.high:.4g}"
        value = "–" if estimate.value is None else f"{estimate.value:.4g}"
        rows.append(f"| {metric} | {value} | {ends} | {estimate.n} |")
    mine = [text for text in comparison.sentences() if text.startswith(f"{variant.name} ")]
    data = [f"Rows: `{one['name']}`, SHA-256 `{one['sha256']}`." for one in comparison.settings.get("rows_from") or []]
    data = data or ["Rows: which file they came from is not recorded."]
    said = [*data, f"On {describe(comparison)}.", f"Libraries: {_versions(comparison.settings.get('versions') or {})}."]
    what = (
        "whose right label is the likeliest" if comparison.settings.get("labels") else "that are answered word for word"
    )
    about = f"Accuracy: the share of rows {what}. Its n counts rows, that of times generations."
    return "\n".join(["## Measured\n", *rows, "", *(f"{text}\n" for text in [*mine, about, *said])])


def _lineage(variant: Variant, origin: Origin) -> str:
    licence = origin.licence or "not known: look it up before you pass this model on"
    lines = ["## Where it comes from\n", f"- Base model: `{origin.base}`, licence: {licence}"]
    if origin.base_hash:
        lines.append(f"- Base model's contents: SHA-256 `{origin.base_hash}`")
    for name, kind, seconds, reused in origin.passes:
        took = "" if seconds is None or reused else f", {seconds:.0f} s"
        lines.append(f"- Pass `{name}` ({kind}){took}{', taken from an earlier run' if reused else ''}")
    lines += [f"- {one.role.capitalize()} data: {_file(one)}" for one in origin.data]
    lines += [f"- Seed: {origin.seed}", f"- Libraries: {_versions(origin.versions)}", ""]
    if origin.settings:
        text = json.dumps(origin.settings, indent=1, ensure_ascii=False)
        lines += ["The passes as they were configured:\n", _block(text), ""]
    return "\n".join(lines)


def _file(one: DataFile) -> str:
    rows = f", {one.rows:,} rows" if one.rows is not None else ""
    return f"`{one.name}`{rows}, SHA-256 `{one.sha256}`"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "not known"


def _block(text: str) -> str:
    """Indented code: no fence that the text itself could end."""
    return "\n".join(f"    {line}".rstrip() for line in text.split("\n"))
