"""Strings as one run of bytes: word counts and cheap exact tests without touching Python strings.

White space here is the ASCII kind (bytes up to 0x20), as it parts words in spaced scripts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .reasons import numpy_of

SPACE: Final = 0x20
WIDE_SPACES: Final = np.array([0xC2, 0xE1, 0xE2, 0xE3], np.uint8)
"""First bytes of the white space beyond ASCII, in UTF-8."""
PREFIX: Final = 8  # bytes of two texts compared before any of them is normalised: a machine word
_HIGH: Final = np.uint64(0x8080808080808080)
_FIRST_LETTERS: Final = np.uint64(0x2121212121212121)


def word_counts(text: pa.Array) -> np.ndarray:
    """int32 [n]: runs of non-space bytes in each string; 0 for null."""
    data, offsets = text_buffer(text)
    first, last = int(offsets[0]) if len(offsets) else 0, int(offsets[-1]) if len(offsets) else 0
    inside = np.zeros(last - first + 1, bool)
    np.greater(data[first:last], SPACE, out=inside[1:])
    after_space = ~inside[:-1]
    filled = offsets[:-1] < offsets[1:]
    after_space[offsets[:-1][filled] - first] = True
    begins = np.flatnonzero(inside[1:] & after_space)
    counts = np.diff(np.searchsorted(begins, offsets - first)).astype(np.int32)
    if text.null_count:
        counts[numpy_of(text.is_null())] = 0
    return counts


def blank(text: pa.Array) -> np.ndarray:
    """bool [n]: null, empty or nothing but white space."""
    data, offsets = text_buffer(text)
    lengths = np.diff(offsets)
    empty: np.ndarray = lengths == 0
    at = np.flatnonzero(~empty)
    head = data[offsets[:-1][at]]
    at = at[(head <= SPACE) | np.isin(head, WIDE_SPACES)]
    if len(at):
        trimmed = pc.utf8_trim_whitespace(text.take(pa.array(at)))
        empty[at] = numpy_of(pc.equal(pc.binary_length(trimmed), 0).fill_null(True))
    if text.null_count:
        empty |= numpy_of(text.is_null())
    return empty


def same_text(left: pa.Array, right: pa.Array) -> np.ndarray:
    """bool [n]: equal once white space is normalised (runs are one space, none at the ends).

    Only rows whose first bytes agree are normalised; null equals nothing.
    """
    same = np.zeros(len(left), bool)
    at = np.flatnonzero(_alike(left, right))
    if len(at):
        rows = pa.array(at)
        left, right = left.take(rows), right.take(rows)
        same[at] = numpy_of(pc.fill_null(pc.equal(left, right), False))
        at, rows = at[~same[at]], pa.array(~same[at])
        equal = pc.equal(_normal(left.filter(rows)), _normal(right.filter(rows)))
        same[at] = numpy_of(pc.fill_null(equal, False))
    return same


def text_buffer(text: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The bytes behind a string array, uint8, and where its rows begin and end in them, int64 [n + 1]."""
    if len(text) == 0:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    width = np.int64 if pa.types.is_large_string(text.type) else np.int32
    _, bounds, content = text.buffers()
    offsets = np.frombuffer(bounds, width)[text.offset : text.offset + len(text) + 1].astype(np.int64)
    return np.frombuffer(content, np.uint8) if content is not None else np.zeros(0, np.uint8), offsets


def _alike(left: pa.Array, right: pa.Array) -> np.ndarray:
    """False only where the texts differ before the first white space of either, or behind the last."""
    sides = [text_buffer(text) for text in (left, right)]
    alike = np.ones(len(left), bool)
    rows = np.flatnonzero(np.logical_and(*(np.diff(bounds) >= PREFIX for _, bounds in sides)))
    for behind in (False, True):
        if len(rows):
            apart = _apart(*(_words(data, bounds, rows, behind) for data, bounds in sides))
            alike[rows[apart]] = False
            rows = rows[~apart]
    return alike


def _words(data: np.ndarray, bounds: np.ndarray, rows: np.ndarray, behind: bool) -> np.ndarray:
    """uint64 [n]: the first PREFIX bytes of these rows, the first byte lowest; or the last, the last byte lowest."""
    anywhere: np.ndarray = np.ndarray(len(data) - PREFIX + 1, "<u8", data, strides=(1,))
    words: np.ndarray = anywhere[bounds[rows + 1] - PREFIX].byteswap() if behind else anywhere[bounds[rows]]
    return words


def _apart(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """bool [n]: the words differ in a byte at or before which neither has white space or what is not ASCII."""
    differ = left ^ right
    other = (_no_letters(left) | _no_letters(right)) & _HIGH
    lowest, first_other = differ & -differ, other & -other
    apart: np.ndarray = (differ != 0) & ((other == 0) | (first_other >> np.uint64(7) > lowest))
    return apart


def _no_letters(words: np.ndarray) -> np.ndarray:
    """The high bit of each byte that is white space or not ASCII; other bits are to be ignored."""
    above_space = (words | _HIGH) - _FIRST_LETTERS  # no byte borrows from the next
    found: np.ndarray = ~above_space | words
    return found


def _normal(text: pa.Array) -> pa.Array:
    return pc.binary_join(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(text)), " ")
