"""Edits to a configuration: found in the user's form or in today's, and carried out in the texts.

The path of a Problem's fix has the form of the user's text; the form's paths are those of `effective()`. Where the old
text has no place for what is to be set, the upgraded text is edited instead. Nothing is guessed: an edit that was found
by its path of today counts only if the edited text, read again, means what was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from phinb.config.document import Node
from phinb.config.pieces import Reading, Source, read
from phinb.config.reading.division import divide, stands_whole
from phinb.config.schema import Schema
from phinb.config.upgrade import upgrade
from phinb.config.writing.rewriting import CannotWriteError
from phinb.config.writing.texts import source_of, write_source
from phinb.config.writing.trees import Trail, ambiguous_name, at, follow, pruned, remove, rename, set_value
from phinb.errors import PhinbError
from phinb.types import Edit

Place = tuple[int, Trail, str]
"""The number of a document, a way in its tree, and the path that has to be made from there ("" for none)."""


def edit_source(reading: Reading, edits: Sequence[Edit], schema: Schema) -> Source:
    """What the configuration is to be read from after the edits: its pieces with their texts changed, or a dict.

    Raises:
        PhinbError: a path leads nowhere, a value is none that JSON can hold, or the text has mistakes in its form that
            keep it from being edited.
    """
    for edit in edits:
        _check(edit, reading)
        _check_names(edit, reading)
        try:
            reading = _Editing(reading, schema).carry_out(edit)
        except CannotWriteError as error:
            raise _has_mistake(error) from None
    return source_of(reading)


def upgraded_source(reading: Reading, schema: Schema) -> Source:
    """The same pieces in today's form. Raises PhinbError for a text whose form has mistakes."""
    if reading.root is None:
        return source_of(reading)
    tree, changes, _ = upgrade(reading.root, schema)
    try:
        return write_source(reading, divide(tree, reading)) if changes else source_of(reading)
    except CannotWriteError as error:
        raise _has_mistake(error) from None


class _Editing:
    """One edit to a configuration as it was read. `tree` is what the upgrade makes of it."""

    def __init__(self, reading: Reading, schema: Schema) -> None:
        self.reading = reading
        self.schema = schema
        self.tree, self.changed = Node({}), False
        if reading.root is not None:
            self.tree, changes, _ = upgrade(reading.root, schema)
            self.changed = bool(changes)

    def carry_out(self, edit: Edit) -> Reading:
        """The configuration read again after the edit."""
        if (done := self.try_in_text(edit)) is not None:
            return done
        if self.changed:
            upgraded = _Editing(read(upgraded_source(self.reading, self.schema), self.schema), self.schema)
            if (done := upgraded.try_in_text(edit)) is not None:
                return done
        place = next(self._new_places(edit), None) if edit.kind == "set" else None
        done = self._edited(place, edit) if place is not None else None
        if done is None:
            raise _leads_nowhere(edit)
        return done

    def try_in_text(self, edit: Edit) -> Reading | None:
        """The edit at its place in this text: its path's own, or that of today's value; None where it has none."""
        if (place := self._exact_place(edit.path, edit.source)) is not None:
            return self._edited(place, edit)
        today = replace(edit, path=self._without_engine(edit.path))
        wanted = self._wanted(today)
        if edit.kind == "set" and (deeper := self._deeper_place(edit)) is not None:
            return self._edited(deeper, edit)
        for place in self._places(today) if wanted is not None else ():
            edited = self._edited(place, today)
            if edited is not None and pruned(_Editing(edited, self.schema).tree.plain()) == wanted:
                return edited
        return None

    # ------------------------------------------------------------------------------------------- places

    def _roots(self, source: str) -> Iterator[tuple[int, Node]]:
        """The trees of the texts, in the user's form; of one piece alone where the edit names it."""
        for number, document in enumerate(self.reading.documents):
            if document.outermost is not None and source in ("", document.source):
                yield number, document.outermost

    def _exact_place(self, path: str, source: str) -> Place | None:
        for number, root in self._roots(source):
            trail, rest = follow(root, path)
            if trail and not rest:
                return number, trail, ""
        return None

    def _deeper_place(self, edit: Edit) -> Place | None:
        """Where the path has a longer way in the text than in today's form (`passes.lora.config`), that is meant."""
        known = len(follow(self.tree, self._without_engine(edit.path))[0])
        best = max(self._new_places(edit), key=lambda place: len(place[1]), default=None)
        return best if best is not None and len(best[1]) > known else None

    def _new_places(self, edit: Edit) -> Iterator[Place]:
        """Where the path could be made in the texts as they are written, longest way first."""
        found = []
        for number, root in self._roots(edit.source):
            trail, rest = follow(root, edit.path)
            if at(root, trail).is_mapping or at(root, trail).is_list or at(root, trail).value is None:
                found.append((number, trail, rest))
        # A text that is itself a data config takes no other sections; of the others, new ones go to the last.
        found = [place for place in found if place[1] or not stands_whole(self.reading, place[0])]
        yield from sorted(found, key=lambda place: (-len(place[1]), -place[0]))

    def _places(self, edit: Edit) -> Iterator[Place]:
        """Where the texts may hold the value that stands at a path of today's form, the likeliest first."""
        trail, rest = follow(self.tree, edit.path)
        node = at(self.tree, trail)
        if not rest:
            if (place := self._exact_place(node.path, node.source)) is not None:
                yield place
        else:
            holders = Counter(_parent(member) for _, member in node.items() if member.path)
            for path, source in [*(place for place, _ in holders.most_common()), (node.path, node.source)]:
                if path and (place := self._exact_place(path, source)) is not None:
                    yield place[0], place[1], rest
        if edit.kind == "set":
            yield from self._new_places(edit)

    # ------------------------------------------------------------------------------------------ carrying out

    def _without_engine(self, path: str) -> str:
        """The form and effective() put the engine's keys under `engine`; in today's form they stand outermost."""
        return path.removeprefix("engine.") if self.tree.get("engine") is None else path

    def _wanted(self, edit: Edit) -> Any:
        """What today's tree should be after the edit; None where its path leads nowhere there."""
        tree = self.tree.copy()
        return pruned(tree.plain()) if _apply(tree, *follow(tree, edit.path), edit) else None

    def _edited(self, place: Place, edit: Edit) -> Reading | None:
        """The texts with the edit at that place, read again; None where something is in the way."""
        number, trail, rest = place
        targets: list[Node | None] = [None] * len(self.reading.documents)
        root = self.reading.documents[number].outermost
        assert root is not None
        target = targets[number] = root.copy()
        if not _apply(target, trail, rest, edit):
            return None
        return read(write_source(self.reading, targets), self.schema)


def _apply(root: Node, trail: Trail, rest: str, edit: Edit) -> bool:
    if edit.kind == "set":
        return set_value(root, trail, rest, edit.value)
    if rest or not trail:
        return False
    if edit.kind == "rename":
        return rename(root, trail, edit.value)
    remove(root, trail)
    return True


def _parent(member: Node) -> tuple[str, str]:
    """The path of what holds a node in the text, and the piece."""
    return member.path.rpartition(".")[0], member.source


def _has_mistake(error: CannotWriteError) -> PhinbError:
    message = f"The text cannot be changed while its form has a mistake: {error}"
    return PhinbError(message, "Mend that in the text first; its problems say how.")


def _leads_nowhere(edit: Edit) -> PhinbError:
    if edit.kind == "rename":
        return PhinbError(
            f'"{edit.path}" cannot be renamed to "{edit.value}": it is not there, or the name is taken.',
            "Look at the configuration's text: %olive_config NAME --show, or config.dumps().",
        )
    return PhinbError(
        f'"{edit.path}" leads nowhere in this configuration.',
        "A path is dotted, as in passes.lora.r; config.effective() has them all.",
    )


def _check(edit: Edit, reading: Reading) -> None:
    """Raises PhinbError for an edit that no text can hold."""
    if not edit.path:
        raise PhinbError("An edit needs the path of what it changes.", 'For example "passes.lora.r".')
    labels = [document.source for document in reading.documents]
    if edit.source and edit.source not in labels:
        known = f"Its pieces are: {', '.join(labels)}." if any(labels) else "It was given in one piece: name none."
        raise PhinbError(f"The configuration has no piece {edit.source}.", known)
    if edit.kind == "rename" and not (isinstance(edit.value, str) and edit.value):
        raise PhinbError(f'"{edit.path}" can only be renamed to a text.', "Give the new key as the edit's value.")
    if edit.kind == "set" and not _is_plain(edit.value):
        message = f'The value for "{edit.path}" is none that JSON can hold: {edit.value!r}.'
        raise PhinbError(message, "Use text, finite numbers, true or false, None, lists and dicts.")


def _check_names(edit: Edit, reading: Reading) -> None:
    """Raises PhinbError where a name with a dot makes it unsure what a path means: nothing of the user's is risked."""
    for document in reading.documents:
        if document.outermost is None or edit.source not in ("", document.source):
            continue
        if name := ambiguous_name(document.outermost, edit.path):
            message = f'"{edit.path}" can mean two places: the name "{name}" holds a dot.'
            raise PhinbError(message, f"Rename it in the text first, for example to {name.replace('.', '_')}.")


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(member) for key, member in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and value - value == 0)
