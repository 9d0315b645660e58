"""Exact k nearest neighbours by Euclidean distance, in tiles of matrix products.

Distances are symmetric, so each pair of blocks is multiplied once and serves the rows of both:
half the products of a search that asks row by row. A tile is compared with every row's present
kth value, and only what beats it is merged; what is held beyond the vectors is [n, k] and a tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, final

import numpy as np

from .errors import InputError

BLOCK: Final = 1024  # rows a tile side: 4 MB of float32 stay in the cache until they are compared


@final
class Neighbours(NamedTuple):
    """For each row the k nearest other rows, nearest first; at equal distance the smaller index."""

    distances: np.ndarray
    """float32 [n, k], Euclidean, in the unit of the vectors."""
    indices: np.ndarray
    """int64 [n, k]"""


def nearest(vectors: np.ndarray, k: int) -> Neighbours:
    """The k nearest other rows of each row of float32 [n, d]; a row never counts as its own.

    Products are float32 of centred vectors; the distances given are recomputed as differences, so
    equal rows are at 0 exactly. Neighbours that differ by less than rounding (about 1e-6 of the
    squared spread) at the kth place may stand for one another. InputError unless 1 ≤ k < n.
    """
    x = np.asarray(vectors)
    if x.ndim != 2:
        raise InputError(f"vectors have shape {x.shape}, not rows × dimensions", hint="give one vector a row")
    n = len(x)
    if not 1 <= k < n:
        raise InputError(f"{k} nearest others of {n} rows do not exist", hint=f"k is at least 1 and below {n}")
    if not np.isfinite(x).all():
        raise InputError("a vector holds NaN or infinity", hint="drop rows without a vector first")
    tiles, best, entering = _Tiles(x), _Best(n, k), None
    with ThreadPoolExecutor(1) as clerk:  # enters a tile while the next is multiplied
        for rows, columns in _upper_half(n):
            if rows.start == columns.start:
                left = tiles.left(rows)
            closeness = tiles.product(left, columns)
            if entering is not None:
                entering.result()
            entering = clerk.submit(best.enter, rows, columns, closeness)
        if entering is not None:
            entering.result()
    return _measured(x, best.index)


def kth_distance(vectors: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """float32 [n]: distance of each row's group to its kth nearest other group.

    A group (equal value of `groups`, [n]) stands at the vector of its first row, so repeats of one
    prompt are one point. With k or fewer other groups the farthest is taken; alone it is at 0.
    """
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    if len(first) < 2:
        return np.zeros(len(groups), np.float32)
    found = nearest(np.asarray(vectors)[first], min(k, len(first) - 1))
    return found.distances[:, -1][member]


def _upper_half(n: int) -> Iterator[tuple[slice, slice]]:
    """Pairs of blocks, each once: every row meets the others in the order of their index."""
    blocks = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
    for place, rows in enumerate(blocks):
        for columns in blocks[place:]:
            yield rows, columns


@final
class _Tiles:
    """Tiles of −½·squared distance: (x, 1, −½|x|²)·(y, −½|y|², 1), of centred vectors."""

    def __init__(self, x: np.ndarray) -> None:
        self._x = x
        self._mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._right = np.empty((BLOCK, x.shape[1] + 2), np.float32)
        self._out = [np.empty(BLOCK * BLOCK, np.float32) for _ in range(2)]

    def left(self, rows: slice) -> np.ndarray:
        """The factor of these rows, [b, d + 2]."""
        return self._factor(rows, np.empty((rows.stop - rows.start, self._x.shape[1] + 2), np.float32))

    def product(self, left: np.ndarray, columns: slice) -> np.ndarray:
        """float32 [b, c]: −½·squared distance of `left`'s rows and these columns; good for two calls."""
        width = columns.stop - columns.start
        right = self._factor(columns, self._right[:width])
        right[:, [-2, -1]] = right[:, [-1, -2]]
        self._out.reverse()
        out = self._out[0][: len(left) * width].reshape(len(left), width)
        return np.matmul(left, right.T, out=out)

    def _factor(self, rows: slice, into: np.ndarray) -> np.ndarray:
        part = np.subtract(self._x[rows], self._mean, out=into[:, :-2], casting="same_kind")
        into[:, -2] = 1.0
        into[:, -1] = -0.5 * np.einsum("ij,ij->i", part, part)
        return into


@final
class _Best:
    """The k best of what each row has seen, best first; blocks come in the order of their index."""

    def __init__(self, n: int, k: int) -> None:
        self.value = np.full((n, k), -np.inf, np.float32)
        self.index = np.zeros((n, k), np.int64)

    def enter(self, rows: slice, columns: slice, closeness: np.ndarray) -> None:
        """Enter a tile [b, c] for its rows and, off the diagonal, for its columns."""
        if rows.start == columns.start:
            np.fill_diagonal(closeness, -np.inf)
        else:
            self._improve(columns, closeness.T, rows.start)
        self._improve(rows, closeness, columns.start)

    def _improve(self, rows: slice, tile: np.ndarray, base: int) -> None:
        """Enter the tile of these rows against the columns base, base + 1, …"""
        k = self.value.shape[1]
        start = 0
        if np.isneginf(self.value[rows.start, -1]):
            start = min(tile.shape[1], max(16 * k, 256))  # a sorted strip sets a bound that few beat
            self._merge(rows.start + np.arange(len(tile)), tile[:, :start], base + np.arange(start))
        bound = self.value[rows, -1:]
        if tile.flags.c_contiguous:
            row, column = _found(tile > bound)
        else:
            column, row = _found(tile.T > bound.T)
            order = np.argsort(row.astype(np.uint16), kind="stable")
            row, column = row[order], column[order]
        if start:
            late = column >= start
            row, column = row[late], column[late]
        if len(row):
            self._insert(rows.start, row, tile[row, column], base + column)

    def _insert(self, base: int, row: np.ndarray, value: np.ndarray, index: np.ndarray) -> None:
        """Merge finds sorted by (row, index): laid out as one padded line a row, then ranked."""
        fresh = np.concatenate([[True], row[1:] != row[:-1]])
        heads = np.flatnonzero(fresh)
        line = np.cumsum(fresh) - 1
        slot = np.arange(len(row)) - heads[line]
        values = np.full((len(heads), int(slot.max()) + 1), -np.inf, np.float32)
        indices = np.zeros(values.shape, np.int64)
        values[line, slot], indices[line, slot] = value, index
        self._merge(base + row[heads], values, indices)

    def _merge(self, rows: np.ndarray, values: np.ndarray, indices: np.ndarray) -> None:
        k = self.value.shape[1]
        indices = np.broadcast_to(indices, values.shape)
        values = np.concatenate([self.value[rows], values], axis=1)
        order = np.argsort(-values, axis=1, kind="stable")[:, :k]
        indices = np.concatenate([self.index[rows], indices], axis=1)
        self.value[rows] = np.take_along_axis(values, order, axis=1)
        self.index[rows] = np.take_along_axis(indices, order, axis=1)


def _found(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    at = np.flatnonzero(mask)
    row = at // mask.shape[1]
    return row, at - row * mask.shape[1]


def _measured(x: np.ndarray, index: np.ndarray) -> Neighbours:
    """Distances as differences, and the order by (distance, index) they give."""
    distance = np.empty(index.shape, np.float32)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        for place in range(index.shape[1]):
            apart = x[index[rows, place]] - x[rows]
            distance[rows, place] = np.sqrt(np.einsum("ij,ij->i", apart, apart))
    order = np.lexsort((index, distance), axis=1)
    return Neighbours(np.take_along_axis(distance, order, 1), np.take_along_axis(index, order, 1))
