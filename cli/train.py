"""`rather train`: the last stage alone, on a dataset of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..core.errors import InputError, did_you_mean
from ..core.overrides import apply_sets
from ..core.recipe_parser import parse_recipe
from ..core.session import RunOptions
from .run import run_loaded

METHODS = ("dpo", "reward_head")


def train_on(data: str, method: str, base: str | None, out: Path | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Read pairs, write them in the trainer's columns, train."""
    if method not in METHODS:
        raise InputError(f"no training method called {method}", hint=did_you_mean(method, METHODS))
    stages: list[dict[str, Any]] = [{"read.pairs": {"path": data}}]
    if method == "reward_head":
        stages += [{"embed.text": {}}, {"train.reward_head": {}}]
    elif base is None:
        raise InputError("dpo needs a base model", hint="--base FOLDER_OR_HUB_ID")
    else:
        stages += [{"write.parquet": {}}, {"train.trl": {"method": method, "base": base}}]
    text = yaml.safe_dump({"name": f"train-{method}", "stages": stages}, sort_keys=False)
    recipe = apply_sets(parse_recipe(text, ""), list(sets))
    run_loaded(recipe, RunOptions(out or Path("runs") / recipe.name), as_json)
