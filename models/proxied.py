"""Requests through the proxy of the environment, with aiohttp: slower, and seldom needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .responses import BrokenWire, Response

if TYPE_CHECKING:
    from aiohttp import ClientSession

_CONNECT: Final = 30.0


@final
class Proxied:
    """The same as `Wire`, through `proxy`; its session is made on the loop that first sends."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float, proxy: str) -> None:
        split = urlsplit(url)
        self._origin = f"{split.scheme}://{split.netloc}"
        self._headers, self._timeout, self._proxy = dict(headers), timeout, proxy
        self._session: ClientSession | None = None

    async def send(self, method: str, target: str, body: bytes = b"", kind: str = "application/json") -> Response:
        """The response to a request."""
        from aiohttp import ClientError

        session = self._session or self._opened()
        head = {"Content-Type": kind}
        try:
            async with session.request(
                method, self._origin + target, data=body, headers=head, allow_redirects=False
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, headers, await response.read())
        except ClientError as error:
            raise BrokenWire(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> ClientSession:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        self._session = ClientSession(
            connector=TCPConnector(limit=0),
            timeout=ClientTimeout(total=self._timeout, sock_connect=min(_CONNECT, self._timeout)),
            cookie_jar=DummyCookieJar(),
            headers=self._headers,
            proxy=self._proxy,
        )
        return self._session


def proxy_of(url: str) -> str | None:
    """The proxy the environment names for an address, if any."""
    split = urlsplit(url)
    proxy = getproxies().get(split.scheme)
    return None if proxy is None or proxy_bypass(split.netloc) else proxy
