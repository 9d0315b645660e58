"""HTTP/1.1 to one host over kept-alive connections, by hand: a fifth of the time a general client takes.

At 256 calls in flight the client's own work decides how many calls a second there are. This one writes
the request in one piece and reads status, headers and a body (of known length, in chunks, or to the end).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final, final
from urllib.parse import urlsplit

from .responses import BrokenWire, Chunks, Response, parsed_head

_MOST_HEAD: Final = 1 << 16
_IDLE: Final = 30.0
"""Seconds after which a connection is not used again: servers close theirs after a while, unannounced."""


@final
class Wire:
    """Requests to one origin on one event loop; as many connections as there are calls in flight.

    Raises BrokenWire, OSError (no connection) and TimeoutError.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float, connect_timeout: float = 30.0) -> None:
        split = urlsplit(url)
        self._secure = split.scheme == "https"
        self._host = split.hostname or ""
        self._port = split.port or (443 if self._secure else 80)
        self._timeout, self._connect_timeout = timeout, min(timeout, connect_timeout)
        shown = f"[{self._host}]" if ":" in self._host else self._host
        fixed = {"Host": shown + (f":{split.port}" if split.port else ""), "Accept": "application/json"} | dict(headers)
        fixed |= {"Accept-Encoding": "identity"}
        for name, value in fixed.items():
            if any(char in f"{name}{value}" for char in "\r\n\0"):
                raise ValueError(f"the header {name} has a line break")
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in fixed.items()).encode("utf-8")
        self._idle: list[tuple[float, _Connection]] = []
        self._context: ssl.SSLContext | None = None

    async def send(self, method: str, target: str, body: bytes = b"", kind: str = "application/json") -> Response:
        """The response to a request; `target` is the path with its query, `kind` the body's media type."""
        loop = asyncio.get_running_loop()
        head = f"{method} {target} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode()
        connection = self._kept(loop.time()) or await self._connected(loop)
        future = connection.ask(head + self._fixed + b"\r\n" + body)
        timer = loop.call_later(self._timeout, connection.fail, TimeoutError())
        try:
            response = await future
        except BaseException:
            connection.close()
            raise
        finally:
            timer.cancel()
        if connection.reusable:
            self._idle.append((loop.time(), connection))
        else:
            connection.close()
        return response

    async def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _kept(self, now: float) -> _Connection | None:
        while self._idle:
            since, connection = self._idle.pop()
            if connection.reusable and now - since < _IDLE:
                return connection
            connection.close()
        return None

    async def _connected(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        if self._secure and self._context is None:
            self._context = ssl.create_default_context()
        opening = loop.create_connection(lambda: _Connection(loop), self._host, self._port, ssl=self._context)
        return (await asyncio.wait_for(opening, self._connect_timeout))[1]


@final
class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._future: asyncio.Future[Response] | None = None
        self._buffer = bytearray()
        self._chunks: Chunks | None = None
        self._head: tuple[int, dict[str, str], int] | None = None
        self.reusable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[Response]:
        """Send a request; the future has its response, or why there is none."""
        self._future, self._head, self._chunks = self._loop.create_future(), None, None
        self._buffer.clear()
        assert self._transport is not None
        self._transport.write(request)
        return self._future

    def data_received(self, data: bytes) -> None:
        if self._future is None:
            self.close()  # nothing was asked: the connection is out of step
            return
        self._buffer += data
        try:
            self._read(ended=False)
        except (ValueError, IndexError) as error:
            self.fail(BrokenWire(f"what came is not HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self.reusable = False
        if self._future is None:
            return
        try:
            self._read(ended=True)
        except (ValueError, IndexError) as broken:
            error = broken
        self.fail(BrokenWire(f"the connection was closed before an answer came{f': {error}' if error else ''}"))

    def fail(self, error: Exception) -> None:
        """End the request with an error; the connection is not used again."""
        self.reusable = False
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_exception(error)

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    def _read(self, ended: bool) -> None:
        while self._head is None:
            at = self._buffer.find(b"\r\n\r\n")
            if at < 0:
                if len(self._buffer) > _MOST_HEAD:
                    raise ValueError("its head has no end")
                return
            self._head = parsed_head(bytes(self._buffer[:at]), at + 4)
            if self._head[0] < 200:  # an interim response: the real one follows
                del self._buffer[: at + 4]
                self._head = None
        status, headers, start = self._head
        if "chunked" in headers.get("transfer-encoding", "").lower():
            self._chunks = self._chunks or Chunks(start)
            body, end = self._chunks.body(self._buffer)
        elif status in (204, 304):
            body, end = b"", start
        elif "content-length" in headers:
            end = start + int(headers["content-length"])
            body = bytes(self._buffer[start:end]) if len(self._buffer) >= end else None
        else:
            body, end = (bytes(self._buffer[start:]), len(self._buffer)) if ended else (None, 0)
            self.reusable = False
        if body is not None:
            self._answered(Response(status, headers, body), whole=len(self._buffer) == end)

    def _answered(self, response: Response, whole: bool) -> None:
        if response.headers.get("connection", "").lower() == "close" or not whole:
            self.reusable = False
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_result(response)
