"""OpenAI's batch API: calls gathered into files, handed over, and found again by a later run.

A file's lines are named by the keys of the calls, and its ids are kept beside the journal. A run that
was killed while a batch was under way, or before its replies were in the journal, takes them from there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from ..core.errors import CallError, CallRefused, RateLimited
from ..core.paid import Reply, Request
from .endpoint import Endpoint, encode

if TYPE_CHECKING:
    from .openai_chat import OpenAIChat

_MOST_LINES: Final = 50_000
_MOST_BYTES: Final = 150 << 20
_FORM: Final = (
    '--{mark}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{mark}\r\n'
    'Content-Disposition: form-data; name="file"; filename="calls.jsonl"\r\n'
    "Content-Type: application/jsonl\r\n\r\n"
)
_OVER: Final = ("completed", "failed", "expired", "cancelled")
_PATH: Final = "/v1/chat/completions"


@final
@dataclass
class Handed:
    """A file handed over: the calls in it, the batch made of it, and which calls were answered."""

    file: str
    keys: list[str]
    batch: str = ""
    found: bool = False
    answered: set[str] = field(default_factory=set)


@final
class OpenAIBatches:
    """A backend whose calls take hours: all requests that come within `wait` seconds share a file."""

    tries = 3

    def __init__(self, chat: OpenAIChat, endpoint: Endpoint, wait: float, poll: float) -> None:
        self._chat, self._endpoint, self._wait, self._poll = chat, endpoint, wait, poll
        self.concurrency = _MOST_LINES
        self.requests_per_minute = self.tokens_per_minute = None
        self._folder: Path | None = None
        self._known: dict[str, Handed] = {}
        self._gathered: dict[str, dict[str, Any]] = {}
        self._bytes = 0
        self._awaited: dict[str, asyncio.Future[Reply]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._done: list[Handed] = []

    def keep_in(self, folder: Path) -> None:
        """Keep what is handed over in `folder`, and find there what earlier runs handed over."""
        self._folder = folder
        for path in sorted(folder.glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["url"] == self._endpoint.url:
                handed = Handed(record["file"], record["keys"], record["batch"], found=True)
                self._known |= dict.fromkeys(handed.keys, handed)

    async def call(self, request: Request) -> Reply:
        """A call outside any batch."""
        return await self._chat.call(request)

    async def call_as(self, key: bytes, request: Request) -> Reply:
        """The reply once the batch with this call is done; one of an earlier run that has it is asked first."""
        name = key.hex()
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._awaited[name] = future
        handed = self._known.pop(name, None)
        if handed is not None:
            self._follow(handed)
        else:
            self._gather(name, request)
        try:
            return await future
        finally:
            self._awaited.pop(name, None)

    async def close(self) -> None:
        """Leave what is under way to the endpoint: the next run finds it. Forget what is answered."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for handed in self._done:
            if self._folder is not None and handed.answered.issuperset(handed.keys):
                (self._folder / f"{handed.file}.json").unlink(missing_ok=True)
        await self._endpoint.close()

    def _gather(self, name: str, request: Request) -> None:
        line = {"custom_id": name, "method": "POST", "url": _PATH, "body": self._chat.body(request)}
        self._gathered[name] = line
        self._bytes += len(encode(line))
        if self._timer is not None:
            self._timer.cancel()
        full = len(self._gathered) >= _MOST_LINES or self._bytes >= _MOST_BYTES
        self._timer = asyncio.get_running_loop().call_later(0.0 if full else self._wait, self._hand_over)

    def _hand_over(self) -> None:
        lines, self._gathered, self._bytes, self._timer = self._gathered, {}, 0, None
        if lines:
            self._start(f"new {next(iter(lines))}", self._uploaded(lines))

    def _follow(self, handed: Handed) -> None:
        if handed.file not in self._at_work:
            self._start(handed.file, self._followed(handed))

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._at_work[name] = task
        task.add_done_callback(lambda _: self._at_work.pop(name, None))

    async def _uploaded(self, lines: Mapping[str, Mapping[str, Any]]) -> None:
        text = "\n".join(encode(line) for line in lines.values()).encode("utf-8", "surrogatepass")
        mark = f"calls-{next(iter(lines))}"
        form = _FORM.format(mark=mark).encode() + text + f"\r\n--{mark}--\r\n".encode()
        try:
            answer = await self._endpoint.send("POST", "/files", form, f"multipart/form-data; boundary={mark}")
            file = str(json.loads(answer)["id"])
        except (CallError, KeyError, ValueError) as error:
            self._fail(lines, error if isinstance(error, CallError) else CallError(f"no file came about: {error}"))
            return
        handed = Handed(file, list(lines))
        self._note(handed)
        self._follow(handed)

    def _note(self, handed: Handed) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        record = {"file": handed.file, "batch": handed.batch, "url": self._endpoint.url, "keys": handed.keys}
        new = self._folder / f"{handed.file}.tmp"
        new.write_text(json.dumps(record), encoding="utf-8")
        new.replace(self._folder / f"{handed.file}.json")

    async def _followed(self, handed: Handed) -> None:
        troubles = 0
        while True:
            pause = self._poll
            try:
                state = await self._state(handed)
                if state.get("status") in _OVER:
                    await self._collect(handed, state)
                    return
                troubles = 0
            except RateLimited as busy:
                pause = busy.retry_after or self._poll
            except (CallError, KeyError, ValueError) as error:
                troubles += 1
                if troubles >= self.tries or isinstance(error, CallRefused):
                    self._fail(handed.keys, CallError(f"the batch cannot be followed: {error}"))
                    return
            await asyncio.sleep(pause)

    async def _state(self, handed: Handed) -> Mapping[str, Any]:
        """The batch as it is now; made of the file unless that was done before, perhaps by a run that was killed."""
        if handed.batch:
            return await self._endpoint.get(f"/batches/{handed.batch}")
        listed = (await self._endpoint.get("/batches?limit=100")).get("data", []) if handed.found else []
        state = next((one for one in listed if one.get("input_file_id") == handed.file), None)
        if state is None:
            order = {"input_file_id": handed.file, "endpoint": _PATH, "completion_window": "24h"}
            state = await self._endpoint.post("/batches", order)
        handed.batch = str(state["id"])
        self._note(handed)
        return state

    async def _collect(self, handed: Handed, state: Mapping[str, Any]) -> None:
        for kind in ("output_file_id", "error_file_id"):
            if state.get(kind):
                content = await self._endpoint.send("GET", f"/files/{state[kind]}/content")
                for line in content.decode("utf-8").splitlines():
                    self._deliver(handed, json.loads(line))
        self._done.append(handed)
        self._fail(handed.keys, CallError(f"the batch ended as {state.get('status')} without this call"))

    def _deliver(self, handed: Handed, line: Mapping[str, Any]) -> None:
        name = str(line.get("custom_id"))
        future, response = self._awaited.get(name), line.get("response") or {}
        if future is None or future.done():
            return
        if response.get("status_code") == 200:
            try:
                future.set_result(self._chat.reply(response["body"]))
                handed.answered.add(name)
            except CallError as error:
                future.set_exception(error)
            return
        status = int(response.get("status_code") or 500)
        told = f"{status}: {line.get('error') or response.get('body')}"[:300]
        future.set_exception(CallRefused(told) if 400 <= status < 429 else CallError(told))

    def _fail(self, names: Iterable[str], error: CallError) -> None:
        for name in names:
            future = self._awaited.get(name)
            if future is not None and not future.done():
                future.set_exception(error)
