"""The fake chat model: every answer follows from the request's hash, or from a script of recorded replies."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, final

from pydantic import Field

from ..core.declared import FileOf
from ..core.errors import InputError
from ..core.hashing import digest
from ..core.journal import canonical
from ..core.paid import Reply, Request
from ..core.registry import ModelSpec, model
from .chat import parts
from .json_schema import smallest

Rate = Annotated[float, Field(ge=0, le=1)]
_CHOICE: Final = re.compile(r"\[\[A\]\]|\b(?:answer|response|assistant|output|option) A\b|\bA or B\b", re.IGNORECASE)
_SCALE: Final = re.compile(r"\b(\d+)\s*(?:-|–|to|and)\s*(\d+)\b")
_REFUSAL: Final = "I'm sorry, I can't help with that."


@final
@model("fake_chat")
class FakeChatSpec(ModelSpec):
    """A fake chat model: deterministic, free, without weights; for tests, examples and dry runs only."""

    kind: ClassVar[str] = "chat"
    paid: ClassVar[bool] = True
    unkeyed: ClassVar[frozenset[str]] = frozenset({"delay", "concurrency", "script"})

    name: str = "fake"
    """Told apart from other fakes by this: another name, other answers."""
    mode: Literal["auto", "choice", "score", "json", "echo"] = "auto"
    """What it answers; auto = JSON for a schema, a letter or a number where the prompt asks for one, else an echo."""
    choices: tuple[str, ...] = ("A", "B")
    """What it chooses from."""
    low: int = 1
    """Lowest score."""
    high: int = 10
    """Highest score."""
    script: Annotated[str, FileOf()] | None = None
    """JSON lines of {contains, reply}: the first whose text (or every one of whose texts) is in the request
    answers; a list of replies serves n samples and the seeds 0, 1, … of a request."""
    unparsable: Rate = 0.0
    """Share of replies that say nothing to the point."""
    refused: Rate = 0.0
    """Share of replies that decline."""
    truncated: Rate = 0.0
    """Share of replies cut in half, as by a limit of tokens."""
    delay: Annotated[float, Field(ge=0)] = 0.0
    """Seconds an answer takes."""
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 64
    """Most calls in flight."""

    def identity(self) -> dict[str, Any]:
        """The options and what stands in the script."""
        script = digest(Path(self.script).read_text(encoding="utf-8")) if self.script else ""
        return super().identity() | {"script": script}

    def load(self) -> FakeChat:
        """The fake."""
        return FakeChat(self)


@final
class FakeChat:
    """Answers at once, or after the spec's `delay`."""

    requests_per_minute: ClassVar[int | None] = None
    tokens_per_minute: ClassVar[int | None] = None

    def __init__(self, spec: FakeChatSpec) -> None:
        self.spec, self.concurrency = spec, spec.concurrency
        self._script = _read_script(Path(spec.script)) if spec.script else []

    async def call(self, request: Request) -> Reply:
        """See `core.paid.Backend`."""
        if self.spec.delay:
            await asyncio.sleep(self.spec.delay)
        n = int(request.get("n", 1))
        said = [self._said(request, i) for i in range(n)]
        data: dict[str, Any] = {"texts": [text for text, _ in said], "finishes": [finish for _, finish in said]}
        if request.get("logprobs") is not None:
            data["logprobs"] = [self._logprobs(request, text, i) for i, (text, _) in enumerate(said)]
        tokens_in = sum(len(_text(m)) for m in request["messages"]) // 4 + 1
        tokens_out = sum(len(text) for text, _ in said) // 4 + 1
        return Reply(said[0][0], said[0][1], tokens_in, tokens_out, 0.0, data)

    def _said(self, request: Request, i: int) -> tuple[str, str]:
        chance = self._draw(request, f"fault {i}", 10_000) / 10_000
        spec, text = self.spec, self._answer(request, i)
        if chance < spec.refused:
            return _REFUSAL, "refusal"
        if chance < spec.refused + spec.unparsable:
            return "Both have their merits, hard to say.", "stop"
        if chance < spec.refused + spec.unparsable + spec.truncated:
            return text[: len(text) // 2], "length"
        return text, "stop"

    def _answer(self, request: Request, i: int) -> str:
        asked = "\n".join(_text(message) for message in request["messages"])
        for contains, replies in self._script:
            if all(text in asked for text in contains):
                return replies[(i + int(request.get("seed") or 0)) % len(replies)]
        mode, low, high = self._mode(request, asked)
        if mode == "json":
            schema = request.get("schema") or {"type": "object"}
            return json.dumps(smallest(schema, lambda at, n: self._draw(request, f"{i}{at}", n)), ensure_ascii=False)
        if mode == "choice":
            return self.spec.choices[self._draw(request, f"choice {i}", len(self.spec.choices))]
        if mode == "score":
            return str(low + self._draw(request, f"score {i}", high - low + 1))
        mark = hashlib.sha256(f"{self._key(request)}{i}".encode()).hexdigest()[:8]
        return f"{' '.join(_text(request['messages'][-1]).split()[:40])} ({mark})"

    def _mode(self, request: Request, asked: str) -> tuple[str, int, int]:
        low, high = self.spec.low, self.spec.high
        if self.spec.mode != "auto":
            return self.spec.mode, low, high
        scales = [(int(a), int(b)) for a, b in _SCALE.findall(asked[-1500:]) if int(a) < int(b) <= 100]
        if request.get("schema"):
            return "json", low, high
        if _CHOICE.search(asked):
            return "choice", low, high
        return ("score", *scales[-1]) if scales else ("echo", low, high)

    def _logprobs(self, request: Request, text: str, i: int) -> list[dict[str, Any]]:
        """One token, the whole answer, among its rivals: chances by the request's hash, the answer's the largest."""
        rivals = [c for c in self.spec.choices if c != text] if text in self.spec.choices else []
        if re.fullmatch(r"\d+", text):
            rivals = [str(k) for k in range(self.spec.low, self.spec.high + 1) if str(k) != text]
        sure = 0.5 + self._draw(request, f"sure {i}", 500) / 1000
        top = [[text, math.log(sure if rivals else 1.0)]]
        top += [[rival, math.log((1 - sure) / len(rivals))] for rival in rivals]
        return [{"token": text, "logprob": top[0][1], "top": top[: max(1, int(request["logprobs"]))]}]

    def _key(self, request: Request) -> str:
        return canonical([self.spec.name, request])

    def _draw(self, request: Request, what: str, n: int) -> int:
        drawn = hashlib.sha256(f"{what}\0{self._key(request)}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(drawn[:8], "little") % max(1, n)


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message; an image stands as its hash."""
    found = [value if kind == "text" else digest(value) for kind, value, _ in parts(message.get("content") or "")]
    return "\n".join(found)


def _read_script(path: Path) -> list[tuple[Sequence[str], Sequence[str]]]:
    script: list[tuple[Sequence[str], Sequence[str]]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            texts, replies = (v if isinstance(v, list) else [v] for v in (entry["contains"], entry["reply"]))
            script.append(([str(text) for text in texts], [str(reply) for reply in replies]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                "not {contains, reply}", place=f"{path}:{number}", hint="one JSON object a line"
            ) from error
    return script
