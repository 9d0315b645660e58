"""Louvain communities: by hand, on the karate club, and what holds on any graph."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.louvain import communities, modularity, numbered

TRIANGLES = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5), (2, 3)]
KARATE = """2 1 3 1 3 2 4 1 4 2 4 3 5 1 6 1 7 1 7 5 7 6 8 1 8 2 8 3 8 4 9 1 9 3 10 3 11 1 11 5 11 6 12 1 13 1 13 4
14 1 14 2 14 3 14 4 17 6 17 7 18 1 18 2 20 1 20 2 22 1 22 2 26 24 26 25 28 3 28 24 28 25 29 3 30 24 30 27 31 2 31 9
32 1 32 25 32 26 32 29 33 3 33 9 33 15 33 16 33 19 33 21 33 23 33 24 33 30 33 31 33 32 34 9 34 10 34 14 34 15 34 16
34 19 34 20 34 21 34 23 34 24 34 27 34 28 34 29 34 30 34 31 34 32 34 33"""


def karate() -> list[tuple[int, int]]:
    """Zachary's club: 34 members, 78 friendships."""
    ends = [int(k) - 1 for k in KARATE.split()]
    return list(zip(ends[::2], ends[1::2], strict=True))


def test_two_triangles_and_a_bridge_by_hand() -> None:
    """7 edges; each triangle has 3 inside and 7 ends: Q = 2 · (3/7 - (7/14)²) = 5/14."""
    found = communities(6, TRIANGLES)
    assert found == [0, 0, 0, 1, 1, 1]
    assert modularity(TRIANGLES, found) == pytest.approx(5 / 14)
    assert modularity(TRIANGLES, [0] * 6) == pytest.approx(0)


def test_a_resolution_decides_how_fine() -> None:
    """A pair of nodes joined gains 1 - γ·1·1/2 by merging, so above γ = 2 two nodes and an edge stay apart."""
    assert communities(2, [(0, 1)], 1.9) == [0, 0]
    assert communities(2, [(0, 1)], 2.1) == [0, 1]
    assert len(set(communities(6, TRIANGLES, 0.1))) == 1


def test_what_has_no_edge_is_alone() -> None:
    assert communities(0, []) == []
    assert communities(3, []) == [0, 1, 2]
    assert communities(4, [(1, 3)]) == [0, 1, 2, 1]
    assert modularity([], [0, 1]) == 0.0


def test_a_chain_of_cliques_needs_more_than_one_level() -> None:
    """30 triangles in a ring: neighbours merge (the resolution limit), which single moves cannot do."""
    edges = []
    for k in range(0, 90, 3):
        edges += [(k, k + 1), (k + 1, k + 2), (k, k + 2), (k + 2, (k + 3) % 90)]
    found = communities(90, edges)
    assert all(found[k] == found[k + 1] == found[k + 2] for k in range(0, 90, 3))
    assert len(set(found)) < 30
    assert modularity(edges, found) > modularity(edges, [k // 3 for k in range(90)])


def test_the_karate_club() -> None:
    """The best known partition has four parts and Q = 0.4198."""
    edges = karate()
    assert len(edges) == 78
    found = communities(34, edges)
    assert len(set(found)) in (3, 4)
    assert 0.41 < modularity(edges, found) < 0.4199
    assert found[0] != found[33], "the instructor and the president"


NODES = 12
GRAPHS = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)).filter(lambda e: e[0] != e[1]))


@given(edges=GRAPHS)
@settings(max_examples=100, deadline=None)
def test_no_worse_than_all_apart_and_never_across_components(edges: list[tuple[int, int]]) -> None:
    found = communities(NODES, edges)
    assert found == communities(NODES, edges) and found == numbered(found)
    assert modularity(edges, found) >= modularity(edges, list(range(NODES))) - 1e-9
    part = list(range(NODES))
    for _ in range(NODES):
        for a, b in edges:
            part[a] = part[b] = min(part[a], part[b])
    assert all(part[a] == part[b] for a in range(NODES) for b in range(NODES) if found[a] == found[b])
