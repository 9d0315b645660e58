"""Chat models for tests of judging stages: replies by rule, every request kept."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar, final

import pyarrow as pa
from rather.core.errors import CallError
from rather.core.paid import Reply, Request
from rather.core.row import ANSWER, COLUMNS, text_answers, text_messages

T = TypeVar("T")
Said = str | Reply | CallError
Rule = Callable[[str], Said]


@final
class Asked:
    """Answers by a rule on the text of a request's last message, as `PaidModel` would."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.requests = rule, list[Request]()

    def ask_each(
        self,
        requests: Sequence[Request],
        read: Callable[[Reply | CallError], T],
        *,
        attempt: int = 0,
        again: int = 0,
        poor: Callable[[T], bool] | None = None,
    ) -> list[T]:
        return [self._read(request, read, again, poor) for request in requests]

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        reply = self._reply(request)
        if isinstance(reply, CallError):
            raise reply
        return reply

    def _read(
        self, request: Request, read: Callable[[Reply | CallError], T], again: int, poor: Callable[[T], bool] | None
    ) -> T:
        found = read(self._reply(request))
        for _ in range(again):
            if poor is None or not poor(found):
                break
            found = read(self._reply(request))
        return found

    def _reply(self, request: Request) -> Reply | CallError:
        self.requests.append(request)
        said = self.rule(text_of(request))
        return Reply(said) if isinstance(said, str) else said


@final
@dataclass
class FakeContext:
    """What a stage is handed, with models only."""

    models: Mapping[str, Any]
    specs: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 7
    out: str = ""

    @property
    def view(self) -> Any:
        return SimpleNamespace(plan=SimpleNamespace(models=self.specs))

    def rng(self, row_id: str) -> random.Random:
        return random.Random(f"{self.seed} {row_id}")

    def stop_asked(self) -> bool:
        return False


def judged(stage: Any, batch: pa.Table, rule: Rule, **others: Rule) -> tuple[dict[str, list[Any]], Asked]:
    """A stage's columns as Python values and its first model; `others` are further models by nickname."""
    judge = Asked(rule)
    ctx = FakeContext({"judge": judge} | {name: Asked(other) for name, other in others.items()})
    found = stage.score(batch, ctx)
    told = {column.name: column.type for column in stage.columns_written()}
    assert set(found) == set(told)
    assert all(found[name].type == kind and len(found[name]) == batch.num_rows for name, kind in told.items())
    return {name: column.to_pylist() for name, column in found.items()}, judge


def text_of(request: Request) -> str:
    """The text of a request's last message."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def pairs(*rows: tuple[str, str | None, str | None], **more: Sequence[Any]) -> pa.Table:
    """Rows of (prompt, chosen, rejected)."""
    prompts, chosen, rejected = (list(column) for column in zip(*rows, strict=True))
    columns = {
        "id": pa.array([f"row{k}" for k in range(len(rows))]),
        "prompt": text_messages(pa.array(prompts, pa.string())),
        "chosen": text_answers(pa.array(chosen, pa.string())),
        "rejected": text_answers(pa.array(rejected, pa.string())),
    }
    return pa.table(columns | {name: pa.array(values, COLUMNS.get(name)) for name, values in more.items()})


def candidates(*rows: tuple[str, Sequence[str | None] | None], **more: Sequence[Any]) -> pa.Table:
    """Rows of (prompt, candidates)."""
    lists = [None if texts is None else [None if t is None else {"text": t} for t in texts] for _, texts in rows]
    columns = {
        "id": pa.array([f"row{k}" for k in range(len(rows))]),
        "prompt": text_messages(pa.array([prompt for prompt, _ in rows])),
        "candidates": pa.array(lists, pa.list_(ANSWER)),
    }
    return pa.table(columns | {name: pa.array(values, COLUMNS.get(name)) for name, values in more.items()})


def with_chances(text: str, chances: Mapping[str, float]) -> Reply:
    """A one-token reply with these chances of its tokens."""
    top = [[token, math.log(p)] for token, p in chances.items()]
    token = {"token": text, "logprob": math.log(chances[text]), "top": top}
    return Reply(text, data={"texts": [text], "logprobs": [[token]]})


def between(text: str, start: str, end: str) -> str:
    """What stands between two marks of a prompt."""
    return text.split(start, 1)[1].split(end, 1)[0].strip()
