"""Starting points: commented configurations, one for each recipe and model, to be changed rather than begun afresh.

Each is a recipe file of the folder recipes/, filled with the facts of a model. They speak of two files, train.jsonl
and test.jsonl, with the columns phrase and tone; for rows of one's own there is `phinb.new_config`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from phinb.config.starting.facts import DataConfig, Machine, Rows, write_gb
from phinb.config.starting.prompt_text import Prompt, write_prompt
from phinb.config.starting.recipe_text import Choice, fill_recipe
from phinb.config.starting.values import choose_values
from phinb.errors import PhinbError
from phinb.models.facts import KNOWN, ModelFacts


@dataclass(frozen=True)
class Recipe:
    """A way through Olive. file: its text in recipes/; title: with the model's name in braces."""

    name: str
    file: str
    title: str
    purpose: str
    trains: bool = False


@dataclass(frozen=True)
class StartingPoint:
    """An entry of the gallery: its name, what it is, what it is for, and what it needs."""

    name: str
    title: str
    purpose: str
    needs: str


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "lora",
            "train",
            "LoRA on {model}, merged, int4",
            "Teach a model your rows, and shrink it.",
            True,
        ),
        Recipe(
            "qlora",
            "train",
            "QLoRA on {model}, merged, int4",
            "The same where memory is short: the frozen weights take four bits.",
            True,
        ),
        Recipe(
            "dora",
            "train",
            "DoRA on {model}, merged, int4",
            "The same with a finer adapter, at the cost of time.",
            True,
        ),
        Recipe("quantize", "quantize", "{model} to int4", "Shrink a model as it is; nothing is trained."),
        Recipe("evaluate", "evaluate", "{model} on your rows", "See how good the base is before anything is trained."),
        Recipe("azure", "train", "LoRA on {model} in Azure ML", "The first one on a workspace's compute.", True),
    )
}

_EXAMPLE = Rows(
    (
        DataConfig(
            "train",
            "json",
            Choice("train.jsonl", "a JSON object a line, with phrase and tone"),
            Choice("train"),
        ),
        DataConfig("test", "json", Choice("test.jsonl"), Choice("train")),
    )
)


def starting_points() -> tuple[StartingPoint, ...]:
    """The gallery, recipe by recipe and model by model."""
    return tuple(
        StartingPoint(f"{recipe.name}-{facts.key}", _title(recipe, facts), recipe.purpose, _needs(recipe, facts))
        for recipe in RECIPES.values()
        for facts in KNOWN
    )


def starting_text(name: str) -> str:
    """The text of a starting point, JSON with comments. Raises PhinbError, naming the nearest, for one not there."""
    from rapidfuzz import process

    names = [point.name for point in starting_points()]
    if name not in names:
        near = process.extractOne(name, names, score_cutoff=60)
        hint = f"Did you mean {near[0]}?" if near else f"Names are made of {', '.join(RECIPES)} and a model's."
        raise PhinbError(f"There is no starting point {name}.", f"{hint} `phinb gallery` lists them.")
    recipe = next(recipe for recipe in RECIPES.values() if name.startswith(f"{recipe.name}-"))
    facts = next(facts for facts in KNOWN if name == f"{recipe.name}-{facts.key}")
    machine = Machine() if facts.embedded and recipe.name != "azure" else Machine(gpus=("any",))
    labels = ("fear", "joy", "sadness", "surprise")
    return write_recipe(recipe.name, facts, _example_rows(recipe), _example_prompt(facts, labels), machine)


def write_recipe(
    recipe: str, facts: ModelFacts, rows: Rows, prompt: Prompt, machine: Machine, head: tuple[str, ...] = ()
) -> str:
    """A recipe filled: with title and advice in its first lines, and `head` below them."""
    found = find_recipe(recipe)
    lines = (f"{_title(found, facts)}. {found.purpose}", *head)
    values = choose_values(recipe, facts, rows, prompt, machine, lines)
    return fill_recipe(found.file, values)


def find_recipe(name: str) -> Recipe:
    """The recipe of that name. Raises PhinbError, naming those there are, where there is none."""
    from rapidfuzz import process

    if name not in RECIPES:
        near = process.extractOne(name, list(RECIPES), score_cutoff=60)
        guess = f"Did you mean {near[0]}? " if near else ""
        raise PhinbError(f"There is no recipe {name}.", f"{guess}There are: {', '.join(RECIPES)}.")
    return RECIPES[name]


def _title(recipe: Recipe, facts: ModelFacts) -> str:
    title = recipe.title.format(model=facts.title)
    return title[:1].upper() + title[1:]


def _example_rows(recipe: Recipe) -> Rows:
    if recipe.name == "azure":
        place = "azureml://datastores/workspaceblobstore/paths/"
        why = "in the workspace's default datastore"
        moved = [replace(one, files=Choice(place + one.files.value, why)) for one in _EXAMPLE.configs]
        return Rows(tuple(moved))
    return _EXAMPLE if recipe.trains else Rows(_EXAMPLE.configs[1:])


def _example_prompt(facts: ModelFacts, labels: tuple[str, ...]) -> Prompt:
    return write_prompt(["phrase"], "tone", labels, facts)


def _needs(recipe: Recipe, facts: ModelFacts) -> str:
    """Sizes are those of the weights; what comes on top of them depends on the rows."""
    if recipe.name == "azure":
        return "an Azure ML workspace with a GPU, and phinb[azure]"
    wide, four = facts.weight_bytes("bfloat16") or 0, facts.weight_bytes("nf4") or 0
    if facts.embedded:
        return "two processor cores and 3 GB of memory"
    fetched = f"{write_gb(facts.download_bytes or wide)} from the hub"
    if recipe.name == "qlora":
        return f"{fetched}; a GPU with room for {write_gb(four)} of weights and the training, such as 8 GB"
    if recipe.trains:
        return f"{fetched}; a GPU with room for {write_gb(wide)} of weights and the training, such as 16 GB"
    return f"{fetched}; memory for {write_gb(wide)} of weights, such as 16 GB"
