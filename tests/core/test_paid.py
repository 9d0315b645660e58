"""A paid model: each call once, 429s and failures, budget, fuse, closing; with a backend that keeps count."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rather.core import caller
from rather.core.errors import BudgetReached, CallError, CallRefused, RateLimited, StageFailed
from rather.core.journal import Journal
from rather.core.meter import Budget, Meter
from rather.core.paid import PaidModel, Reply, Request


class Counting:
    """Answers with the request's text; `act` may raise, by (text, how often it was asked)."""

    requests_per_minute = tokens_per_minute = None

    def __init__(self, act: Callable[[str, int], Any] = lambda text, k: None, concurrency: int = 64) -> None:
        self.act, self.concurrency, self.tries = act, concurrency, 3
        self.asked: dict[str, int] = {}
        self.answered: list[str] = []
        self.closed = False

    async def call(self, request: Request) -> Reply:
        text = request["text"]
        k = self.asked[text] = self.asked.get(text, 0) + 1
        await asyncio.sleep(0.001)
        said = self.act(text, k)
        self.answered.append(text)
        return Reply(said or f"said {text}", tokens_in=8, tokens_out=2, usd=0.01)

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def opened(backend: Any, path: Path, budget: Budget | None = None) -> AsyncIterator[tuple[PaidModel, Meter]]:
    journal, meter = Journal(path / "journal.sqlite"), Meter(budget or Budget())
    model = PaidModel(backend, {"use": "fake", "name": "m"}, journal, meter, "run", asyncio.get_running_loop())
    try:
        yield model, meter
    finally:
        await model.close()
        journal.close()


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_BACKOFF", (0.002, 0.01))


def requests(n: int) -> list[Request]:
    return [{"text": f"q{k}"} for k in range(n)]


def test_equal_requests_at_once_and_in_later_runs_are_paid_for_once(tmp_path: Path) -> None:
    async def run(backend: Counting) -> tuple[list[Any], Any]:
        async with opened(backend, tmp_path) as (model, meter):
            together = await asyncio.gather(*(model.ask({"text": "same"}) for _ in range(50)))
            listed = await asyncio.to_thread(model.ask_all, [*requests(300), *requests(300)])
            return [reply.text for reply in [*together, *listed]], meter.total

    first, later = Counting(), Counting()
    texts, spend = asyncio.run(run(first))
    assert texts == ["said same"] * 50 + [f"said q{k}" for k in range(300)] * 2
    assert len(first.answered) == 301 and spend.calls == 301 and first.closed
    again, reused = asyncio.run(run(later))
    assert again == texts and later.answered == [] and reused.calls == 0 and reused.reused >= 301


def test_another_attempt_is_another_call(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with opened(Counting(lambda text, k: f"{k}"), tmp_path) as (model, _):
            return [(await model.ask({"text": "q"}, attempt)).text for attempt in (0, 1, 0, 1, 2)]

    assert asyncio.run(run()) == ["1", "2", "1", "2", "3"]


def test_waits_are_no_attempts_and_failures_are(tmp_path: Path) -> None:
    def act(text: str, k: int) -> None:
        if text == "busy" and k <= 9:
            raise RateLimited(retry_after=0.001)
        if text == "shaky" and k <= 2:
            raise CallError("500")
        if text == "broken":
            raise CallError("500 for ever")
        if text == "wrong":
            raise CallRefused("400")

    async def run(backend: Counting) -> list[Any]:
        async with opened(backend, tmp_path) as (model, _):
            asked = [{"text": text} for text in ("busy", "shaky", "broken", "wrong", "fine")]
            return await asyncio.to_thread(model.ask_all, asked)

    backend = Counting(act)
    busy, shaky, broken, wrong, fine = asyncio.run(run(backend))
    assert (busy.text, shaky.text, fine.text) == ("said busy", "said shaky", "said fine")
    assert isinstance(broken, CallError) and isinstance(wrong, CallRefused)
    assert backend.asked == {"busy": 10, "shaky": 3, "broken": 3, "wrong": 1, "fine": 1}


def test_half_of_all_calls_refused_completes_every_row(tmp_path: Path) -> None:
    def act(text: str, k: int) -> None:
        if hashlib.sha256(f"{text} {k}".encode()).digest()[0] % 2:
            raise RateLimited(retry_after=0.005)

    async def run(backend: Counting) -> list[Any]:
        async with opened(backend, tmp_path) as (model, _):
            return await asyncio.to_thread(model.ask_all, requests(2000))

    backend = Counting(act)
    assert [reply.text for reply in asyncio.run(run(backend))] == [f"said q{k}" for k in range(2000)]
    assert len(backend.answered) == 2000 and sum(backend.asked.values()) < 2.5 * 2000


def test_poor_replies_are_asked_for_again_and_the_last_counts(tmp_path: Path) -> None:
    def act(text: str, k: int) -> str | None:
        return "poor" if text in ("q3", "q4") and k <= {"q3": 1, "q4": 9}[text] else None

    async def run(backend: Counting) -> list[Any]:
        async with opened(backend, tmp_path) as (model, _):
            read = lambda reply: reply.text  # noqa: E731
            return await asyncio.to_thread(
                lambda: model.ask_each(requests(6), read, again=2, poor=lambda text: text == "poor")
            )

    backend = Counting(act)
    assert asyncio.run(run(backend)) == ["said q0", "said q1", "said q2", "said q3", "poor", "said q5"]
    assert backend.asked["q3"] == 2 and backend.asked["q4"] == 3 and backend.asked["q5"] == 1
    assert asyncio.run(run(later := Counting(act)))[4] == "poor" and later.asked == {}


def test_a_budget_is_not_passed_by_calls_on_their_way(tmp_path: Path) -> None:
    async def run(backend: Counting, budget: Budget) -> None:
        async with opened(backend, tmp_path, budget) as (model, _):
            await asyncio.to_thread(model.ask_all, requests(10))
            await asyncio.to_thread(model.ask_all, requests(500))

    for budget, most in ((Budget(calls=77), 77), (Budget(usd=0.5), 50), (Budget(tokens=333), 34)):
        backend = Counting()
        with pytest.raises(BudgetReached):
            asyncio.run(run(backend, budget))
        assert 10 <= len(backend.answered) <= most
        (tmp_path / "journal.sqlite").unlink()


def test_an_endpoint_that_fails_everything_stops_the_run(tmp_path: Path) -> None:
    def act(text: str, k: int) -> None:
        raise CallError("502: no upstream")

    async def run(backend: Counting) -> None:
        async with opened(backend, tmp_path) as (model, _):
            await asyncio.to_thread(model.ask_all, requests(5000))

    backend = Counting(act)
    with pytest.raises(StageFailed, match="calls in a row; the last one: 502: no upstream"):
        asyncio.run(run(backend))
    assert sum(backend.asked.values()) < 1000


def test_one_bad_request_in_three_is_no_reason_to_stop(tmp_path: Path) -> None:
    def act(text: str, k: int) -> None:
        if int(text[1:]) % 3:
            raise CallRefused("400: too long")

    async def run() -> list[Any]:
        async with opened(Counting(act, concurrency=1), tmp_path) as (model, _):
            return await asyncio.to_thread(model.ask_all, requests(90))

    assert sum(isinstance(reply, Reply) for reply in asyncio.run(run())) == 30


def test_a_key_that_is_refused_from_the_start_stops_the_run(tmp_path: Path) -> None:
    def act(text: str, k: int) -> None:
        raise CallRefused("401: no such key", hint="is the value of ${JUDGE_KEY} right?")

    async def run(backend: Counting) -> None:
        async with opened(backend, tmp_path) as (model, _):
            await asyncio.to_thread(model.ask_all, requests(5000))

    backend = Counting(act, concurrency=8)
    with pytest.raises(StageFailed, match="JUDGE_KEY"):
        asyncio.run(run(backend))
    assert len(backend.asked) < 40


def test_a_wait_of_an_hour_stops_the_run_instead_of_sitting_it_out(tmp_path: Path) -> None:
    def act(text: str, k: int) -> None:
        raise RateLimited(retry_after=3600)

    async def run() -> None:
        async with opened(Counting(act), tmp_path) as (model, _):
            await asyncio.wait_for(model.ask({"text": "q"}), 5)

    with pytest.raises(StageFailed, match="asks to wait 60 minutes"):
        asyncio.run(run())


def test_a_reply_whose_asker_has_left_is_durable_all_the_same(tmp_path: Path) -> None:
    async def run(backend: Counting) -> None:
        async with opened(backend, tmp_path) as (model, _):
            tasks = [asyncio.ensure_future(model.ask(request)) for request in requests(30)]
            while len(backend.answered) < 30:
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run(first := Counting()))
    asyncio.run(run_all(later := Counting(), tmp_path))
    assert len(first.answered) == 30 and later.answered == []


async def run_all(backend: Counting, path: Path) -> None:
    async with opened(backend, path) as (model, _):
        await asyncio.to_thread(model.ask_all, requests(30))


def test_once_stopped_nothing_more_is_begun(tmp_path: Path) -> None:
    async def run(backend: Counting) -> list[Any]:
        async with opened(backend, tmp_path) as (model, _):
            await model.ask({"text": "before"})
            model.stop()
            return await asyncio.gather(*(model.ask(r) for r in requests(5)), return_exceptions=True)

    backend = Counting()
    assert all(isinstance(end, StageFailed) for end in asyncio.run(run(backend)))
    assert backend.answered == ["before"]
