"""What judged texts are like: lengths, words and marks of format, told from one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.hashing import hash_column

MARKS: Final = {
    "headers": r"(?m)^#{1,6}\s",
    "list items": r"(?m)^\s*(?:[-*+•]|\d+[.)])\s",
    "bold": r"\*\*[^*\n]+\*\*|__[^_\n]+__",
}
_CODE: Final = r"(?s)```.*?```"


def measured_texts(texts: pa.Array) -> Mapping[str, np.ndarray]:
    """Length in characters, words, distinct words, hash [n] and marks of format [n, 3] of texts without nulls."""
    words = pc.count_substring_regex(texts, r"\S+").to_numpy(zero_copy_only=False).astype(np.float64)
    return {
        "length": pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.float64), "words": words,
        "distinct": _distinct(texts), "marks": marks_of(texts), "hash": hash_column(texts),
    }  # fmt: skip


def _distinct(texts: pa.Array) -> np.ndarray:
    """Distinct words, case aside, of each text [n]."""
    lists = pc.utf8_split_whitespace(pc.utf8_lower(texts))
    words = pc.list_flatten(lists).dictionary_encode()
    rows = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    kinds = max(len(words.dictionary), 1)
    pairs = np.unique(rows * kinds + words.indices.to_numpy(zero_copy_only=False).astype(np.int64))
    return np.bincount(pairs // kinds, minlength=len(texts)).astype(np.float64)


def marks_of(texts: pa.Array) -> np.ndarray:
    """Counts [n, 3] of `MARKS` in texts without nulls, code blocks left out."""
    plain = pc.replace_substring_regex(texts, _CODE, "")
    counts = [pc.count_substring_regex(plain, pattern).to_numpy(zero_copy_only=False) for pattern in MARKS.values()]
    return np.column_stack(counts).astype(np.float64)
