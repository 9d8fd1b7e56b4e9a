"""Which packages the trackers are made of, and which of them are missing. Loads none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from phinb.config import Config
from phinb.types import Problem


@dataclass(frozen=True)
class Package:
    """`title` is how its makers write it; any of `distributions` will do, and `install` is what pip is given."""

    title: str
    distributions: tuple[str, ...]
    install: str


PACKAGES: Mapping[str, Package] = {
    # The whole of mlflow admits no pandas 3, so that pip falls back to a release of years ago.
    "mlflow": Package("MLflow", ("mlflow-skinny", "mlflow"), "mlflow-skinny"),
    "tensorboard": Package("TensorBoard", ("tensorboard",), "tensorboard"),
    "wandb": Package("Weights & Biases", ("wandb",), "wandb"),
}


def is_installed(tracker: str) -> bool:
    """Asked of the packages' records: a folder `wandb` or `mlruns` in the working directory is no package."""
    return any(_has(distribution) for distribution in PACKAGES[tracker].distributions)


def describe_missing(tracker: str) -> tuple[str, str]:
    """(what is the matter, what to do) where a tracker's package is not installed."""
    package = PACKAGES[tracker]
    return (
        f"{package.title} is not installed: {tracker} gets nothing of this run.",
        f"pip install {package.install}, or take {tracker} out of phinb.trackers.",
    )


def check_packages(config: Config) -> list[Problem]:
    """A warning for each tracker that the configuration names and that is not installed."""
    entry = config.effective().get("phinb.trackers")
    names: Iterable[str] = config.phinb["trackers"]
    problems = []
    for name in dict.fromkeys(names):
        if not is_installed(name):
            message, hint = describe_missing(name)
            line, source = (entry.line, entry.source) if entry is not None else (None, "")
            problems.append(
                Problem("warning", "tracker_missing", message, "phinb.trackers", line, hint=hint, source=source)
            )
    return problems


def _has(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
