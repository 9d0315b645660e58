"""A local OpenAI-compatible judge with faults, for `make bench-judge`.

Run: python bench/judge_endpoint.py [PORT]. It prints `ready PORT` and serves on the loopback address.

    POST /v1/chat/completions   the judge        GET  /stats    counters
    POST /config                settings, JSON   POST /reset    counters to zero, attempts forgotten
    POST /kept                  marks of texts that must not be asked about again: `paid_again` counts them

The n-th attempt at a text takes 95 % lognormal time (median 50 ms, σ ½) or 5 % half a second, times
`scale`; `busy` of them get a 429 with `Retry-After: retry_after`, `broken` a 500, `cut` half an answer.
All is drawn from a hash of (text, attempt), so that runs are alike whatever the order of calls; the
verdict depends on the text alone. Above `capacity` calls in flight everything is a 429.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import statistics
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final, final

NORMAL: Final = statistics.NormalDist()
WORDS: Final = ("clear", "accurate", "helpful", "concise", "thorough", "misses", "vague", "correct", "tone", "lacks")
STATUS: Final = {200: b"OK", 404: b"Not Found", 429: b"Too Many Requests", 500: b"Internal Server Error"}


@final
@dataclass
class Settings:
    """How the endpoint behaves; shares are of all attempts, `capacity` 0 = no limit."""

    scale: float = 1.0
    busy: float = 0.01
    broken: float = 0.005
    cut: float = 0.005
    retry_after: float = 1.0
    capacity: int = 0


@final
@dataclass
class Counters:
    """What has happened since the last reset."""

    requests: int = 0
    answered: int = 0
    busy: int = 0
    broken: int = 0
    cut: int = 0
    dropped: int = 0
    paid_again: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    latency: float = 0.0
    attempts: dict[bytes, int] = field(default_factory=dict)
    kept: set[bytes] = field(default_factory=set)

    def shown(self) -> dict[str, Any]:
        found = {name: value for name, value in asdict(self).items() if isinstance(value, (int, float))}
        return found | {"texts": len(self.attempts), "cpu": time.process_time()}


@final
class Judge(asyncio.Protocol):
    """One connection, HTTP/1.1 by hand, so that the judge takes as little of the machine as it can."""

    settings = Settings()
    counters = Counters()

    def __init__(self) -> None:
        self.buffer, self.transport, self.pending = b"", None, None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self.pending is not None:
            self.pending.cancel()
            self.counters.in_flight -= 1
            self.counters.dropped += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found or self.pending is not None:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(rest) >= length:
            self.buffer = rest[length:]
            self.asked(head.split(b" ", 2)[1], rest[:length])

    def asked(self, path: bytes, body: bytes) -> None:
        if path == b"/stats":
            self.send(200, self.counters.shown())
        elif path == b"/reset":
            Judge.counters = Counters()
            self.send(200, {})
        elif path == b"/kept":
            self.counters.kept |= {bytes.fromhex(mark) for mark in json.loads(body)}
            self.send(200, {})
        elif path == b"/config":
            Judge.settings = Settings(**json.loads(body))
            self.send(200, asdict(self.settings))
        elif path.endswith(b"/chat/completions"):
            messages = json.loads(body)["messages"]
            if messages and "# Answer A" in messages[-1]["content"]:
                self.judge(messages[-1]["content"])
            else:  # some clients probe for rate limits and structured output before they begin
                self.send(200, completion('{"name": "Jason", "age": 25}', 0))
        else:
            self.send(404, {"error": {"message": "no such path"}})

    def judge(self, text: str) -> None:
        count, settings = self.counters, self.settings
        mark = mark_of(text)
        attempt = count.attempts.get(mark, 0)
        count.attempts[mark] = attempt + 1
        count.requests += 1
        count.paid_again += mark in count.kept
        if settings.capacity and count.in_flight >= settings.capacity:
            count.busy += 1
            self.send(429, {"error": {"message": "too many calls"}}, b"retry-after: %g\r\n" % settings.retry_after)
            return
        drawn = hashlib.blake2b(mark, digest_size=24, key=struct.pack("<I", attempt)).digest()
        slow, usual, fault = ((x + 0.5) / 2**64 for x in struct.unpack("<3Q", drawn))
        seconds = settings.scale * (0.5 if slow < 0.05 else 0.05 * math.exp(0.5 * NORMAL.inv_cdf(usual)))
        if fault < settings.busy:
            seconds = 0.005 * settings.scale
        count.latency += seconds
        count.in_flight += 1
        count.most_in_flight = max(count.most_in_flight, count.in_flight)
        self.pending = asyncio.get_running_loop().call_later(seconds, self.answer, mark, fault, len(text) // 4)

    def answer(self, mark: bytes, fault: float, tokens: int) -> None:
        count, settings = self.counters, self.settings
        self.pending = None
        count.in_flight -= 1
        if fault < settings.busy:
            count.busy += 1
            self.send(429, {"error": {"message": "too many calls"}}, b"retry-after: %g\r\n" % settings.retry_after)
        elif fault < settings.busy + settings.broken:
            count.broken += 1
            self.send(500, {"error": {"message": "the server had an error"}})
        else:
            said = verdict(mark)
            if fault < settings.busy + settings.broken + settings.cut:
                count.cut += 1
                said = said[: len(said) // 2]
            else:
                count.answered += 1
            self.send(200, completion(said, tokens))

    def send(self, status: int, body: dict[str, Any], extra: bytes = b"") -> None:
        if self.transport is not None:
            content = json.dumps(body, separators=(",", ":")).encode()
            head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n"
            self.transport.write(head % (status, STATUS[status], extra, len(content)) + content)
        if self.buffer:
            data, self.buffer = self.buffer, b""
            self.data_received(data)


def mark_of(text: str) -> bytes:
    """What stands for a text."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def verdict(mark: bytes) -> str:
    """What the judge says of a text."""
    first, second = mark[0] % 10 + 1, mark[1] % 10 + 1
    reason = " ".join(WORDS[byte % len(WORDS)] for byte in mark * 2)
    winner = "A" if (first, mark[2]) >= (second, 128) else "B"
    return json.dumps({"winner": winner, "score_a": first, "score_b": second, "reason": reason})


def completion(text: str, tokens: int) -> dict[str, Any]:
    """A chat completion's body."""
    said = {"role": "assistant", "content": text, "refusal": None}
    usage = {"prompt_tokens": tokens, "completion_tokens": len(text) // 4}
    choice = {"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}
    return {"id": "judged", "object": "chat.completion", "model": "judge", "choices": [choice], "usage": usage}


async def serve(port: int) -> None:
    """Serve until cancelled."""
    server = await asyncio.get_running_loop().create_server(Judge, "127.0.0.1", port, backlog=4096)
    print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
