"""A plugin for tests of kills: the fake chat model, with a line in a file for every reply that was given."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import replace
from typing import ClassVar, final

from rather.core.journal import canonical
from rather.core.paid import Reply, Request
from rather.core.registry import ModelSpec, model
from rather.models.fake_chat import FakeChat, FakeChatSpec


@final
class TillChat:
    """Answers as the fake does, after up to twice `delay`; a reply's line says to which request it was given."""

    requests_per_minute: ClassVar[int | None] = None
    tokens_per_minute: ClassVar[int | None] = None

    def __init__(self, spec: TillChatSpec, fake: FakeChat) -> None:
        self.spec, self.concurrency, self._fake = spec, spec.concurrency, fake

    async def call(self, request: Request) -> Reply:
        mark = hashlib.sha256(canonical([self.spec.name, request]).encode()).hexdigest()[:16]
        await asyncio.sleep(self.spec.delay * (int(mark[:2], 16) / 128))
        reply = await self._fake.call(request)
        line = f"{mark}:{os.urandom(8).hex()}"
        handle = os.open(self.spec.till, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)
        return replace(reply, data={**(reply.data or {}), "line": line})


@final
@model("till_chat")
class TillChatSpec(ModelSpec):
    """A fake chat model that counts what it was paid for."""

    kind: ClassVar[str] = "chat"
    paid: ClassVar[bool] = True
    unkeyed: ClassVar[frozenset[str]] = frozenset({"till", "delay", "concurrency"})

    name: str
    till: str
    script: str | None = None
    delay: float = 0.0
    concurrency: int = 8
    unparsable: float = 0.0
    refused: float = 0.0
    truncated: float = 0.0

    def load(self) -> TillChat:
        options = self.model_dump(exclude={"till", "delay"})
        return TillChat(self, FakeChat(FakeChatSpec(**options)))
