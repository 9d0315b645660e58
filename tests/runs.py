"""Running a recipe from text in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rather.core.engine import execute
from rather.core.listeners import Silent
from rather.core.overrides import apply_sets
from rather.core.plan import make_plan
from rather.core.recipe_parser import parse_recipe
from rather.core.session import RunOptions
from rather.core.view import RunView

from . import stages  # noqa: F401  (registers the demo stages)


def run_text(text: str, out: Path, *sets: str, **options: Any) -> RunView:
    """Run recipe text in the folder `out`; keyword arguments are those of RunOptions."""
    recipe = apply_sets(parse_recipe(text, "test.yaml"), list(sets))
    return execute(make_plan(recipe), RunOptions(out, **options), Silent())


CHAIN = """
name: chain
seed: 3
stages:
  - demo.read: {rows: 2000}
  - demo.chars
  - demo.short
  - demo.copies
  - demo.rank
  - demo.top
  - demo.digest
"""
