"""Painters of diffusers on tiny pipelines, asked as the engine asks them but without a journal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from rather.models.painter import Sampling, painting_request, picture_in
from rather.models.painter_diffusers import DiffusersSpec

from . import tiny_pipelines

TEXT: Final = painting_request("a red dog", 1, Sampling())


def spec(path: Path, **options: Any) -> DiffusersSpec:
    """A painter of two steps on the CPU."""
    side = tiny_pipelines.SIZE
    return DiffusersSpec(path=str(path), **({"steps": 2, "width": side, "height": side, "device": "cpu"} | options))


def ask(spec: DiffusersSpec, *requests: dict[str, Any]) -> list[Any]:
    """Replies to requests made at once."""

    async def calls() -> list[Any]:
        backend = spec.load()
        found = await asyncio.gather(*(backend.call(request) for request in requests), return_exceptions=True)
        await backend.close()
        return found

    return asyncio.run(calls())


def pictures(spec: DiffusersSpec, *requests: dict[str, Any]) -> list[bytes]:
    """The pictures of requests made at once; all are painted."""
    replies = ask(spec, *requests)
    assert all(not isinstance(reply, Exception) and reply.finish == "stop" for reply in replies), replies
    return [picture_in(reply.data, "image") or b"" for reply in replies]
