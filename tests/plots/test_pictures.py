"""Pictures, drawn for real by kaleido in the installed Chromium."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from phinb.errors import PhinbError
from phinb.plots.pictures import GET, save_figure
from tests.evaluation.examples import make_comparison
from tests.plots.examples import FOUR

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.slow
@pytest.mark.parametrize(("dark", "ground"), [(False, (255, 255, 255)), (True, (17, 17, 17))])
def test_a_png_has_the_asked_size_its_ground_and_a_drawing(
    tmp_path: Path, dark: bool, ground: tuple[int, int, int]
) -> None:
    from PIL import Image

    path = save_figure(make_comparison(FOUR), "stages", tmp_path / "stages.png", dark=dark, width=700, height=400)
    picture = Image.open(path).convert("RGB")
    assert picture.size == (1400, 800), "two pixels to each of the page's"
    assert picture.getpixel((2, 2)) == ground
    colours = picture.getcolors(maxcolors=1 << 24) or []
    assert len(colours) > 50
    drawn = sum(count for count, colour in colours if colour != ground)
    assert drawn > 0.005 * 1400 * 800


@pytest.mark.slow
def test_an_svg_holds_the_texts_of_the_figure(tmp_path: Path) -> None:
    path = save_figure(make_comparison(FOUR), "latency", tmp_path / "latency.svg")
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert root.tag == f"{SVG}svg"
    assert root.get("width") == "820"
    texts = {"".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")}
    assert {"Latency", "base", "adapter", "merged", "int4", "96 ms"} <= texts
    assert not list(root.iter(f"{SVG}script"))


def test_without_a_browser_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BROWSER_PATH names what kaleido starts: here something that is no browser."""
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nothing"))
    with pytest.raises(PhinbError) as caught:
        save_figure(make_comparison(FOUR), "stages", tmp_path / "stages.png")
    assert caught.value.hint == GET
    assert not (tmp_path / "stages.png").exists()


def test_what_cannot_be_written_is_said_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(PhinbError, match=r"'stages\.gif'"):
        save_figure(make_comparison(FOUR), "stages", tmp_path / "stages.gif")
    with pytest.raises(PhinbError, match="no such folder"):
        save_figure(make_comparison(FOUR), "stages", tmp_path / "no" / "stages.png")
    with pytest.raises(PhinbError, match="'pie'"):
        save_figure(make_comparison(FOUR), "pie", tmp_path / "pie.png")
