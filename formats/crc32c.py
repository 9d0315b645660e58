"""CRC-32C (Castagnoli), the checksum of TFRecord files, of many pieces of bytes at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

_POLYNOMIAL: Final = 0x82F63B78  # bits reversed, lowest first
_LANE: Final = 256
_WORD: Final = 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The checksum of one piece; for more than a few bytes `checksums` is faster."""
    table, value = _table().tolist(), _WORD
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ _WORD


def checksums(pieces: Sequence[bytes]) -> list[int]:
    """The checksum of each piece.

    A checksum without its two inversions is linear over GF(2), and zeros before the data leave it alone:
    pieces are filled up in front to whole lanes, all lanes are summed side by side, and a piece's lanes are
    brought together by shifting what came before by a lane. The first inversion is that of the first four bytes.
    """
    counts = [-(-len(piece) // _LANE) for piece in pieces]
    lanes = np.zeros((sum(counts), _LANE), np.uint8)
    flat, end = lanes.reshape(-1), 0
    for piece, count in zip(pieces, counts, strict=True):
        end += count * _LANE
        flat[end - len(piece) : end] = np.frombuffer(piece, np.uint8)
        flat[end - len(piece) : end][:4] ^= 0xFF
    sums = _lane_sums(lanes).tolist()
    bounds = np.concatenate([[0], np.cumsum(counts)]).tolist()
    return [
        _joined(sums[first:last]) if len(piece) >= 4 else crc32c(piece)
        for piece, (first, last) in zip(pieces, pairwise(bounds), strict=True)
    ]


def _lane_sums(lanes: np.ndarray) -> np.ndarray:
    """uint32 [n]: the linear part of each row of uint8 [n, lane]."""
    table, sums = _table(), np.zeros(len(lanes), np.uint32)
    for column in np.ascontiguousarray(lanes.T):
        sums = table[(sums ^ column) & 0xFF] ^ (sums >> np.uint32(8))
    return sums


def _joined(sums: Sequence[int]) -> int:
    """The checksum of a piece from the linear parts of its lanes, the first first."""
    a, b, c, d = _shift()
    value = 0
    for one in sums:
        value = a[value & 0xFF] ^ b[value >> 8 & 0xFF] ^ c[value >> 16 & 0xFF] ^ d[value >> 24] ^ one
    return value ^ _WORD


@cache
def _table() -> np.ndarray:
    """uint32 [256]: what a byte does to an empty checksum."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(_POLYNOMIAL), values >> 1).astype(np.uint32)
    return values


@cache
def _shift() -> tuple[list[int], ...]:
    """What a lane of zeros does to a checksum, by the value of each of its four bytes, the lowest first."""
    table, values = _table(), np.arange(256, dtype=np.uint32) << np.arange(0, 32, 8, dtype=np.uint32)[:, None]
    for _ in range(_LANE):
        values = table[values & 0xFF] ^ (values >> np.uint32(8))
    return tuple(row.tolist() for row in values)
