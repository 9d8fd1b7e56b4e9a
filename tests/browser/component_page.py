"""A plain page with one component of a panel, its scripts and styles joined as a panel joins them; no JupyterLab.

What the component sends goes to a Python function at once, and what that returns is filled in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from phinb.notebook.widget import join_files

Answer = Callable[[dict[str, Any]], "Mapping[str, Any] | None"]

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>phinb</title><style>
  body { margin: 12px; background: var(--jp-layout-color0, #fff); color: var(--jp-content-font-color1, #1d1d22); }
  body[data-jp-theme-light="false"] { --jp-layout-color0: #111; --jp-content-font-color1: #fff;
    --jp-border-color1: #616161; --jp-border-color2: #424242; }
  .phinb { padding: 12px; }
</style></head><body data-jp-theme-light="true"><main><h1 class="phinb-aside">phinb</h1>
<div class="phinb phinb-live" role="group" aria-label="phinb"></div></main></body></html>"""


@contextmanager
def open_page(chromium: Any, width: int, height: int) -> Iterator[Any]:
    """An empty page of that size, in a context of its own."""
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


class ComponentPage:
    """The page with a component in it. `sent` are its messages; while `silent`, they stay unanswered."""

    def __init__(self, page: Any, name: str, scripts: Sequence[str], styles: Sequence[str], answer: Answer) -> None:
        self.page = page
        self.sent: list[dict[str, Any]] = []
        self.silent = False
        self._answer = answer
        page.set_content(PAGE)
        page.add_style_tag(content=join_files(("panel.css", "controls.css", *styles)))
        page.expose_function("sendToKernel", self._receive)
        module = join_files(("elements.js", *scripts))
        page.add_script_tag(
            type="module",
            content=f"""{module}
            window.shown = new {name}(async content => {{
                const state = await window.sendToKernel(content);
                if (state) window.shown.fill(state);
            }});
            document.querySelector(".phinb").append(window.shown.node);""",
        )
        page.wait_for_function("() => window.shown")

    def _receive(self, content: dict[str, Any]) -> Any:
        self.sent.append(content)
        return None if self.silent else json.loads(json.dumps(self._answer(content)))

    def fill(self, state: Mapping[str, Any]) -> None:
        self.page.evaluate("state => window.shown.fill(state)", json.loads(json.dumps(state)))

    def set_theme(self, theme: Literal["light", "dark"]) -> None:
        self.page.evaluate("light => { document.body.dataset.jpThemeLight = light; }", str(theme == "light").lower())

    def serious(self) -> list[str]:
        """What axe-core calls serious or critical."""
        from axe_playwright_python.sync_playwright import Axe

        response = Axe().run(self.page).response
        assert len(response["passes"]) > 10, "axe has looked at something"
        found = response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]
