"""HTTP by hand: bodies in pieces of any size, ends, stale connections, what is not HTTP."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.models.responses import BrokenWire, Response
from rather.models.wire import Wire

BODIES = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    "trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\nB\r\nhello world\r\n0\r\nA: b\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:11\r\n\r\nhello world",
    "to the end": b"HTTP/1.0 200 OK\r\n\r\nhello world",
}


async def served(pieces: list[bytes], times: int = 1, close: bool = False) -> tuple[list[Response], int]:
    """Responses to requests answered by raw bytes in these pieces, and how many connections they took."""
    opened = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while await reader.read(65536):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if close:
                break
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {}, timeout=5)
    try:
        return [await wire.send("POST", "/x", b"{}") for _ in range(times)], opened
    finally:
        await wire.close()
        server.close()
        await server.wait_closed()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(BODIES)), st.integers(1, 30))
def test_a_body_arrives_in_pieces_of_any_size(kind: str, size: int) -> None:
    raw = BODIES[kind]
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    (response,), _ = asyncio.run(served(pieces, close=kind == "to the end"))
    assert (response.status, response.body) == (200, b"hello world")


@pytest.mark.parametrize("kind", ["length", "chunks", "trailer", "interim"])
def test_a_connection_is_kept_and_one_that_was_closed_is_not_used(kind: str) -> None:
    responses, opened = asyncio.run(served([BODIES[kind]], times=4))
    assert [r.body for r in responses] == [b"hello world"] * 4 and opened == 1
    responses, opened = asyncio.run(served([BODIES["to the end"]], times=3, close=True))
    assert [r.body for r in responses] == [b"hello world"] * 3 and opened == 3


@pytest.mark.parametrize(
    "raw",
    [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b"",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"x" * 100_000],
)  # fmt: skip
def test_what_is_not_http_or_ends_early_is_an_error(raw: bytes) -> None:
    with pytest.raises(BrokenWire):
        asyncio.run(served([raw], close=True))


def test_a_header_cannot_smuggle_another() -> None:
    with pytest.raises(ValueError, match="line break"):
        Wire("http://127.0.0.1:1", {"X-Team": "a\r\nHost: elsewhere"}, timeout=1)
