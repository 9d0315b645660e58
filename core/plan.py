"""From a recipe to a checked plan: every name, option, model, file, extra and column, all faults at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from . import registry
from .errors import RecipeError
from .recipe import Recipe
from .stage import Stage

ANY: Final = "*"  # the columns of a source that could not be read: walk on without complaints


@final
@dataclass(frozen=True)
class Node:
    """One stage of a plan: the validated stage, where its rows come from, the columns after it."""

    index: int
    name: str
    line: int
    stage: Stage
    inputs: tuple[int, ...]
    columns: frozenset[str]
    until_rows: int | None = None
    skipped: str | None = None


@final
@dataclass(frozen=True)
class Plan:
    """A recipe that has been checked: it can be run as it is."""

    recipe: Recipe
    nodes: tuple[Node, ...]
    models: Mapping[str, registry.ModelSpec]

    def node(self, name: str) -> Node:
        """The node called `name`."""
        return next(node for node in self.nodes if node.name == name)

    def rows_into(self, node: Node) -> tuple[int, ...]:
        """Indices of the nodes whose rows come into `node`, skipped ones passed through."""
        return rows_into(self.nodes, node.inputs)

    @property
    def active(self) -> tuple[Node, ...]:
        """Nodes that are not skipped."""
        return tuple(node for node in self.nodes if node.skipped is None)


def rows_into(nodes: Sequence[Node], inputs: Iterable[int]) -> tuple[int, ...]:
    """The inputs with every skipped node replaced by its own; empty when nothing is left."""
    found: dict[int, None] = {}
    seen: set[int] = set()
    waiting = list(inputs)[::-1]
    while waiting:
        node = nodes[waiting.pop()]
        if node.skipped is None:
            found[node.index] = None
        elif node.index not in seen:
            seen.add(node.index)
            waiting += node.inputs[::-1]
    return tuple(found)


def make_plan(recipe: Recipe, *, check_sources: bool = True) -> Plan:
    """The plan of a recipe; raises RecipeError with every fault found.

    `check_sources=False` is for looking at a finished run whose inputs may be gone.
    """
    from .checker import Checker
    from .findings import Findings

    findings = Findings(recipe.file)
    plan = Checker(recipe, check_sources, findings).plan()
    if findings.faults:
        raise RecipeError(findings.faults)
    return plan
