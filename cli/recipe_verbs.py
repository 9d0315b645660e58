"""Verbs of recipes: run them, look at them, find them. Heavy imports stand inside the verbs: help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Out, Plugins, RecipeArg, Sets


def run(
    recipe: RecipeArg,
    set_: Sets = None,
    out: Out = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only the first N rows of each source.")] = None,
    executor: Annotated[str, typer.Option(help="Where to run: local.")] = "local",
    shard: Annotated[str | None, typer.Option(metavar="i/n", help="Work on the i-th of n parts (1 ≤ i ≤ n).")] = None,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Stop cleanly once this is spent.")] = None,
    budget_calls: Annotated[int | None, typer.Option(min=0, help="Most model calls.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(min=0, help="Most tokens, prompt and completion.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Rows a batch; changes speed, never a row.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; changes speed, never a row.")] = None,
    plugin: Plugins = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget finished stages; paid replies are kept.")] = False,
    show: Annotated[int, typer.Option(min=0, help="Print this many kept pairs at the end.")] = 0,
    json_: Json = False,
) -> None:
    """Run or resume a recipe; what is finished is reused."""
    from .run import RunRequest, run_recipe

    run_recipe(
        RunRequest(
            recipe, tuple(set_ or ()), tuple(plugin or ()), out, limit, shard, budget_calls, budget_tokens, budget_usd,
            batch, workers, fresh, executor, show, json_,
        )
    )  # fmt: skip


def check(recipe: RecipeArg, set_: Sets = None, plugin: Plugins = None) -> None:
    """Look for every fault of a recipe, without running anything."""
    from .api import check as check_recipe

    plan = check_recipe(recipe, set_ or (), plugin or ())
    skipped = [f"{node.name} ({node.skipped})" for node in plan.nodes if node.skipped]
    print(f"{recipe}: sound, {len(plan.active)} stages" + (f"; skipped here: {', '.join(skipped)}" if skipped else ""))


def plan(recipe: RecipeArg, set_: Sets = None, plugin: Plugins = None, out: Out = None) -> None:
    """The stages, what of them is finished, and what calls and money the rest may take."""
    from .look import print_plan

    print_plan(recipe, set_ or [], plugin or [], out)


def preview(
    recipe: RecipeArg,
    n: Annotated[int, typer.Option("-n", min=1, help="Rows to read.")] = 5,
    set_: Sets = None,
    plugin: Plugins = None,
) -> None:
    """A few rows through every stage, printed; nothing is kept but paid replies."""
    from .look import print_preview

    print_preview(recipe, n, set_ or [], plugin or [])


def list_(
    what: Annotated[str, typer.Argument(help="stages, recipes, models or formats")] = "stages", plugin: Plugins = None
) -> None:
    """What there is."""
    from .show import print_list

    print_list(what, plugin or [])


def show(name: Annotated[str, typer.Argument(help="A stage, recipe or model.")], plugin: Plugins = None) -> None:
    """What one thing does, its options, columns and paper."""
    from .show import print_one

    print_one(name, plugin or [])


def copy(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE")],
    file: Annotated[Path | None, typer.Argument(help="Where to; default ./RECIPE.yaml.")] = None,
) -> None:
    """Copy a shipped recipe to edit it."""
    from .show import copy_recipe

    copy_recipe(recipe, file)


def schema(plugin: Plugins = None) -> None:
    """JSON Schema of recipes, for editors."""
    from .schema import print_schema

    print_schema(plugin or [])


def doctor() -> None:
    """Versions, extras and devices; what is missing and how to get it."""
    from .doctor import print_doctor

    print_doctor()
