"""What of Olive 0.13's search is broken whatever one writes, mended in the worker so that a search does what it says.

docs/runs.md tells of them, for plain `olive run` has them not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mend_search(strategy: Mapping[str, Any]) -> None:
    """`strategy` is the configuration's search_strategy. Olive must be importable."""
    _mend_footprint()
    _mend_sampler(strategy)
    _mend_results()


def _mend_footprint() -> None:
    """FootprintNode.update writes to a field by its old name (model_config), and raises: each trial that takes a result
    of an earlier one from the cache would fail."""
    from olive.engine.footprint import FootprintNode

    if "model_config" in FootprintNode.model_fields or "model_config_data" not in FootprintNode.model_fields:
        return

    def update(node: Any, **values: Any) -> None:
        for key, value in values.items():
            setattr(node, "model_config_data" if key == "model_config" else key, value)

    FootprintNode.update = update


def _mend_sampler(given: Mapping[str, Any]) -> None:
    """RunEngineConfig.create_engine dumps the strategy by its declared types, and loses the sampler's own options:
    max_samples and seed. A search of three trials would try every combination."""
    from olive.search.samplers import REGISTRY
    from olive.search.search_strategy import SearchStrategy

    initialize = SearchStrategy.initialize
    options = {**given, **(given.get("sampler_config") or {})}

    def with_options(strategy: Any, *arguments: Any, **named: Any) -> None:
        config_class = REGISTRY[strategy.config.sampler].get_config_class()
        known = {key: value for key, value in options.items() if key in config_class.model_fields}
        strategy.config.sampler_config = config_class(**known)
        initialize(strategy, *arguments, **named)

    SearchStrategy.initialize = with_options


def _mend_results() -> None:
    """SearchResults looks for metrics in what a failed trial measured, which is None, and raises: pass by pass, and
    with stop_when_goals_met, the first trial that fails would end the search."""
    from olive.search.search_results import SearchResults

    record = SearchResults.record_feedback_signal

    def record_measured(results: Any, index: int, signal: Any, model_ids: Any) -> None:
        if signal is not None:
            record(results, index, signal, model_ids)

    SearchResults.record_feedback_signal = record_measured
