"""Exact k nearest neighbours by Euclidean distance, in tiles of matrix products.

Distances are symmetric, so each pair of blocks is multiplied once and serves the rows of both:
half the products of a search that asks row by row. A tile is compared with every row's present
kth value, and only what beats it is merged; what is held beyond the vectors is [n, k] and a tile.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from .errors import InputError

TALL: Final = 4096  # rows of a tile, so that the columns' best are merged seldom …
BLOCK: Final = 1024  # … and its columns: 16 MB of float32


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
    tiles = _Tiles(x)
    best = _Best(n, k)
    for top in range(0, n, TALL):
        rows = slice(top, min(top + TALL, n))
        left = tiles.left(rows)
        for side in range(top, n, BLOCK):
            columns = slice(side, min(side + BLOCK, n))
            closeness = tiles.product(left, columns)
            if side < rows.stop:  # these columns are among the rows: both orders are in these tiles
                own = np.arange(columns.start, columns.stop)
                closeness[own - top, own - side] = -np.inf
            else:
                best.improve(columns, closeness.T, top)
            best.improve(rows, closeness, side)
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


class _Tiles:
    """Tiles of −½·squared distance: (x, 1, −½|x|²)·(y, −½|y|², 1), of centred vectors."""

    def __init__(self, x: np.ndarray) -> None:
        self._x = x
        self._mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._right = np.empty((BLOCK, x.shape[1] + 2), np.float32)
        self._out = np.empty(TALL * BLOCK, np.float32)

    def left(self, rows: slice) -> np.ndarray:
        """The factor of these rows, [b, d + 2]."""
        return self._factor(rows, np.empty((rows.stop - rows.start, self._x.shape[1] + 2), np.float32))

    def product(self, left: np.ndarray, columns: slice) -> np.ndarray:
        """float32 [b, c]: −½·squared distance between the rows of `left` and these columns."""
        width = columns.stop - columns.start
        right = self._factor(columns, self._right[:width])
        right[:, [-2, -1]] = right[:, [-1, -2]]
        out = self._out[: len(left) * width].reshape(len(left), width)
        return np.matmul(left, right.T, out=out)

    def _factor(self, rows: slice, into: np.ndarray) -> np.ndarray:
        part = np.subtract(self._x[rows], self._mean, out=into[:, :-2], casting="same_kind")
        into[:, -2] = 1.0
        into[:, -1] = -0.5 * np.einsum("ij,ij->i", part, part)
        return into


class _Best:
    """The k best of what each row has seen, best first; blocks come in the order of their index."""

    def __init__(self, n: int, k: int) -> None:
        self.value = np.full((n, k), -np.inf, np.float32)
        self.index = np.zeros((n, k), np.int64)

    def improve(self, rows: slice, tile: np.ndarray, base: int) -> None:
        """Enter the tile [b, c] of these rows against columns base … base + c - 1."""
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
            self._enter(rows.start, row, tile[row, column], base + column)

    def _enter(self, base: int, row: np.ndarray, value: np.ndarray, index: np.ndarray) -> None:
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
