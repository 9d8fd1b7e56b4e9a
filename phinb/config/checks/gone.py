"""What is gone from a container, and the comments of it that stay where it stood."""

from __future__ import annotations

from collections.abc import Iterator

from phinb.config.nodes import Node
from phinb.config.writing.layout import Container, Item, Layout
from phinb.config.writing.matching import Matching
from phinb.config.writing.parts import Manner, Part, ending, put_before


class Gone:
    """Goes through the items of a container in the order of its text and gives back what is left of those in between.

    What it gives is text that goes before the next part: comments with the space before them. Members that the reader
    did not keep (a key that stands twice) are parts of their own.
    """

    def __init__(self, matching: Matching, node: Node, layout: Layout, container: Container, manner: Manner) -> None:
        self._matching = matching
        self._layout = layout
        self._container = container
        self._lines = node.lines
        self._node = matching.original(node)
        self._manner = manner
        self._waiting: list[tuple[int, str]] = []
        self._passed = 0

    def before(self, item: Item) -> tuple[list[Part], str]:
        """What is left of all that stood before an item of this container."""
        parts = self._pass(item.number)
        self._passed = max(self._passed, item.number + 1)
        return parts, self._take(None)

    def around(self, item: Item) -> tuple[list[Part], str]:
        """What is left before an item that now stands here and stood inside one that is gone."""
        top = item
        while top.holder is not self._container:
            if top.holder.owner is None:
                return [], ""
            top = top.holder.owner
        parts = self._pass(top.number + 1)
        return parts, self._take(item.start)

    def is_inherited(self, key: str | None, child: Node) -> bool:
        """Whether a member stands in the text through a merge key (`<<`) of YAML only."""
        held = self._node.get(key) if self._node is not None and key is not None else None
        if held is None or held.key_offset is None or held.key_offset != child.key_offset:
            return False
        is_own = any(item.mark == held.key_offset for item in self._container.items)
        return not is_own and held.plain() == child.plain()

    def rest(self) -> tuple[list[Part], str]:
        parts = self._pass(len(self._container.items))
        return parts, self._take(None)

    def _pass(self, number: int) -> list[Part]:
        """Go past the items up to that number; those that are taken are written by who has taken them."""
        parts = []
        text = self._layout.text
        for item in self._container.items[self._passed : number]:
            if id(item) in self._matching.taken:
                continue
            if self._matching.is_known(self._lines, item):
                self._waiting += self._left_of(item)
                continue
            lead = put_before(self._take(None), text[item.start : item.mark], self._manner)
            parts.append(Part(lead, text[item.mark : item.end], *ending(text, item), first=item.number == 0))
        self._passed = max(self._passed, number)
        return parts

    def _take(self, limit: int | None) -> str:
        """The comments that wait, up to an offset of the text."""
        ready = [comment for offset, comment in self._waiting if limit is None or offset < limit]
        self._waiting = [entry for entry in self._waiting if limit is not None and entry[0] >= limit]
        return "".join(ready)

    def _left_of(self, item: Item) -> Iterator[tuple[int, str]]:
        """The lines before an item as they are, and each other comment of it by itself."""
        lead = self._layout.text[item.start : item.mark]
        lines, broken, _ = lead.rpartition("\n")
        if broken:
            yield item.start, lines.removesuffix("\r")
        else:
            for offset, comment in self._layout.comments(item.start, item.mark):
                yield offset, self._manner.apart([comment])
        for offset, comment in comments_of(self._matching, self._layout, item):
            yield offset, self._manner.apart([comment])


def comments_of(matching: Matching, layout: Layout, item: Item) -> Iterator[tuple[int, str]]:
    """The comments behind the key of an item that is gone."""
    yield from layout.comments(item.colon, item.value)
    if item.inner is not None and id(item.inner) not in matching.taken:
        yield from comments_in(matching, layout, item.inner)
    yield from layout.comments(item.end, item.stop)


def comments_in(matching: Matching, layout: Layout, container: Container) -> Iterator[tuple[int, str]]:
    """The comments in a container that is gone, but for those of members that now stand elsewhere."""
    yield from layout.comments(container.start, container.first)
    for item in container.items:
        if id(item) not in matching.taken:
            yield from layout.comments(item.start, item.mark)
            yield from comments_of(matching, layout, item)
    yield from layout.comments(container.tail, container.close)


def left_in(matching: Matching, layout: Layout) -> Iterator[str]:
    """The comments of a text that nothing of the target takes."""
    for container in layout.containers.values():
        if container.owner is None:
            yield from (comment for _, comment in layout.comments(0, container.start))
            if id(container) not in matching.taken:
                yield from (comment for _, comment in comments_in(matching, layout, container))
            yield from (comment for _, comment in layout.comments(container.end, len(layout.text)))
