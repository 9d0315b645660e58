"""A local index of passages: Okapi BM25 over a file, held in memory as one sparse matrix."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, final

import numpy as np

from ..core.errors import InputError
from ..core.text_columns import stamp_of, text_columns
from .overlap import words_of

if TYPE_CHECKING:
    from scipy.sparse import csc_array

_BUILDING: Final = Lock()


@final
class Passages:
    """Passages and what each of their words is worth; scores do not depend on the order of a query's words.

    score(q, d) = Σ over words w of q of idf(w) · f·(k1 + 1) / (f + k1·(1 - b + b·|d| / mean |d|)), f being how
    often w stands in d and idf(w) = ln(1 + (N - n + ½) / (n + ½)), n the passages that have w; higher = nearer.
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        self.texts = list(texts)
        counts = [Counter(words_of(text)) for text in self.texts]
        self._column = {word: i for i, word in enumerate(sorted({word for bag in counts for word in bag}))}
        self._weights = _weights(counts, self._column, k1, b)

    def nearest(self, query: str, n: int) -> list[tuple[int, float]]:
        """The n passages that score highest, best first, equal ones in their order; none without a shared word."""
        known = sorted(self._column[word] for word in set(words_of(query)) if word in self._column)
        weights, scores = self._weights, np.zeros(len(self.texts))
        for column in known:
            part = slice(weights.indptr[column], weights.indptr[column + 1])
            scores[weights.indices[part]] += weights.data[part]
        least = np.partition(scores, -n)[-n] if 0 < n < len(scores) else 0.0
        found = np.flatnonzero((scores > 0) & (scores >= least))
        best = found[np.lexsort((found, -scores[found]))][:n]
        return [(int(i), float(scores[i])) for i in best]


def passages_of(path: str, column: str) -> Passages:
    """The index of a file, built once for all threads and again when the file has changed."""
    with _BUILDING:
        return _built(path, column, stamp_of(path))


@lru_cache(maxsize=4)
def _built(path: str, column: str, stamp: tuple[int, int]) -> Passages:
    return Passages(read_passages(Path(path), column))


def read_passages(path: Path, column: str) -> list[str]:
    """The passages of a file: a column of Parquet or JSON lines, or the paragraphs of a text.

    Raises InputError for another kind of file, an absent column, or a file without passages.
    """
    if path.suffix in (".txt", ".md"):
        found = path.read_text(encoding="utf-8").replace("\r\n", "\n").split("\n\n")
    else:
        found = [text for (text,) in text_columns(path, [column])]
    texts = [unicodedata.normalize("NFC", text.strip()) for text in found if text.strip()]
    if not texts:
        raise InputError("no passage in the file", place=str(path))
    return texts


def _weights(counts: Iterable[Counter[str]], column: dict[str, int], k1: float, b: float) -> csc_array:
    from scipy.sparse import csc_array

    bags = list(counts)
    rows = np.repeat(np.arange(len(bags)), [len(bag) for bag in bags])
    columns = np.array([column[word] for bag in bags for word in bag], np.int64)
    times = np.array([count for bag in bags for count in bag.values()], np.float64)
    lengths = np.array([bag.total() for bag in bags], np.float64)
    having = np.bincount(columns, minlength=len(column))
    idf = np.log1p((len(bags) - having + 0.5) / (having + 0.5))
    norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1.0))
    values = idf[columns] * times * (k1 + 1) / (times + norm[rows]) if len(columns) else times
    return csc_array((values, (rows, columns)), shape=(len(bags), max(len(column), 1)))
