"""What the verbs do, for Python: load a recipe, check it, run it with its report."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from ..core.engine import execute
from ..core.errors import InputError, did_you_mean
from ..core.listeners import Silent
from ..core.overrides import apply_sets
from ..core.plan import Plan, make_plan
from ..core.recipe import Recipe
from ..core.recipe_parser import read_recipe
from ..core.registry import load_plugin
from ..core.session import Listener, RunOptions
from ..core.view import RunView
from ..core.yamlfile import RECIPES


def shipped_recipes() -> dict[str, Path]:
    """Recipes that ship with the package, by name."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.yaml"))}


def find_recipe(name: str | Path) -> Path:
    """A recipe file by path or shipped name; InputError with the nearest name otherwise."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_recipes()
    if str(name) in shipped:
        return shipped[str(name)]
    if path.suffix in (".yaml", ".yml") or "/" in str(name):
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.y*ml")], 1)
        raise InputError("no such recipe file", place=str(name), hint=f"did you mean {near[0]}?" if near else "")
    raise InputError(f"no recipe called {name}", hint=did_you_mean(str(name), shipped) or "see: rather list recipes")


def load_recipe(name: str | Path, sets: Sequence[str] = (), plugins: Sequence[str | Path] = ()) -> Recipe:
    """Read a recipe and apply `a.b=value` overrides; plugins are loaded first."""
    for plugin in plugins:
        load_plugin(plugin)
    return apply_sets(read_recipe(find_recipe(name)), list(sets))


def check(name: str | Path | Recipe, sets: Sequence[str] = (), plugins: Sequence[str | Path] = ()) -> Plan:
    """The checked plan; RecipeError with every fault otherwise."""
    recipe = name if isinstance(name, Recipe) else load_recipe(name, sets, plugins)
    return make_plan(recipe)


def run(
    name: str | Path | Recipe,
    sets: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    limit: int | None = None,
    options: RunOptions | None = None,
    listener: Listener | None = None,
    plugins: Sequence[str | Path] = (),
) -> RunView:
    """Check and run (or resume) a recipe, and write `report.html` into its run folder.

    `out` defaults to `runs/<recipe name>`; `options` replaces `out` and `limit` when given.
    Raises the errors of `rather.core.errors`; nothing runs unless everything is sound.
    """
    from ..formats.report import write_report

    plan = check(name, sets, plugins)
    chosen = options or RunOptions(Path(out or Path("runs") / plan.recipe.name), limit=limit)
    view = execute(plan, chosen, listener or Silent())
    write_report(view, view.path / "report.html")
    return view
