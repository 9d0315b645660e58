"""Communities of a graph by the Louvain method: deterministic, in plain Python, for graphs of some thousand nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

Graph = list[dict[int, float]]
"""For each node its neighbours and the weights of the edges to them; a loop stands with twice its weight."""
_WORTH: Final = 1e-12
"""Smallest gain in modularity (times the total weight) that moves a node: keeps rounding from turning in circles."""


def communities(n: int, edges: Iterable[tuple[int, int]], resolution: float = 1.0) -> list[int]:
    """The community [n] of each node, numbered by first appearance; a node without an edge is one by itself.

    Nodes are visited in their order and move to the neighbouring community of largest gain, of equal
    ones that of the smallest number; then communities become nodes, until nothing moves. A higher
    `resolution` gives more and smaller communities. Repeated edges add up. Blondel et al., 2008;
    resolution: Reichardt and Bornholdt, 2006.
    """
    graph = _graph(n, edges)
    member = list(range(n))
    while True:
        moved = _settled(graph, resolution)
        member = [moved[community] for community in member]
        size = max(moved, default=-1) + 1
        if size == len(graph):
            return numbered(member)
        graph = _merged(graph, moved, size)


def modularity(edges: Sequence[tuple[int, int]], community: Sequence[int], resolution: float = 1.0) -> float:
    """Σ over communities of (share of edges inside - resolution · (share of edge ends)²); 0 without edges.

    At resolution 1 it lies in [-½, 1), higher = edges keep more to their communities. Newman, 2004.
    """
    inside: dict[int, int] = {}
    ends: dict[int, int] = {}
    for a, b in edges:
        if community[a] == community[b]:
            inside[community[a]] = inside.get(community[a], 0) + 1
        for node in (a, b):
            ends[community[node]] = ends.get(community[node], 0) + 1
    m = len(edges)
    return sum(inside.get(c, 0) / m - resolution * (k / (2 * m)) ** 2 for c, k in ends.items()) if m else 0.0


def numbered(labels: Sequence[int]) -> list[int]:
    """The same partition with labels 0, 1, … by first appearance."""
    names: dict[int, int] = {}
    return [names.setdefault(label, len(names)) for label in labels]


def _graph(n: int, edges: Iterable[tuple[int, int]]) -> Graph:
    graph: Graph = [{} for _ in range(n)]
    for a, b in edges:
        graph[a][b] = graph[a].get(b, 0.0) + 1.0
        graph[b][a] = graph[b].get(a, 0.0) + 1.0
    return graph


def _settled(graph: Graph, resolution: float) -> list[int]:
    """Communities, numbered from 0, after moving nodes one by one until none gains by it."""
    degree = [sum(edges.values()) for edges in graph]
    total = sum(degree)
    member, weight = list(range(len(graph))), list(degree)
    moving = total > 0
    while moving:
        moving = False
        for node, edges in enumerate(graph):
            best = _best(node, edges, member, weight, degree[node] * resolution / total)
            if best != member[node]:
                weight[member[node]] -= degree[node]
                weight[best] += degree[node]
                member[node] = best
                moving = True
    return numbered(member)


def _best(node: int, edges: dict[int, float], member: list[int], weight: list[float], pull: float) -> int:
    """The community to which `node` belongs best, its own unless another is better."""
    here = member[node]
    ties: dict[int, float] = {here: 0.0}
    for other, strength in edges.items():
        if other != node:
            ties[member[other]] = ties.get(member[other], 0.0) + strength
    own = sum(edges.values())
    best, most = here, ties[here] - pull * (weight[here] - own)
    for community in sorted(ties):
        gain = ties[community] - pull * weight[community]
        if community != here and gain > most + _WORTH:
            best, most = community, gain
    return best


def _merged(graph: Graph, community: list[int], size: int) -> Graph:
    """The graph whose nodes are the communities."""
    merged: Graph = [{} for _ in range(size)]
    for node, edges in enumerate(graph):
        into = merged[community[node]]
        for other, strength in edges.items():
            into[community[other]] = into.get(community[other], 0.0) + strength
    return merged
