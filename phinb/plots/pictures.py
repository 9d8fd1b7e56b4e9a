"""Figures as pictures, PNG, SVG, PDF, WebP or JPEG, drawn by kaleido in an installed Chromium, with no network."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phinb.errors import PhinbError
from phinb.plots.figures import figure

FORMATS = ("png", "svg", "pdf", "webp", "jpeg", "jpg")
GROUNDS = {False: "#ffffff", True: "#111111"}
WIDTH = 820
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
GET = "Install Chromium (Debian: apt-get install chromium), or set BROWSER_PATH to one; kaleido_get_chrome fetches one."


def save_figure(
    source: Any,
    kind: str,
    path: str | Path,
    *,
    dark: bool = False,
    width: int = WIDTH,
    height: int | None = None,
    scale: float = 2.0,
) -> Path:
    """Draw `figure(source, kind)` into a file; its ending names the format: .png, .svg, .pdf, .webp, .jpeg.

    dark: on a dark ground. width, height: in CSS pixels, the height by default the figure's own; scale: how many
    pixels of a PNG, WebP or JPEG there are to one of those. Returns the path.

    Raises PhinbError where `figure` does, for another ending, a folder that is not there, and where kaleido or a
    Chromium is missing (it says how to get it).
    """
    target = Path(path)
    ending = target.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise PhinbError(f"A picture cannot be written as {target.name!r}.", f"End it in .{', .'.join(FORMATS)}.")
    if not target.absolute().parent.is_dir():
        raise PhinbError(f"{target} cannot be written: there is no such folder.", "Make it first.")
    drawn = figure(source, kind, dark=dark)
    drawn.update_layout(paper_bgcolor=GROUNDS[dark], width=width)
    if height is not None:
        drawn.update_layout(height=height)
    data = _draw(drawn, ending, scale)
    try:
        target.write_bytes(data)
    except OSError as error:
        raise PhinbError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    return target


def _draw(drawn: Any, ending: str, scale: float) -> bytes:
    """The picture's bytes."""
    try:
        import kaleido
    except ImportError:
        raise PhinbError("Pictures need kaleido.", 'pip install "phinb[pictures]"') from None
    from choreographer.browsers.chromium import ChromeNotFoundError

    layout = drawn.layout
    # What is drawn in lines has no pixels: a scale would only name another size.
    options = {"format": ending, "width": layout.width, "height": layout.height or 450}
    options["scale"] = 1.0 if ending in ("svg", "pdf") else scale
    # MathJax would come from a server; no text of ours is a formula.
    settings: dict[str, Any] = {"mathjax": False}
    with _browser_named():
        try:
            data: bytes = kaleido.calc_fig_sync(drawn.to_dict(), opts=options, kopts=settings)
        except ChromeNotFoundError:
            raise PhinbError("Pictures are drawn by Chromium, and none is installed.", GET) from None
        except Exception as error:
            # Its own errors have no common class: what the browser said is what there is to say.
            text = str(error).strip() or type(error).__name__
            raise PhinbError(f"The picture could not be drawn: {text.splitlines()[0]}", GET) from None
    return data


@contextlib.contextmanager
def _browser_named() -> Iterator[None]:
    """BROWSER_PATH, by which kaleido finds its browser, set while it draws, unless it is already."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None or os.environ.get("BROWSER_PATH"):
        yield
        return
    os.environ["BROWSER_PATH"] = found
    try:
        yield
    finally:
        os.environ.pop("BROWSER_PATH", None)
