"""Every rule of the upgrade: what an old form becomes, that it is told, that it is stable, and that Olive takes it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from phinb.config import Config, load_config
from phinb.config.document import Node, load
from phinb.config.schema import load_schema
from phinb.config.upgrade import RULES, upgrade
from tests.config.conftest import VALID
from tests.config.old_forms import OLD_FORMS, OldForm, get
from tests.config.olive_judge import Judge
from tests.config.test_tutorials import TEXTS, fill

NAMES = [form.name for form in OLD_FORMS]


def text_of(form: OldForm) -> str:
    return json.dumps(form.apply(json.loads(VALID)), indent=2)


def errors(config: Config) -> list[str]:
    return [
        f"{problem.code} {problem.where}: {problem.message}"
        for problem in config.problems
        if problem.severity == "error"
    ]


@pytest.mark.parametrize("form", OLD_FORMS, ids=NAMES)
def test_an_old_form_becomes_todays(form: OldForm) -> None:
    config = load_config(text_of(form))
    assert errors(config) == []
    olive = config.to_olive()
    assert config.changes
    for path, expected in form.now.items():
        found = get({**olive, "phinb": dict(config.phinb)}, path)
        assert found == expected, path


@pytest.mark.parametrize("form", OLD_FORMS, ids=NAMES)
def test_every_change_stands_at_a_line_of_the_text_and_says_why(form: OldForm) -> None:
    config = load_config(text_of(form))
    lines = config.text.splitlines()
    for change in config.changes:
        assert change.line is not None
        assert change.before is not None
        assert len(change.why) > 10
        assert change.why.rstrip()[-1] in ".)"
        key = change.path.rpartition(".")[2]
        assert key.isdigit() or f'"{key}"' in lines[change.line - 1], (key, lines[change.line - 1])


@pytest.mark.parametrize("form", OLD_FORMS, ids=NAMES)
def test_upgrading_twice_changes_nothing_more(form: OldForm) -> None:
    config = load_config(text_of(form))
    for format_ in ("json", "yaml"):
        again = load_config(config.dumps(format_))  # type: ignore[arg-type]
        assert again.changes == ()
        assert again.to_olive() == config.to_olive()
        assert dict(again.phinb) == dict(config.phinb)


def test_each_rule_has_a_form_that_it_changes() -> None:
    """No rule stands there for nothing: without it, some old form would come out otherwise."""
    schema = load_schema()
    roots = [load(text_of(form)).root for form in OLD_FORMS] + [load(fill(text)).root for text in TEXTS.values()]
    idle = []
    for rule in RULES:
        if not any(root is not None and _works(rule, root, schema) for root in roots):
            idle.append(rule.__name__)
    assert idle == ["rename_model_types", "upgrade_function_arguments"]  # test_upgrade.py has these two


def _works(rule: Any, root: Any, schema: Any) -> bool:
    """Whether a rule, in its turn, records a change or a problem."""
    from phinb.config.upgrades.rewrite import Rewrite

    rewrite = Rewrite(root, schema)
    for other in RULES:
        before = len(rewrite.changes) + len(rewrite.problems), json.dumps(rewrite.root.plain(), default=str)
        other(rewrite)
        if other is rule:
            return before != (
                len(rewrite.changes) + len(rewrite.problems),
                json.dumps(rewrite.root.plain(), default=str),
            )
    raise AssertionError(rule)


@pytest.mark.slow
def test_olive_accepts_every_upgraded_form() -> None:
    judged = [form for form in OLD_FORMS if form.judged]
    judge = Judge()
    try:
        verdicts = judge.ask([load_config(text_of(form)).to_olive() for form in judged])
    finally:
        judge.close()
    refused = {form.name: verdict for form, verdict in zip(judged, verdicts, strict=True) if not verdict.accepted}
    assert refused == {}


# ------------------------------------------------------------------------------------------ odd content

ODD: tuple[Any, ...] = (None, [], {}, "", "text", 0, 0.5, -1, True, [None], [{}], {"type": None}, {"config": []}, [[1]])


def bend(tree: Any, chance: random.Random) -> Any:
    """The tree with a few of its values replaced by odd ones, keys dropped, or wrapped in lists."""
    if chance.random() < 0.04:
        return chance.choice(ODD)
    if chance.random() < 0.02:
        return [tree]
    if isinstance(tree, dict):
        return {key: bend(value, chance) for key, value in tree.items() if chance.random() > 0.03}
    if isinstance(tree, list):
        return [bend(entry, chance) for entry in tree]
    return tree


@pytest.mark.parametrize("seed", range(60))
def test_odd_content_never_raises_and_upgrades_to_itself(seed: int) -> None:
    """Lists where mappings are expected, nulls, half of a form: 20 bent configurations a seed."""
    chance = random.Random(seed)
    schema = load_schema()
    given = [json.loads(text_of(form)) for form in OLD_FORMS]
    given += [root.plain() for text in TEXTS.values() if (root := load(text).root) is not None]
    for _ in range(20):
        bent = bend(chance.choice(given), chance)
        if not isinstance(bent, dict):
            continue
        root = load(bent).root
        assert root is not None
        tree, _, _ = upgrade(root, schema)
        assert root.plain() == bent
        once = tree.plain()
        again, changes, _ = upgrade(load(once).root, schema)  # type: ignore[arg-type]
        assert [(change.path, change.why) for change in changes] == [], json.dumps(bent)
        assert again.plain() == once
        load_config(bent)


def leaves(node: Node) -> list[Node]:
    """The scalars of a tree, null left out."""
    inner = [*(member for _, member in node.items()), *node.entries()]
    return (
        [leaf for member in inner for leaf in leaves(member)] if inner else [node] * (node.value not in (None, {}, []))
    )


def scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [scalar for member in value.values() for scalar in scalars(member)]
    return [scalar for entry in value for scalar in scalars(entry)] if isinstance(value, list) else [value]


def unsaid(root: Node) -> list[str]:
    """The values of a configuration that are neither in its upgraded form, nor in a change, nor near a problem."""
    tree, changes, problems = upgrade(root, load_schema())
    told = scalars(tree.plain()) + scalars([change.before for change in changes])
    paths = [problem.path for problem in problems]
    return [
        leaf.path
        for leaf in leaves(root)
        if leaf.value not in told
        and not any(leaf.path.startswith(path) or path.startswith(leaf.path.rpartition(".")[0]) for path in paths)
    ]


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_dropped_unsaid(seed: int) -> None:
    """In every old form, and in bent ones in which no value is like another."""
    chance = random.Random(seed)
    given = [json.loads(text_of(form)) for form in OLD_FORMS]
    given += [root.plain() for text in TEXTS.values() if (root := load(text).root) is not None]
    for plain in given if seed == 0 else [bend(chance.choice(given), chance) for _ in range(100)]:
        root = load(plain).root if isinstance(plain, dict) else None
        left = [] if root is None else unsaid(root)
        assert left == [], json.dumps(plain)


def test_every_form_expects_something() -> None:
    assert [form.name for form in OLD_FORMS if not form.now] == []
