"""Opening a finished run folder again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from .errors import InputError
from .plan import make_plan
from .recipe import StageEntry
from .recipe_parser import read_recipe
from .store import RECORD, Record
from .view import RunView


def open_run(path: str | Path) -> RunView:
    """The view of a finished run folder; InputError when it is none."""
    folder = Path(path)
    try:
        index = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "not a finished run folder (no run.json)", place=str(path), hint="give the folder `rather run` printed"
        ) from error
    recipe = read_recipe(folder / "recipe.yaml")
    plan = make_plan(
        replace(recipe, stages=tuple(_from(e, Path(index["cwd"])) for e in recipe.stages)), check_sources=False
    )
    shard = tuple(index["shard"]) if index["shard"] else None
    view = RunView(
        folder, plan, recipe.dump(), index["limit"], shard, seconds=index["seconds"], peak_mib=index["peak_mib"]
    )
    for node in plan.nodes:
        home = folder / "stages" / index["homes"].get(node.name, "")
        if node.name in index["homes"] and (home / RECORD).exists():
            view.homes[node.index] = home
            view.records[node.index] = Record(**json.loads((home / RECORD).read_text(encoding="utf-8")))
            if node.name in index["reused"]:
                view.reused.add(node.index)
    return view


def _from(entry: StageEntry, folder: Path) -> StageEntry:
    """The entry with a relative `path` of a source as it was meant: from where the run was started."""
    path = entry.options.get("path")
    if path is None or not entry.kind.startswith("read.") or not isinstance(path.value, str):
        return entry
    if Path(path.value).exists() or not (folder / path.value).exists():
        return entry
    return replace(entry, options=entry.options | {"path": replace(path, value=str(folder / path.value))})
