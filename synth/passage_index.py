"""Passages looked up by words, by meaning, or by both: BM25, cosine of text vectors, or reciprocal ranks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Final, Literal, cast, final

import numpy as np

from ..core.text_columns import stamp_of
from ..models.base import TextEncoder
from .bm25 import Passages, passages_of

Index = Literal["bm25", "vectors", "both"]
RANK: Final = 60
"""Added to a rank before it is inverted, so that first places do not decide alone (Cormack et al., 2009)."""
DEPTH: Final = 10
"""How many times the passages wanted are ranked by either way where both count."""
_BUILDING: Final = Lock()


@final
class Lookup:
    """The passages of a file as a map looks them up; an index is built once for all rows and threads."""

    def __init__(self, path: str, column: str, index: Index, encoder: TextEncoder | None) -> None:
        self._passages: Passages = passages_of(path, column)
        self._index, self._encoder = index, encoder
        self._vectors = None if encoder is None or index == "bm25" else _vectors_of(path, column, encoder)

    @property
    def texts(self) -> Sequence[str]:
        """The passages, in the order of the file."""
        return self._passages.texts

    def nearest(self, queries: Sequence[str], n: int) -> list[tuple[int, float]]:
        """Number and score of the n passages nearest to the queries, best first; equal ones in their order.

        The score is BM25 of all queries as one, the cosine to the nearest query, or the sum of 1 / (60 + rank)
        by both. Passages without a shared word, or without a cosine above 0, are not found.
        """
        if self._index == "bm25":
            return self._by_words(queries, n)
        if self._index == "vectors":
            return self._by_meaning(queries, n)
        return fused([self._by_words(queries, DEPTH * n), self._by_meaning(queries, DEPTH * n)], n)

    def _by_words(self, queries: Sequence[str], n: int) -> list[tuple[int, float]]:
        return self._passages.nearest("\n".join(queries), n)

    def _by_meaning(self, queries: Sequence[str], n: int) -> list[tuple[int, float]]:
        assert self._encoder is not None and self._vectors is not None
        asked = np.asarray(self._encoder.encode(list(queries)), np.float32)
        # A product a query, so that how many there are decides nothing.
        cosines = np.max([self._vectors @ np.ascontiguousarray(one) for one in asked], axis=0)
        scores = np.round(cosines.astype(np.float64), 6)
        best = np.argsort(-scores, kind="stable")[:n]
        return [(int(i), float(scores[i])) for i in best if scores[i] > 0]


def fused(rankings: Sequence[Sequence[tuple[int, float]]], n: int) -> list[tuple[int, float]]:
    """The n numbers of largest Σ 1 / (60 + rank) over the rankings, ranks from 1; equal ones in their order."""
    sums: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, (number, _) in enumerate(ranking, 1):
            sums[number] += 1 / (RANK + rank)
    return sorted(sums.items(), key=lambda one: (-round(one[1], 12), one[0]))[:n]


def _vectors_of(path: str, column: str, encoder: TextEncoder) -> np.ndarray:
    with _BUILDING:
        return _encoded(path, column, stamp_of(path), cast(Hashable, encoder))


@lru_cache(maxsize=2)
def _encoded(path: str, column: str, stamp: tuple[int, int], encoder: TextEncoder) -> np.ndarray:
    """Unit vectors float32 [passages, dim]."""
    return np.asarray(encoder.encode(passages_of(path, column).texts), np.float32)
