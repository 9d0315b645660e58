"""A small HTTP server for tests of chat backends: it records what it is sent and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sent:
    """One request as it arrived; `body` is JSON where it is JSON, else bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    """What goes back: a value as JSON, or bytes as they are."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    hang_up: bool = False


@dataclass
class Server:
    """`url` of the server and everything it was sent."""

    url: str
    sent: list[Sent] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        return [one.body for one in self.sent]


@contextmanager
def serving(answer: Callable[[Sent], Answer]) -> Iterator[Server]:
    """A server on the loopback address; `answer` is called for every request, from several threads."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            is_json = "json" in (self.headers.get("content-type") or "") and raw
            head = {name.lower(): value for name, value in self.headers.items()}
            one = Sent(self.command, self.path, head, json.loads(raw) if is_json else raw)
            server.sent.append(one)
            self.reply(answer(one))

        def reply(self, told: Answer) -> None:
            if told.hang_up:
                self.close_connection = True
                return
            content = told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            if told.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for start in range(0, len(content), 997):
                    piece = content[start : start + 997]
                    self.wfile.write(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                self.wfile.write(b"0\r\nTrailer: x\r\n\r\n" if len(content) % 2 else b"0\r\n\r\n")
            else:
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = handle_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def completion(*texts: str, **more: Any) -> dict[str, Any]:
    """The body of a chat completion with these choices; `more` goes into each choice."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | more
        for i, text in enumerate(texts)
    ]
    return {"choices": choices, "usage": {"prompt_tokens": 100, "completion_tokens": 20}}
