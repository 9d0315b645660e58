"""HTTP/1.1 responses, read from the bytes that came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Response:
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@final
class BrokenWire(OSError):
    """The connection ended early, or what came is not HTTP."""


def parsed_head(head: bytes, start: int) -> tuple[int, dict[str, str], int]:
    """Status, headers (names in lower case) and `start`, where the body begins; ValueError when it is not HTTP/1."""
    lines = head.decode("latin-1").split("\r\n")
    version, status = lines[0].split(" ", 2)[:2]
    if not version.startswith("HTTP/1."):
        raise ValueError(f"it begins with {lines[0][:40]!r}")
    headers: dict[str, str] = {"connection": "close"} if version == "HTTP/1.0" else {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status), headers, start


@final
class Chunks:
    """A body of chunks as it comes in: what has been read is not read again."""

    def __init__(self, at: int) -> None:
        self._at, self._pieces = at, list[bytes]()

    def body(self, buffer: bytearray) -> tuple[bytes | None, int]:
        """The body and where it ends in the buffer; None while chunks are missing."""
        while True:
            line = buffer.find(b"\r\n", self._at)
            if line < 0:
                return None, 0
            size = int(bytes(buffer[self._at : line]).split(b";", 1)[0], 16)
            if size == 0:
                break
            end = line + 2 + size + 2
            if len(buffer) < end:
                return None, 0
            self._pieces.append(bytes(buffer[line + 2 : end - 2]))
            self._at = end
        # Trailers, if any, end with an empty line, as the last chunk's own line does without them.
        end = buffer.find(b"\r\n\r\n", line)
        return (None, 0) if end < 0 else (b"".join(self._pieces), end + 4)
