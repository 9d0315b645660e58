"""The key of a stage's result: everything that could change a byte of it, and nothing else."""

from __future__ import annotations

import inspect
import json
from typing import Final

from .hashing import digest
from .plan import Node, Plan
from .session import RunOptions
from .stage import Source, Stage

FORMAT: Final = "1"
"""Raised when the run folder's own format changes."""


def stage_keys(plan: Plan, options: RunOptions) -> dict[int, str]:
    """Node index → key, for every stage that is not skipped.

    A key covers the stage's name, version and options, the models it names (without addresses and
    secrets), the seed, its inputs' keys, and for a source its fingerprint, `--limit` and `--shard`.
    """
    keys: dict[int, str] = {}
    for node in plan.nodes:
        if node.skipped is not None:
            continue
        named = [keys.get(plan.node(name).index, "") for name in node.stage.stages_named()]
        parts = [FORMAT, *stage_parts(plan, node), *(keys[index] for index in plan.rows_into(node)), *named]
        if isinstance(node.stage, Source):
            parts += [node.stage.fingerprint(), repr(options.limit), repr(options.shard)]
        keys[node.index] = digest(*parts)
    return keys


def stage_parts(plan: Plan, node: Node) -> list[str]:
    """What of the recipe decides this stage's result."""
    stage = node.stage
    identities = {name: plan.models[name].identity() for name in stage.models_named() if name in plan.models}
    return [
        stage.name,
        node.name,
        str(stage.version),
        str(plan.recipe.seed),
        json.dumps(stage.model_dump(mode="json"), sort_keys=True, default=str),
        json.dumps(identities, sort_keys=True, default=str),
        repr(node.until_rows),
        repr(stage.materials()),
        _foreign_source(stage),
    ]


def _foreign_source(stage: Stage) -> str:
    """A plugin's own code is part of its key: its author has no version to raise by habit."""
    if type(stage).__module__.startswith(f"{__package__.partition('.')[0]}."):
        return ""
    try:
        return inspect.getsource(type(stage))
    except (OSError, TypeError):
        return ""
