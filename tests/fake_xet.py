"""Reading what a Xet client uploads: chunks packed into xorbs, files described by shards."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping

import pyarrow as pa

_HEADER = 8
_ROW = 48
_END = b"\xff" * 32
_RAW, _LZ4, _LZ4_PLANES = 0, 1, 2


def xorb_chunks(raw: bytes) -> list[bytes]:
    """The chunks of a xorb: each an 8-byte header (version, packed size, scheme, size) and data."""
    at, chunks = 0, []
    while at + _HEADER <= len(raw) and raw[at] == 0:
        packed, scheme = int.from_bytes(raw[at + 1 : at + 4], "little"), raw[at + 4]
        size = int.from_bytes(raw[at + 5 : at + 8], "little")
        chunks.append(_unpacked(raw[at + _HEADER : at + _HEADER + packed], scheme, size))
        at += _HEADER + packed
    return chunks


def shard_files(raw: bytes, xorbs: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """(SHA-256, content) of every file a shard describes as ranges of chunks of known xorbs."""
    at = _ROW
    while raw[at : at + 32] != _END:
        flags, entries = struct.unpack_from("<II", raw, at + 32)
        at += _ROW
        content = b""
        for _ in range(entries):
            first, last = struct.unpack_from("<II", raw, at + 40)
            content += b"".join(xorb_chunks(xorbs[_hex(raw[at : at + 32])])[first:last])
            at += _ROW
        at += _ROW * entries * bool(flags >> 31) + _ROW * (flags >> 30 & 1)
        yield hashlib.sha256(content).hexdigest(), content


def _unpacked(data: bytes, scheme: int, size: int) -> bytes:
    if scheme == _RAW:
        return data
    data = pa.decompress(data, size, codec="lz4", asbytes=True)
    return _interleaved(data) if scheme == _LZ4_PLANES else data


def _interleaved(data: bytes) -> bytes:
    """Four byte planes (all first bytes, all second bytes, …) back in their order."""
    quarter, rest = divmod(len(data), 4)
    out, at = bytearray(len(data)), 0
    for plane in range(4):
        length = quarter + (plane < rest)
        out[plane::4] = data[at : at + length]
        at += length
    return bytes(out)


def _hex(digest: bytes) -> str:
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", digest))
